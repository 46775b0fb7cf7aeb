"""How people's marks of an answer in words become its points.

Two assigned markers mark each answer without seeing each other's points. They agree when they differ by at most
the slot's allowed spread: the points are their mean. Otherwise an arbiter decides, who had no part in its marks.
Points come in halves, never above the question's most. How many markers there are and how far they may differ no
text of the law says: two and a fifth are ours, the spread is set per slot before the first mark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.errors import Refusal
from server.law.citing import cites
from server.scoring.points import mean

MARKERS = 2
HALF = 50
"""Hundredths of a point: the least step."""
DEFAULT_SPREAD = 20
"""Per cent of a question's most that two markers may differ by."""


class AnswerState(StrEnum):
    """Where the marking of one answer stands."""

    OPEN = "open"
    DISPUTED = "disputed"
    """Two marks that differ too much: an arbiter decides."""
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Grade:
    """The newest mark of one person for one answer, in hundredths."""

    marker: str
    arbiter: bool
    points: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the marks of an answer come to; points None until settled."""

    state: AnswerState
    points: int | None


def allowed_spread(most: int, percent: int) -> int:
    """Return the hundredths that two markers may differ by: a share of the most, in whole halves, at least one."""
    return max(most * percent // 100 // HALF * HALF, HALF)


def verdict(grades: Sequence[Grade], spread: int) -> Verdict:
    """Return what the marks of an answer come to under an allowed spread in hundredths."""
    decided = [grade.points for grade in grades if grade.arbiter]
    if decided:
        return Verdict(AnswerState.SETTLED, decided[-1])
    given = [grade.points for grade in grades]
    if len(given) < MARKERS:
        return Verdict(AnswerState.OPEN, None)
    if max(given) - min(given) > spread:
        return Verdict(AnswerState.DISPUTED, None)
    return Verdict(AnswerState.SETTLED, mean(given))


def points_fault(points: int, most: int) -> Refusal | None:
    """Refuse points below nothing, above the question's most, or between the halves (the most itself is whole)."""
    if 0 <= points <= most and (points % HALF == 0 or points == most):
        return None
    return Refusal("mark-out-of-range", None, {"given": points / 100, "most": most / 100})


@cites("BJ-E:24")
def grade_fault(
    marker: str,
    *,
    arbiter: bool,
    assigned: bool,
    recused: bool,
    state: AnswerState,
    grades: Sequence[Grade],
) -> Refusal | None:
    """Refuse a mark by somebody who is not assigned or is recused from this candidate, a third mark that no
    dispute asks for, and an arbiter's on an answer that he marked or decided before: nobody judges his own points.

    A marker may correct his own mark until the other's is there.
    """
    if not assigned:
        return Refusal("marker-not-assigned", "BJ-E:24")
    if recused:
        return Refusal("marker-recused", "BJ-E:24")
    mine = any(grade.marker == marker and not grade.arbiter for grade in grades)
    if arbiter:
        if any(grade.marker == marker for grade in grades):
            return Refusal("arbiter-marked-it", "BJ-E:24")
        return None if state is AnswerState.DISPUTED else Refusal("answer-not-disputed")
    if state is not AnswerState.OPEN or (len(grades) >= MARKERS and not mine):
        return Refusal("answer-marked-already")
    return None
