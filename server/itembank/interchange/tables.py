"""From plain rows of cells to named columns: finds the header rows and names every column."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from server.errors import BadInput
from server.itembank.interchange import answers
from server.itembank.interchange.mapping import guess_columns, is_option_header, known_columns

HEADER_WITHIN = 10
"""The header is sought in the first so many rows that hold anything."""
_LEAST_OF_A_HEADER = 3
Numbered = Sequence[tuple[int, Sequence[str]]]
"""Rows as (number of the row in its file, texts of its cells)."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows below one header: the columns' names, and the rows by their numbers."""

    names: tuple[str, ...]
    rows: tuple[tuple[int, Sequence[str]], ...]


class Together:
    """Gives one name to what several headers of a file word differently: `题干` of one sheet, `题目` of the next."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def renamed(self, names: Sequence[str]) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """Return the names to use, and which of a header's own names were changed for those of an earlier one."""
        mapping = guess_columns(names)
        meant = {column: field for field, column in mapping.fields.items()}
        meant |= {column: f"option {place}" for place, column in enumerate(mapping.option_columns)}
        meant |= {column: f"answer {place}" for place, column in enumerate(mapping.answer_columns)}
        changed: dict[str, str] = {}
        for column, field in meant.items():
            name = self._names.setdefault(field, column)
            if name != column:
                changed[column] = name
        taken = set(changed.values())
        found: list[str] = []
        for name in names:
            other = changed.get(name, name)
            while name not in changed and other in taken:
                other = f"{other} (2)"
            found.append(other)
        return tuple(found), changed


def header_place(rows: Numbered, named: Collection[str] = ()) -> int | None:
    """Return the index of the row that holds all `named` columns, else of the row with the most known column names;
    None when there is no such row."""
    head = rows[:HEADER_WITHIN]
    if named:
        whole = next((index for index, (_, cells) in enumerate(head) if set(named) <= set(cells)), None)
        if whole is not None:
            return whole
    best, most = None, 0
    for index, (_, cells) in enumerate(head):
        known = known_columns([cell for cell in cells if cell])
        if known > most:
            best, most = index, known
    if best is None and named:
        held = [len(set(named) & set(cells)) for _, cells in head]
        best = held.index(max(held)) if held and max(held) > 1 else None
    return best


def assumed_header(rows: Numbered) -> int | None:
    """Return the index of the row that may be a header though none of its words is known: the first one with three
    cells, unless it reads like an item (-1: the rows have no header). None when no row has three cells."""
    for index, (_, cells) in enumerate(rows[:HEADER_WITHIN]):
        filled = [cell for cell in cells if cell]
        if len(filled) >= _LEAST_OF_A_HEADER:
            return -1 if _is_item(filled) else index
    return None


def _is_item(filled: Sequence[str]) -> bool:
    told = any(
        answers.type_of(cell) is not None
        or (len(cell) < 6 and (answers.choice_key(cell) or answers.judge_key(cell)))
        for cell in filled
    )
    return told and max(map(len, filled)) >= 8 and len(set(filled)) > 2


def column_names(cells: Sequence[str], width: int) -> tuple[str, ...]:
    """Return one name a column: the header's text, `column N` where it is empty, a number added to
    repeats."""
    names: list[str] = []
    for index in range(max(width, len(cells))):
        name = (cells[index] if index < len(cells) else "") or f"column {index + 1}"
        while name in names:
            name = f"{name} ({index + 1})"
        names.append(name)
    return tuple(names)


def blocks_of(rows: Numbered, header: int) -> list[Block]:
    """Return the blocks of filled rows: the one below `header` (-1: none), and one below each further header row.

    A header in two rows, `选项` above `A B C D`, is taken as one.
    """
    last = max((index for _, cells in rows for index, cell in enumerate(cells) if cell), default=0)
    blocks: list[Block] = []
    head: Sequence[str] = rows[header][1] if header >= 0 else ()
    held: list[tuple[int, Sequence[str]]] = []
    for number, cells in rows[header + 1 :]:
        if not held and head and _second_row(cells):
            pairs = zip((*head, *[""] * len(cells)), (*cells, *[""] * len(head)), strict=False)
            head = [below or above for above, below in pairs][: max(len(head), len(cells))]
        elif head and _is_header(cells, head):
            blocks.append(Block(column_names(head, last + 1), tuple(held)))
            head, held = cells, []
        else:
            held.append((number, cells))
    blocks.append(Block(column_names(head, last + 1), tuple(held)))
    return blocks


def _second_row(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return len(filled) > 1 and all(map(is_option_header, filled))


def _is_header(cells: Sequence[str], head: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    if len(filled) < 2 or max(map(len, filled)) > 30:
        return False
    return filled == [cell for cell in head if cell] or is_header(filled)


def is_header(filled: Sequence[str]) -> bool:
    """Say whether texts are a header of known names: a stem and more, nearly nothing else."""
    known = known_columns(filled)
    whole = known > 1 and known + len(guess_columns(filled).ignored) == len(filled)
    return whole or known >= max(_LEAST_OF_A_HEADER, len(filled) - 1)


def table_of(
    rows: Numbered, named: Collection[str] = (), before: str = "row "
) -> tuple[tuple[str, ...], list[tuple[str, dict[str, str]]]]:
    """Return (column names, [(place, cells by name)]) of numbered rows; the first row is the header when
    no row has known names (a saved mapping may know them) and it reads like none of the items. BadInput
    `file-without-rows` for nothing."""
    filled = [(number, cells) for number, cells in rows if any(cells)]
    if not filled:
        raise BadInput("file-without-rows")
    header = header_place(filled, named)
    if header is None:
        header = -1 if assumed_header(filled) == -1 else 0
    together = Together()
    columns: dict[str, None] = {}
    found: list[tuple[str, dict[str, str]]] = []
    for block in blocks_of(filled, header):
        names, _ = together.renamed(block.names)
        width = max(
            (place + 1 for _, cells in block.rows for place, cell in enumerate(cells) if cell), default=0
        )
        head = filled[header][1] if header >= 0 else ()
        columns.update(dict.fromkeys(names[: max(width, len(head))]))
        for number, cells in block.rows:
            held = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
            found.append((f"{before}{number}", held))
    return tuple(columns), found
