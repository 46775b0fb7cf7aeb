"""Which answers count, in what order, and what becomes of late ones.

Order is (lease, seq) per item, never a clock. Capture time (newest signed beacon + monotonic difference) is
evidence only for one question: was an answer that arrived after the own end made before it?
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from server.delivery.sitting import State
from server.delivery.timing import GRACE, PhaseKind, Times, own_end, phase_of
from server.errors import Refusal
from server.protocol.link import BEACON_OLDEST_LEGAL_S

BEACON_OLDEST = timedelta(seconds=BEACON_OLDEST_LEGAL_S)


class Timeliness(StrEnum):
    """How an answer stands to the sitting's end."""

    IN_TIME = "in_time"
    LATE = "late"
    """Stored in the late journal; two named people may merge it."""


@dataclass(frozen=True, slots=True)
class Capture:
    """When a kiosk says that an answer was given: a beacon whose signature was checked, and milliseconds
    since.
    """

    beacon_at: datetime
    elapsed_ms: int
    rate: float

    @property
    def at(self) -> datetime:
        """Claimed legal time of the answer: beacon + rate × monotonic difference."""
        return self.beacon_at + timedelta(milliseconds=self.elapsed_ms * self.rate)


def timeliness(times: Times, now: datetime, capture: Capture | None) -> Timeliness | Refusal:
    """Judge an answer received at `now`.

    Refused before the start. In time while running, and also while paused (it was on its way when the pause
    came). In a halt for a disaster only the grace counts as on its way; what a machine sends when it is
    switched on again is late, and two named people may merge it. In the grace it is in time only with a
    checked beacon younger than 30 s at the end and a capture time before the end: the most that a lie can gain
    is the grace. Everything later is late.
    """
    phase = phase_of(times, now)
    if phase.kind is PhaseKind.WAITING:
        return Refusal("answer-before-start")
    if phase.kind in (PhaseKind.RUNNING, PhaseKind.PAUSED):
        return Timeliness.IN_TIME
    if phase.kind is PhaseKind.HALTED and phase.start is not None:
        return Timeliness.IN_TIME if now < phase.start + GRACE else Timeliness.LATE
    end = own_end(times)
    if phase.kind is PhaseKind.ENDED or end is None or now >= end + GRACE or capture is None:
        return Timeliness.LATE
    fresh = end - capture.beacon_at < BEACON_OLDEST
    return Timeliness.IN_TIME if fresh and capture.at < end else Timeliness.LATE


@dataclass(frozen=True, slots=True)
class Standing:
    """The (lease, seq) of the answer that stands for an item."""

    lease: int
    seq: int


def newer(lease: int, seq: int, standing: Standing | None) -> bool:
    """Tell whether (lease, seq) goes before what stands for the item: a newer device, then a later answer."""
    return standing is None or (lease, seq) > (standing.lease, standing.seq)


def storable(state: State, lease: int, newest_lease: int) -> Refusal | None:
    """Refuse an answer that no state of the sitting can keep: never opened, cancelled, or an unknown
    lease.
    """
    if lease > newest_lease:
        return Refusal("lease-unknown", facts={"lease": lease})
    if state in (State.PREPARED, State.CHECKED_IN, State.ABSENT, State.VOIDED):
        return Refusal("answer-state", facts={"state": state.value})
    return None


def counts(state: State, timely: Timeliness) -> bool:
    """Tell whether a stored answer may become the item's answer: in time and the paper still open."""
    return timely is Timeliness.IN_TIME and state in (State.OPENED, State.HALTED)
