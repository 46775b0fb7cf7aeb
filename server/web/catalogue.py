"""The text catalogues: every sentence shown to a person, in Chinese (default) and English."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Literal

from litestar.connection import ASGIConnection

from server.clock import SHANGHAI
from server.errors import Fact

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
COOKIE = "gongyuan-language"
_FOLDER = Path(__file__).parent / "texts"


@cache
def texts(language: Language, rooms: tuple[str, ...] = ()) -> Mapping[str, str]:
    """Return the texts of one language from all rooms' files, or from the named ones.

    A code that stands twice is a ValueError.
    """
    found: dict[str, str] = {}
    for path in sorted((_FOLDER / language).glob("*.toml")):
        if rooms and path.stem not in rooms:
            continue
        for code, sentence in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if code in found:
                raise ValueError(f"{path.name}: the text {code} stands twice")
            found[code] = str(sentence)
    return found


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def day_text(language: Language, value: date) -> str:
    """Return a legal day as people write it: 2026年3月14日, 14 Mar 2026."""
    return f"{value.day} {value:%b %Y}" if language == "en" else f"{value.year}年{value.month}月{value.day}日"


def moment_text(language: Language, value: datetime) -> str:
    """Return an aware time as people read it: the day and the 24-hour clock of Shanghai."""
    local = value.astimezone(SHANGHAI)
    return f"{day_text(language, local)} {local:%H:%M}"


class _Facts(dict[str, Fact]):
    """Facts as a sentence names them: times in Shanghai, unknown names left as they stand."""

    def __init__(self, language: Language, facts: Mapping[str, Fact]) -> None:
        super().__init__({name: _read(language, value) for name, value in facts.items()})

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def _read(language: Language, value: Fact) -> Fact:
    if not isinstance(value, str):
        return value
    if _MOMENT.fullmatch(value):
        return moment_text(language, datetime.fromisoformat(value))
    if _DAY.fullmatch(value):
        return day_text(language, date.fromisoformat(value))
    return value


def say(language: Language, code: str, facts: Mapping[str, Fact] | None = None) -> str:
    """Return the sentence for a code with its facts named; the code itself where no text exists."""
    sentence = texts(language).get(code)
    return code if sentence is None else sentence.format_map(_Facts(language, facts or {}))


def language_of(connection: ASGIConnection) -> Language:  # type: ignore[type-arg]
    """Return the language asked for: `?lang=`, else the cookie, else Chinese."""
    asked = connection.query_params.get("lang") or connection.cookies.get(COOKIE)
    return "en" if asked == "en" else "zh"
