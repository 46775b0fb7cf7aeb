"""JSON and JSON Lines: a list of objects, an object that holds one such list, or one object a line."""

from typing import Any

import msgspec

from server.errors import BadInput
from server.itembank.interchange.csv import LARGEST, decoded
from server.itembank.interchange.rows import Cell, SourceRow, SourceTable

_STRUCTURED = frozenset({"stem", "question", "题干", "题目", "score", "分值"})


def read_json(data: bytes, encoding: str | None = None) -> SourceTable:
    """Read items from JSON or JSON Lines; BadInput names the place where the file is not of either form."""
    if len(data) > LARGEST:
        raise BadInput("file-too-large", bytes=len(data), limit=LARGEST)
    objects = _objects(decoded(data, encoding))
    if not objects:
        raise BadInput("file-without-rows")
    columns: dict[str, None] = {}
    rows: list[SourceRow] = []
    for number, one in enumerate(objects, start=1):
        if not isinstance(one, dict):
            raise BadInput("json-not-objects", place=f"item {number}")
        cells = cells_of(one)
        columns.update(dict.fromkeys(cells))
        rows.append(SourceRow(f"item {number}", cells))
    return SourceTable(tuple(columns), tuple(rows))


def cells_of(one: dict[str, Any]) -> dict[str, Cell]:
    """Return the values of an object as cells by name; null is no cell."""
    return {str(name): _cell(value) for name, value in one.items() if value is not None}


def _objects(text: str) -> list[Any]:
    text = text.lstrip("\ufeff \r\n\t")
    whole: Any
    try:
        whole = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if not text.startswith("{") or "\n" not in text:
            raise BadInput("json-broken", place="file", reason=str(error)) from error
        return _lines(text)
    except RecursionError as error:
        raise BadInput("json-broken", place="file", reason="nested too deeply") from error
    if isinstance(whole, list):
        return whole
    if isinstance(whole, dict):
        lists = [value for value in whole.values() if isinstance(value, list)]
        if len(lists) == 1:
            return lists[0]
        if "\n" not in text.strip() or not lists:
            return [whole]
    raise BadInput("json-not-objects", place="file")


def _lines(text: str) -> list[Any]:
    found: list[Any] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line))
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadInput("json-broken", place=f"line {number}", reason=str(error)) from error
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    return msgspec.json.encode(value).decode()


def _cell(value: Any) -> Cell:
    """Return a value as a cell: labelled texts for [{label, text}] and {"A": …}, texts for lists, else
    one text."""
    if isinstance(value, list):
        if value and all(isinstance(part, dict) for part in value):
            if any(_STRUCTURED & part.keys() for part in value):
                return _text(value)  # sub-items or marking points: taken apart where they are understood
            return tuple(_labelled(part) for part in value)
        if all(isinstance(part, list) for part in value) and value:
            return tuple(" / ".join(_text(one) for one in part) for part in value)
        return tuple(_text(part) for part in value)
    if isinstance(value, dict):
        if value and all(len(str(name)) == 1 for name in value):
            return tuple((str(name), _text(value[name])) for name in sorted(value) if value[name] is not None)
        return _text(value)
    return _text(value)


def _labelled(part: dict[str, Any]) -> tuple[str, str]:
    lowered = {str(name).lower(): value for name, value in part.items()}
    label = next((lowered[name] for name in ("label", "key", "id", "name", "option") if name in lowered), "")
    for name in ("text", "content", "value", "html", "title", "desc"):
        if name in lowered:
            return _text(label), _text(lowered[name])
    return _text(label), _text(part)
