"""What the kiosk's commands say to a person: the same texts as the pages', Chinese first, then English."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import server.errors
from server.errors import Fact

_FOLDER = Path(server.errors.__file__).parent / "web" / "texts"
_FILES = ("kiosk", "general", "delivery")


@cache
def _texts(language: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name in _FILES:
        found |= tomllib.loads((_FOLDER / language / f"{name}.toml").read_text(encoding="utf-8"))
    return found


def say(code: str, facts: Mapping[str, Fact] | None = None, language: str = "zh") -> str:
    """Return a sentence in one language; the code itself where there is none."""
    sentence = _texts(language).get(code, code)
    try:
        return sentence.format_map(dict(facts or {}))
    except KeyError:
        return sentence


def both(code: str, facts: Mapping[str, Fact] | None = None) -> str:
    """Return a short text in both languages, on one line."""
    return f"{say(code, facts)} / {say(code, facts, 'en')}"
