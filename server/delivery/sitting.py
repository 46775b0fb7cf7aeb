"""The states of a sitting and what may happen in each."""

from collections.abc import Mapping
from enum import StrEnum

from server.errors import Refusal


class State(StrEnum):
    """One candidate, one paper, one time, on a seat."""

    PREPARED = "prepared"
    CHECKED_IN = "checked_in"
    """Ticket, document, photo and signature were checked; the seat opens for this candidate."""
    OPENED = "opened"
    """The paper key went out to the candidate's seat: present."""
    HALTED = "halted"
    """Opened, then halted for a disaster: the candidate left and is checked in again to continue (续考)."""
    HANDED_IN = "handed_in"
    COLLECTED = "collected"
    VOIDED = "voided"
    """Cancelled by the chief after the paper was opened."""
    ABSENT = "absent"

    @property
    def present(self) -> bool:
        """Whether a paper was opened: what the counts call present."""
        return self in (State.OPENED, State.HALTED, State.HANDED_IN, State.COLLECTED, State.VOIDED)

    @property
    def closed(self) -> bool:
        """Whether nothing of this sitting is outstanding any more."""
        return self in (State.HANDED_IN, State.COLLECTED, State.VOIDED, State.ABSENT)


class Event(StrEnum):
    """What happens to a sitting."""

    CHECK_IN = "check_in"
    UNDO_CHECK_IN = "undo_check_in"
    MARK_ABSENT = "mark_absent"
    OPEN = "open"
    HAND_IN = "hand_in"
    COLLECT = "collect"
    VOID = "void"
    RESEAT = "reseat"
    UNDO_ABSENT = "undo_absent"
    REOPEN = "reopen"
    """A voiding is undone; the other three say where the paper had come to."""
    RESTORE_HALTED = "restore_halted"
    RESTORE_HANDED_IN = "restore_handed_in"
    RESTORE_COLLECTED = "restore_collected"
    HALT = "halt"
    """Room or slot is halted for a disaster; everybody leaves."""


TRANSITIONS: Mapping[tuple[State, Event], State] = {
    (State.PREPARED, Event.CHECK_IN): State.CHECKED_IN,
    (State.PREPARED, Event.MARK_ABSENT): State.ABSENT,
    (State.PREPARED, Event.RESEAT): State.PREPARED,
    (State.CHECKED_IN, Event.UNDO_CHECK_IN): State.PREPARED,
    (State.CHECKED_IN, Event.MARK_ABSENT): State.ABSENT,
    (State.CHECKED_IN, Event.RESEAT): State.CHECKED_IN,
    (State.CHECKED_IN, Event.OPEN): State.OPENED,
    (State.OPENED, Event.RESEAT): State.OPENED,
    (State.OPENED, Event.HAND_IN): State.HANDED_IN,
    (State.OPENED, Event.COLLECT): State.COLLECTED,
    (State.OPENED, Event.VOID): State.VOIDED,
    # Who had not opened is as before the door; who had opened keeps paper and answers.
    (State.CHECKED_IN, Event.HALT): State.PREPARED,
    (State.OPENED, Event.HALT): State.HALTED,
    (State.HALTED, Event.CHECK_IN): State.OPENED,
    (State.HALTED, Event.RESEAT): State.HALTED,
    (State.HALTED, Event.COLLECT): State.COLLECTED,
    (State.HALTED, Event.VOID): State.VOIDED,
    (State.HANDED_IN, Event.VOID): State.VOIDED,
    (State.COLLECTED, Event.VOID): State.VOIDED,
    (State.VOIDED, Event.REOPEN): State.OPENED,
    (State.VOIDED, Event.RESTORE_HALTED): State.HALTED,
    (State.VOIDED, Event.RESTORE_HANDED_IN): State.HANDED_IN,
    (State.VOIDED, Event.RESTORE_COLLECTED): State.COLLECTED,
    (State.ABSENT, Event.UNDO_ABSENT): State.PREPARED,
    # A candidate who comes after being marked absent: no text sets a latest arrival (regulations A11).
    (State.ABSENT, Event.CHECK_IN): State.CHECKED_IN,
}


def step(state: State, event: Event) -> State | Refusal:
    """Return the state after the event, or why it cannot happen in this state."""
    after = TRANSITIONS.get((state, event))
    if after is None:
        return Refusal("sitting-state", facts={"state": state.value, "event": event.value})
    return after
