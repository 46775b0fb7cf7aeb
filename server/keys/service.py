"""Use cases of openings: intention, unsealing, outcome; and the desk's opening at the terminal.

`unlock`, `create_key` and `create_custodians` are the doors of ring and ceremony.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import Fact, GongyuanError, NotFound, Refusal, Refused, required
from server.keys.models import OpeningRow
from server.keys.openings import (
    DESK_LONGEST,
    OpeningEvent,
    OpeningFacts,
    OpeningKind,
    OpeningState,
    step,
    window,
)
from server.keys.ring import KeyKind, custodians, unlock


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening as recorded."""

    id: str
    kind: OpeningKind
    plan: str | None
    subject: str
    state: OpeningState
    actor: str
    custodians: tuple[str, ...]
    """Usernames whose passphrases opened it."""
    intended_at: datetime
    ends_at: datetime | None
    closed_at: datetime | None
    outcome: Mapping[str, Any] | None


def _opening(row: OpeningRow) -> Opening:
    return Opening(
        row.id,
        OpeningKind(row.kind),
        row.plan,
        row.subject,
        OpeningState(row.state),
        row.actor,
        tuple(row.custodians.split()),
        row.intended_at,
        row.ends_at,
        row.closed_at,
        msgspec.json.decode(row.outcome) if row.outcome else None,
    )


async def opening(session: AsyncSession, opening_id: str) -> Opening:
    """Return one opening; NotFound `opening-unknown`."""
    row = await session.scalar(select(OpeningRow).where(OpeningRow.id == opening_id))
    if row is None:
        raise NotFound("opening-unknown")
    return _opening(row)


async def openings(session: AsyncSession, plan: str | None = None) -> tuple[Opening, ...]:
    """Return the openings of a plan (all when None), oldest first."""
    query = select(OpeningRow).order_by(OpeningRow.intended_at, OpeningRow.id)
    if plan is not None:
        query = query.where(OpeningRow.plan == plan)
    return tuple(_opening(row) for row in await session.scalars(query))


async def intend(
    act: Act,
    kind: OpeningKind,
    plan: str | None,
    subject: str,
    ends_at: datetime | None = None,
) -> str:
    """Record that an opening is intended, before anything is done; return its id."""
    row = OpeningRow(
        id=str(uuid.uuid4()),
        kind=kind.value,
        plan=plan,
        subject=subject,
        state=OpeningState.INTENDED.value,
        actor=act.actor,
        custodians="",
        intended_at=act.now,
        ends_at=ends_at,
        closed_at=None,
        outcome=None,
    )
    act.session.add(row)
    await act.session.flush()
    await act.record(
        f"keys:{kind.value}-opening:intended", {"opening": row.id, "plan": plan, "subject": subject}
    )
    return row.id


async def move(
    act: Act,
    opening_id: str,
    event: OpeningEvent,
    *,
    custodians: tuple[str, ...] | None = None,
    outcome: Mapping[str, Fact] | None = None,
) -> OpeningState:
    """Take one step of an opening and journal it; Refused `opening-state` when it cannot be taken."""
    found = await opening(act.session, opening_id)
    following = step(found.state, event)
    if isinstance(following, Refusal):
        raise Refused(following)
    values: dict[str, Any] = {"state": following.value}
    if custodians is not None:
        values["custodians"] = " ".join(custodians)
    if outcome is not None:
        values["outcome"] = msgspec.json.encode(dict(outcome)).decode()
    if following is not OpeningState.UNSEALING:
        values["closed_at"] = act.now
    await act.session.execute(update(OpeningRow).where(OpeningRow.id == opening_id).values(**values))
    await act.record(
        f"keys:{found.kind.value}-opening:{following.value}",
        {
            "opening": opening_id,
            "plan": found.plan,
            "subject": found.subject,
            "custodians": list(custodians or found.custodians),
            "outcome": dict(outcome) if outcome is not None else None,
        },
    )
    return following


async def going(session: AsyncSession) -> tuple[Opening, ...]:
    """Return the openings that are not closed, oldest first: those at work, and those whose process was ended
    without a word."""
    states = (OpeningState.INTENDED.value, OpeningState.UNSEALING.value)
    query = (
        select(OpeningRow).where(OpeningRow.state.in_(states)).order_by(OpeningRow.intended_at, OpeningRow.id)
    )
    return tuple(_opening(row) for row in await session.scalars(query))


async def done_starts(session: AsyncSession) -> tuple[Opening, ...]:
    """Return the start openings whose key was handed to a serving process, oldest first."""
    query = (
        select(OpeningRow)
        .where(OpeningRow.kind == OpeningKind.START.value, OpeningRow.state == OpeningState.DONE.value)
        .order_by(OpeningRow.intended_at, OpeningRow.id)
    )
    return tuple(_opening(row) for row in await session.scalars(query))


def failure(error: BaseException) -> dict[str, Fact]:
    """Return what is recorded of an error: its code and facts, never its text."""
    if isinstance(error, GongyuanError):
        return {"code": error.code, **{f"fact_{name}": value for name, value in error.facts.items()}}
    return {"code": "internal-error", "fact_kind": type(error).__name__}


@dataclass(frozen=True, slots=True)
class Desk:
    """An open bank: close it with `close_desk` and wipe the key."""

    opening: str
    key: bytearray
    ends_at: datetime


async def open_desk(
    db: Database,
    journal: Journal,
    clock: Clock,
    actor: str,
    bank: str,
    passphrases: Mapping[str, str],
    facts: OpeningFacts,
    duration: timedelta = DESK_LONGEST,
) -> Desk:
    """Open the bank to work on its items, in a process of its own that serves no candidate.

    Refused by the desk's window, and as `ring.unlock` refuses; each refusal after the intention is recorded.
    """
    now = clock.legal()
    required(window(OpeningKind.DESK, facts, now, duration))
    async with db.writing() as session:
        opening_id = await intend(
            Act(session, journal, now, actor), OpeningKind.DESK, None, bank, now + duration
        )
    try:
        async with db.reading() as session:
            key = await unlock(session, KeyKind.BANK, bank, passphrases)
            known = await custodians(session)
    except GongyuanError as error:
        async with db.writing() as session:
            act = Act(session, journal, clock.legal(), actor)
            await move(act, opening_id, OpeningEvent.FAIL, outcome=failure(error))
        raise
    names = tuple(person.username for person in known if {person.id, person.username} & set(passphrases))
    async with db.writing() as session:
        act = Act(session, journal, clock.legal(), actor)
        await move(act, opening_id, OpeningEvent.UNLOCK, custodians=names)
    return Desk(opening_id, key, now + duration)


async def close_desk(
    db: Database, journal: Journal, clock: Clock, actor: str, desk: Desk, outcome: Mapping[str, Fact]
) -> None:
    """Close an open bank and record what was done in it; the key is wiped."""
    desk.key[:] = bytes(len(desk.key))
    async with db.writing() as session:
        act = Act(session, journal, clock.legal(), actor)
        await move(act, desk.opening, OpeningEvent.FINISH, outcome=outcome)
