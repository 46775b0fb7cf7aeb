"""Reads of conduct's own tables: rows in, facts out."""

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.conduct.incidents import VOIDING, IncidentKind, IncidentState, ReportTo
from server.conduct.models import IncidentRow, RoomRecordRow, SealShowingRow, SlotClosureRow, StepRow
from server.conduct.runsheet import Tick
from server.errors import NotFound


@dataclass(frozen=True, slots=True)
class SealShowing:
    """That the seals of a slot were shown: how many papers, the journal code of the moment, when and by
    whom.
    """

    slot: str
    papers: int
    code: str
    shown_at: datetime
    shown_by: str


@dataclass(frozen=True, slots=True)
class RecordedIncident:
    """An incident with everything people added to it; times are UTC, None until the act was done."""

    id: str
    slot: str
    room: str | None
    sitting: str | None
    kind: IncidentKind
    state: IncidentState
    note: str
    alert: str | None
    recorded_at: datetime
    recorded_by: str
    settled_at: datetime | None
    settled_by: str | None
    settled_note: str | None
    report_to: ReportTo
    reported_at: datetime | None
    reported_to_name: str | None
    receipt: str | None


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """One version of a room's record: canonical JSON body, its journal code, and who signed it, if
    anybody.
    """

    id: str
    slot: str
    room: str
    version: int
    made_at: datetime
    made_by: str
    code: str
    body: str
    signed_by: str | None
    second: str | None
    signed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Closure:
    """How a slot ended: `outcome` closed or cancelled; `counts` as they closed."""

    slot: str
    outcome: str
    closed_at: datetime
    closed_by: str
    counts: dict[str, int | str | None]
    reason: str


async def seal_showing(session: AsyncSession, slot: str) -> SealShowing | None:
    """Return when the seals of a slot were shown, or None."""
    row = await session.get(SealShowingRow, slot)
    return None if row is None else SealShowing(row.slot, row.papers, row.code, row.shown_at, row.shown_by)


async def ticks(session: AsyncSession, slot: str) -> tuple[Tick, ...]:
    """Return the steps of a slot's run sheet that are done, in order of time."""
    rows = await session.scalars(
        select(StepRow).where(StepRow.slot == slot).order_by(StepRow.done_at, StepRow.code, StepRow.room)
    )
    return tuple(Tick(r.code, r.room or None, r.done_at, r.done_by, r.second, r.note) for r in rows)


def _incident(row: IncidentRow) -> RecordedIncident:
    return RecordedIncident(
        row.id,
        row.slot,
        row.room,
        row.sitting,
        IncidentKind(row.kind),
        IncidentState(row.state),
        row.note,
        row.alert,
        row.recorded_at,
        row.recorded_by,
        row.settled_at,
        row.settled_by,
        row.settled_note,
        ReportTo(row.report_to),
        row.reported_at,
        row.reported_to_name,
        row.receipt,
    )


async def incidents(session: AsyncSession, slot: str) -> tuple[RecordedIncident, ...]:
    """Return the incidents of a slot in order of time."""
    rows = await session.scalars(
        select(IncidentRow).where(IncidentRow.slot == slot).order_by(IncidentRow.recorded_at, IncidentRow.id)
    )
    return tuple(_incident(row) for row in rows)


async def incident_row(session: AsyncSession, incident: str) -> IncidentRow:
    """Return the row of an incident; NotFound when there is none."""
    row = await session.get(IncidentRow, incident)
    if row is None:
        raise NotFound("incident-unknown", incident=incident)
    return row


async def cheated(session: AsyncSession, slot: str) -> frozenset[str]:
    """Return the sittings of a slot with a confirmed finding that makes the result `cheat`."""
    rows = await session.scalars(
        select(IncidentRow.sitting).where(
            IncidentRow.slot == slot,
            IncidentRow.sitting.is_not(None),
            IncidentRow.state == IncidentState.CONFIRMED,
            IncidentRow.kind.in_([kind.value for kind in VOIDING]),
        )
    )
    return frozenset(sitting for sitting in rows if sitting is not None)


async def closure(session: AsyncSession, slot: str) -> Closure | None:
    """Return how a slot ended, or None while it is open."""
    row = await session.get(SlotClosureRow, slot)
    if row is None:
        return None
    return Closure(row.slot, row.outcome, row.closed_at, row.closed_by, json.loads(row.counts), row.reason)


async def closures(session: AsyncSession) -> dict[str, Closure]:
    """Return every closure by slot."""
    rows = await session.scalars(select(SlotClosureRow))
    return {
        row.slot: Closure(
            row.slot, row.outcome, row.closed_at, row.closed_by, json.loads(row.counts), row.reason
        )
        for row in rows
    }


async def records(session: AsyncSession, slot: str) -> tuple[SignedRecord, ...]:
    """Return every version of every room's record of a slot, in order of room and version."""
    rows = await session.scalars(
        select(RoomRecordRow)
        .where(RoomRecordRow.slot == slot)
        .order_by(RoomRecordRow.room, RoomRecordRow.version)
    )
    return tuple(
        SignedRecord(
            row.id,
            row.slot,
            row.room,
            row.version,
            row.made_at,
            row.made_by,
            row.code,
            row.body,
            row.signed_by,
            row.second,
            row.signed_at,
        )
        for row in rows
    )
