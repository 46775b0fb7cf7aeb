"""Halt for a disaster and continuation with unused time and the same paper (续考): what may follow what."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from server.errors import Refusal
from server.law.citing import cites


class HaltState(StrEnum):
    """Where a halt of a room or of the slot stands."""

    HALTED = "halted"
    """Everybody leaves; nobody knows yet when it goes on."""
    PLANNED = "planned"
    """The chief has named when it shall go on, on the same day or another."""
    CONTINUED = "continued"


class HaltEvent(StrEnum):
    """What the chief does with a halt."""

    PLAN = "plan"
    CONTINUE = "continue"


TRANSITIONS: Mapping[tuple[HaltState, HaltEvent], HaltState] = {
    (HaltState.HALTED, HaltEvent.PLAN): HaltState.PLANNED,
    (HaltState.PLANNED, HaltEvent.PLAN): HaltState.PLANNED,
    (HaltState.PLANNED, HaltEvent.CONTINUE): HaltState.CONTINUED,
}


def halt_state(resumes_at: datetime | None, ended_at: datetime | None) -> HaltState:
    """Return the state of a halt from its planned continuation and its end (aware UTC)."""
    if ended_at is not None:
        return HaltState.CONTINUED
    return HaltState.HALTED if resumes_at is None else HaltState.PLANNED


@cites("BJ-E:A4.1-9")
def may_halt(bell_rung: bool, halted: bool) -> Refusal | None:
    """Say whether the chief may halt a room or the slot: only after its bell, and not when all of it is halted."""
    if not bell_rung:
        return Refusal("halt-before-bell", "BJ-E:A4.1-9")
    return Refusal("halt-open") if halted else None


def may_plan(state: HaltState, starts_at: datetime, now: datetime) -> Refusal | None:
    """Say whether a continuation may be planned for this time (aware UTC): while halted, not in the past."""
    if (state, HaltEvent.PLAN) not in TRANSITIONS:
        return Refusal("halt-not-open")
    return Refusal("continuation-in-past") if starts_at < now else None


@cites("BJ-E:A4.1-4", "BJ-E:A4.2-7")
def may_continue(state: HaltState, starts_at: datetime | None, now: datetime) -> Refusal | None:
    """Say whether the chief may give the continuation's bell now: planned, and not before the planned second."""
    if state is HaltState.CONTINUED:
        return Refusal("halt-not-open")
    if (state, HaltEvent.CONTINUE) not in TRANSITIONS or starts_at is None:
        return Refusal("continuation-not-planned")
    if now < starts_at:
        return Refusal("continuation-too-early", "BJ-E:A4.2-7", {"allowed": starts_at.isoformat()})
    return None
