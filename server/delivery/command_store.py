"""Reads of commands and breaks: rows in, facts out."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.delivery.facts import Break, Command, CommandReach
from server.delivery.models import BreakRow, CommandReachRow, CommandRow, SittingRow
from server.errors import NotFound


async def command(session: AsyncSession, command: str) -> Command:
    """Return one command; NotFound when there is none."""
    row = await session.get(CommandRow, command)
    if row is None:
        raise NotFound("act-unknown", act=command)
    return command_fact(row)


async def newest_commands(session: AsyncSession, slot: str, most: int) -> tuple[CommandReach, ...]:
    """Return the newest commands of a slot with how far each has come, the newest first."""
    rows = (
        await session.scalars(
            select(CommandRow)
            .where(CommandRow.slot == slot)
            .order_by(CommandRow.at.desc(), CommandRow.id)
            .limit(most)
        )
    ).all()
    wanted = [row.id for row in rows]
    counts = {
        one: (reached, sent, seen, done)
        for one, reached, sent, seen, done in await session.execute(
            select(
                CommandReachRow.command,
                func.count(),
                func.count(CommandReachRow.sent_at),
                func.count(CommandReachRow.seen_at),
                func.count(CommandReachRow.done_at),
            )
            .where(CommandReachRow.command.in_(wanted))
            .group_by(CommandReachRow.command)
        )
    }
    places: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for one, room, seat in await session.execute(
        select(CommandReachRow.command, SittingRow.room, SittingRow.seat)
        .join(SittingRow, SittingRow.id == CommandReachRow.sitting)
        .where(CommandReachRow.command.in_(wanted), CommandReachRow.done_at.is_(None))
        .order_by(SittingRow.room, SittingRow.seat)
    ):
        places[one].append((room, seat))
    return tuple(
        CommandReach(command_fact(row), *counts.get(row.id, (0, 0, 0, 0)), tuple(places[row.id]))
        for row in rows
    )


async def outstanding(session: AsyncSession, sittings: Sequence[str]) -> Mapping[str, tuple[Command, ...]]:
    """Return, by sitting, the commands that its kiosk has not done yet, the oldest first; sittings without one
    are left out.
    """
    rows = await session.execute(
        select(CommandReachRow.sitting, CommandRow)
        .join(CommandRow, CommandReachRow.command == CommandRow.id)
        .where(CommandReachRow.sitting.in_(sittings), CommandReachRow.done_at.is_(None))
        .order_by(CommandRow.at, CommandRow.id)
    )
    found: dict[str, tuple[Command, ...]] = {}
    for sitting, row in rows:
        found[sitting] = (*found.get(sitting, ()), command_fact(row))
    return found


async def reached_sittings(session: AsyncSession, command: str) -> frozenset[str]:
    """Return the sittings that a command reaches and that have not done it."""
    rows = await session.scalars(
        select(CommandReachRow.sitting).where(
            CommandReachRow.command == command, CommandReachRow.done_at.is_(None)
        )
    )
    return frozenset(rows)


async def breaks(session: AsyncSession, slot: str) -> tuple[Break, ...]:
    """Return every break of a slot in order of time."""
    rows = await session.execute(
        select(BreakRow, SittingRow.room, SittingRow.seat)
        .join(SittingRow, SittingRow.id == BreakRow.sitting)
        .where(SittingRow.slot == slot)
        .order_by(BreakRow.left_at, BreakRow.id)
    )
    return tuple(
        Break(row.id, row.sitting, room, seat, row.left_at, row.escort, row.reason, row.returned_at)
        for row, room, seat in rows
    )


def command_fact(row: CommandRow) -> Command:
    """Return the fact of a command's row."""
    return Command(
        row.id,
        row.slot,
        row.room,
        row.sitting,
        row.kind,
        row.at,
        row.actor,
        row.reason,
        row.undoes,
        row.undone_by,
    )
