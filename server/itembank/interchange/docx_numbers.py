"""Automatic numbers of a Word document: what stands before a paragraph though nobody typed it."""

from dataclasses import dataclass

from server.itembank.interchange.archive import Archive
from server.itembank.interchange.xml_tree import Element, parsed
from server.itembank.items import LABELS

_CHINESE = "零一二三四五六七八九"


@dataclass(frozen=True, slots=True)
class _Level:
    """One level of a list: how it counts, its text with `%1`, and its first number."""

    form: str
    text: str
    start: int


class Numbering:
    """Counts the lists of a document, paragraph by paragraph in order."""

    def __init__(self, archive: Archive) -> None:
        self._levels: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, str] = {}
        self._counts: dict[tuple[str, int], int] = {}
        self._styles: dict[str, tuple[str, int]] = {}
        self._restarted: set[str] = set()
        self._restarts: set[str] = set()
        numbering = archive.read("word/numbering.xml")
        if numbering is not None:
            self._load(parsed(numbering, "word/numbering.xml"))
        styles = archive.read("word/styles.xml")
        if styles is not None:
            for style in parsed(styles, "word/styles.xml").elements("style"):
                held = _list_of(style.first("pPr"))
                if held is not None:
                    self._styles[style.attributes.get("styleId", "")] = held

    def _load(self, root: Element) -> None:
        for one in root.elements("abstractNum"):
            levels: dict[int, _Level] = {}
            for level in one.elements("lvl"):
                levels[_number(level.attributes.get("ilvl", "0"))] = _Level(
                    _value(level, "numFmt") or "decimal",
                    _value(level, "lvlText"),
                    _number(_value(level, "start") or "1"),
                )
            self._levels[one.attributes.get("abstractNumId", "")] = levels
        for one in root.elements("num"):
            number = one.attributes.get("numId", "")
            self._lists[number] = _value(one, "abstractNumId")
            if any(inner.first("startOverride") is not None for inner in one.elements("lvlOverride")):
                self._restarts.add(number)

    def lead(self, paragraph: Element) -> str:
        """Return the automatic number of a paragraph as text with a space after it, or an empty text."""
        style = paragraph.first("pPr")
        held = _list_of(style)
        if held is None and style is not None:
            held = self._styles.get(_value(style, "pStyle"))
        if held is None or held[0] == "0":
            return ""
        number, depth = held
        abstract = self._lists.get(number, "")
        level = self._levels.get(abstract, {}).get(depth)
        if level is None:
            return ""
        if number in self._restarts and number not in self._restarted:
            self._restarted.add(number)
            self._counts = {key: count for key, count in self._counts.items() if key[0] != abstract}
        count = self._counts.get((abstract, depth), level.start - 1) + 1
        self._counts[(abstract, depth)] = count
        for deeper in range(depth + 1, 9):
            self._counts.pop((abstract, deeper), None)
        text = level.text
        for above in range(depth + 1):
            at = self._levels[abstract].get(above, level)
            shown = _shown(at.form, self._counts.get((abstract, above), at.start))
            text = text.replace(f"%{above + 1}", shown)
        if text.isalnum() and len(text) < 4:
            text = f"{text}."  # a bare `1` or `A`
        return f"{text} " if text and level.form != "bullet" else ""


def _list_of(style: Element | None) -> tuple[str, int] | None:
    held = style.first("numPr") if style is not None else None
    if held is None:
        return None
    return _value(held, "numId"), _number(_value(held, "ilvl") or "0")


def _value(element: Element, name: str) -> str:
    found = element.first(name)
    return found.attributes.get("val", "") if found is not None else ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0


def _shown(form: str, count: int) -> str:
    if form in ("upperLetter", "lowerLetter"):
        letter = LABELS[(count - 1) % 26]
        return letter if form == "upperLetter" else letter.lower()
    if form.startswith(("chinese", "japaneseCounting", "ideograph")) and 0 < count < 100:
        tens, ones = divmod(count, 10)
        lead = "" if tens == 0 else ("十" if tens == 1 else f"{_CHINESE[tens]}十")
        return f"{lead}{_CHINESE[ones] if ones else ''}"
    return str(count)
