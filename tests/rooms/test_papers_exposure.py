"""Enemies and exposure of a bank across draws, the check of a blueprint without an opening, and tracing on a real
database (SQLite: nothing here differs on PostgreSQL, where the draw itself is tested)."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from server.db.engine import Database
from server.db.journal import Journal
from server.errors import NotFound, Refused
from server.itembank import exposure
from server.itembank import store as bank_store
from server.itembank.blueprint import Blueprint
from server.keys.identity import Identity
from server.papers import draw_service, draw_store, store, verification
from server.papers.figures import DrawFigures
from server.papers.sheet_seal import unseal_sheet
from server.papers.trace_service import record_trace, trace_fragment, trace_watermark
from server.papers.trial import check_blueprint
from tests.support.clock import START, FakeClock
from tests.support.database import act_on, database
from tests.support.papers import (
    BANK,
    BANK_KEY,
    MARKING_KEY,
    PLAN,
    SLOT,
    START_KEY,
    drawn,
    filed_plan,
    filled_bank,
    small_blueprint,
)


@pytest_asyncio.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh SQLite database with all tables."""
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as opened:
        yield opened


@pytest.fixture
def journal() -> Journal:
    """One writer's chain."""
    return Journal("test")


@pytest_asyncio.fixture
async def identity(db: Database, journal: Journal, clock: FakeClock, tmp_path: Path) -> Identity:
    """A node's own keys; the bank is filled and the plan filed."""
    made = Identity.open_or_create(tmp_path / "data")
    await filed_plan(db, journal, made, await filled_bank(db, journal, clock))
    return made


async def drawn_by(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity, blueprint: Blueprint
) -> DrawFigures:
    """Draw the slot by a blueprint."""
    outcome = await draw_service.draw_slot(
        db, journal, clock, "test", PLAN, SLOT, BANK_KEY, START_KEY, MARKING_KEY, blueprint,
        identity=identity, bank_id=BANK,
    )  # fmt: skip
    return outcome.figures


async def singles(db: Database) -> list[str]:
    """Return the ids of the bank's single-choice items, ascending."""
    async with db.reading() as session:
        return [one.item for one in await bank_store.versions(session, BANK) if one.type == "single"]


async def test_exposure_counts_a_draw_until_it_is_withdrawn(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """After a draw the exposures sum up to items × papers, spares counted; after its withdrawal they are gone."""
    async with db.reading() as session:
        assert await exposure.exposures(session, BANK) == {}
    outcome = await drawn(db, journal, clock, identity)
    async with db.reading() as session:
        counted = await exposure.exposures(session, BANK)
    assert sum(counted.values()) == 8 * 10
    assert max(counted.values()) == outcome.figures.exposure
    async with act_on(db, journal=journal) as act:
        await draw_service.withdraw(act, SLOT, "start key lost")
    async with db.reading() as session:
        assert await exposure.exposures(session, BANK) == {}


async def test_a_draw_within_the_exposure_limit_of_earlier_draws(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """An item version that stood on papers of an earlier draw stands on no more than the limit leaves, and verify
    draws the same papers although exposure has grown since."""
    used = (await singles(db))[0]
    async with act_on(db, journal=journal) as act:
        exposure.begin_draw(act, BANK, "earlier")
    await exposure.stage_exposures(db, "earlier", [(used, 1, 11)])
    async with act_on(db, journal=journal) as act:
        await exposure.count_draw(act, "earlier")
    await drawn_by(db, journal, clock, identity, replace(small_blueprint(), exposure_limit=12))
    async with db.reading() as session:
        counted = await exposure.exposures(session, BANK)
        found = await verification.verify_slot(session, identity, SLOT, BANK_KEY)
    assert max(counted.values()) <= 12
    assert counted[used, 1] in (11, 12)
    assert (found.papers, found.faults) == (10, ())


async def test_enemies_of_the_bank_never_meet_on_a_sealed_paper(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """Seven single-choice items that are all enemies of one another: no marking sheet names two of them; a second
    setting replaces the first."""
    group = (await singles(db))[:7]
    for item in group:
        async with act_on(db, journal=journal) as act:
            await exposure.set_enemies(act, BANK, item, [one for one in group if one != item])
    await drawn_by(db, journal, clock, identity, small_blueprint())
    async with db.reading() as session:
        sheets = await draw_store.sealed_marking_sheets(session, SLOT)
        assert len(await exposure.enemies(session, BANK)) == 21
        found = await verification.verify_slot(session, identity, SLOT, BANK_KEY)
    assert found.faults == ()
    for sheet in sheets:
        items = {entry.item for entry in unseal_sheet(MARKING_KEY, sheet).entries}
        assert len(items & set(group)) <= 1
    async with act_on(db, journal=journal) as act:
        await exposure.set_enemies(act, BANK, group[0], [])
    async with db.reading() as session:
        assert not any(group[0] in pair for pair in await exposure.enemies(session, BANK))


async def test_enemies_that_the_bank_does_not_hold_are_refused(
    db: Database, journal: Journal, identity: Identity
) -> None:
    """An unknown item and the item itself are refused as enemies."""
    item = (await singles(db))[0]
    with pytest.raises(NotFound, match="item-unknown"):
        async with act_on(db, journal=journal) as act:
            await exposure.set_enemies(act, BANK, item, ["nothing"])
    with pytest.raises(Refused, match="item-enemy-of-itself"):
        async with act_on(db, journal=journal) as act:
            await exposure.set_enemies(act, BANK, item, [item])


async def test_a_blueprint_is_checked_without_an_opening(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """From public columns alone the check names each short cell, why and by how many items, and lets pass what a draw
    then does."""
    async with db.reading() as session:
        assert (await check_blueprint(session, BANK, small_blueprint(), 8)).refusal is None
        tight = await check_blueprint(session, BANK, replace(small_blueprint(), exposure_limit=2), 8, SLOT)
    named = [(one.key.type, one.cause, one.have, one.need, one.missing) for one in tight.short]
    # Ten papers with spares; twelve single items twice each give 24 uses of 40 and so on.
    assert named == [
        ("single", "exposure", 24, 40, 8),
        ("multiple", "exposure", 12, 20, 4),
        ("fill", "exposure", 8, 10, 1),
    ]
    assert tight.refusal is not None
    with pytest.raises(Refused, match="blueprint-not-fillable"):
        await drawn_by(db, journal, clock, identity, replace(small_blueprint(), exposure_limit=2))


async def test_a_typed_fragment_finds_its_sitting_and_is_journalled(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """Two items typed off a sealed paper put its sitting first; the journal names the sitting and no text."""
    await drawn(db, journal, clock, identity)
    async with db.reading() as session:
        again = await verification.draw_again(session, identity, SLOT, BANK_KEY)
        one = next(paper for paper in again.draws if paper.place.sitting == "sitting-5")
        lines: list[str] = []
        for place, (item, order) in enumerate(zip(one.items, one.orders, strict=True)):
            content = again.full[item].content
            if content.type in ("single", "multiple"):
                lines.append(f"{place + 1}. {re.sub('<[^>]*>', '', content.stem)}")
                lines += [f"{'ABCD'[at]}. {content.options[option]}" for at, option in enumerate(order)]
        trace = await trace_fragment(session, identity, SLOT, BANK_KEY, "\n".join(lines))
    assert (trace.typed, trace.known, trace.papers) == (6, 6, 10)
    first = trace.suspects[0]
    assert (first.sitting, first.suspect.items, first.suspect.orders) == ("sitting-5", 6, 6)
    assert first.suspect.chance < 1e-3
    async with act_on(db, journal=journal) as act:
        await record_trace(act, trace)


async def test_a_watermark_finds_its_sitting(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """The ticket of a watermark, grouped and with an unread digit, finds its sitting in the slot of its time only."""
    await drawn(db, journal, clock, identity)
    async with act_on(db, journal=journal) as act:
        found = await trace_watermark(act, "T00 03", at=START + timedelta(hours=1))
        assert [(one.sitting, one.seat) for one in found] == [("sitting-3", 4)]
        sealed = await store.sealed_paper(act.session, "sitting-3")
        assert sealed is not None
        assert found[0].paper == sealed.id
        assert len(await trace_watermark(act, "T000?")) == 8
        with pytest.raises(NotFound, match="watermark-unknown"):
            await trace_watermark(act, "T0003", at=START + timedelta(days=2))
