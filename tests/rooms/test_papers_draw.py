"""Drawing and sealing a slot on a real database, and drawing it again to verify."""

import hashlib
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select, update

from server.affairs.models import PlanRow, SeatingRow
from server.db.engine import Database
from server.db.journal import Journal, verify
from server.errors import Refused, Tampered
from server.itembank import store as bank_store
from server.itembank.models import VersionRow
from server.itembank.review_service import retire
from server.keys.identity import Identity
from server.keys.sealing import paper_key, unseal
from server.papers import draw_service, draw_store, store, verification
from server.papers.models import TAG_BYTES, PaperSet, SealedPaperRow
from server.papers.sealed import associated_data
from server.papers.sheet_seal import unseal_sheet
from server.protocol.paper import Paper, SealedPaper
from tests.support.clock import FakeClock
from tests.support.database import act_on
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


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    """A node's own keys in a temporary folder."""
    return Identity.open_or_create(tmp_path / "data")


@pytest.fixture
def journal() -> Journal:
    """One writer's chain."""
    return Journal("test")


def opened(sealed: SealedPaper) -> Paper:
    """Open a sealed paper as the kiosk does after the bell."""
    data = unseal(paper_key(START_KEY, sealed.id), sealed.nonce, sealed.ciphertext, sealed.aad)
    return msgspec.json.decode(data, type=Paper)


async def prepared(db: Database, journal: Journal, clock: FakeClock, identity: Identity) -> None:
    """Fill the bank and file the plan."""
    await filed_plan(db, journal, identity, await filled_bank(db, journal, clock))


async def test_every_sitting_gets_its_own_paper_and_every_room_a_spare(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """After a draw each seated sitting has exactly one sealed paper, each room one spare, and all papers differ."""
    await prepared(db, journal, clock, identity)
    outcome = await drawn(db, journal, clock, identity)
    assert (outcome.figures.papers, outcome.figures.spares, outcome.figures.items) == (8, 2, 8)
    async with db.reading() as session:
        papers = [await store.sealed_paper(session, f"sitting-{number}") for number in range(8)]
        spares = [await store.spare(session, SLOT, room) for room in ("01", "02")]
        sealed = await store.sealed_set(session, SLOT)
    found = [paper for paper in [*papers, *spares] if paper is not None]
    assert len(found) == 10
    assert len({paper.hash for paper in found}) == 10
    assert sealed is not None
    assert (sealed.papers, sealed.spares, sealed.sealed_at) == (8, 2, clock.legal())
    assert [opened(paper).items[0].number for paper in found] == [1] * 10
    assert all(paper.aad == associated_data(paper.id, PLAN, paper.sitting, paper.hash, 1) for paper in found)


async def test_a_marking_sheet_names_the_displayed_labels_of_the_right_options(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """On every paper the labels in the marking sheet stand before exactly the options that say they are right."""
    await prepared(db, journal, clock, identity)
    await drawn(db, journal, clock, identity)
    async with db.reading() as session:
        sheets = await draw_store.sealed_marking_sheets(session, SLOT)
        for sealed_sheet in sheets:
            sealed = await store.paper(session, sealed_sheet.paper)
            assert sealed is not None
            sheet = unseal_sheet(MARKING_KEY, sealed_sheet)
            paper = opened(sealed)
            assert (sheet.paper, sheet.sitting) == (sealed.id, sealed.sitting)
            assert sum(entry.score for entry in sheet.entries) == 10.0
            for entry, item in zip(sheet.entries, paper.items, strict=True):
                assert (entry.number, entry.type, entry.score) == (item.number, item.type, item.score)
                if entry.type in ("single", "multiple"):
                    right = tuple(o.label for o in item.options if o.html.startswith("right"))
                    assert entry.key == right
                if entry.type == "fill":
                    assert (item.blanks, len(entry.accepted)) == (1, 1)
    assert len(sheets) == 10


async def test_no_key_and_no_item_id_stands_in_a_paper(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """The clear bytes of a paper hold no item id of the bank and no field that could tell a right answer."""
    await prepared(db, journal, clock, identity)
    await drawn(db, journal, clock, identity)
    async with db.reading() as session:
        ids = {one.item for one in await bank_store.versions(session, BANK)}
        sealed = await store.sealed_paper(session, "sitting-0")
    assert sealed is not None
    text = msgspec.json.encode(opened(sealed)).decode()
    assert not any(item in text for item in ids)
    fields = {name for item in msgspec.json.decode(text)["items"] for name in item}
    assert fields == {"number", "type", "stem", "score", "options", "blanks"}


async def test_a_second_draw_of_a_slot_is_refused_until_the_first_is_withdrawn(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """A drawn slot refuses another draw; after a withdrawal the same list gives the same papers again."""
    await prepared(db, journal, clock, identity)
    await drawn(db, journal, clock, identity)
    with pytest.raises(Refused, match="papers-already-drawn"):
        await drawn(db, journal, clock, identity)
    async with db.reading() as session:
        before = await store.seals(session, SLOT)
    async with act_on(db, journal=journal) as act:
        await draw_service.withdraw(act, SLOT, "start key lost")
    async with db.reading() as session:
        assert await store.seals(session, SLOT) == ()
        assert await store.sealed_paper(session, "sitting-0") is None
    await drawn(db, journal, clock, identity)
    async with db.reading() as session:
        assert await store.seals(session, SLOT) == before


async def test_papers_of_a_broken_draw_are_never_served(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """A set left in staging serves no paper, and the next draw of the slot succeeds."""
    await prepared(db, journal, clock, identity)
    outcome = await drawn(db, journal, clock, identity)
    async with db.writing() as session:
        await session.execute(update(PaperSet).values(state="staging", sealed_at=None))
    async with db.reading() as session:
        assert await store.sealed_paper(session, "sitting-0") is None
    again = await drawn(db, journal, clock, identity)
    async with db.reading() as session:
        states = dict((await session.execute(select(PaperSet.id, PaperSet.state))).tuples().all())
    assert states == {outcome.set_id: "withdrawn", again.set_id: "current"}


async def test_verify_draws_the_same_papers_again(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """Drawing again from seed and bank version gives the hash of every sealed paper, with no fault; the start key opens
    all of them and gives their tags, and without it verify says what it could not check."""
    await prepared(db, journal, clock, identity)
    await drawn(db, journal, clock, identity)
    async with db.reading() as session:
        found = await verification.verify_slot(session, identity, SLOT, BANK_KEY, START_KEY)
        closed = await verification.verify_slot(session, identity, SLOT, BANK_KEY, None, "no bell yet")
        wrong = await verification.verify_slot(session, identity, SLOT, BANK_KEY, MARKING_KEY)
        assert (await session.run_sync(verify)).faults == ()
    assert (found.papers, found.faults, found.opened, found.tagged) == (10, (), 10, 10)
    assert [one.split(":")[0] for one in found.unchecked] == ["marking sheets"]
    assert (closed.papers, closed.faults, closed.opened, closed.tagged) == (10, (), 0, 10)
    assert [one.endswith(": no bell yet") for one in closed.unchecked] == [False, True, True]
    assert (len(wrong.faults), wrong.opened, wrong.tagged) == (20, 0, 0)


async def test_verify_names_the_numbers_whose_tags_are_not_of_their_questions(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """Two tags of a paper that change places are named, with the start key by their numbers and without it beside the
    papers that they contradict; only the start key finds a tag that is wrong on every paper; a paper without tags is
    named by both."""
    await prepared(db, journal, clock, identity)
    await drawn(db, journal, clock, identity)

    async def faults(start_key: bytes | None) -> list[str]:
        async with db.reading() as session:
            found = await verification.verify_slot(session, identity, SLOT, BANK_KEY, start_key)
        assert found.papers - found.tagged == len({one.split(":")[0] for one in found.faults})
        return list(found.faults)

    async def write(tags: dict[str, bytes]) -> None:
        async with db.writing() as session:
            for paper, one in tags.items():
                await session.execute(
                    update(SealedPaperRow).where(SealedPaperRow.id == paper).values(tags=one)
                )

    async with db.reading() as session:
        held = dict((await session.execute(select(SealedPaperRow.id, SealedPaperRow.tags))).tuples().all())
    last = list(held)[-1]
    one = held[last]
    await write({last: one[TAG_BYTES : 2 * TAG_BYTES] + one[:TAG_BYTES] + one[2 * TAG_BYTES :]})
    assert await faults(START_KEY) == [f"{last}: tags not of their questions: numbers 1, 2"]
    assert {fault.split(":")[0] for fault in await faults(None)} <= set(held)
    assert len(await faults(None)) >= 2

    shared = one[:TAG_BYTES]
    await write({paper: tags.replace(shared, bytes(TAG_BYTES)) for paper, tags in held.items()})
    assert await faults(None) == []
    assert {fault.split(":")[0] for fault in await faults(START_KEY)} == {
        paper for paper, tags in held.items() if shared in tags
    }

    await write({**held, last: b""})
    assert (
        await faults(None)
        == await faults(START_KEY)
        == [f"{last}: 0 bytes of tags for 8 questions of 8 each"]
    )


async def test_verify_names_a_paper_whose_hash_was_changed(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """One changed hash among the sealed papers is the one fault that verify names."""
    await prepared(db, journal, clock, identity)
    await drawn(db, journal, clock, identity)
    async with db.reading() as session:
        sealed = await store.sealed_paper(session, "sitting-3")
    assert sealed is not None
    async with db.writing() as session:
        await session.execute(
            update(SealedPaperRow).where(SealedPaperRow.id == sealed.id).values(hash=bytes(32))
        )
    async with db.reading() as session:
        found = await verification.verify_slot(session, identity, SLOT, BANK_KEY)
    assert [fault.split(":")[0] for fault in found.faults] == [sealed.id]


async def test_verify_names_a_moved_seat(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """A sealed paper that was given to another sitting after the draw is named by verify."""
    await prepared(db, journal, clock, identity)
    await drawn(db, journal, clock, identity)
    async with db.writing() as session:
        await session.execute(
            update(SealedPaperRow).where(SealedPaperRow.sitting == "sitting-1").values(sitting="sitting-x")
        )
    async with db.reading() as session:
        found = await verification.verify_slot(session, identity, SLOT, BANK_KEY)
    assert len(found.faults) == 1
    assert "another place" in found.faults[0]


async def test_a_bank_other_than_the_filed_one_is_refused(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """A draw is refused when the bank's root is not the one that the exam package names."""
    await prepared(db, journal, clock, identity)
    async with db.writing() as session:
        await session.execute(update(PlanRow).values(bank_root=bytes(32)))
    with pytest.raises(Refused, match="bank-root-differs") as refused:
        await drawn(db, journal, clock, identity)
    assert refused.value.article == "BJ-E:18"


async def test_a_commitment_other_than_the_packages_is_refused(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """A draw is refused when the exam package names another commitment than this centre's."""
    await prepared(db, journal, clock, identity)
    async with db.writing() as session:
        await session.execute(update(PlanRow).values(commitment=bytes(32)))
    with pytest.raises(Refused, match="commitment-differs"):
        await drawn(db, journal, clock, identity)


async def test_a_second_commitment_is_the_first(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """Committing twice for a plan returns the first commitment, so no secret is chosen after the nonce."""
    async with act_on(db, journal=journal) as act:
        first = await draw_service.commit(act, identity, PLAN)
    async with act_on(db, journal=journal) as act:
        assert await draw_service.commit(act, identity, PLAN) == first


async def test_the_reveal_lets_anyone_compute_the_seed(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """The revealed secret hashes to the commitment, and its seed equals SHA-256(secret, nonce, list hash)."""
    await prepared(db, journal, clock, identity)
    outcome = await drawn(db, journal, clock, identity)
    async with act_on(db, journal=journal) as act:
        reveal = await draw_service.reveal(act, identity, PLAN)
    secret, nonce = bytes.fromhex(reveal.secret), bytes.fromhex(reveal.nonce)
    assert hashlib.sha256(secret).hexdigest() == reveal.commitment
    assert reveal.seeds == {SLOT: hashlib.sha256(secret + nonce + outcome.list_hash).hexdigest()}


async def test_a_blueprint_for_other_minutes_is_refused(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """A blueprint whose minutes are not the slot's is refused with the field's name."""
    await prepared(db, journal, clock, identity)
    with pytest.raises(Refused, match="blueprint-differs-from-slot") as refused:
        await draw_service.draw_slot(
            db,
            journal,
            clock,
            "test",
            PLAN,
            SLOT,
            BANK_KEY,
            START_KEY,
            MARKING_KEY,
            replace(small_blueprint(), minutes=91),
            identity=identity,
            bank_id=BANK,
        )
    assert refused.value.facts["field"] == "minutes"


async def test_a_slot_without_seating_is_refused(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """A slot in which nobody is seated cannot be drawn."""
    await prepared(db, journal, clock, identity)
    async with db.writing() as session:
        for row in await session.scalars(select(SeatingRow)):
            await session.delete(row)
    with pytest.raises(Refused, match="slot-without-seating"):
        await drawn(db, journal, clock, identity)


async def test_a_changed_byte_in_the_bank_stops_the_draw(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """One flipped byte in the ciphertext of one item makes the draw fail and name that item."""
    await prepared(db, journal, clock, identity)
    async with db.writing() as session:
        row = (await session.scalars(select(VersionRow).limit(1))).one()
        row.ciphertext = row.ciphertext[:-1] + bytes([row.ciphertext[-1] ^ 1])
        item = row.item
    with pytest.raises(Tampered, match="item-broken") as tampered:
        await drawn(db, journal, clock, identity)
    assert tampered.value.facts["item"] == item
    async with db.reading() as session:
        assert await store.sealed_set(session, SLOT) is None


async def test_a_retired_item_changes_the_root(
    db: Database, journal: Journal, clock: FakeClock, identity: Identity
) -> None:
    """Retiring an item changes the bank's root, so a draw under the old root is refused."""
    await prepared(db, journal, clock, identity)
    async with db.reading() as session:
        item = (await bank_store.versions(session, BANK))[0].item
    async with act_on(db, journal=journal) as act:
        await retire(act, BANK, item, "li")
    with pytest.raises(Refused, match="bank-root-differs"):
        await drawn(db, journal, clock, identity)
