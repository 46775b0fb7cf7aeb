"""Which form a file of items has: told by its first bytes and its contents, and by its name where they do not
tell."""

import re
from pathlib import PurePath
from typing import Literal

from server.errors import BadInput
from server.itembank.interchange.archive import Archive
from server.itembank.interchange.csv import decoded
from server.itembank.interchange.mapping import known_columns
from server.itembank.interchange.tables import HEADER_WITHIN

Format = Literal["xlsx", "csv", "json", "gift", "aiken", "moodle", "text", "docx", "qti"]
FORMATS: tuple[Format, ...] = ("xlsx", "csv", "json", "gift", "aiken", "moodle", "text", "docx", "qti")
_SUFFIXES: dict[str, Format] = {
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xls": "xlsx",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".gift": "gift",
    ".aiken": "aiken",
}
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ROOT = re.compile(rb"<(?![?!])(?:[\w.-]+:)?([\w.-]+)")
_PROLOGUE = re.compile(rb"^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*<")
_QTI = re.compile(rb"^(?:qti-)?(?:assessment|manifest|responseprocessing)", re.IGNORECASE)
_AIKEN = re.compile(rb"^\s*ANSWER\s*(?::|\xef\xbc\x9a)\s*[A-Z]\s*$", re.MULTILINE)
_NUMBERED = re.compile(r"^\s*(?:\d{1,4}\s*[.．、:：)）]|第\s*\d{1,4}\s*题|[（(]\d{1,4}[）)])")
_OPTION = re.compile(r"^\s*[（(]?[A-HＡ-Ｈ][)）]?\s*[.．、:：)）]")
_ANSWERED = re.compile(r"^\s*[【\[（(]?\s*(?:正确|参考|标准)?答案\s*[】\]）)]?\s*[:：]")
_GIFT = re.compile(rb"\{\s*(?:[=~#]|T\s*\}|F\s*\}|TRUE|FALSE|\})|^::|^\$CATEGORY:", re.MULTILINE)


def format_of(name: str, data: bytes) -> Format:
    """Return the form of a file of that name; BadInput when neither contents nor name tell it."""
    if data.startswith(_ZIP):
        return _of_container(name, data)
    if data.startswith(_OLE):
        return "xlsx"
    suffix = PurePath(name).suffix.lower()
    if _PROLOGUE.match(data[:200]) and suffix not in (".csv", ".json", ".jsonl", ".gift"):
        return _of_markup(name, data)
    found = _of_text(data) if suffix in (".txt", ".text", "") else _SUFFIXES.get(suffix)
    if found is None:
        raise BadInput("file-format-unknown", file=name)
    if found == "xlsx":
        raise BadInput("not-a-workbook")
    return found


def _of_container(name: str, data: bytes) -> Format:
    """Tell a container's form by its parts; the name tells that of a broken one."""
    try:
        parts = Archive(data).names
    except BadInput as error:
        if error.code == "archive-unreadable" and not name.lower().endswith((".docx", ".zip")):
            return "xlsx"
        raise
    if "word/document.xml" in parts:
        return "docx"
    workbook = any(part.startswith(("xl/", "content.xml")) for part in parts)
    return "qti" if not workbook and any(part.lower().endswith(".xml") for part in parts) else "xlsx"


def _of_markup(name: str, data: bytes) -> Format:
    head = data[:4000].replace(b"\0", b"")
    root = _ROOT.search(re.sub(rb"<!--.*?-->", b"", head, flags=re.DOTALL))
    if root is not None and root[1] == b"quiz":
        return "moodle"
    if root is not None and _QTI.match(root[1]):
        return "qti"
    raise BadInput("file-format-unknown", file=name)


def _of_text(data: bytes) -> Format:
    if _AIKEN.search(data):
        return "aiken"
    if _GIFT.search(data):
        return "gift"
    try:
        text = decoded(data)
    except BadInput:
        return "csv"
    lines = [line for line in text.splitlines() if line.strip()]
    separated = any(_known(line) for line in lines[:HEADER_WITHIN])
    numbered = any(_NUMBERED.match(line) for line in lines)
    answered = any(_ANSWERED.match(line) for line in lines) and any(_OPTION.match(line) for line in lines)
    return "text" if (numbered or answered) and not separated else "csv"


def _known(line: str) -> bool:
    return any(known_columns(line.split(mark)) >= 2 for mark in (",", ";", "\t", "|"))
