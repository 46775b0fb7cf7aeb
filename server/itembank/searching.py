"""Which items a list shows: by words in their text, and by what is public of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from server.itembank.blueprint import Band, band_of, point_code
from server.itembank.interchange.answers import folded
from server.itembank.interchange.sanitising import plain_of
from server.itembank.items import ItemContent, ItemState
from server.itembank.open_bank import HeldItem, OpenItem


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """What is asked for; an empty text or None asks for nothing. `words` must all stand in the item's text."""

    words: str = ""
    type: str = ""
    point: str = ""
    band: Band | None = None
    state: ItemState | None = None
    writer: str = ""

    def holds(self, one: OpenItem) -> bool:
        """Say whether the newest version of an item is asked for."""
        return self.holds_public(one.held) and self._holds_text(one.full.content)

    def holds_public(self, held: HeldItem) -> bool:
        """Say whether what is public of an item's newest version is asked for."""
        public = held.newest.public
        return (
            (not self.type or public.type == self.type)
            and (not self.point or self.point in (public.point, point_code(public.point)))
            and (self.band is None or band_of(public.difficulty) == self.band)
            and (self.state is None or public.state is self.state)
            and (not self.writer or held.newest.writer == self.writer)
        )

    def _holds_text(self, content: ItemContent) -> bool:
        sought = [word for word in map(folded, self.words.split()) if word]
        if not sought:
            return True
        text = _folded(content)
        return all(word in text for word in sought)


@lru_cache(maxsize=20_000)
def _folded(content: ItemContent) -> str:
    """Return what is searched of an item; kept in the memory of the desk's process, which ends with its opening."""
    return folded(searched_text(content))


def searched_text(content: ItemContent) -> str:
    """Return all that a person reads of an item, its label among it."""
    texts = [content.stem, *content.options, content.explanation, content.model]
    for part in content.parts:
        texts += [part.stem, *part.options, part.explanation, part.model]
    return " ".join([content.label, *(plain_of(text) for text in texts)])


def distinct_points(held: Iterable[HeldItem]) -> tuple[str, ...]:
    """Return the knowledge points of items, ascending."""
    return tuple(sorted({one.newest.public.point for one in held}))
