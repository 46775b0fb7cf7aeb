"""The text catalogues: every sentence shown to a person, in Chinese (default) and English."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from litestar.connection import ASGIConnection

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


class _Facts(dict[str, Fact]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def say(language: Language, code: str, facts: Mapping[str, Fact] | None = None) -> str:
    """Return the sentence for a code with its facts named; the code itself where no text exists."""
    sentence = texts(language).get(code)
    return code if sentence is None else sentence.format_map(_Facts(facts or {}))


def language_of(connection: ASGIConnection) -> Language:  # type: ignore[type-arg]
    """Return the language asked for: `?lang=`, else the cookie, else Chinese."""
    asked = connection.query_params.get("lang") or connection.cookies.get(COOKIE)
    return "en" if asked == "en" else "zh"
