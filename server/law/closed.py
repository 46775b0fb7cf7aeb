"""The base of every entry of a pack, and a text in two languages."""

import msgspec


class Closed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry whose unknown fields are errors."""


class Text(Closed):
    """A text in Chinese and in English; both complete."""

    zh: str
    en: str
