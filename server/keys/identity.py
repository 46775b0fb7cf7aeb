"""The node's own keys, made at first start in `<data>/keys/node.json` (mode 0600, folder 0700).

signing: Ed25519, signs packages, opening offers, beacons and journal heads. receiving: X25519, packages are
encrypted to it. storage: 32 bytes, wraps what a restart must read without custodians (the start key after the
bell, the secret of a draw before it is published). A lost file means a new identity, which the authority must
be told of: keep the recovery bundle, which is the same file encrypted under a passphrase, in the safe.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from server.errors import BadInput, Refusal, Refused, Tampered
from server.keys.passwords import LEAST_PASSPHRASE, argon2id, password_refusal
from server.keys.sealing import (
    NONCE_BYTES,
    derive,
    generate_receiving,
    hpke_open,
    random_key,
    receiving_public,
    seal,
    unseal,
)
from server.keys.signing import SigningKey, fingerprint

_FILE = "node.json"
_BUNDLE_AAD = b"gongyuan/recovery/1"


class _NodeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    signing: bytes
    receiving: bytes
    storage: bytes


class _Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    node: str
    salt: bytes
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class PublicIdentity:
    """What others know of a node."""

    signing: bytes
    receiving: bytes

    @property
    def fingerprint(self) -> str:
        """Fingerprint of both public keys together: who compares it has compared both."""
        return fingerprint(self.signing + self.receiving)


class Identity:
    """The keys of this node."""

    def __init__(self, signing: SigningKey, receiving: bytes, storage: bytes) -> None:
        self.signing = signing
        self._receiving = receiving
        self._storage = storage
        self.public = PublicIdentity(signing.public, receiving_public(receiving))

    @property
    def fingerprint(self) -> str:
        """Fingerprint of this node's public keys, 16 groups of 4 hex digits."""
        return self.public.fingerprint

    @staticmethod
    def open_or_create(folder: Path) -> "Identity":
        """Read the identity in the data folder's `keys/`, or make one at the first start.

        BadInput `identity-unreadable` when the file is there but not of the stated form: it is never
        replaced.
        """
        path = folder / "keys" / _FILE
        if path.exists():
            return Identity._from(_decoded(path.read_bytes(), str(path)))
        receiving, _public = generate_receiving()
        identity = Identity(SigningKey.generate(), receiving, bytes(random_key()))
        identity._write(path)
        return identity

    @staticmethod
    def restore(folder: Path, bundle: bytes, passphrase: str) -> "Identity":
        """Write the identity of a recovery bundle into an empty data folder.

        Refused `identity-exists` when the folder has one, Tampered `recovery-wrong` for a wrong passphrase or
        a changed bundle.
        """
        path = folder / "keys" / _FILE
        if path.exists():
            raise Refused(Refusal("identity-exists", facts={"path": str(path)}))
        try:
            sealed = msgspec.json.decode(bundle, type=_Bundle)
        except msgspec.DecodeError as error:
            raise BadInput("recovery-form", reason=str(error)) from error
        key = argon2id(passphrase.encode(), sealed.salt, 32)
        try:
            node = unseal(key, sealed.nonce, sealed.ciphertext, _BUNDLE_AAD + sealed.node.encode())
        except Tampered as error:
            raise Tampered("recovery-wrong") from error
        identity = Identity._from(_decoded(node, "recovery bundle"))
        identity._write(path)
        return identity

    def recovery_bundle(self, passphrase: str) -> bytes:
        """Return this identity encrypted under a passphrase (Argon2id), as JSON for a removable medium."""
        refusal = password_refusal(passphrase, "", LEAST_PASSPHRASE)
        if refusal is not None:
            raise Refused(refusal)
        salt = os.urandom(16)
        key = argon2id(passphrase.encode(), salt, 32)
        nonce, ciphertext = seal(key, self._encoded(), _BUNDLE_AAD + self.fingerprint.encode())
        return msgspec.json.encode(_Bundle(1, self.fingerprint, salt, nonce, ciphertext))

    def exported(self) -> bytes:
        """Return this identity in clear, to be sealed at once (the recovery file, a standby)."""
        return self._encoded()

    @staticmethod
    def take_over(folder: Path, exported: bytes) -> "Identity":
        """Write an exported identity into a data folder that has none; Refused `identity-exists`."""
        path = folder / "keys" / _FILE
        if path.exists():
            raise Refused(Refusal("identity-exists", facts={"path": str(path)}))
        identity = Identity._from(_decoded(exported, "exported identity"))
        identity._write(path)
        return identity

    def receive(self, sealed: bytes, info: bytes) -> bytes:
        """Open what was encrypted to this node (HPKE); Tampered otherwise."""
        return hpke_open(self._receiving, sealed, info)

    def storage_wrap(self, secret: bytes | bytearray, aad: bytes) -> bytes:
        """Encrypt for this node's own database; the result is nonce ‖ ciphertext."""
        nonce, ciphertext = seal(self._wrap_key(), secret, aad)
        return nonce + ciphertext

    def storage_unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Decrypt what `storage_wrap` made under the same associated data; Tampered otherwise."""
        return unseal(self._wrap_key(), wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], aad)

    def secret_for(self, purpose: str) -> str:
        """Return a secret of this node for one purpose (64 hex digits), the same after every restart."""
        return derive(self._storage, f"gongyuan/{purpose}/1".encode()).hex()

    def _wrap_key(self) -> bytes:
        return derive(self._storage, b"gongyuan/storage-wrap/1")

    def _encoded(self) -> bytes:
        return msgspec.json.encode(_NodeFile(1, self.signing.raw(), self._receiving, self._storage))

    @staticmethod
    def _from(file: _NodeFile) -> "Identity":
        return Identity(SigningKey.load(file.signing), file.receiving, file.storage)

    def _write(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(self._encoded())
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)  # noqa: PTH105


def _decoded(data: bytes, place: str) -> _NodeFile:
    try:
        file = msgspec.json.decode(data, type=_NodeFile)
    except msgspec.DecodeError as error:
        raise BadInput("identity-unreadable", path=place, reason=str(error)) from error
    if file.version != 1 or not len(file.signing) == len(file.receiving) == len(file.storage) == 32:
        raise BadInput("identity-unreadable", path=place, reason="version or key length")
    return file
