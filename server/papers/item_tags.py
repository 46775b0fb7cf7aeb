"""Blinded names of the questions on papers: the same question has the same tag on every paper of a slot.

The serving process sees which reports are of one question without knowing which it is: a tag is a keyed hash under a
key derived from the slot's start key, made at the draw. Only who holds that key and the bank can tell its question.
"""

from collections.abc import Sequence

from server.keys.sealing import Bytes, derive, hmac_sha256
from server.papers.drawing import Draw, DrawItem
from server.papers.models import TAG_BYTES


class ItemTags:
    """The tags of one draw; `parts` counts the sub-items of each item of the bank, 0 for one that stands alone."""

    def __init__(self, start_key: Bytes, slot: str, bank: Sequence[DrawItem], parts: Sequence[int]) -> None:
        self._key = derive(start_key, b"gongyuan/item-tags/1\x00" + slot.encode())
        self._bank, self._parts = bank, parts
        self._made: dict[int, bytes] = {}

    def of(self, draw: Draw) -> bytes:
        """Return the tags of a paper, `TAG_BYTES` for each of its numbers in order."""
        return b"".join([self._of(index) for index in draw.items])

    def _of(self, index: int) -> bytes:
        found = self._made.get(index)
        if found is None:
            one = self._bank[index]
            numbers = range(1, self._parts[index] + 1) if self._parts[index] else (0,)
            texts = [f"{one.item}\n{one.version}\n{part}".encode() for part in numbers]
            found = b"".join([hmac_sha256(self._key, text)[:TAG_BYTES] for text in texts])
            self._made[index] = found
        return found
