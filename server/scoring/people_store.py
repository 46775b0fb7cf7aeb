"""Reads of marking by people: rows in, facts out."""

import hashlib
import json
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.errors import NotFound, Refusal
from server.scoring import decision_service
from server.scoring.decision_service import voids
from server.scoring.decisions import Question
from server.scoring.models import MarkingRunRow, MarkRow
from server.scoring.people import MARKERS, AnswerState, Grade
from server.scoring.people_models import GradeRow, GuideRow, MarkerRow, WrittenRow


@dataclass(frozen=True, slots=True)
class Written:
    """One answer that people mark; `sitting` and `number` are for the rules, never for a marker's page."""

    code: str
    slot: str
    sitting: str
    number: int
    question: Question
    most: int
    state: AnswerState
    points: int | None


@dataclass(frozen=True, slots=True)
class Marker:
    """Somebody assigned to mark a slot, or to decide where two markers differ."""

    slot: str
    marker: str
    arbiter: bool
    recused: frozenset[str]
    assigned_at: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the marking of one question is; `spread` and `most` in hundredths, `marks` given by all markers."""

    slot: str
    question: Question
    most: int
    spread: int
    answers: int
    settled: int
    disputed: int
    marks: int
    voided: bool


@dataclass(frozen=True, slots=True)
class Short:
    """Answers that those assigned cannot bring further: they gave a mark already or are recused."""

    of_markers: int
    """Answers that still need a mark."""
    of_arbiters: int
    """Answers that need an arbiter."""


def _written(row: WrittenRow) -> Written:
    return Written(
        row.code,
        row.slot,
        row.sitting,
        row.number,
        Question(row.item, row.version, row.part),
        row.most,
        AnswerState(row.state),
        row.points,
    )


async def written(session: AsyncSession, code: str, *, lock: bool = False) -> Written:
    """Return one answer by its code, with `lock` for an act on it; NotFound `answer-unknown`."""
    row = await session.get(WrittenRow, code, with_for_update=lock or None)
    if row is None:
        raise NotFound("answer-unknown", answer=code)
    return _written(row)


async def written_at(session: AsyncSession, slot: str, sitting: str, number: int) -> Written | None:
    """Return the answer in words at a place, or None where people mark none."""
    query = select(WrittenRow).where(
        WrittenRow.slot == slot, WrittenRow.sitting == sitting, WrittenRow.number == number
    )
    row = await session.scalar(query)
    return None if row is None else _written(row)


async def grades(session: AsyncSession, code: str) -> tuple[Grade, ...]:
    """Return the newest mark of each person for one answer that counts, in order of time."""
    rows = await session.scalars(
        select(GradeRow)
        .where(GradeRow.code == code, GradeRow.set_aside_at.is_(None))
        .order_by(GradeRow.version)
    )
    newest = {row.marker: row for row in rows}
    ordered = sorted(newest.values(), key=lambda row: (row.at, row.marker))
    return tuple(Grade(row.marker, row.arbiter, row.points) for row in ordered)


async def markers(session: AsyncSession, slot: str) -> tuple[Marker, ...]:
    """Return who is assigned to mark a slot, in order of name."""
    rows = await session.scalars(
        select(MarkerRow)
        .where(MarkerRow.slot == slot, MarkerRow.ended_at.is_(None))
        .order_by(MarkerRow.marker)
    )
    return tuple(_marker(row) for row in rows)


async def assignments(session: AsyncSession, marker: str) -> tuple[Marker, ...]:
    """Return the slots that somebody is assigned to mark."""
    rows = await session.scalars(
        select(MarkerRow)
        .where(MarkerRow.marker == marker, MarkerRow.ended_at.is_(None))
        .order_by(MarkerRow.assigned_at, MarkerRow.slot)
    )
    return tuple(_marker(row) for row in rows)


def _marker(row: MarkerRow) -> Marker:
    return Marker(row.slot, row.marker, row.arbiter, frozenset(json.loads(row.recused)), row.assigned_at)


async def settled_points(session: AsyncSession, slot: str) -> dict[tuple[str, int], int]:
    """Return the points of each settled answer of a slot: (sitting, number) → hundredths."""
    rows = await session.execute(
        select(WrittenRow.sitting, WrittenRow.number, WrittenRow.points).where(
            WrittenRow.slot == slot, WrittenRow.points.is_not(None)
        )
    )
    return {(sitting, number): points for sitting, number, points in rows if points is not None}


async def progress(session: AsyncSession, slot: str) -> tuple[Progress, ...]:
    """Return how far the marking of each question of a slot is, ordered by question."""
    counted = await session.execute(
        select(WrittenRow.item, WrittenRow.version, WrittenRow.part, WrittenRow.state, func.count())
        .where(WrittenRow.slot == slot)
        .group_by(WrittenRow.item, WrittenRow.version, WrittenRow.part, WrittenRow.state)
    )
    by_state = {(Question(i, v, p), AnswerState(state)): n for i, v, p, state, n in counted}
    counting = (
        select(GradeRow.code, GradeRow.marker).where(GradeRow.set_aside_at.is_(None)).distinct().subquery()
    )
    marked = await session.execute(
        select(WrittenRow.item, WrittenRow.version, WrittenRow.part, func.count())
        .join(counting, counting.c.code == WrittenRow.code)
        .where(WrittenRow.slot == slot)
        .group_by(WrittenRow.item, WrittenRow.version, WrittenRow.part)
    )
    marks = {Question(i, v, p): n for i, v, p, n in marked}
    gone = [one.question for one in await voids(session, slot) if one.question is not None]
    rows = await session.scalars(
        select(GuideRow).where(GuideRow.slot == slot).order_by(GuideRow.item, GuideRow.version, GuideRow.part)
    )
    found = []
    for row in rows:
        one = Question(row.item, row.version, row.part)
        found.append(
            Progress(
                slot,
                one,
                row.most,
                row.spread,
                sum(by_state.get((one, state), 0) for state in AnswerState),
                by_state.get((one, AnswerState.SETTLED), 0),
                by_state.get((one, AnswerState.DISPUTED), 0),
                marks.get(one, 0),
                covered(gone, one),
            )
        )
    return tuple(found)


def covered(voided: Sequence[Question], one: Question) -> bool:
    """Tell whether a question is among the voided ones."""
    return any((v.item, v.version) == (one.item, one.version) and v.part in (0, one.part) for v in voided)


async def left(session: AsyncSession, slot: str) -> int:
    """Return how many answers of a slot still need a mark; those of voided questions need none."""
    return sum(one.answers - one.settled for one in await progress(session, slot) if not one.voided)


async def unapplied(session: AsyncSession, slot: str) -> Refusal | None:
    """Say what keeps the marks of a slot from being final though no answer waits for a mark: a decision, or points
    of people that the current run does not hold, as where scoring again was interrupted after the last mark."""
    refusal = await decision_service.unapplied(session, slot)
    if refusal is not None or await left(session, slot):
        return refusal
    here = and_(
        MarkRow.run == MarkingRunRow.id,
        MarkRow.sitting == WrittenRow.sitting,
        MarkRow.number == WrittenRow.number,
    )
    other = await session.scalar(
        select(WrittenRow.code)
        .join(MarkingRunRow, and_(MarkingRunRow.slot == WrittenRow.slot, MarkingRunRow.state == "current"))
        .join(MarkRow, here)
        .where(
            WrittenRow.slot == slot,
            WrittenRow.points.is_not(None),
            or_(MarkRow.earned.is_(None), MarkRow.earned != WrittenRow.points),
        )
        .limit(1)
    )
    return None if other is None else Refusal("rescore-needed", "BJ-E:24")


async def short(session: AsyncSession, slot: str) -> Short:
    """Return how many answers of a slot nobody who is assigned may bring further."""
    assigned = await markers(session, slot)
    gone = [one.question for one in await voids(session, slot) if one.question is not None]
    rows = await session.scalars(
        select(WrittenRow).where(WrittenRow.slot == slot, WrittenRow.state != AnswerState.SETTLED.value)
    )
    waiting = [one for one in map(_written, rows) if not covered(gone, one.question)]
    gave: dict[str, set[str]] = {}
    counting: dict[str, set[str]] = {}
    given = select(GradeRow.code, GradeRow.marker, GradeRow.set_aside_at).join(
        WrittenRow, WrittenRow.code == GradeRow.code
    )
    for code, who, set_aside in await session.execute(given.where(WrittenRow.slot == slot)):
        gave.setdefault(code, set()).add(who)
        if set_aside is None:
            counting.setdefault(code, set()).add(who)
    lacking = {AnswerState.OPEN: 0, AnswerState.DISPUTED: 0}
    for one in waiting:
        before, disputed = gave.get(one.code, set()), one.state is AnswerState.DISPUTED
        able = sum(
            who.arbiter is disputed and who.marker not in before and one.sitting not in who.recused
            for who in assigned
        )
        lacking[one.state] += able < (1 if disputed else MARKERS - len(counting.get(one.code, ())))
    return Short(lacking[AnswerState.OPEN], lacking[AnswerState.DISPUTED])


async def next_answer(session: AsyncSession, marker: Marker, question: Question) -> Written | None:
    """Return the next answer of a question for a marker or arbiter, or None when there is none for him.

    Each begins at a place of his own in the order of codes, so that markers at work together seldom meet.
    """
    state = AnswerState.DISPUTED if marker.arbiter else AnswerState.OPEN
    mine = select(GradeRow.code).where(GradeRow.marker == marker.marker)
    full = (
        select(GradeRow.code)
        .where(GradeRow.set_aside_at.is_(None), GradeRow.arbiter.is_(False))
        .group_by(GradeRow.code)
        .having(func.count(GradeRow.marker.distinct()) >= MARKERS)
    )
    query = (
        select(WrittenRow)
        .where(
            WrittenRow.slot == marker.slot,
            WrittenRow.item == question.item,
            WrittenRow.version == question.version,
            WrittenRow.part == question.part,
            WrittenRow.state == state.value,
            WrittenRow.code.not_in(mine),
        )
        .order_by(WrittenRow.code)
        .limit(1)
    )
    if marker.recused:
        query = query.where(WrittenRow.sitting.not_in(marker.recused))
    if not marker.arbiter:
        query = query.where(WrittenRow.code.not_in(full))
    own = b32encode(hashlib.sha256(marker.marker.encode()).digest()).decode()[:8]
    row = await session.scalar(query.where(WrittenRow.code >= own)) or await session.scalar(query)
    return None if row is None else _written(row)


@dataclass(frozen=True, slots=True)
class Kept:
    """One mark as the records keep it: which answer by its code, who, in which capacity, when, the note, and when it
    was set aside."""

    code: str
    item: str
    version: int
    part: int
    marker: str
    arbiter: bool
    correction: int
    points: int
    at: datetime
    note: str
    set_aside_at: datetime | None


async def kept_grades(session: AsyncSession, slot: str) -> tuple[Kept, ...]:
    """Return every mark of a slot, corrections included, in order of answer and time (BJ-E:24: kept per batch)."""
    rows = await session.execute(
        select(
            GradeRow.code,
            WrittenRow.item,
            WrittenRow.version,
            WrittenRow.part,
            GradeRow.marker,
            GradeRow.arbiter,
            GradeRow.version,
            GradeRow.points,
            GradeRow.at,
            GradeRow.note,
            GradeRow.set_aside_at,
        )
        .join(WrittenRow, WrittenRow.code == GradeRow.code)
        .where(WrittenRow.slot == slot)
        .order_by(GradeRow.code, GradeRow.at, GradeRow.marker)
    )
    return tuple(Kept(*found) for found in rows)
