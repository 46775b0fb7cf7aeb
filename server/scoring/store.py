"""Reads of scoring: rows in, facts out."""

import json

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.scoring.facts import Entry, Form, Mark, Script
from server.scoring.models import EntryRow, FormRow, MarkingRunRow, MarkRow, ScriptRow
from server.scoring.practical import FormItem, FormTemplate


async def current_run(session: AsyncSession, slot: str) -> MarkingRunRow | None:
    """Return the current marking run of a slot, or None before marking."""
    query = select(MarkingRunRow).where(MarkingRunRow.slot == slot, MarkingRunRow.state == "current")
    return (await session.scalars(query)).one_or_none()


async def scripts(session: AsyncSession, slot: str) -> tuple[Script, ...]:
    """Return every script of a slot's current run, in order of sitting; empty before marking."""
    query = (
        select(ScriptRow)
        .join(MarkingRunRow, MarkingRunRow.id == ScriptRow.run)
        .where(MarkingRunRow.slot == slot, MarkingRunRow.state == "current")
        .order_by(ScriptRow.sitting)
    )
    return tuple(
        Script(row.sitting, row.paper, row.points, row.most, row.answered, row.correct, row.items)
        for row in await session.scalars(query)
    )


async def marks(session: AsyncSession, slot: str) -> tuple[Mark, ...]:
    """Return every mark of a slot's current run, in order of sitting and number; empty before marking."""
    query = (
        select(
            MarkRow.sitting,
            MarkRow.number,
            MarkRow.item,
            MarkRow.version,
            MarkRow.answered,
            MarkRow.correct,
            MarkRow.points,
            MarkRow.most,
        )
        .join(MarkingRunRow, MarkingRunRow.id == MarkRow.run)
        .where(MarkingRunRow.slot == slot, MarkingRunRow.state == "current")
        .order_by(MarkRow.sitting, MarkRow.number)
    )
    return tuple(Mark(*found) for found in await session.execute(query))


async def scored(session: AsyncSession, slot: str) -> int | None:
    """Return how many sittings the current run of a slot marked, or None before marking."""
    run = await current_run(session, slot)
    return None if run is None else run.sittings


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
