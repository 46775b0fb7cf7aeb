"""The examiners' form of a practical subject: sub-scores by a template, two examiners, within a month of
the theory.

All points are hundredths.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from server.errors import Refusal
from server.law.citing import cites, reads
from server.law.workdays import add_months
from server.scoring.points import as_text, mean

EXAMINERS = 2
"""How many examiners score one candidate independently (house rule: one is no check, the standard may ask
for more).
"""


@dataclass(frozen=True, slots=True)
class FormItem:
    """One line of the form: its code, its title as shown, and the most points it may earn."""

    code: str
    title: str
    most: int


@dataclass(frozen=True, slots=True)
class FormTemplate:
    """The form of one practical slot; `spread` is the greatest difference of two examiners' totals that
    may be averaged.
    """

    items: tuple[FormItem, ...]
    spread: int

    @property
    def total(self) -> int:
        """Points of a faultless performance."""
        return sum(item.most for item in self.items)


def template_fault(template: FormTemplate, total: int) -> Refusal | None:
    """Refuse a form that is empty, names a line twice, or does not add up to the subject's total."""
    codes = [item.code for item in template.items]
    if not codes:
        return Refusal("practical-form-empty")
    if len(set(codes)) != len(codes):
        return Refusal("practical-form-line-twice")
    if any(item.most <= 0 for item in template.items):
        return Refusal("practical-form-line-without-points")
    if template.total != total:
        return Refusal(
            "practical-form-total", None, {"form": as_text(template.total), "subject": as_text(total)}
        )
    return None


def entry_fault(template: FormTemplate, scores: Mapping[str, int]) -> Refusal | None:
    """Refuse an entry that misses a line, adds one, or gives a line more points than it has."""
    for item in template.items:
        if item.code not in scores:
            return Refusal("practical-line-missing", None, {"line": item.title})
        if not 0 <= scores[item.code] <= item.most:
            return Refusal(
                "practical-line-out-of-range",
                None,
                {"line": item.title, "given": as_text(scores[item.code]), "most": as_text(item.most)},
            )
    unknown = sorted(set(scores) - {item.code for item in template.items})
    if unknown:
        return Refusal("practical-line-unknown", None, {"line": unknown[0]})
    return None


@cites("BJ-E:A1.n6")
@reads("numbers.subject_gap_months")
def gap_fault(theory_day: date, practical_day: date, months: int) -> Refusal | None:
    """Refuse a practical day before the theory or later than `months` after it; the last day itself is
    allowed.
    """
    last = add_months(theory_day, months)
    if practical_day < theory_day:
        return Refusal("practical-before-theory", "BJ-E:A1.n6", {"theory": theory_day.isoformat()})
    if practical_day > last:
        return Refusal("practical-too-late", "BJ-E:A1.n6", {"last": last.isoformat()})
    return None


def practical_score(template: FormTemplate, totals: Sequence[int]) -> int | Refusal:
    """Return the candidate's points: the mean of the examiners' totals, half a hundredth rounded up.

    Refuses while examiners are missing and where two differ by more than the form's spread: then the
    examiners confer and correct their entries, each correction kept.
    """
    if len(totals) < EXAMINERS:
        return Refusal("practical-examiner-missing", None, {"entered": len(totals), "needed": EXAMINERS})
    apart = max(totals) - min(totals)
    if apart > template.spread:
        return Refusal(
            "practical-examiners-apart", None, {"apart": as_text(apart), "allowed": as_text(template.spread)}
        )
    return mean(totals)
