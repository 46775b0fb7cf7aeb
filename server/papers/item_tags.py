"""Blinded names of the questions on papers: the same question has the same tag on every paper of a slot.

The serving process sees which reports are of one question without knowing which it is: a tag is a keyed hash under a
key derived from the slot's start key, made at the draw. Only who holds that key and the bank can tell its question.
"""

from collections.abc import Iterator, Sequence

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


class TagsCompared:
    """Finds faults in the tags of papers drawn again: with the slot's tags (`made`) every tag is judged by itself;
    without the start key papers are compared with each other, so that a tag which is wrong on all of them passes."""

    def __init__(self, made: ItemTags | None, parts: Sequence[int]) -> None:
        self._made, self._parts = made, parts
        self._of: dict[tuple[int, int], tuple[bytes, str]] = {}
        self._named: dict[bytes, tuple[tuple[int, int], str]] = {}

    def faults(self, draw: Draw, tags: bytes) -> list[str]:
        """Return what is wrong with a paper's tags, in words that begin with its id."""
        questions = list(self._questions(draw))
        if len(tags) != len(questions) * TAG_BYTES:
            return [
                f"{draw.paper}: {len(tags)} bytes of tags for {len(questions)} questions of {TAG_BYTES} each"
            ]
        each = [tags[at : at + TAG_BYTES] for at in range(0, len(tags), TAG_BYTES)]
        if self._made is not None:
            right = self._made.of(draw)
            wrong = [
                str(place + 1)
                for place, tag in enumerate(each)
                if tag != right[place * TAG_BYTES : (place + 1) * TAG_BYTES]
            ]
            return [f"{draw.paper}: tags not of their questions: numbers {', '.join(wrong)}"] if wrong else []
        found: list[str] = []
        for number, (question, tag) in enumerate(zip(questions, each, strict=True), start=1):
            first, paper = self._of.setdefault(question, (tag, draw.paper))
            if first != tag:
                found.append(
                    f"{draw.paper}: number {number} has another tag than the same question on {paper}"
                )
            named, paper = self._named.setdefault(tag, (question, draw.paper))
            if named != question:
                found.append(f"{draw.paper}: number {number} has the tag of another question on {paper}")
        return found

    def _questions(self, draw: Draw) -> Iterator[tuple[int, int]]:
        for index in draw.items:
            for part in range(max(1, self._parts[index])):
                yield index, part
