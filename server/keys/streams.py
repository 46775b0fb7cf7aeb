"""Sealing a file in chunks as it grows: a cut file is read up to its last whole chunk, and is seen to be cut.

AES-256-GCM with a counter for nonce: eight bytes of the chunk's number, and one that says whether it is the last. So
chunks can be neither exchanged, nor left out, nor repeated, and an end cannot be made where there was none. A key is
used for one file only.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.errors import Tampered
from server.keys.sealing import Bytes, derive

TAG_BYTES = 16


def file_key(key: Bytes, file: str) -> bytes:
    """Return the 32-byte key of one file under a key for many; `file` is a name that is never used twice."""
    return derive(key, b"gongyuan/stream/1" + file.encode())


class ChunkSealer:
    """Encrypts the chunks of one file in their order; `aad` binds every chunk to the file."""

    def __init__(self, key: Bytes, aad: bytes) -> None:
        self._cipher, self._aad, self._number = AESGCM(bytes(key)), aad, 0

    def seal(self, data: Bytes, last: bool) -> bytes:
        """Return the ciphertext of the next chunk: 16 bytes longer than it was."""
        sealed = self._cipher.encrypt(_nonce(self._number, last), bytes(data), self._aad)
        self._number += 1
        return sealed


class ChunkOpener:
    """Decrypts the chunks of one file in their order."""

    def __init__(self, key: Bytes, aad: bytes) -> None:
        self._cipher, self._aad, self._number = AESGCM(bytes(key)), aad, 0

    def open(self, sealed: bytes, last: bool) -> bytes:
        """Return the next chunk; Tampered `seal-broken` when it is not the next one of this file."""
        try:
            data = self._cipher.decrypt(_nonce(self._number, last), sealed, self._aad)
        except (InvalidTag, ValueError) as error:
            raise Tampered("seal-broken") from error
        self._number += 1
        return data


def _nonce(number: int, last: bool) -> bytes:
    return b"\0\0\0" + bytes([last]) + number.to_bytes(8, "big")
