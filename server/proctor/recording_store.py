"""Queries of recordings: rows in, facts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.proctor.course import FIRST_CHAIN
from server.proctor.recording_models import GapRow, SegmentRow
from server.protocol.recording import CaptionText, SegmentOpened


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a recording; `ended_at` (exclusive), `sha256` and `chain` are None while it grows."""

    id: str
    camera: str
    room: str
    slot: str | None
    path: str
    started_at: datetime
    ended_at: datetime | None
    number: int | None
    size: int
    sha256: str | None
    chain: str | None
    codec: str
    complete: bool
    caption: CaptionText
    erased_at: datetime | None


@dataclass(frozen=True, slots=True)
class RecordingGap:
    """A stretch that one camera did not record, and why; `ended_at` (exclusive) is None while it lasts."""

    id: str
    camera: str
    room: str
    slot: str | None
    started_at: datetime
    ended_at: datetime | None
    code: str
    reason: str


async def open_segment(session: AsyncSession, opened: SegmentOpened, room: str, slot: str | None) -> None:
    """Stores that a piece has begun."""
    session.add(
        SegmentRow(
            id=opened.segment,
            camera=opened.camera,
            room=room,
            slot=slot,
            path=opened.path,
            started_at=opened.started_at,
            caption=msgspec.json.encode(opened.caption).decode(),
        )
    )
    await session.flush()


async def close_segment(session: AsyncSession, segment: Segment) -> None:
    """Stores the end of a piece."""
    await session.execute(
        update(SegmentRow)
        .where(SegmentRow.id == segment.id)
        .values(
            ended_at=segment.ended_at,
            number=segment.number,
            size=segment.size,
            sha256=segment.sha256,
            chain=segment.chain,
            codec=segment.codec,
            complete=segment.complete,
        )
    )


async def segment(session: AsyncSession, segment_id: str) -> Segment | None:
    """One piece, or None."""
    row = await session.get(SegmentRow, segment_id)
    return None if row is None else _segment(row)


async def growing(session: AsyncSession, camera: str | None = None) -> tuple[Segment, ...]:
    """The pieces without an end, of one camera or of all, oldest first."""
    query = select(SegmentRow).where(SegmentRow.ended_at.is_(None)).order_by(SegmentRow.started_at)
    if camera is not None:
        query = query.where(SegmentRow.camera == camera)
    return tuple(_segment(row) for row in await session.scalars(query))


async def last_link(session: AsyncSession, camera: str) -> tuple[int, str]:
    """Number and chain of a camera's newest closed piece; 0 and 64 zeros before the first."""
    found = (
        await session.execute(
            select(SegmentRow.number, SegmentRow.chain)
            .where(SegmentRow.camera == camera, SegmentRow.number.is_not(None))
            .order_by(SegmentRow.number.desc())
            .limit(1)
        )
    ).first()
    return (0, FIRST_CHAIN) if found is None else (int(found[0]), str(found[1]))


async def segments(
    session: AsyncSession,
    camera: str,
    start: datetime | None = None,
    end: datetime | None = None,
) -> tuple[Segment, ...]:
    """The pieces of a camera that touch [start, end), oldest first; growing ones too."""
    query = select(SegmentRow).where(SegmentRow.camera == camera).order_by(SegmentRow.started_at)
    if end is not None:
        query = query.where(SegmentRow.started_at < end)
    if start is not None:
        query = query.where(or_(SegmentRow.ended_at.is_(None), SegmentRow.ended_at > start))
    return tuple(_segment(row) for row in await session.scalars(query))


async def chain(session: AsyncSession, camera: str) -> tuple[Segment, ...]:
    """A camera's closed pieces in the order of its chain."""
    query = (
        select(SegmentRow)
        .where(SegmentRow.camera == camera, SegmentRow.number.is_not(None))
        .order_by(SegmentRow.number)
    )
    return tuple(_segment(row) for row in await session.scalars(query))


async def totals(session: AsyncSession) -> tuple[int, int, float]:
    """Pieces kept, their bytes, and the seconds they show."""
    rows = await session.execute(
        select(SegmentRow.size, SegmentRow.started_at, SegmentRow.ended_at).where(
            SegmentRow.ended_at.is_not(None), SegmentRow.erased_at.is_(None)
        )
    )
    count, size, seconds = 0, 0, 0.0
    for one, start, end in rows:
        count, size, seconds = count + 1, size + one, seconds + (end - start).total_seconds()
    return count, size, seconds


async def cameras_recorded(session: AsyncSession, slot: str | None = None) -> tuple[str, ...]:
    """The ids of cameras that have pieces, of one slot or of all."""
    query = select(SegmentRow.camera).distinct().order_by(SegmentRow.camera)
    if slot is not None:
        query = query.where(SegmentRow.slot == slot)
    return tuple(await session.scalars(query))


async def ended_before(session: AsyncSession, moment: datetime) -> tuple[Segment, ...]:
    """Pieces not erased that ended before a moment, oldest first."""
    query = (
        select(SegmentRow)
        .where(SegmentRow.ended_at < moment, SegmentRow.erased_at.is_(None))
        .order_by(SegmentRow.started_at)
    )
    return tuple(_segment(row) for row in await session.scalars(query))


async def slots_recorded(session: AsyncSession, room: str, start: datetime, end: datetime) -> frozenset[str]:
    """The slots to which pieces of a room belong that touch [start, end), erased ones too."""
    query = (
        select(SegmentRow.slot)
        .where(
            SegmentRow.room == room,
            SegmentRow.slot.is_not(None),
            SegmentRow.started_at < end,
            or_(SegmentRow.ended_at.is_(None), SegmentRow.ended_at > start),
        )
        .distinct()
    )
    return frozenset(slot for slot in await session.scalars(query) if slot is not None)


async def mark_erased(session: AsyncSession, ids: Sequence[str], now: datetime) -> None:
    """Stores that the bytes of these pieces are gone."""
    await session.execute(update(SegmentRow).where(SegmentRow.id.in_(ids)).values(erased_at=now))


async def add_gap(session: AsyncSession, gap: RecordingGap) -> None:
    """Stores a gap."""
    session.add(
        GapRow(
            id=gap.id,
            camera=gap.camera,
            room=gap.room,
            slot=gap.slot,
            started_at=gap.started_at,
            ended_at=gap.ended_at,
            code=gap.code,
            reason=gap.reason,
        )
    )
    await session.flush()


async def end_gap(session: AsyncSession, gap: str, ended_at: datetime) -> None:
    """Stores the end of a gap."""
    await session.execute(update(GapRow).where(GapRow.id == gap).values(ended_at=ended_at))


async def gaps(
    session: AsyncSession, slot: str | None = None, room: str | None = None, *, lasting: bool = False
) -> tuple[RecordingGap, ...]:
    """Gaps in order of start: of a slot, of a room, or only those that last."""
    query = select(GapRow).order_by(GapRow.started_at, GapRow.camera)
    if slot is not None:
        query = query.where(GapRow.slot == slot)
    if room is not None:
        query = query.where(GapRow.room == room)
    if lasting:
        query = query.where(GapRow.ended_at.is_(None))
    return tuple(
        RecordingGap(r.id, r.camera, r.room, r.slot, r.started_at, r.ended_at, r.code, r.reason)
        for r in await session.scalars(query)
    )


async def count(session: AsyncSession) -> int:
    """How many pieces there are."""
    return await session.scalar(select(func.count()).select_from(SegmentRow)) or 0


def _segment(row: SegmentRow) -> Segment:
    return Segment(
        id=row.id,
        camera=row.camera,
        room=row.room,
        slot=row.slot,
        path=row.path,
        started_at=row.started_at,
        ended_at=row.ended_at,
        number=row.number,
        size=row.size,
        sha256=row.sha256,
        chain=row.chain,
        codec=row.codec,
        complete=row.complete,
        caption=msgspec.json.decode(row.caption, type=CaptionText),
        erased_at=row.erased_at,
    )
