"""How often people found something behind an alert: measured for each rule and room, and alarms over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, sqrt

from server.proctor.alerts import Alert, AlertState
from server.proctor.evidence import AnomalyKind

# The standard normal's 97.5 % point: intervals are of 95 %.
Z = 1.959964

ENOUGH = 5
"""Decided alerts from which on their share is told beside an alert: fewer say nothing of a rule."""


@dataclass(frozen=True, slots=True)
class Precision:
    """Of `decided` alerts of a rule in a room (None: in all), people confirmed `confirmed`.

    `low` and `high` are Wilson's 95 % interval of the share (E. B. Wilson 1927, JASA 22:209), 0 and 1 where
    none is decided. `waiting` alerts are undecided: they count on neither side. Of all of them `rang` rang.
    """

    kind: AnomalyKind
    room: str | None
    confirmed: int
    decided: int
    waiting: int
    rang: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """Confirmed of decided; None where none is decided."""
        return self.confirmed / self.decided if self.decided else None


def measured(alerts: Iterable[Alert]) -> tuple[Precision, ...]:
    """The precision of every rule that alarmed: over all rooms first, then room by room."""
    groups: dict[tuple[AnomalyKind, str | None], list[Alert]] = {}
    for alert in alerts:
        groups.setdefault((alert.kind, None), []).append(alert)
        groups.setdefault((alert.kind, alert.room_id), []).append(alert)
    ordered = sorted(groups, key=lambda key: (key[1] is not None, key[1] or "", key[0].value))
    return tuple(_precision(kind, room, groups[kind, room]) for kind, room in ordered)


def _precision(kind: AnomalyKind, room: str | None, alerts: Sequence[Alert]) -> Precision:
    confirmed = sum(alert.state is AlertState.CONFIRMED for alert in alerts)
    decided = confirmed + sum(alert.state is AlertState.DISMISSED for alert in alerts)
    low, high = wilson(confirmed, decided)
    return Precision(
        kind=kind,
        room=room,
        confirmed=confirmed,
        decided=decided,
        waiting=len(alerts) - decided,
        rang=sum(alert.rings for alert in alerts),
        low=low,
        high=high,
    )


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) of nothing. ValueError unless 0 <= hits <= of."""
    if not 0 <= hits <= of:
        raise ValueError("there are at most as many hits as trials")
    if of == 0:
        return 0.0, 1.0
    share, z2 = hits / of, Z * Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z * sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class AlarmBin:
    """Alerts that opened in [start, start + the bin's length): those that rang, and those listed in silence."""

    start: datetime
    rang: int
    silent: int


def alarms_over_time(
    alerts: Iterable[Alert], start: datetime, end: datetime, minutes: int = 10
) -> tuple[AlarmBin, ...]:
    """Alerts in bins of so many minutes over [start, end), every bin in order, also empty ones.

    Raises:
        ValueError: the end is not after the start, or there would be more than 1,000 bins.
    """
    length = timedelta(minutes=minutes)
    count = ceil((end - start) / length)
    if not 0 < count <= 1000:
        raise ValueError("a plot has 1 to 1000 bins")
    rang, silent = [0] * count, [0] * count
    for alert in alerts:
        if start <= alert.opened_at < end:
            (rang if alert.rings else silent)[(alert.opened_at - start) // length] += 1
    return tuple(AlarmBin(start + n * length, rang[n], silent[n]) for n in range(count))
