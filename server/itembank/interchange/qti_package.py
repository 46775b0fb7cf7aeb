"""QTI files: a loose item, or a package (.zip) in which every part is an item, a known companion, or named."""

import posixpath
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from server.errors import BadInput, Fact
from server.itembank.interchange.archive import Archive
from server.itembank.interchange.qti import (
    COLUMNS,
    Stimulus,
    attribute,
    is_item,
    item_row,
    refuse_other,
    word,
)
from server.itembank.interchange.qti_html import Body
from server.itembank.interchange.rows import Remark, SourceRow, SourceTable
from server.itembank.interchange.sanitising import LARGEST_PICTURE, picture_html
from server.itembank.interchange.xml_tree import parsed

_COMPANIONS = frozenset({"assessmenttest", "assessmentsection", "assessmentstimulus", "manifest",
                         "responseprocessing", "assessmentpassage"})  # fmt: skip


def read_qti_item(
    data: bytes, encoding: str | None = None, picture: Callable[[str], str] | None = None
) -> SourceTable:
    """Read a loose QTI document; BadInput `qti-without-items` when it is no assessment item."""
    root = parsed(data, encoding=encoding)
    if not is_item(root):
        raise refuse_other(root)
    return SourceTable(COLUMNS, (item_row(root, "item 1", picture),))


def read_qti_package(data: bytes) -> SourceTable:
    """Read every item of a package, in the manifest's order and then those that it does not name.

    A broken item is a row with its reason; a part that the manifest names and that is missing is a doubt.
    """
    archive = Archive(data)
    named, remarks = _named(archive)
    rows: list[SourceRow] = []
    for name in dict.fromkeys((*named, *(one for one in archive.names if one.lower().endswith(".xml")))):
        content = archive.read(name)
        if content is None:
            remarks.append(Remark("part-missing", name, True, {"part": name[:120]}))
            continue
        try:
            root = parsed(content, name)
        except BadInput as error:
            rows.append(
                SourceRow(
                    name, {}, remarks=(Remark(error.code, name, True, error.facts),), not_held="broken XML"
                )
            )
            continue
        if is_item(root):
            rows.append(item_row(root, name, _pictures(archive, name), _stimuli(archive, name)))
        elif word(root.name) not in _COMPANIONS:
            remarks.append(
                Remark("part-not-an-item", name, False, {"part": name[:120], "root": root.name[:60]})
            )
    if not rows:
        raise BadInput("qti-without-items", root="package")
    return SourceTable(COLUMNS, tuple(rows), tuple(remarks))


def _named(archive: Archive) -> tuple[list[str], list[Remark]]:
    """Return the items that the manifest names, in its order."""
    manifest = archive.read("imsmanifest.xml")
    if manifest is None:
        return [], [Remark("part-missing", "imsmanifest.xml", False, {"part": "imsmanifest.xml"})]
    found: list[str] = []
    for one in parsed(manifest, "imsmanifest.xml").walk():
        kind = attribute(one, "type").lower()
        if one.name == "resource" and "item" in kind and "qti" in kind:
            href = attribute(one, "href")
            if href:
                found.append(_below("imsmanifest.xml", href))
    return found, []


def _below(part: str, href: str) -> str:
    """Return the name of a part that another refers to; one that leaves the package is found by nobody."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(part), unquote(href.split("#", 1)[0])))


def _stimuli(archive: Archive, item: str) -> Stimulus:
    def fetch(href: str) -> tuple[str, tuple[tuple[str, Mapping[str, Fact]], ...]]:
        name = _below(item, href)
        data = archive.read(name)
        if data is None:
            raise BadInput("part-missing", part=href[:120])
        root = parsed(data, name)
        held = next((one for one in root.walk() if word(one.name) == "stimulusbody"), None)
        if held is None:
            raise BadInput("part-missing", part=href[:120])
        body = Body(_pictures(archive, name))
        return f"<div>{body.html(held)}</div>", tuple(body.doubts)

    return fetch


def _pictures(archive: Archive, item: str) -> Callable[[str], str]:
    def fetch(source: str) -> str:
        name = _below(item, source)
        if archive.size(name) > LARGEST_PICTURE:
            raise BadInput("picture-too-large", bytes=archive.size(name), limit=LARGEST_PICTURE)
        data = archive.read(name)
        if data is None:
            raise BadInput("picture-missing", picture=source[:120])
        return picture_html(data, "题图")

    return fetch
