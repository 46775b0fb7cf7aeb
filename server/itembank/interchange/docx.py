"""Word in: the paragraphs of a .docx as typed lines, with automatic numbers and letters, raised and lowered
text, pictures, formulas as MathML and tables. What is passed over or held in part only is a doubt.
"""

import html
import posixpath
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace

from server.errors import BadInput, Fact
from server.itembank.interchange.archive import Archive
from server.itembank.interchange.docx_numbers import Numbering
from server.itembank.interchange.docx_tables import table_read
from server.itembank.interchange.omml import mathml_of
from server.itembank.interchange.rows import Cell, Remark, SourceRow, SourceTable
from server.itembank.interchange.sanitising import LARGEST_PICTURE, picture_html
from server.itembank.interchange.tables import Together, blocks_of
from server.itembank.interchange.typed import COLUMNS, table_of_lines
from server.itembank.interchange.typed_lines import OUTSTANDING
from server.itembank.interchange.xml_tree import Element, parsed

_DOCUMENT = "word/document.xml"
# Marks that stand in the lines while items are read, and become markup when their row is made.
_UP, _UP_END, _DOWN, _DOWN_END, _PICTURE, _PICTURE_END = (chr(0xE100 + place) for place in range(6))
_MARKS = {_UP: "<sup>", _UP_END: "</sup>", _DOWN: "<sub>", _DOWN_END: "</sub>"}
_OPTION_LEAD = re.compile(r"(?:^|(?<=[\s。；;]))[（(]?[A-HＡ-Ｈ]\s*[)）]?\s*[.．、:：)）]\s*")
_OPTION_LINE = re.compile(r"^\s*[（(]?[A-HＡ-Ｈ]")
_SKIPPED = frozenset({"del", "moveFrom", "Fallback", "pPr", "rPr", "sectPr", "instrText", "txbxContent"})


def read_docx(data: bytes) -> SourceTable:
    """Read a .docx; BadInput when it is no Word document, is unsafe, or holds no numbered item."""
    archive = Archive(data)
    body = archive.read(_DOCUMENT)
    if body is None:
        raise BadInput("not-a-document")
    root = parsed(body, _DOCUMENT).first("body")
    if root is None:
        raise BadInput("not-a-document")
    reader = _Document(archive)
    for place, block in enumerate(_blocks(root), start=1):
        if block.name == "p":
            reader.paragraph(f"paragraph {place}", block)
        else:
            reader.table(f"paragraph {place}", block)
    table = _typed(reader)
    rows, before = _with_doubts([reader.finished(row) for row in table.rows], reader.remarks)
    columns = dict.fromkeys((*table.columns, *reader.columns))
    items = (reader.finished(row) for row in reader.items)
    return SourceTable(tuple(columns), (*rows, *items), (*before, *table.remarks))


def _typed(reader: "_Document") -> SourceTable:
    """Return the rows of the typed lines; a document of nothing but tables of items needs none."""
    try:
        return table_of_lines(reader.lines)
    except BadInput:
        if not reader.items:
            raise
    unread = (Remark("line-not-read", place, False, {"text": text[:60]}) for place, text in reader.lines)
    return SourceTable(COLUMNS, (), tuple(unread))


def _with_doubts(
    rows: list[SourceRow], remarks: list[Remark]
) -> tuple[tuple[SourceRow, ...], tuple[Remark, ...]]:
    """Give each remark to the item above it: an item is doubtful when something beside it was passed over."""
    starts = [_place(row.place) for row in rows]
    held: dict[int, list[Remark]] = {}
    for remark in remarks:
        held.setdefault(bisect_right(starts, _place(remark.place)) - 1, []).append(remark)
    given = (replace(row, remarks=(*row.remarks, *held.get(number, ()))) for number, row in enumerate(rows))
    return tuple(given), tuple(held.get(-1, ()))


def _place(place: str) -> int:
    return int(place.rsplit(" ", 1)[-1])


def _blocks(element: Element) -> list[Element]:
    """Return the paragraphs and tables of a body, those within content controls included."""
    found: list[Element] = []
    for one in element.elements():
        if one.name in ("p", "tbl"):
            found.append(one)
        elif one.name in ("sdt", "sdtContent", "ins", "customXml", "smartTag"):
            found += _blocks(one)
    return found


class _Document:
    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.lines: list[tuple[str, str]] = []
        self.remarks: list[Remark] = []
        self.numbering = Numbering(archive)
        self.targets = _targets(archive)
        self.pictures: list[str] = []
        self.together = Together()
        self.together.renamed(COLUMNS)
        self.columns: dict[str, None] = {}
        self.items: list[SourceRow] = []
        self.bold: list[tuple[str, bool]] = []

    def paragraph(self, place: str, element: Element) -> None:
        self.bold = []
        text = "".join(self._texts(place, element))
        lead = self.numbering.lead(element)
        if not text.strip():
            return
        if any(marked for _, marked in self.bold) and text == "".join(piece for piece, _ in self.bold):
            text = _with_marks(lead, self.bold)[len(lead) :]
        for line in f"{lead}{text}".split("\n"):
            self.lines.append((place, line))

    def _items(self, place: str, rows: tuple[tuple[str, ...], ...]) -> None:
        """Take the rows of a table of items; the heading above it tells their type."""
        above = self.lines[-1][1] if self.lines else ""
        for block in blocks_of(list(enumerate(rows, start=1)), 0):
            names, _ = self.together.renamed(block.names)
            self.columns.update(dict.fromkeys(names))
            for number, cells in block.rows:
                held = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
                self.items.append(SourceRow(f"row {number} of the table in {place}", held, above[:60]))

    def table(self, place: str, element: Element) -> None:
        read = table_read(element, lambda one: "".join(self._texts(place, one)), self._html)
        if read.items:
            self._items(place, read.items)
        elif read.left_out:
            text = " ".join(element.text().split())[:60]
            facts: dict[str, Fact] = {"rows": len(element.elements("tr")), "text": text}
            # A box for scores is no part of an item; anything else may be.
            doubt = read.left_out not in ("form for the marker", "empty table")
            self.remarks.append(Remark("table-left-out", place, doubt, facts))
        elif read.html:
            self.lines.append((place, self._held(read.html)))
        else:
            if "答案" not in (self.lines[-1][1] if self.lines else "") and not _OPTION_LINE.match(
                read.lines[0]
            ):
                self.lines.append((place, "参考答案"))
            self.lines += [(place, line) for text in read.lines for line in text.split("\n")]

    def _held(self, markup: str) -> str:
        """Return the mark of markup that stands in an item as it is."""
        self.pictures.append(markup)
        return f"{_PICTURE}{len(self.pictures) - 1}{_PICTURE_END}"

    def _formula(self, place: str, element: Element) -> str:
        markup, unknown = mathml_of(element)
        if unknown:
            self._doubt("formula-not-whole", place, ", ".join(unknown)[:60])
        return self._held(markup) if element.text().strip() else ""

    def _texts(self, place: str, element: Element) -> list[str]:
        found: list[str] = []
        for one in element.elements():
            if one.name in _SKIPPED:
                if one.name == "txbxContent":
                    self._doubt("textbox-left-out", place, " ".join(one.text().split())[:60])
            elif one.name == "r":
                found.append(self._run(place, one))
                self.bold.append((found[-1], _stands_out(one)))
            elif one.name in ("oMath", "oMathPara"):
                found.append(self._formula(place, one))
            else:
                found += self._texts(place, one)
        return found

    def _run(self, place: str, run: Element) -> str:
        style = run.first("rPr")
        raised = style.first("vertAlign") if style is not None else None
        value = raised.attributes.get("val", "") if raised is not None else ""
        pieces: list[str] = []
        for one in run.elements():
            if one.name == "t":
                pieces.append("".join(letter for letter in one.text() if not "\ue100" <= letter <= "\ue105"))
            elif one.name in ("tab", "ptab"):
                pieces.append("\t")
            elif one.name in ("br", "cr"):
                pieces.append("\n")
            elif one.name == "noBreakHyphen":
                pieces.append("-")
            elif one.name == "sym":
                pieces.append(_symbol(one.attributes.get("char", "")))
            elif one.name in ("drawing", "pict", "object", "AlternateContent"):
                pieces.append(self._drawing(place, one))
        text = "".join(pieces)
        if not text.strip(" \t\u3000") and len(text) > 1 and "\n" not in text and _underlined(style):
            return "____"
        if value in ("superscript", "subscript") and text.strip():
            marks = (_UP, _UP_END) if value == "superscript" else (_DOWN, _DOWN_END)
            return f"{marks[0]}{text}{marks[1]}"
        return text

    def _drawing(self, place: str, element: Element) -> str:
        """Return the mark of the picture in a drawing; anything else drawn is a doubt."""
        shown = ""
        if element.name == "AlternateContent":
            element = element.first("Choice") or element
        for one in element.walk():
            if one.name not in ("blip", "imagedata"):
                continue
            target = self.targets.get(one.attributes.get("embed") or one.attributes.get("id") or "", "")
            try:
                if self.archive.size(target) > LARGEST_PICTURE:
                    raise BadInput(
                        "picture-too-large", bytes=self.archive.size(target), limit=LARGEST_PICTURE
                    )
                picture = picture_html(self.archive.read(target) or b"", "题图")
            except BadInput as error:
                self.remarks.append(Remark(error.code, place, True, error.facts))
                continue
            shown += self._held(picture)
        if not shown:
            self._doubt("textbox-left-out", place, " ".join(element.text().split())[:60])
        return shown

    def _doubt(self, code: str, place: str, text: str) -> None:
        self.remarks.append(Remark(code, place, True, {"text": text}))

    def finished(self, row: SourceRow) -> SourceRow:
        """Return a row with its marks made markup."""
        cells = {name: self._marked(cell) for name, cell in row.cells.items()}
        return replace(row, cells=cells, parts=tuple(self.finished(one) for one in row.parts))

    def _marked(self, cell: Cell) -> Cell:
        if isinstance(cell, str):
            return self._markup(cell)
        return tuple(self._markup(one if isinstance(one, str) else one[1]) for one in cell)

    def _markup(self, text: str) -> str:
        if not any(mark in text for mark in (*_MARKS, _PICTURE, _UP_END, _DOWN_END, _PICTURE_END)):
            return text
        return self._html(text)

    def _html(self, text: str) -> str:
        shown = html.escape(text, quote=False).replace("\n", "<br>")
        for mark, markup in _MARKS.items():
            shown = shown.replace(mark, markup)
        pieces = shown.split(_PICTURE)
        found = [pieces[0]]
        for piece in pieces[1:]:
            number, _, rest = piece.partition(_PICTURE_END)
            found += [self.pictures[int(number)] if number.isdecimal() else "", rest]
        return "".join(found)


def _underlined(style: Element | None) -> bool:
    line = style.first("u") if style is not None else None
    return line is not None and line.attributes.get("val", "single") != "none"


def _stands_out(run: Element) -> bool:
    """Say whether a run is set off by colour, a marker, bold letters or a line: so people mark the right option."""
    style = run.first("rPr")
    if style is None:
        return False
    colour, marker, bold = style.first("color"), style.first("highlight"), style.first("b")
    if colour is not None and colour.attributes.get("val", "auto").lower() not in (
        "auto",
        "000000",
        "ffffff",
    ):
        return True
    if marker is not None and marker.attributes.get("val", "none") != "none":
        return True
    if bold is not None and bold.attributes.get("val", "true") not in ("0", "false"):
        return True
    return _underlined(style)


def _with_marks(lead: str, runs: list[tuple[str, bool]]) -> str:
    """Return a line with the sign `OUTSTANDING` behind each option whose text is set off for the most part."""
    text = lead + "".join(piece for piece, _ in runs)
    marked = [False] * len(lead) + [stands for piece, stands in runs for _ in piece]
    leads = list(_OPTION_LEAD.finditer(text))
    ends = [*(one.start() for one in leads[1:]), len(text)]
    for found, end in reversed(list(zip(leads, ends, strict=False))):
        told = [marked[place] for place in range(found.end(), end) if not text[place].isspace()]
        if told and sum(told) >= 0.8 * len(told):
            last = len(text[:end].rstrip())
            text = f"{text[:last]}{OUTSTANDING}{text[last:]}"
    return text


def _symbol(code: str) -> str:
    """Return a letter of a symbol font as text: ticks and crosses of Wingdings, else nothing that is known."""
    known: Mapping[str, str] = {"F0FC": "√", "F0FB": "×", "F0D6": "√", "F0B4": "×", "F050": "√", "F04F": "×"}
    return known.get(code.upper(), "")


def _targets(archive: Archive) -> Mapping[str, str]:
    data = archive.read("word/_rels/document.xml.rels")
    if data is None:
        return {}
    found: dict[str, str] = {}
    for one in parsed(data, "word/_rels/document.xml.rels").elements("Relationship"):
        if one.attributes.get("TargetMode") != "External":
            target = one.attributes.get("Target", "")
            found[one.attributes.get("Id", "")] = posixpath.normpath(posixpath.join("word", target)).lstrip(
                "/"
            )
    return found
