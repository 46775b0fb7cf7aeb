"""State diagrams drawn from the transition tables; run as a module it writes them into ARCHITECTURE.md."""

import importlib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- state diagrams: begin (generated) -->", "<!-- state diagrams: end -->"


def tables() -> dict[str, Mapping[tuple[StrEnum, StrEnum], StrEnum]]:
    """Return every TRANSITIONS table of the server by module name, in the order of the rooms' names."""
    found = {}
    for path in sorted((ROOT / "server").rglob("*.py")):
        if "TRANSITIONS: " in path.read_text(encoding="utf-8"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name] = importlib.import_module(name).TRANSITIONS
    return found


def drawn() -> str:
    """Return all diagrams as Mermaid."""
    parts = []
    for name, table in tables().items():
        lines = [
            f"    {state.value} --> {after.value}: {event.value}" for (state, event), after in table.items()
        ]
        parts.append(f"### `{name}`\n\n```mermaid\nstateDiagram-v2\n" + "\n".join(lines) + "\n```\n")
    return "\n".join(parts)


def replaced(text: str) -> str:
    """Return the document with the generated part made anew."""
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n\n{drawn()}\n{END}{tail}"


if __name__ == "__main__":
    document = ROOT / "ARCHITECTURE.md"
    document.write_text(replaced(document.read_text(encoding="utf-8")), encoding="utf-8")
