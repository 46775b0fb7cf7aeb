"""Erases recordings, evidence, changes of seats and of cameras' health after their term; nothing about which something
is open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.law.pack import Pack
from server.proctor import camera_health, recording_store, timeline
from server.proctor.camera_health import HealthHour
from server.proctor.course import kept_until, may_erase
from server.proctor.models import AnomalyRow
from server.proctor.recording_store import Segment
from server.proctor.timeline import SeatHour

Holds = Callable[[AsyncSession, str], Awaitable[tuple[str, ...]]]
"""What is open about a slot."""
SlotsOf = Callable[[AsyncSession, str, datetime], Awaitable[frozenset[str]]]
"""The slots that used a room around a moment: what shows the room then belongs to them, recorded or not."""
Hour = TypeVar("Hour", SeatHour, HealthHour)
INSTANT = timedelta(microseconds=1)
AT_ONCE = 200
"""Pieces and findings of one call: the database is held for a moment only."""
CHANGES_AT_ONCE = 20_000
"""Changes of seats of one call, but for the last hour's: they go as whole hours. As many of cameras' health."""


@dataclass(frozen=True, slots=True)
class Erasable:
    """What is past its term and not held: pieces, the hashes of pictures and clips, and hours of rooms whose changes of
    seats go, of cameras whose changes of health go. `held` counts what is past its term and held: pieces, findings,
    hours. `next_day` is the last day on which the oldest piece that is kept by its term must be kept."""

    segments: tuple[Segment, ...]
    evidence: tuple[str, ...]
    seat_hours: tuple[SeatHour, ...]
    health_hours: tuple[HealthHour, ...]
    held: int
    next_day: date | None

    @property
    def size(self) -> int:
        """Bytes of the pieces."""
        return sum(one.size for one in self.segments)

    @property
    def changes(self) -> int:
        """Changes of seats."""
        return sum(one.changes for one in self.seat_hours)

    @property
    def health_changes(self) -> int:
        """Changes of cameras' health."""
        return sum(one.changes for one in self.health_hours)


class _Held:
    """Asks what is open, once for each slot."""

    def __init__(self, session: AsyncSession, holds: Holds, slots_of: SlotsOf) -> None:
        self._session, self._holds, self._slots_of = session, holds, slots_of
        self._known: dict[str, tuple[str, ...]] = {}

    async def by(self, slots: frozenset[str], room: str, moment: datetime) -> tuple[str, ...]:
        """What holds something of these slots; where none is known, of those that used the room then."""
        found: set[str] = set()
        for slot in slots or await self.used(room, moment):
            if slot not in self._known:
                self._known[slot] = await self._holds(self._session, slot)
            found.update(self._known[slot])
        return tuple(sorted(found))

    async def used(self, room: str, moment: datetime) -> frozenset[str]:
        """The slots that used a room around a moment."""
        return await self._slots_of(self._session, room, moment)


async def erasable(
    session: AsyncSession, pack: Pack, data: Path, now: datetime, holds: Holds, slots_of: SlotsOf
) -> Erasable:
    """Find what may be erased at `now`, up to 200 pieces and as many pictures and clips, oldest first, and
    whole hours of about 20,000 changes of seats, and of as many of cameras' health."""
    open_matters = _Held(session, holds, slots_of)
    held, next_day = 0, None
    segments: list[Segment] = []
    for one in await recording_store.ended_before(session, now):
        until, article = kept_until(pack, one.ended_at or now)
        if may_erase(until, article, (), now) is not None:
            next_day = until
            break
        slots = frozenset() if one.slot is None else frozenset({one.slot})
        if may_erase(until, article, await open_matters.by(slots, one.room, one.started_at), now) is not None:
            held += 1
        elif len(segments) < AT_ONCE:
            segments.append(one)
    evidence, kept = await _evidence(session, pack, data / "evidence", now, open_matters)
    rooms = [timeline.seat_hours(session, room) for room in await timeline.rooms_with_changes(session)]
    cameras = [
        camera_health.health_hours(session, *one) for one in await camera_health.cameras_with_changes(session)
    ]
    seats, waiting = await _past_hours(session, pack, now, open_matters, rooms)
    health, unwell = await _past_hours(session, pack, now, open_matters, cameras)
    return Erasable(
        tuple(segments),
        tuple(sorted(evidence)),
        tuple(seats),
        tuple(health),
        held + kept + waiting + unwell,
        next_day,
    )


@dataclass(frozen=True, slots=True)
class Erasers:
    """The two people who erase, by username, and why."""

    first: str
    second: str
    reason: str


async def erase(act: Act, pack: Pack, data: Path, found: Erasable, by: Erasers) -> None:
    """Erase the files of what was found, and journal it with those who did. Two people, although all of it is past its
    term: a clock that one person moves must not be enough.

    Files go first and the record after: a crash between leaves a row whose file is gone, which is erased again. Rows,
    hashes and chains stay: what was recorded can be told for ever, only not seen. Of the changes of seats and of
    cameras' health nothing stays but how many of which room or camera and hour were erased.
    """
    if not (found.segments or found.evidence or found.seat_hours or found.health_hours):
        return
    for one in found.segments:
        (data / "recordings" / one.path).unlink(missing_ok=True)
    for name in found.evidence:
        (data / "evidence" / f"{name}.sealed").unlink(missing_ok=True)
    await recording_store.mark_erased(act.session, [one.id for one in found.segments], act.now)
    for hour in found.seat_hours:
        await timeline.erase_hour(act.session, hour)
    for one_hour in found.health_hours:
        await camera_health.erase_hour(act.session, one_hour)
    await act.record(
        "proctor:recording:erased",
        {
            "segments": [one.id for one in found.segments],
            "bytes": found.size,
            "evidence": list(found.evidence),
            "seat_changes": [
                {"room": one.room, "hour": one.start.isoformat(), "changes": one.changes}
                for one in found.seat_hours
            ],
            "camera_health": [
                {"camera": h.camera, "room": h.room, "hour": h.start.isoformat(), "changes": h.changes}
                for h in found.health_hours
            ],
            "jurisdiction": pack.jurisdiction,
            "by": by.first,
            "second": by.second,
            "reason": by.reason,
        },
    )


async def _evidence(
    session: AsyncSession, pack: Pack, folder: Path, now: datetime, open_matters: _Held
) -> tuple[set[str], int]:
    """The hashes of pictures and clips whose findings are past their term; one that a finding shares which is not
    stays."""
    rows = await session.execute(
        select(
            AnomalyRow.found_at,
            AnomalyRow.camera,
            AnomalyRow.room,
            AnomalyRow.picture_sha256,
            AnomalyRow.clip_sha256,
        )
        .where(or_(AnomalyRow.picture_sha256.is_not(None), AnomalyRow.clip_sha256.is_not(None)))
        .order_by(AnomalyRow.found_at)
    )
    past: set[str] = set()
    stays: set[str] = set()
    held = 0
    for found_at, camera, room, picture, clip in rows:
        # Rows stay for ever: what was erased before is not found again, nor counted among the 200.
        names = {name for name in (picture, clip) if name and (folder / f"{name}.sealed").is_file()}
        if not names:
            continue
        until, article = kept_until(pack, found_at)
        if len(past) >= AT_ONCE or may_erase(until, article, (), now) is not None:
            stays |= names
            continue
        # A piece that lies around the moment: the interval is half-open.
        pieces = await recording_store.segments(session, camera, found_at, found_at + INSTANT)
        slots = frozenset(one.slot for one in pieces if one.slot is not None)
        if await open_matters.by(slots, room, found_at):
            held, stays = held + 1, stays | names
        else:
            past |= names
    return past - stays, held


async def _past_hours(
    session: AsyncSession, pack: Pack, now: datetime, open_matters: _Held, of: Sequence[AsyncIterator[Hour]]
) -> tuple[list[Hour], int]:
    """The hours whose changes are past their term, and how many such hours are held; `of` gives hours oldest first."""
    past: list[Hour] = []
    held = count = 0
    for hours in of:
        async for hour in hours:
            until, article = kept_until(pack, hour.start)
            if count >= CHANGES_AT_ONCE or may_erase(until, article, (), now) is not None:
                break
            slots = await recording_store.slots_recorded(session, hour.room, hour.start, hour.end)
            # Every moment of the hour is near one of its ends: no slot that used the room in it is missed.
            for moment in (hour.start, hour.end):
                slots |= await open_matters.used(hour.room, moment)
            if await open_matters.by(slots, hour.room, hour.start):
                held += 1
            else:
                past.append(hour)
                count += hour.changes
    return past, held
