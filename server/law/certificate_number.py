"""The pattern of certificate numbers: its parts, who gives each, and what each may hold.

The pattern is versioned data, because top grades above level 1 and later national rules number differently.
"""

from collections.abc import Mapping
from datetime import date
from typing import Literal

from server.errors import BadInput, Unavailable
from server.law.closed import Closed, Text


class NumberPart(Closed, frozen=True):
    """One part of fixed length. `letters` are A–Z, `digits` 0–9; `allowed` empty means every such string.

    `given_by` says whether the authorities or the issuing body determine it.
    """

    code: str
    title: Text
    length: int
    alphabet: Literal["letters", "digits"]
    given_by: Literal["authority", "organisation"]
    allowed: tuple[str, ...] = ()

    def accepts(self, text: str) -> bool:
        """Say whether a text may stand in this part: length, characters, allowed values."""
        characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if self.alphabet == "letters" else "0123456789"
        return (
            len(text) == self.length
            and all(character in characters for character in text)
            and (not self.allowed or text in self.allowed)
        )


class CertificatePattern(Closed, frozen=True):
    """The parts of a number in order; in use from `since` (None: no start is known).

    `stated` false: the pattern does not come from the pack's own documents; without parts it is simply not
    known, and asking anything of it is Unavailable.
    """

    version: str
    article: str
    parts: tuple[NumberPart, ...]
    since: date | None = None
    stated: bool = True
    note: Text | None = None

    @property
    def length(self) -> int:
        """The number of characters of a whole number."""
        self._known()
        return sum(part.length for part in self.parts)

    @property
    def serial_limit(self) -> int:
        """The highest serial that fits into the last part."""
        self._known()
        return int(10 ** self.parts[-1].length) - 1

    def compose(self, values: Mapping[str, str]) -> str:
        """Join the parts.

        BadInput naming the first part that is missing or does not fit, or one that is not known.
        """
        self._known()
        strange = sorted(set(values) - {part.code for part in self.parts})
        if strange:
            raise BadInput("law-certificate-part-unknown", self.article, part=strange[0])
        for part in self.parts:
            if not part.accepts(values.get(part.code, "")):
                raise BadInput(
                    "law-certificate-part-wrong",
                    self.article,
                    part=part.code,
                    given=values.get(part.code),
                    length=part.length,
                )
        return "".join(values[part.code] for part in self.parts)

    def split(self, number: str) -> dict[str, str]:
        """Take a number apart into part code → text; BadInput when it is not of this pattern."""
        if len(number) != self.length:
            raise BadInput(
                "law-certificate-length-wrong", self.article, length=self.length, given=len(number)
            )
        values: dict[str, str] = {}
        at = 0
        for part in self.parts:
            text = number[at : at + part.length]
            if not part.accepts(text):
                raise BadInput(
                    "law-certificate-part-wrong", self.article, part=part.code, given=text, length=part.length
                )
            values[part.code] = text
            at += part.length
        return values

    def _known(self) -> None:
        if not self.parts:
            raise Unavailable("law-certificate-pattern-not-stated", self.article)
