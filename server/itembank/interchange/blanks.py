"""Fill-in items: where the blanks stand in a stem, and what is accepted in each."""

import re
from collections.abc import Callable

from server.itembank.interchange import answers
from server.itembank.interchange.cells import RowCells, Skip, plain
from server.itembank.interchange.rows import Cell, text_of

BLANK = re.compile(r"_{2,}|＿{2,}|﹍{2,}|（[\s　]*）|\([\s　]*\)|【[\s　]*】|\[[\s　]*\]")
STORED_BLANK = re.compile(r'<span class="blank" data-blank="\d+"></span>')
_VARIANTS = re.compile(r"\s+/\s+|／|\s+或者?\s+")
_ANSWERED = re.compile(r"_{2,}[ 　]*([^_\n]{1,60}?)[ 　]*_{2,}")
_SPACES = re.compile(r"(?<=\S)(?: {4,}|　{2,})(?=\S)")
_BRACKETED = re.compile(r"[（(【]\s*([^（(【）)】]{1,40}?)\s*[）)】]")


def blank(number: int) -> str:
    """Return how a blank stands in a stored stem; numbers count from 1."""
    return f'<span class="blank" data-blank="{number}"></span>'


def filled(
    row: RowCells, stem: str, key_cell: Cell | None, clean: Callable[[str], str]
) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """Return (stem with numbered blanks, accepted texts of each blank); Skip when they do not match."""
    if not row.stored:
        stem, key_cell = _blanks_made(row, stem, key_cell)
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


def _blanks_made(row: RowCells, stem: str, key_cell: Cell | None) -> tuple[str, Cell | None]:
    """Return (stem, answers) with blanks made of what stands for them: answers typed over the line (`__甲__`) or in
    brackets, which are a doubt, and wide spaces, when as many as there are answers."""
    told = text_of(key_cell)
    over = _ANSWERED.findall(stem) if not told else []
    if over and len(_ANSWERED.sub("", stem).split("__")) == 1:
        row.note("answers-from-stem", count=len(over))
        return _ANSWERED.sub("____", stem), tuple(over)
    if BLANK.search(stem):
        return stem, key_cell
    inside = _BRACKETED.findall(stem) if not told else []
    if inside:
        row.doubt("answers-from-brackets", answers="；".join(inside)[:80])
        return _BRACKETED.sub("____", stem), tuple(inside)
    spaces = _SPACES.findall(stem)
    if told and spaces and len(accepted_in(key_cell, len(spaces))) == len(spaces):
        row.note("blanks-from-spaces", count=len(spaces))
        return _SPACES.sub("____", stem), key_cell
    return stem, key_cell


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
        elif listed is None and blanks == 1 and "|" in whole.replace("｜", "|"):
            return _held([re.split(r"[|｜]", whole)])
    return _held([_VARIANTS.split(text) for text in texts])


def _held(lists: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    found = [tuple(text for one in texts if (text := plain(one))) for texts in lists]
    return tuple(variants for variants in found if variants)
