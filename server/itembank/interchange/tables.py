"""From plain rows of cells to named columns: finds the header row and names every column."""

from collections.abc import Collection, Sequence

from server.errors import BadInput
from server.itembank.interchange.mapping import known_columns

HEADER_WITHIN = 10
"""The header is sought in the first so many rows that hold anything."""


def header_place(rows: Sequence[tuple[int, Sequence[str]]], named: Collection[str] = ()) -> int | None:
    """Return the index of the row that holds all `named` columns, or (without them) of the row with the
    most known
    column names; None when there is no such row."""
    if named:
        held = (index for index, (_, cells) in enumerate(rows[:HEADER_WITHIN]) if set(named) <= set(cells))
        return next(held, None)
    best, most = None, 0
    for index, (_, cells) in enumerate(rows[:HEADER_WITHIN]):
        known = known_columns([cell for cell in cells if cell])
        if known > most:
            best, most = index, known
    return best


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


def table_of(
    rows: Sequence[tuple[int, Sequence[str]]], named: Collection[str] = (), before: str = "row "
) -> tuple[tuple[str, ...], list[tuple[str, dict[str, str]]]]:
    """Return (column names, [(place, cells by name)]) of numbered rows; the first row is the header when
    no row has known names (a saved mapping may know them). BadInput `file-without-rows` for nothing."""
    filled = [(number, cells) for number, cells in rows if any(cells)]
    if not filled:
        raise BadInput("file-without-rows")
    header = header_place(filled, named) or 0
    last = max((index for _, cells in filled for index, cell in enumerate(cells) if cell), default=0)
    names = column_names(filled[header][1], 0)
    if last + 1 > len(names):
        names = column_names(filled[header][1], last + 1)
    found = [
        (f"{before}{number}", {name: cell for name, cell in zip(names, cells, strict=False) if cell})
        for number, cells in filled[header + 1 :]
    ]
    return names, found
