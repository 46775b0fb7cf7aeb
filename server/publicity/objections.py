"""May an objection be raised or answered, and does one hold a row? The states of an objection."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from server.errors import Refusal
from server.law.citing import cites
from server.law.workdays import Period

LONGEST_TEXT = 2000


class ObjectionState(StrEnum):
    """Where an objection stands; open ones hold the row they speak of."""

    OPEN = "open"
    UPHELD = "upheld"
    DISMISSED = "dismissed"


class ObjectionEvent(StrEnum):
    """How an objection is answered."""

    UPHOLD = "uphold"
    DISMISS = "dismiss"


TRANSITIONS: Mapping[tuple[ObjectionState, ObjectionEvent], ObjectionState] = MappingProxyType(
    {
        (ObjectionState.OPEN, ObjectionEvent.UPHOLD): ObjectionState.UPHELD,
        (ObjectionState.OPEN, ObjectionEvent.DISMISS): ObjectionState.DISMISSED,
    }
)


def step(state: ObjectionState, event: ObjectionEvent) -> ObjectionState | Refusal:
    """Return the state after the answer, or why the objection can no longer be answered."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        return Refusal("objection-answered-already", "BJ-E:25", {"state": str(state)})
    return following


@dataclass(frozen=True, slots=True)
class Objection:
    """One objection to one published row."""

    id: str
    plan: str
    candidate: str
    text: str
    contact: str
    state: ObjectionState
    filed_at: datetime
    answer: str
    answered_at: datetime | None


@cites("BJ-E:25")
def may_object(period: Period, text: str, now: datetime) -> Refusal | None:
    """Refuse an objection after the period's end, or one that says nothing or too much.

    The day of publication itself is open too, though it is not counted.
    """
    if now >= period.end:
        return Refusal("objection-after-notice", "BJ-E:25", {"ended": period.end.isoformat()})
    if not text.strip() or len(text) > LONGEST_TEXT:
        return Refusal("objection-text-missing", "BJ-E:25", {"longest": LONGEST_TEXT})
    return None
