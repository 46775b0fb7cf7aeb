"""A mapping as the file that `read_mapping` reads."""

import json
from collections.abc import Mapping

from server.itembank.interchange.mapping import ColumnMapping


def mapping_text(mapping: ColumnMapping) -> str:
    """Return a mapping as TOML."""
    lines = ["[fields]"]
    lines += [f"{name} = {_quoted(column)}" for name, column in mapping.fields.items()]
    if mapping.option_columns:
        lines.append(f"options = {_listed(mapping.option_columns)}")
    if mapping.ignored:
        lines.append(f"ignore = {_listed(sorted(mapping.ignored))}")
    if mapping.placeholders:
        lines.append(f"no_label = {_listed(sorted(mapping.placeholders))}")
    lines += ["", "[defaults]"]
    if mapping.default_type is not None:
        lines.append(f"type = {_quoted(mapping.default_type)}")
    lines.append(f"point = {_quoted(mapping.default_point)}")
    lines.append(f"difficulty = {float(mapping.default_difficulty)!r}")
    lines.append(f"score = {float(mapping.default_score)!r}")
    lines += _table("types", {word: _quoted(kind) for word, kind in mapping.types.items()})
    lines += _table(
        "difficulties", {word: repr(float(value)) for word, value in mapping.difficulties.items()}
    )
    lines += _table("points", {word: _quoted(point) for word, point in mapping.points.items()})
    return "\n".join(lines) + "\n"


def _table(name: str, entries: Mapping[str, str]) -> list[str]:
    return (
        ["", f"[{name}]", *(f"{_quoted(word)} = {value}" for word, value in entries.items())]
        if entries
        else []
    )


def _listed(texts: "tuple[str, ...] | list[str]") -> str:
    return "[" + ", ".join(map(_quoted, texts)) + "]"


def _quoted(text: str) -> str:
    """Return a basic string of TOML: JSON's form is one, but for DEL, which TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
