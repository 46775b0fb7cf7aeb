"""Fill-in items: where the blanks stand in a stem, and what is accepted in each."""

import re
from collections.abc import Callable

from server.itembank.interchange import answers
from server.itembank.interchange.cells import RowCells, Skip, plain
from server.itembank.interchange.rows import Cell, text_of

BLANK = re.compile(r"_{2,}|＿{2,}|﹍{2,}|（[\s　]*）|\([\s　]*\)|【[\s　]*】|\[[\s　]*\]")
STORED_BLANK = re.compile(r'<span class="blank" data-blank="\d+"></span>')
_VARIANTS = re.compile(r"\s+/\s+|／")


def blank(number: int) -> str:
    """Return how a blank stands in a stored stem; numbers count from 1."""
    return f'<span class="blank" data-blank="{number}"></span>'


def filled(
    row: RowCells, stem: str, key_cell: Cell | None, clean: Callable[[str], str]
) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """Return (stem with numbered blanks, accepted texts of each blank); Skip when they do not match."""
    parts = (STORED_BLANK if row.stored else BLANK).split(stem)
    blanks = len(parts) - 1
    if blanks == 0:
        raise Skip("item-without-blank")
    accepted = accepted_in(key_cell, blanks)
    if len(accepted) != blanks:
        raise Skip("blank-count-differs", blanks=blanks, answers=len(accepted))
    if row.stored:
        return clean(stem), accepted
    pieces = [clean(parts[0])]
    for number, part in enumerate(parts[1:], start=1):
        pieces.append(blank(number))
        pieces.append(clean(part))
    return clean("".join(pieces)), accepted


def accepted_in(key_cell: Cell | None, blanks: int) -> tuple[tuple[str, ...], ...]:
    """Return the accepted texts of each blank: blanks parted by ； or | (or 、), variants by ` / ` or ／."""
    if key_cell is not None and not isinstance(key_cell, str):
        texts = [part if isinstance(part, str) else part[1] for part in key_cell]
    else:
        whole = text_of(key_cell)
        nested = answers.json_lists(whole)
        if nested is not None:
            return _held(nested)
        listed = answers.json_texts(whole)
        texts = listed if listed is not None else [whole]
        if listed is None and blanks > 1:
            for marks in (r"[;；|｜\n]", r"[、,，]", r"\s+"):
                parts = [part.strip() for part in re.split(marks, whole) if part.strip()]
                if len(parts) == blanks:
                    texts = parts
                    break
    return _held([_VARIANTS.split(text) for text in texts])


def _held(lists: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    found = [tuple(text for one in texts if (text := plain(one))) for texts in lists]
    return tuple(variants for variants in found if variants)
