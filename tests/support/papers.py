"""A small bank, a plan with two rooms and what a draw needs, for tests of papers."""

import re
from datetime import UTC, datetime

from server.affairs.models import CandidateRow, OrganisationRow, PlanRow, SeatingRow, SlotRow
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.itembank import service as itembank
from server.itembank.blueprint import Blueprint, read_blueprint
from server.itembank.interchange.rows import Reading, RowOutcome, RowStatus
from server.itembank.items import ItemContent
from server.itembank.store import bank_root
from server.keys.identity import Identity
from server.papers import draw_service
from tests.support.clock import START, FakeClock

BANK, PLAN, SLOT = "bank-1", "plan-1", "slot-1"
BANK_KEY, START_KEY, MARKING_KEY = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32
NONCE = bytes(range(32))
ITEM_TEXT = re.compile(r"(single|multiple|judge|fill) stem|right \d|wrong \d+[abcxy]")
"""Found in every stem and option of `small_bank`."""
BLUEPRINT = b"""
[blueprint]
title = "theory"
occupation = "test occupation"
level = 4
minutes = 90
pass_mark = 6.0

[[cell]]
point = "1.1"
type = "single"
band = "medium"
count = 4
score = 1.0

[[cell]]
point = "1.2"
type = "multiple"
band = "easy"
count = 2
score = 2.0

[[cell]]
point = "1.1"
type = "judge"
band = "hard"
count = 1
score = 1.0

[[cell]]
point = "1.3"
type = "fill"
band = "medium"
count = 1
score = 1.0
"""


def small_bank() -> tuple[ItemContent, ...]:
    """Return 27 items: 12 single, 6 multiple, 5 judge and 4 fill; texts name their own right options."""
    items: list[ItemContent] = []
    for number in range(12):
        options = (f"right {number}", f"wrong {number}a", f"wrong {number}b", f"wrong {number}c")
        items.append(
            ItemContent(f"S{number}", "single", f"single stem {number}", options, ("A",), (), "1.1", 0.6, 1.0)
        )
    for number in range(6):
        options = (f"right {number}x", f"right {number}y", f"wrong {number}x", f"wrong {number}y")
        items.append(
            ItemContent(
                f"M{number}", "multiple", f"multiple stem {number}", options, ("A", "B"), (), "1.2", 0.8, 2.0
            )
        )
    for number in range(5):
        key = ("T",) if number % 2 else ("F",)
        items.append(ItemContent(f"J{number}", "judge", f"judge stem {number}", (), key, (), "1.1", 0.3, 1.0))
    for number in range(4):
        stem = f'fill stem {number} <span class="blank" data-blank="1"></span>'
        items.append(
            ItemContent(f"F{number}", "fill", stem, (), (), ((f"text {number}", "other"),), "1.3", 0.6, 1.0)
        )
    return tuple(items)


def reading_of(contents: tuple[ItemContent, ...]) -> Reading:
    """Return contents as if each had been read from a row without remarks."""
    outcomes = tuple(
        RowOutcome(f"row {place}", content.label, RowStatus.IMPORTED, (), content)
        for place, content in enumerate(contents, start=2)
    )
    return Reading(outcomes, (), ())


async def filled_bank(db: Database, journal: Journal, clock: FakeClock) -> bytes:
    """Import the small bank as approved; return its root."""
    async with db.writing() as session:
        await itembank.create_bank(Act(session, journal, clock.legal(), "test"), BANK, "test bank")
    await itembank.import_items(
        db,
        journal,
        clock,
        "test",
        BANK,
        BANK_KEY,
        reading_of(small_bank()),
        itembank.Source("small.json", bytes(32)),
        itembank.Review("writer", "reviewer"),
    )
    async with db.reading() as session:
        return await bank_root(session, BANK)


async def filed_plan(
    db: Database, journal: Journal, identity: Identity, root: bytes, rooms: int = 2, seats: int = 4
) -> None:
    """Write a plan with one theory slot, its seating, and the draw terms of an exam package."""
    async with db.writing() as session:
        act = Act(session, journal, START, "test")
        commitment = await draw_service.commit(act, identity, PLAN)
        session.add(
            OrganisationRow(
                id="organisation-1", name="organisation", jurisdiction="beijing", standing_as_of=START
            )
        )
        await session.flush()
        session.add(
            PlanRow(
                id=PLAN,
                organisation="organisation-1",
                name="plan",
                short_name="plan",
                occupation="test occupation",
                occupation_code="0-00-00-00",
                level=4,
                jurisdiction="beijing",
                state="imported",
                created_at=START,
                commitment=bytes.fromhex(commitment),
                nonce=NONCE,
                bank_root=root,
            )
        )
        await session.flush()
        session.add(
            SlotRow(
                id=SLOT,
                plan=PLAN,
                subject="theory",
                method="machine",
                starts_at=datetime(2026, 3, 14, 0, 30, tzinfo=UTC),
                minutes=90,
                early=30,
                late=15,
                pass_mark=6.0,
                total=10.0,
                place="hall",
                policy=1,
            )
        )
        for number in range(rooms * seats):
            session.add(
                CandidateRow(
                    id=f"candidate-{number}",
                    plan=PLAN,
                    ticket=f"T{number:04}",
                    name=f"name {number}",
                    id_kind="passport",
                    id_number=f"P{number:07}",
                    subjects="theory",
                    enrolled_at=START,
                )
            )
        await session.flush()
        for number in range(rooms * seats):
            session.add(
                SeatingRow(
                    sitting=f"sitting-{number}",
                    slot=SLOT,
                    candidate=f"candidate-{number}",
                    room=f"{number // seats + 1:02}",
                    seat=number % seats + 1,
                )
            )


def small_blueprint() -> Blueprint:
    """Return the blueprint of eight items worth ten points that the small bank can fill."""
    return read_blueprint(BLUEPRINT)


async def drawn(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> draw_service.DrawOutcome:
    """Draw the slot of `filed_plan` from the small bank."""
    return await draw_service.draw_slot(
        db,
        journal,
        clock,
        "test",
        PLAN,
        SLOT,
        BANK_KEY,
        START_KEY,
        MARKING_KEY,
        small_blueprint(),
        identity=identity,
        bank_id=BANK,
    )
