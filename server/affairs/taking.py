"""An exam package taken in at the centre: written ahead in short transactions as an edition that nobody reads yet,
then accepted in one short transaction that names the edition.

Ten thousand candidates in one transaction held SQLite's write lock for half a second, and every answer of a running
exam waited behind it.
"""

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import delete, func, insert, select

from server.affairs import store
from server.affairs.candidate_rows import (
    Differences,
    Values,
    admit,
    change,
    compare,
    give_up,
    giving_up,
    insert_new,
    set_aside,
    write_changed,
)
from server.affairs.facts import Plan, Room, Slot, Staff
from server.affairs.models import (
    ARRIVING,
    OrganisationRow,
    PlanRow,
    RoomRow,
    SeatingRow,
    SlotRow,
    StaffRow,
)
from server.affairs.plans import PlanState
from server.affairs.roster_service import room_values, staff_values
from server.affairs.service import slot_row
from server.affairs.viewers import take_viewers
from server.db.act import Act
from server.errors import Refusal, Refused
from server.packages.contents import ExamContent, SlotContent, StandingContent, encode

ROWS_TOGETHER = 200
"""Rows that one transaction writes at most ahead of the acceptance, some five milliseconds."""
REST_S = 0.02
"""Monotonic seconds between two such transactions: SQLite gives its lock to whoever asks at the right moment, and
the answer writer asks more seldom the longer it has waited."""
Acting = Callable[[], AbstractAsyncContextManager[Act]]
"""Opens one act: a transaction of its own."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was written ahead of an acceptance: the edition that holds rooms, staff and seating; known candidates
    that are still to be changed; whether new ones wait for the acceptance.
    """

    edition: str
    changed: tuple[Values, ...]
    arriving: bool


async def write_ahead(acting: Acting, content: ExamContent) -> Ahead | None:
    """Write a large package's rows where nobody reads them, in transactions of at most `ROWS_TOGETHER` rows; None
    for a small one, which the acceptance writes itself. What an import that broke off left behind is written over.

    Refused as `accept_exam` refuses.
    """
    rows = (content.candidates, content.seating, content.rooms, content.staff)
    if sum(len(some) for some in rows) <= ROWS_TOGETHER:
        return None
    edition = _edition(content)
    async with acting() as act:
        if await act.session.get(OrganisationRow, content.organisation) is None:
            await _organisation(act, content)
        plan = await _plan_row(act, content)
        live = plan.edition
        known = set(await act.session.scalars(select(SlotRow.id).where(SlotRow.plan == content.plan)))
        act.session.add_all(
            slot_row(_slot_fact(content.plan, slot)) for slot in content.slots if slot.id not in known
        )
    await _clear(acting, content.plan, live)
    found = Differences()
    for some in _parts(content.candidates):
        async with acting() as act:
            await compare(act, content.plan, some, found)
        await asyncio.sleep(REST_S)
    # The candidates of a plan that is not there yet are found by nobody; those of one in use wait for its acceptance.
    state = "confirmed" if live == ARRIVING else ARRIVING
    arriving = bool(found.new)
    if len(found.changed) > ROWS_TOGETHER:
        # More than an acceptance may write. All numbers are given up before the first is given on.
        await _in_parts(acting, giving_up(found), give_up)
        await _in_parts(acting, found.changed, write_changed)
        found.changed = []
    else:
        set_aside(found)
    await _in_parts(acting, found.new, partial(insert_new, state=state))
    if edition != live:
        for table, values in _of_edition(content, edition):
            await _in_parts(acting, values, partial(_insert, table=table))
    return Ahead(edition, tuple(found.changed), arriving and live != ARRIVING)


async def accept_exam(act: Act, content: ExamContent, ahead: Ahead | None = None) -> Plan:
    """Take in an exam package at the centre: the plan with slots, rooms, candidates, seating and staff.

    A newer package of the same plan replaces rooms, seating and staff; slots and candidates keep their ids.
    Refused when the centre's commitment or bank root in it differ from those of an earlier package. What
    `write_ahead` wrote is only named here; without it all is written in this transaction.
    """
    await _organisation(act, content)
    row = await _plan_row(act, content)
    _fill(row, content)
    row.packed_at = act.now
    await act.session.flush()
    for slot in content.slots:
        await act.session.merge(slot_row(_slot_fact(content.plan, slot)))
    await act.session.flush()
    if ahead is None or await _seated(act, content, ahead.edition) != len(content.seating):
        await _write(act, content)
        row.edition = _edition(content)
    else:
        await change(act, ahead.changed)
        if ahead.arriving:
            await admit(act, content.plan)
        row.edition = ahead.edition
    await take_viewers(act, content)
    await act.record(
        "affairs:exam:received",
        {
            "plan": content.plan,
            "candidates": len(content.candidates),
            "sittings": len(content.seating),
            "edition": row.edition,
        },
    )
    return store.plan_fact(row)


def state_organisation(row: OrganisationRow, content: StandingContent) -> None:
    """Give an organisation the standing that a package states."""
    row.status = content.status
    row.standing_serial = content.serial
    row.standing_as_of = content.as_of
    row.standing_case = content.case


async def _organisation(act: Act, content: ExamContent) -> None:
    row = await act.session.get(OrganisationRow, content.organisation)
    if row is None:
        row = OrganisationRow(id=content.organisation, standing_serial=0)
        act.session.add(row)
    row.name, row.jurisdiction = content.organisation_name, content.jurisdiction
    if row.standing_serial is None or content.standing.serial > row.standing_serial:
        state_organisation(row, content.standing)
    await act.session.flush()


async def _plan_row(act: Act, content: ExamContent) -> PlanRow:
    """Return the plan's row; a new one's edition is ARRIVING, so that nobody finds it before its acceptance."""
    row = await act.session.get(PlanRow, content.plan)
    if row is None:
        row = PlanRow(id=content.plan, organisation=content.organisation, created_at=act.now, short_name="")
        row.edition = ARRIVING
        _fill(row, content)
        act.session.add(row)
        await act.session.flush()
    elif row.edition == ARRIVING:
        pass
    elif row.commitment is not None and row.commitment.hex() != content.commitment:
        raise Refused(Refusal("exam-commitment-changed", None, {"plan": content.plan}))
    elif row.purpose != content.purpose:
        raise Refused(Refusal("exam-purpose-changed", None, {"plan": content.plan}))
    return row


def _fill(row: PlanRow, content: ExamContent) -> None:
    row.purpose = content.purpose
    row.name, row.occupation, row.occupation_code = content.name, content.occupation, content.occupation_code
    row.level, row.jurisdiction, row.state = content.level, content.jurisdiction, PlanState.PACKED
    row.site_district = row.contact = row.statement = ""
    row.commitment = bytes.fromhex(content.commitment)
    row.nonce = bytes.fromhex(content.nonce)
    row.bank_root = bytes.fromhex(content.bank_root)


def _edition(content: ExamContent) -> str:
    return hashlib.sha256(encode(content)).hexdigest()[:16]


def _of_edition(content: ExamContent, edition: str) -> list[tuple[Any, list[Values]]]:
    """Return what an edition replaces, by table, with the column values of each row."""
    rooms = [
        room_values(Room(str(uuid.uuid4()), content.plan, room.number, room.name, room.seats))
        for room in content.rooms
    ]
    people = [
        staff_values(Staff(one.id, content.plan, one.name, one.role, one.room, one.username))
        for one in content.staff
    ]
    seats: list[Values] = [
        {
            "sitting": one.sitting,
            "slot": one.slot,
            "candidate": one.candidate,
            "room": one.room,
            "seat": one.seat,
        }
        for one in content.seating
    ]
    found = ((RoomRow, rooms), (StaffRow, people), (SeatingRow, seats))
    return [
        (model.__table__, [{**values, "edition": edition} for values in rows])
        for model, rows in found
        if rows
    ]


async def _write(act: Act, content: ExamContent) -> None:
    """Write a whole package in the act's transaction, in place of every edition of the plan."""
    slots = select(SlotRow.id).where(SlotRow.plan == content.plan)
    await act.session.execute(
        delete(SeatingRow).where(SeatingRow.slot.in_(slots)).execution_options(synchronize_session=False)
    )
    await act.session.execute(delete(RoomRow).where(RoomRow.plan == content.plan))
    await act.session.execute(delete(StaffRow).where(StaffRow.plan == content.plan))
    found = Differences()
    for some in _parts(content.candidates):
        await compare(act, content.plan, some, found)
    await give_up(act, giving_up(found))
    await write_changed(act, found.changed)
    await insert_new(act, found.new, "confirmed")
    await admit(act, content.plan)
    for table, values in _of_edition(content, _edition(content)):
        await act.session.execute(insert(table), values)


async def _seated(act: Act, content: ExamContent, edition: str) -> int:
    slots = [slot.id for slot in content.slots]
    query = select(func.count()).where(SeatingRow.slot.in_(slots), SeatingRow.edition == edition)
    return await act.session.scalar(query) or 0


async def _clear(acting: Acting, plan: str, live: str) -> None:
    """Delete what no edition in use holds: one replaced before, or one whose import broke off."""
    slots = select(SlotRow.id).where(SlotRow.plan == plan)
    for key, edition, of_plan in (
        (SeatingRow.sitting, SeatingRow.edition, SeatingRow.slot.in_(slots)),
        (RoomRow.id, RoomRow.edition, RoomRow.plan == plan),
        (StaffRow.id, StaffRow.edition, StaffRow.plan == plan),
    ):
        stale = [of_plan, edition != live]
        while True:
            async with acting() as act:
                keys = list(await act.session.scalars(select(key).where(*stale).limit(ROWS_TOGETHER)))
                if keys:
                    gone = delete(key.class_).where(key.in_(keys), *stale)
                    await act.session.execute(gone.execution_options(synchronize_session=False))
            if not keys:
                break
            await asyncio.sleep(REST_S)


def _slot_fact(plan: str, content: SlotContent) -> Slot:
    return Slot(
        id=content.id,
        plan=plan,
        subject=content.subject,
        method=content.method,
        starts_at=content.starts_at,
        minutes=content.minutes,
        early=content.hand_in_early,
        late=content.hand_in_late,
        pass_mark=content.pass_mark,
        total=content.total,
        place=content.place,
        policy=content.policy,
        entry=content.latest_entry,
    )


async def _insert(act: Act, rows: Sequence[Values], table: Any) -> None:
    await act.session.execute(insert(table), rows)


async def _in_parts(
    acting: Acting, many: Sequence[Any], write: Callable[[Act, Sequence[Any]], Awaitable[None]]
) -> None:
    """Write rows in transactions of at most `ROWS_TOGETHER`, with a rest after each."""
    for some in _parts(many):
        async with acting() as act:
            await write(act, some)
        await asyncio.sleep(REST_S)


def _parts(many: Sequence[Any]) -> Iterator[Any]:
    for at in range(0, len(many), ROWS_TOGETHER):
        yield many[at : at + ROWS_TOGETHER]
