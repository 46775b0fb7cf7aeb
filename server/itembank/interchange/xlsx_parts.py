"""What the cell reader does not tell of an .xlsx: hidden rows, columns and sheets, raised and lowered letters,
pictures over cells and in cells (WPS writes those as `=DISPIMG("ID_…",1)`)."""

import html
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from server.errors import BadInput, Fact
from server.itembank.interchange.archive import Archive
from server.itembank.interchange.sanitising import LARGEST_PICTURE, picture_html
from server.itembank.interchange.xml_tree import Element, parsed

_ROW = re.compile(rb"<(?:\w+:)?row\s([^>]*)>")
_COLUMN = re.compile(rb"<(?:\w+:)?col\s([^>]*)>")
_HIDDEN = re.compile(rb'\bhidden="(?:1|true)"')
_R = re.compile(rb'\br="(\d{1,7})"')
_MIN_MAX = re.compile(rb'\b(min|max)="(\d{1,5})"')
_SHARED = re.compile(
    rb'<(?:\w+:)?c\s(?=[^>]*?\bt="s")[^>]*?\br="([A-Z]{1,3})(\d{1,7})"[^>]*>\s*<(?:\w+:)?v>(\d{1,7})</'
    rb'|<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})(\d{1,7})"[^>]*?\bt="s"[^>]*>\s*<(?:\w+:)?v>(\d{1,7})</'
)
_FORMULA = re.compile(rb"<(?:\w+:)?f(?:\s[^>]*)?(?:/>|>(.*?)</(?:\w+:)?f>)", re.DOTALL)
_IN_CELL = re.compile(rb"^\s*=?(?:_xlfn\.)?DISPIMG\(\s*(?:&quot;|\")(\w{1,80})(?:&quot;|\")\s*,\s*1\s*\)\s*$")
_IN_CELL_TEXT = re.compile(r"^=?(?:_xlfn\.)?DISPIMG\(\s*\"(\w{1,80})\"\s*,\s*1\s*\)$")
Place = tuple[int, int]
"""Row and column, both from 0."""


@dataclass(slots=True)
class SheetParts:
    """What is told of one sheet: its hidden rows (from 1), whether columns are, and the HTML of its cells."""

    hidden: bool = False
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: tuple[int, ...] = ()
    html: dict[Place, str] = field(default_factory=dict)
    pictures: dict[Place, list[str]] = field(default_factory=dict)
    doubts: dict[int, list[tuple[str, Mapping[str, Fact]]]] = field(default_factory=dict)
    """By row from 1."""


def pictured_in_cell(formula: bytes) -> bool:
    """Say whether a formula is none but a picture that WPS keeps in a cell."""
    return _IN_CELL.match(formula) is not None


def first_formula(sheet: bytes) -> int | None:
    """Return where the first formula stands in a sheet's XML, pictures in cells apart, or None."""
    for found in _FORMULA.finditer(sheet):
        if found[1] is None or not pictured_in_cell(found[1]):
            return found.start()
    return None


class WorkbookParts:
    """The parts of a workbook; nothing that they hold is trusted, and what is broken tells nothing."""

    def __init__(self, data: bytes) -> None:
        self.archive = Archive(data)
        self.sheets: dict[str, tuple[str, bool]] = {}
        root = self._tree("xl/workbook.xml")
        targets = self._targets("xl/workbook.xml")
        for one in root.walk() if root is not None else ():
            if one.name == "sheet":
                part = targets.get(one.attributes.get("id", ""), "")
                self.sheets[one.attributes.get("name", "")] = (
                    part,
                    "idden" in one.attributes.get("state", ""),
                )
        self._marked = self._marked_texts()
        self._cells = self._cell_pictures()

    def of_sheet(self, name: str) -> SheetParts:
        """Return what is told of a sheet by its name."""
        part, hidden = self.sheets.get(name, ("", False))
        content = self.archive.read(part) if part else None
        told = SheetParts(hidden)
        if content is None:
            return told
        rows = (one[1] for one in _ROW.finditer(content) if _HIDDEN.search(one[1]))
        numbers = (_R.search(one) for one in rows)
        told.hidden_rows = frozenset(int(one[1]) for one in numbers if one is not None)
        columns: set[int] = set()
        for one in _COLUMN.finditer(content):
            if _HIDDEN.search(one[1]):
                ends = {key: int(value) for key, value in _MIN_MAX.findall(one[1])}
                columns |= set(range(ends.get(b"min", 1), min(ends.get(b"max", 0), 200) + 1))
        told.hidden_columns = tuple(sorted(columns))
        if self._marked:
            for found in _SHARED.finditer(content):
                letters, row, text = found[1] or found[4], found[2] or found[5], found[3] or found[6]
                if int(text) in self._marked:
                    told.html[int(row) - 1, _column(letters)] = self._marked[int(text)]
        self._floating(part, told)
        return told

    def in_cell(self, text: str) -> str | None:
        """Return the picture that a cell's text names (`=DISPIMG("ID_…",1)`), an empty text when there is none, or
        None for a text of another kind."""
        named = _IN_CELL_TEXT.match(text)
        return self._cells.get(named[1], "") if named is not None else None

    def _floating(self, part: str, told: SheetParts) -> None:
        """Note the pictures that are anchored over cells of a sheet."""
        for drawing in self._targets(part).values():
            if "/drawings/" not in drawing or not drawing.endswith(".xml"):
                continue
            root, targets = self._tree(drawing), self._targets(drawing)
            for anchor in root.elements() if root is not None else ():
                at = anchor.first("from")
                if at is None:
                    continue
                place = (_number(at.text_at("row")), _number(at.text_at("col")))
                for one in anchor.walk():
                    if one.name == "blip":
                        self._picture(targets.get(one.attributes.get("embed", ""), ""), place, told)
                    elif one.name in ("txBody", "graphicFrame") and one.text().strip():
                        facts: dict[str, Fact] = {"text": " ".join(one.text().split())[:60]}
                        told.doubts.setdefault(place[0] + 1, []).append(("textbox-left-out", facts))

    def _picture(self, name: str, place: Place, told: SheetParts) -> None:
        try:
            told.pictures.setdefault(place, []).append(self._image(name))
        except BadInput as error:
            told.doubts.setdefault(place[0] + 1, []).append((error.code, error.facts))

    def _image(self, name: str) -> str:
        if self.archive.size(name) > LARGEST_PICTURE:
            raise BadInput("picture-too-large", bytes=self.archive.size(name), limit=LARGEST_PICTURE)
        return picture_html(self.archive.read(name) or b"", "题图")

    def _cell_pictures(self) -> dict[str, str]:
        """Return pictures in cells by the identifier that their formula names."""
        found: dict[str, str] = {}
        root = self._tree("xl/cellimages.xml")
        targets = self._targets("xl/cellimages.xml")
        for one in root.elements() if root is not None else ():
            name = next(
                (inner.attributes.get("name", "") for inner in one.walk() if inner.name == "cNvPr"), ""
            )
            part = next(
                (inner.attributes.get("embed", "") for inner in one.walk() if inner.name == "blip"), ""
            )
            try:
                found[name] = self._image(targets.get(part, ""))
            except BadInput:
                continue  # the cell that names it is a doubt
        return found

    def _marked_texts(self) -> dict[int, str]:
        """Return the shared texts with raised or lowered letters, as HTML by their number."""
        content = self.archive.read("xl/sharedStrings.xml")
        if content is None or b"vertAlign" not in content:
            return {}
        root = self._tree("xl/sharedStrings.xml")
        found: dict[int, str] = {}
        for number, text in enumerate(root.elements("si") if root is not None else ()):
            pieces = [_run(one) for one in text.elements("r")]
            if any(marked for _, marked in pieces):
                found[number] = "".join(piece for piece, _ in pieces).strip().replace("\n", "<br>")
        return found

    def _targets(self, part: str) -> dict[str, str]:
        folder, name = posixpath.split(part)
        root = self._tree(f"{folder}/_rels/{name}.rels")
        found: dict[str, str] = {}
        for one in root.elements("Relationship") if root is not None else ():
            if one.attributes.get("TargetMode") != "External":
                target = one.attributes.get("Target", "")
                whole = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
                found[one.attributes.get("Id", "")] = posixpath.normpath(whole)
        return found

    def _tree(self, name: str) -> Element | None:
        content = self.archive.read(name)
        try:
            return parsed(content, name) if content is not None else None
        except BadInput:
            return None  # the cell reader refuses a workbook that is broken where it matters


def _run(run: Element) -> tuple[str, bool]:
    text = html.escape("".join(one.text() for one in run.elements("t")), quote=False)
    style = run.first("rPr")
    raised = style.first("vertAlign") if style is not None else None
    tag = {"superscript": "sup", "subscript": "sub"}.get(
        raised.attributes.get("val", "") if raised is not None else ""
    )
    return (f"<{tag}>{text}</{tag}>", True) if tag and text.strip() else (text, False)


def _column(letters: bytes) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + letter - 64
    return column - 1


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0
