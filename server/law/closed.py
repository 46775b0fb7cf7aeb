"""The base of every entry of a pack, a text in two languages, and how strongly an entry binds."""

from typing import Literal

import msgspec

# must binds; in_principle (原则上) warns and an officer may override it; may (视情况) is an officer's choice.
Binding = Literal["must", "in_principle", "may"]


class Closed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry whose unknown fields are errors."""


class Text(Closed, frozen=True):
    """A text in Chinese and in English; both complete."""

    zh: str
    en: str
