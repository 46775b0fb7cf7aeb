"""Where a set of papers stands."""

from collections.abc import Mapping
from enum import StrEnum

from server.errors import Refusal


class SetState(StrEnum):
    """staging: being written; current: sealed and served; withdrawn: replaced before the bell, with a
    reason."""

    STAGING = "staging"
    CURRENT = "current"
    WITHDRAWN = "withdrawn"


class SetEvent(StrEnum):
    """What may happen to a set."""

    FINISH = "finish"
    WITHDRAW = "withdraw"


TRANSITIONS: Mapping[tuple[SetState, SetEvent], SetState] = {
    (SetState.STAGING, SetEvent.FINISH): SetState.CURRENT,
    (SetState.STAGING, SetEvent.WITHDRAW): SetState.WITHDRAWN,
    (SetState.CURRENT, SetEvent.WITHDRAW): SetState.WITHDRAWN,
}


def step(state: SetState, event: SetEvent) -> SetState | Refusal:
    """Return the next state, or why the event is not allowed."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        return Refusal("paper-set-state-refused", facts={"state": state.value, "event": event.value})
    return following
