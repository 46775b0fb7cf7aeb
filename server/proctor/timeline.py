"""Keeps how the seats of every camera changed, in small transactions of their own, for the plots."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from server.db.engine import Database
from server.proctor.models import SeatStateRow
from server.protocol.proctoring import CameraSample, FromWorker

# Changes wait so long, in monotonic seconds, or until there are so many: one transaction then writes them.
EVERY_S, MOST_WAITING = 5.0, 200
# What waits while the database refuses is bounded: the plots then have a gap, the findings do not.
MOST_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class SeatChange:
    """From `since` (capture time) on a camera says `state` of a seat, until its next change."""

    room: str
    camera: str
    seat: str
    state: str
    since: datetime


@dataclass(frozen=True, slots=True)
class SeatHour:
    """The `changes` of a room's seats in the whole hour from `start` (UTC)."""

    room: str
    start: datetime
    changes: int

    @property
    def end(self) -> datetime:
        """Exclusive."""
        return self.start + timedelta(hours=1)


class Timeline:
    """Takes the workers' samples; `flush` writes what has waited long enough."""

    def __init__(self, db: Database, monotonic: Callable[[], float]) -> None:
        self._db, self._monotonic = db, monotonic
        self._states: dict[tuple[str, str], tuple[str, datetime]] = {}
        self._waiting: list[SeatChange] = []
        self._written_at = monotonic()

    def take(self, message: FromWorker) -> None:
        """Notes the seats of a sample whose state changed."""
        if not isinstance(message, CameraSample):
            return
        for line in message.seats:
            key = (message.camera, line.seat)
            if self._states.get(key) != (line.state, line.since):
                self._states[key] = (line.state, line.since)
                self._waiting.append(
                    SeatChange(message.room, message.camera, line.seat, line.state, line.since)
                )
        del self._waiting[:-MOST_KEPT]

    async def flush(self, everything: bool = False) -> int:
        """Writes what waits if it is time, or everything; returns how many changes were written."""
        now = self._monotonic()
        due = len(self._waiting) >= MOST_WAITING or now - self._written_at >= EVERY_S
        if not self._waiting or not (due or everything):
            return 0
        self._written_at = now
        batch, self._waiting = self._waiting[:MOST_WAITING], self._waiting[MOST_WAITING:]
        try:
            async with self._db.writing() as session:
                # Row objects would be worked on for a tenth of a second, with the lock that answers wait for.
                await session.execute(insert(SeatStateRow), [asdict(one) for one in batch])
        except SQLAlchemyError:
            self._waiting = batch + self._waiting
            raise
        return len(batch)


async def seat_changes(
    session: AsyncSession, rooms: Sequence[str], start: datetime, end: datetime
) -> tuple[SeatChange, ...]:
    """The changes of rooms' seats in [start, end), oldest first."""
    rows = await session.scalars(
        select(SeatStateRow)
        .where(SeatStateRow.room.in_(rooms), SeatStateRow.since >= start, SeatStateRow.since < end)
        .order_by(SeatStateRow.since, SeatStateRow.id)
    )
    return tuple(SeatChange(r.room, r.camera, r.seat, r.state, r.since) for r in rows)


async def changed_hours(
    session: AsyncSession, moment: InstrumentedAttribute[datetime], *which: ColumnElement[bool]
) -> AsyncIterator[tuple[datetime, int]]:
    """The whole hours (UTC) with rows of which this holds, oldest first, and how many; each read when it is asked
    for."""
    start = datetime.min.replace(tzinfo=UTC)
    while True:
        oldest = await session.scalar(select(func.min(moment)).where(*which, moment >= start))
        if oldest is None:
            return
        hour = oldest.replace(minute=0, second=0, microsecond=0)
        start = hour + timedelta(hours=1)
        within = moment >= hour, moment < start
        yield hour, await session.scalar(select(func.count(moment)).where(*which, *within)) or 0


async def seat_hours(session: AsyncSession, room: str) -> AsyncIterator[SeatHour]:
    """The hours in which a room's seats changed, oldest first, each read when it is asked for."""
    async for start, changes in changed_hours(session, SeatStateRow.since, SeatStateRow.room == room):
        yield SeatHour(room, start, changes)


async def rooms_with_changes(session: AsyncSession) -> tuple[str, ...]:
    """The rooms of which any change of a seat is kept."""
    return tuple(await session.scalars(select(SeatStateRow.room).distinct().order_by(SeatStateRow.room)))


async def erase_hour(session: AsyncSession, hour: SeatHour) -> None:
    """Delete the changes of that hour."""
    await session.execute(
        delete(SeatStateRow).where(
            SeatStateRow.room == hour.room, SeatStateRow.since >= hour.start, SeatStateRow.since < hour.end
        )
    )
