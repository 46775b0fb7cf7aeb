"""What must an organisation send for a year, and by when? The overall plan and the year's notice."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from server.errors import Refusal
from server.law.citing import reads
from server.law.exam_entries import YearlyStep
from server.law.pack import Pack

SECTIONS = ("scope", "conditions", "fees", "schedule", "procedure", "remarks")
"""What a year's notice says, each in words of its own (BJ-E:7)."""
NOTICE = "yearly_notice"


@dataclass(frozen=True, slots=True)
class Lodged:
    """One text lodged for a year; `version` counts from 1, `sha256` is over the text in UTF-8."""

    organisation: str
    code: str
    year: int
    version: int
    text: str
    sha256: bytes
    late: bool
    lodged_at: datetime
    lodged_by: str


@dataclass(frozen=True, slots=True)
class Due:
    """One thing to be lodged for a year, its last day (inclusive) and what was lodged last."""

    code: str
    article: str
    title_zh: str
    title_en: str
    year: int
    latest: date
    lodged: Lodged | None

    def missed(self, today: date) -> bool:
        """Tell whether nothing is lodged and the last day lies behind."""
        return self.lodged is None and today > self.latest


@reads("yearly")
def latest(step: YearlyStep, year: int) -> date:
    """Return the last day, inclusive, for what is lodged for `year`: the end of the step's month."""
    in_year = year - step.years_ahead
    return date(in_year, step.month, monthrange(in_year, step.month)[1])


@reads("yearly")
def dues(pack: Pack, lodged: Sequence[Lodged], today: date) -> tuple[Due, ...]:
    """Return what each step of the pack wants next: for the first year whose last day is still ahead, and for the
    one before it where nothing was lodged. In order of the last day.
    """
    found = []
    for step in pack.yearly:
        year = today.year + step.years_ahead
        ahead = year if today <= latest(step, year) else year + 1
        for wanted in (ahead - 1, ahead):
            newest = max(
                (one for one in lodged if (one.code, one.year) == (step.code, wanted)),
                key=lambda one: one.version,
                default=None,
            )
            if wanted == ahead or newest is None:
                last = latest(step, wanted)
                title = step.title
                found.append(Due(step.code, step.article, title.zh, title.en, wanted, last, newest))
    return tuple(sorted(found, key=lambda due: (due.latest, due.code)))


def may_lodge(pack: Pack, code: str, year: int, text: str, today: date) -> Refusal | None:
    """Refuse an unknown step, a year out of reach, or an empty text. A late one is taken and marked late, since the
    text attaches no consequence."""
    step = next((one for one in pack.yearly if one.code == code), None)
    if step is None:
        return Refusal("yearly-unknown", facts={"kind": code})
    if not today.year - 1 <= year <= today.year + step.years_ahead + 1:
        return Refusal("yearly-year", step.article, {"year": year})
    if not text.strip():
        return Refusal("yearly-text-missing", step.article)
    return None


def is_late(pack: Pack, code: str, year: int, today: date) -> bool:
    """Tell whether a text lodged today comes after the last day."""
    step = next(one for one in pack.yearly if one.code == code)
    return today > latest(step, year)


def notice_text(sections: Sequence[str]) -> str | Refusal:
    """Return the text of a year's notice from its six sections in order; each must say something."""
    if len(sections) != len(SECTIONS) or not all(one.strip() for one in sections):
        return Refusal("yearly-section-missing", "BJ-E:7", {"sections": len(SECTIONS)})
    return "\n\n".join(one.strip() for one in sections)
