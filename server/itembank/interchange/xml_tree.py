"""XML from others as a small tree, by expat alone: entities, endless nesting and floods are refused.

Element and attribute names are local names; a namespace is kept beside the name. Nothing outside the text is
ever fetched, and no entity but the five of XML itself is known.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Union
from xml.parsers import expat

from server.errors import BadInput
from server.itembank.interchange.csv import LARGEST, text_in

DEEPEST = 100
MOST_ELEMENTS = 2_000_000
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_MULTIBYTE = ("gb2312", "gbk", "gb18030", "big5")


@dataclass(slots=True)
class Element:
    """One element: local name, namespace, attributes by local name, children in order, and its line (from 1)."""

    name: str
    namespace: str
    attributes: dict[str, str]
    line: int
    children: list[Union["Element", str]] = field(default_factory=list)

    def elements(self, *names: str) -> list["Element"]:
        """Return the child elements, or those of the given names."""
        return [one for one in self.children if isinstance(one, Element) and (not names or one.name in names)]

    def first(self, name: str) -> "Element | None":
        """Return the first child of that name, or None."""
        return next(iter(self.elements(name)), None)

    def walk(self) -> Iterator["Element"]:
        """Give this element and all below it, in document order."""
        waiting = [self]
        while waiting:
            one = waiting.pop()
            yield one
            waiting.extend(reversed(one.elements()))

    def text(self) -> str:
        """Return all text below, without marking."""
        return "".join(one if isinstance(one, str) else one.text() for one in self.children)

    def text_at(self, *path: str) -> str:
        """Return the stripped text of the first element at a path of names, or an empty text."""
        found: Element | None = self
        for name in path:
            found = found.first(name) if found is not None else None
        return found.text().strip() if found is not None else ""


def parsed(data: bytes, place: str = "", encoding: str | None = None) -> Element:
    """Return the root of an XML text; `encoding` overrides what the text declares of itself.

    BadInput: `xml-broken` with line and column, `xml-unsafe` for entities, nesting or size; `place` names the
    part of a container.
    """
    if len(data) > LARGEST:
        raise BadInput("file-too-large", bytes=len(data), limit=LARGEST)
    reader = _Tree(place)
    declared = _DECLARED.match(data[:400])
    named = encoding or (declared[1].decode().lower() if declared is not None else "")
    forced = None
    if encoding or named in _MULTIBYTE:
        # expat knows no encoding of several bytes but UTF-8 and UTF-16
        data = text_in(data, "gb18030" if named in ("gb2312", "gbk") else named).encode("utf-8", "replace")
        forced = "utf-8"
    return reader.read(data, forced)


class _Tree:
    def __init__(self, place: str) -> None:
        self.place, self.count = place, 0
        self.root: Element | None = None
        self.open: list[Element] = []

    def read(self, data: bytes, encoding: str | None) -> Element:
        # mypy knows ParserCreate's result by a name that is not exported
        parser = expat.ParserCreate(encoding, namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = lambda name, attributes: self._start(
            name, attributes, parser.CurrentLineNumber
        )
        parser.EndElementHandler = lambda name: self._end()
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = lambda *_: self._refuse("entity declaration")
        parser.SkippedEntityHandler = lambda *_: self._refuse("unknown entity")
        parser.ExternalEntityRefHandler = self._external
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            at = f"{self.place} line {error.lineno}, column {error.offset + 1}".strip()
            raise BadInput("xml-broken", place=at, reason=expat.ErrorString(error.code)) from error
        except (ValueError, LookupError) as error:  # an encoding that Python does not know
            raise BadInput("xml-broken", place=f"{self.place} line 1".strip(), reason=str(error)) from error
        if self.root is None:
            raise BadInput("xml-broken", place=self.place or "file", reason="no element")
        return self.root

    def _external(self, *_: object) -> int:
        self._refuse("external entity")
        return 0

    def _refuse(self, reason: str) -> None:
        raise BadInput("xml-unsafe", reason=reason, place=self.place or "file")

    def _start(self, name: str, attributes: dict[str, str], line: int) -> None:
        self.count += 1
        if len(self.open) >= DEEPEST:
            self._refuse("nested too deeply")
        if self.count > MOST_ELEMENTS:
            self._refuse("too many elements")
        namespace, _, local = name.rpartition(" ")
        held = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        element = Element(local, namespace, held, line)
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def _end(self) -> None:
        self.open.pop()

    def _text(self, text: str) -> None:
        if self.open:
            self.open[-1].children.append(text)
