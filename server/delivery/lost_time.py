"""Time that a sitting's line was lost while its exam ran: what is proposed as credit, for a person to grant.

Answers are kept on the machine while the line is lost, so lost line is not yet lost time: that is why it is only
a proposal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from server.delivery.timing import Times, own_end

LEAST = timedelta(seconds=30)
"""Losses shorter than this are not proposed."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One entry of the heartbeat ledger: the line came (`here`) or was lost, at an aware UTC time."""

    at: datetime
    here: bool


@dataclass(frozen=True, slots=True)
class Loss:
    """The line was lost in [start, end), in running time only (pauses are taken out)."""

    start: datetime
    end: datetime
    length: timedelta


def losses(beats: Iterable[Beat], times: Times, since: datetime | None, now: datetime) -> tuple[Loss, ...]:
    """Return the losses from the own start to `now` or the own end, oldest first, each at least 30 s.

    `since`: the newest credit of this sitting (aware UTC); what was lost before it has been judged. A line that
    never came is no loss; one that is still lost counts until `now`.
    """
    if times.bell is None:
        return ()
    first = times.bell + times.delay
    if since is not None:
        first = max(first, since)
    end = own_end(times)
    last = now if end is None else min(now, end)
    found: list[Loss] = []
    lost: datetime | None = None
    for beat in sorted(beats, key=lambda beat: beat.at):
        if not beat.here and lost is None:
            lost = beat.at
        elif beat.here and lost is not None:
            _keep(found, max(lost, first), min(beat.at, last), times)
            lost = None
    if lost is not None:
        _keep(found, max(lost, first), last, times)
    return tuple(found)


def _keep(found: list[Loss], start: datetime, end: datetime, times: Times) -> None:
    if end <= start:
        return
    length = end - start
    for pause in times.pauses:
        over = min(end, pause.end or end) - max(start, pause.start)
        length -= max(over, timedelta())
    if length >= LEAST:
        found.append(Loss(start, end, length))
