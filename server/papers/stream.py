"""The only randomness of a draw: a counter stream of SHA-256, the same on any machine and in any language.

Stream key = SHA-256(b"gongyuan/draw/1" ‖ 0 ‖ label (UTF-8) ‖ 0 ‖ seed (32 bytes)); block j (from 1) of call i (from
0) = HMAC-SHA-256(stream key, i as 8 bytes ‖ j as 4 bytes, both big-endian), which is PBKDF2 with one iteration.

`numbers(n, count)`: ⌈count / 8⌉ blocks are read as 32-bit big-endian words; words at or above the largest
multiple of n not above 2³² are passed over, the others give w mod n, so every value is equally likely;
further calls are made until there are enough. `order(n)`: ⌈n / 4⌉ blocks are read as 64-bit big-endian words,
the first n of them; the order is that of the places 0 … n − 1 sorted by their words (equal words, one in
10¹⁴ orders of 500, by place). `words(n)`: ⌈n / 8⌉ blocks as 32-bit big-endian words,
the first n of them.
"""

import hashlib
import struct

import numpy as np

_SPAN = 1 << 32


class Stream:
    """One labelled stream of one seed. Different labels give independent streams."""

    __slots__ = ("_call", "_key")

    def __init__(self, seed: bytes, label: str) -> None:
        if len(seed) != 32:
            raise ValueError("a seed has 32 bytes")
        self._key = hashlib.sha256(b"gongyuan/draw/1\0" + label.encode() + b"\0" + seed).digest()
        self._call = 0

    def _blocks(self, count: int) -> bytes:
        call = self._call
        self._call = call + 1
        if not count:
            return b""
        return hashlib.pbkdf2_hmac("sha256", self._key, call.to_bytes(8, "big"), 1, count * 32)

    def numbers(self, n: int, count: int) -> list[int]:
        """Return `count` uniform integers in [0, n); n from 1 to 2³²."""
        limit = _SPAN - _SPAN % n
        found: list[int] = []
        while len(found) < count:
            blocks = (count - len(found) + 7) // 8
            words = struct.unpack(f">{blocks * 8}I", self._blocks(blocks))
            found.extend([word % n for word in words if word < limit])
        return found[:count]

    def order(self, n: int) -> list[int]:
        """Return the numbers 0 … n − 1 in a uniformly random order."""
        blocks = (n + 3) // 4
        words = struct.unpack(f">{blocks * 4}Q", self._blocks(blocks))
        return sorted(range(n), key=words.__getitem__)

    def words(self, n: int) -> "np.ndarray[tuple[int], np.dtype[np.uint32]]":
        """Return n words of 32 bits."""
        return np.frombuffer(self._blocks((n + 7) // 8), dtype=">u4")[:n].astype(np.uint32)


def derived_id(seed: bytes, label: str) -> str:
    """Return an id made of a seed and a label: 16 bytes of SHA-256 in the form of a UUID version 8 (RFC
    9562)."""
    digest = bytearray(hashlib.sha256(b"gongyuan/id/1\0" + label.encode() + b"\0" + seed).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
