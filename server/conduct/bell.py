"""The bell: the chief's recorded start. Nothing starts by itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from server.errors import Refusal
from server.law.citing import cites

OVERDUE = timedelta(minutes=5)
"""From this long after the planned time a missing bell is shown to everybody on the board."""


class BellKind(StrEnum):
    """What the board says about the bell of one room."""

    EARLY = "early"
    """The planned time is not reached."""
    LOCKED = "locked"
    """The planned time is reached and the start key is not open."""
    READY = "ready"
    OVERDUE = "overdue"
    """5 minutes or more after the planned time, still no bell."""
    RUNG = "rung"


@dataclass(frozen=True, slots=True)
class BellFacts:
    """What the rule needs: planned start and the bell, if any (UTC), the seals shown, the start key in
    memory.
    """

    planned: datetime
    rung_at: datetime | None
    seals_shown: bool
    start_key_open: bool


@cites("BJ-E:A4.1-4", "BJ-E:A4.2-7", "BJ-E:A5.2-8")
def may_ring(facts: BellFacts, now: datetime) -> Refusal | None:
    """Say whether the chief may strike the bell now: not twice, not before the planned second, not before the
    seals were shown and the start key is open.
    """
    if facts.rung_at is not None:
        return Refusal("bell-rung-already", None, {"at": facts.rung_at.isoformat()})
    if now < facts.planned:
        return Refusal("bell-too-early", "BJ-E:A4.2-7", {"allowed": facts.planned.isoformat()})
    if not facts.seals_shown:
        return Refusal("bell-seals-not-shown", "BJ-E:A5.2-7")
    if not facts.start_key_open:
        return Refusal("bell-start-key-closed", "BJ-E:A4.3-3")
    return None


def bell_kind(facts: BellFacts, now: datetime) -> BellKind:
    """Return what the board says; READY and LOCKED hold over [planned, planned + 5 min), then OVERDUE."""
    if facts.rung_at is not None:
        return BellKind.RUNG
    if now < facts.planned:
        return BellKind.EARLY
    if now >= facts.planned + OVERDUE:
        return BellKind.OVERDUE
    return BellKind.READY if may_ring(facts, now) is None else BellKind.LOCKED
