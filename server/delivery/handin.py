"""May this paper be handed in now, and if not, when?

Judged by the server's legal time at receipt: at exactly the early limit yes, at exactly the late limit no.
"""

import math
from datetime import datetime, timedelta, timezone

from server.delivery.sitting import State
from server.delivery.timing import PhaseKind, Times, hand_in_window, phase_of
from server.errors import Refusal

_SHANGHAI = timezone(timedelta(hours=8))
EARLY_ARTICLE = "BJ-E:A5.2-9"
LATE_ARTICLE = "BJ-E:A5.2-10"
END_ARTICLE = "BJ-E:A5.2-11"


def wall_clock(moment: datetime) -> str:
    """Return the Shanghai time of day as HH:MM:SS, rounded up to the second, so that at the named time it is
    so.
    """
    if moment.microsecond:
        moment = moment.replace(microsecond=0) + timedelta(seconds=1)
    return moment.astimezone(_SHANGHAI).strftime("%H:%M:%S")


def time_refusal(times: Times, now: datetime) -> Refusal | None:
    """Refuse a hand-in for its time, naming when it opens (`opens`), closed (`closes`) or ends (`ends`)."""
    phase = phase_of(times, now)
    if phase.kind is PhaseKind.PAUSED:
        return Refusal("hand-in-paused")
    if phase.kind is PhaseKind.HALTED:
        return Refusal("hand-in-halted")
    window = hand_in_window(times)
    if phase.kind is PhaseKind.WAITING or window is None:
        return Refusal("hand-in-before-start", facts={"early_minutes": times.policy.early})
    if phase.kind is not PhaseKind.RUNNING:
        return Refusal("hand-in-after-end", END_ARTICLE)
    if now < window.opens:
        wait = (window.opens - now).total_seconds()
        return Refusal(
            "hand-in-too-early",
            EARLY_ARTICLE,
            {
                "opens": wall_clock(window.opens),
                "early_minutes": times.policy.early,
                "wait_s": math.ceil(wait),
                "wait_minutes": math.ceil(wait / 60),
            },
        )
    if window.closes is not None and now >= window.closes:
        end = phase.end
        return Refusal(
            "hand-in-too-late",
            LATE_ARTICLE,
            {
                "closes": wall_clock(window.closes),
                "late_minutes": times.policy.late,
                "ends": wall_clock(end) if end is not None else "",
            },
        )
    return None


def content_refusal(
    state: State, lease: int, newest_lease: int, same_count: bool, same_digest: bool, standing_count: int
) -> Refusal | None:
    """Refuse a hand-in for what it says: not opened, an older device, or other answers than those on disk."""
    if state is State.HANDED_IN:
        return Refusal("hand-in-already")
    if state is not State.OPENED:
        return Refusal("hand-in-state", facts={"state": state.value})
    if lease != newest_lease:
        return Refusal("lease-superseded", facts={"lease": lease, "newest": newest_lease})
    if not (same_count and same_digest):
        return Refusal("hand-in-differs", facts={"on_disk": standing_count})
    return None
