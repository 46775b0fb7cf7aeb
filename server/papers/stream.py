"""The only randomness of a draw: a counter stream of SHA-256, the same on any machine and in any language.

Block i (from 0) = SHA-256(b"gongyuan/draw/1" ‖ 0 ‖ label (UTF-8) ‖ 0 ‖ seed (32 bytes) ‖ i as 8 bytes,
big-endian). The stream is the blocks in order, read as 32-bit big-endian words. `below(n)` takes the next
word w that lies below the largest multiple of n not above 2³² and returns w mod n, so every value is
equally likely.
"""

import hashlib
import struct

_WORDS = struct.Struct(">8I")
_SPAN = 1 << 32


class Stream:
    """One labelled stream of one seed. Different labels give independent streams."""

    __slots__ = ("_base", "_block", "_words")

    def __init__(self, seed: bytes, label: str) -> None:
        if len(seed) != 32:
            raise ValueError("a seed has 32 bytes")
        self._base = hashlib.sha256(b"gongyuan/draw/1\0" + label.encode() + b"\0" + seed)
        self._block = 0
        self._words: list[int] = []

    def _fill(self) -> None:
        block = self._base.copy()
        block.update(self._block.to_bytes(8, "big"))
        self._block += 1
        self._words = list(_WORDS.unpack(block.digest()))
        self._words.reverse()

    def below(self, n: int) -> int:
        """Return the next uniform integer in [0, n); n from 1 to 2³²."""
        limit = _SPAN - _SPAN % n
        while True:
            if not self._words:
                self._fill()
            word = self._words.pop()
            if word < limit:
                return word % n

    def shuffle(self, values: list[int]) -> None:
        """Shuffle in place (Fisher–Yates from the last place down)."""
        words = self._words
        for last in range(len(values) - 1, 0, -1):
            n = last + 1
            limit = _SPAN - _SPAN % n
            while True:
                if not words:
                    self._fill()
                    words = self._words
                word = words.pop()
                if word < limit:
                    break
            other = word % n
            values[last], values[other] = values[other], values[last]


def derived_id(seed: bytes, label: str) -> str:
    """Return an id made of a seed and a label: 16 bytes of SHA-256 in the form of a UUID version 8 (RFC
    9562)."""
    digest = bytearray(hashlib.sha256(b"gongyuan/id/1\0" + label.encode() + b"\0" + seed).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
