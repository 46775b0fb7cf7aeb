"""Reads of scoring: rows in, facts out."""

import json
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs.store import lock_slot
from server.scoring.facts import Entry, Form, Mark, Script
from server.scoring.models import EntryRow, FormRow, MarkingRunRow, MarkRow, ScriptRow
from server.scoring.practical import FormItem, FormTemplate


async def current_run(session: AsyncSession, slot: str) -> MarkingRunRow | None:
    """Return the current marking run of a slot, or None before marking."""
    query = select(MarkingRunRow).where(MarkingRunRow.slot == slot, MarkingRunRow.state == "current")
    return (await session.scalars(query)).one_or_none()


async def lock(session: AsyncSession, slot: str) -> None:
    """Let no other transaction change a slot's marks until this one ends; each that does asks this first."""
    await lock_slot(session, slot)


async def scripts(session: AsyncSession, slot: str) -> tuple[Script, ...]:
    """Return every script of a slot's current run, in order of sitting; empty before marking."""
    query = (
        select(ScriptRow)
        .join(MarkingRunRow, MarkingRunRow.id == ScriptRow.run)
        .where(MarkingRunRow.slot == slot, MarkingRunRow.state == "current")
        .order_by(ScriptRow.sitting)
    )
    return tuple(
        Script(
            row.sitting,
            row.paper,
            row.points,
            row.most,
            row.answered,
            row.correct,
            row.items,
            row.pending,
        )
        for row in await session.scalars(query)
    )


_MARK = (
    MarkRow.sitting,
    MarkRow.number,
    MarkRow.item,
    MarkRow.version,
    MarkRow.answered,
    MarkRow.correct,
    MarkRow.points,
    MarkRow.most,
    MarkRow.part,
    MarkRow.earned,
    MarkRow.by_people,
    MarkRow.voided,
)


def _marks(slot: str) -> Select[Any]:
    return (
        select(*_MARK)
        .join(MarkingRunRow, MarkingRunRow.id == MarkRow.run)
        .where(MarkingRunRow.slot == slot, MarkingRunRow.state == "current")
        .order_by(MarkRow.sitting, MarkRow.number)
    )


async def marks(session: AsyncSession, slot: str) -> tuple[Mark, ...]:
    """Return every mark of a slot's current run, in order of sitting and number; empty before marking."""
    return tuple(Mark(*found) for found in await session.execute(_marks(slot)))


async def mark_at(session: AsyncSession, slot: str, sitting: str, number: int) -> Mark | None:
    """Return one mark of a slot's current run, or None."""
    query = _marks(slot).where(MarkRow.sitting == sitting, MarkRow.number == number)
    found = (await session.execute(query)).one_or_none()
    return None if found is None else Mark(*found)


async def has_question(session: AsyncSession, slot: str, item: str, version: int, part: int | None) -> bool:
    """Say whether anybody marked in the slot's current run had this question (part None: any of its parts)."""
    query = _marks(slot).where(MarkRow.item == item, MarkRow.version == version)
    if part is not None:
        query = query.where(MarkRow.part == part)
    return (await session.execute(query.limit(1))).first() is not None


async def scored(session: AsyncSession, slot: str) -> int | None:
    """Return how many sittings have final points in the slot's current run, or None before marking."""
    run = await current_run(session, slot)
    if run is None:
        return None
    query = select(func.count()).select_from(ScriptRow).where(ScriptRow.run == run.id, ScriptRow.pending == 0)
    return (await session.scalar(query)) or 0


async def form(session: AsyncSession, slot: str) -> Form | None:
    """Return the form of a practical slot, or None when none is made."""
    row = await session.get(FormRow, slot)
    if row is None:
        return None
    items = tuple(FormItem(i["code"], i["title"], i["most"]) for i in json.loads(row.items))
    return Form(row.slot, FormTemplate(items, row.spread), row.made_at, row.made_by)


async def entries(session: AsyncSession, slot: str) -> tuple[Entry, ...]:
    """Return the newest entry of each examiner for each candidate, in order of candidate and examiner."""
    newest = (
        select(EntryRow.candidate, EntryRow.examiner, func.max(EntryRow.version).label("version"))
        .where(EntryRow.slot == slot)
        .group_by(EntryRow.candidate, EntryRow.examiner)
        .subquery()
    )
    query = (
        select(EntryRow)
        .join(
            newest,
            (EntryRow.candidate == newest.c.candidate)
            & (EntryRow.examiner == newest.c.examiner)
            & (EntryRow.version == newest.c.version),
        )
        .where(EntryRow.slot == slot)
        .order_by(EntryRow.candidate, EntryRow.examiner)
    )
    return tuple(
        Entry(
            row.candidate,
            row.examiner,
            row.version,
            row.absent,
            json.loads(row.scores),
            row.total,
            row.entered_at,
        )
        for row in await session.scalars(query)
    )
