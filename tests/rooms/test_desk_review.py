"""Editing and review at the desk: versions, two people, notes under the bank key, roots one after the other."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from server.db.engine import Database
from server.db.journal import Journal, JournalRecord
from server.errors import BadInput, Refused
from server.itembank import editing_service, review_service, root_service, standing_store, store
from server.itembank.items import ItemContent, ItemState
from server.itembank.open_bank import OpenBank, held_items, held_versions
from server.itembank.review_models import ReviewRow
from server.itembank.searching import ItemFilter
from tests.support.clock import FakeClock
from tests.support.database import act_on
from tests.support.papers import BANK, BANK_KEY, filled_bank

NEW = ItemContent(
    "N1",
    "fill",
    "水的化学式是 [[ ]]，<b onclick='x()'>常温</b>下为[[9]]体",
    (),
    (),
    (("H2O",), ("液",)),
    "1.3",
    0.6,
    2.0,
)


@pytest.fixture
def journal() -> Journal:
    """One writer's chain."""
    return Journal("desk")


async def test_an_edit_becomes_the_drawn_version_only_by_another_person(
    db: Database, journal: Journal, clock: FakeClock
) -> None:
    """An edited item is drawn in its old version until a person other than its writer has approved the new one,
    and after that no more in the old one."""
    await filled_bank(db, journal, clock)
    bank = OpenBank(BANK, BANK_KEY)
    async with db.reading() as session:
        one = next(one for one in await bank.items(session) if one.full.content.type == "single")
    place = (one.full.item, 1)
    changed = replace(one.full.content, stem="another stem")
    async with act_on(db, journal=journal) as act:
        item, version = await editing_service.store_version(act, bank, changed, "wang", place)
    assert (item, version) == (place[0], 2)

    async def drawn() -> int:
        async with db.reading() as session:
            return next(v.version for v in await store.drawable_versions(session, BANK) if v.item == item)

    assert await drawn() == 1
    for code, step in (
        ("item-state-refused", lambda act: review_service.approve(act, BANK, [(item, 2)], "li")),
        ("item-version-older", lambda act: review_service.submit(act, BANK, [place], "wang")),
        ("item-edited-meanwhile", lambda act: editing_service.store_version(act, bank, changed, "li", place)),
        ("item-unchanged", lambda act: editing_service.store_version(act, bank, changed, "li", (item, 2))),
    ):
        with pytest.raises(Refused, match=code):
            async with act_on(db, journal=journal) as act:
                await step(act)
    async with act_on(db, journal=journal) as act:
        await review_service.submit(act, BANK, [(item, 2)], "wang")
    for verb in ("approve", "return"):
        with pytest.raises(Refused, match="review-by-writer"):
            async with act_on(db, journal=journal) as act:
                if verb == "approve":
                    await review_service.approve(act, BANK, [(item, 2)], "Wang")
                else:
                    await review_service.send_back(act, BANK, BANK_KEY, (item, 2), "wang", "mine")
    async with db.reading() as session:
        held = {one.public.version: one for one in await held_versions(session, BANK, item)}
    assert review_service.awaits(held[2], "li") and not review_service.awaits(held[2], "wang")
    async with act_on(db, journal=journal) as act:
        await review_service.approve(act, BANK, [(item, 2)], "li")
    assert await drawn() == 2
    async with db.reading() as session:
        found = next(h for h in held_items(await held_versions(session, BANK)) if h.drawable == 2)
    assert (found.newest.writer, found.newest.reviewer) == ("wang", "li")


async def test_a_returned_version_tells_its_writer_why_and_nobody_without_the_key(
    db: Database, journal: Journal, clock: FakeClock
) -> None:
    """A note of a return opens under the bank key and stands neither in the database nor in the journal in clear."""
    await filled_bank(db, journal, clock)
    bank = OpenBank(BANK, BANK_KEY)
    async with act_on(db, journal=journal) as act:
        place = await editing_service.store_version(act, bank, NEW, "wang")
        await review_service.submit(act, BANK, [place], "wang")
    with pytest.raises(BadInput, match="review-note-missing"):
        async with act_on(db, journal=journal) as act:
            await review_service.send_back(act, BANK, BANK_KEY, place, "li", "  ")
    async with act_on(db, journal=journal) as act:
        await review_service.send_back(act, BANK, BANK_KEY, place, "li", "题干不通顺")
    async with db.reading() as session:
        acts = await review_service.review_acts(session, bank, place[0])
        rows = (await session.scalars(select(ReviewRow.note))).all()
        bodies = (await session.scalars(select(JournalRecord.body))).all()
        held, full = (await bank.versions(session, place[0]))[0]
    assert [(one.act, one.person, one.note) for one in acts] == [
        ("written", "wang", ""),
        ("submit", "wang", ""),
        ("return", "li", "题干不通顺"),
    ]
    assert not any(row is not None and "题干".encode() in row for row in rows)
    assert not any("题干" in body or "化学式" in body for body in bodies)
    assert held.public.state is full.state is ItemState.DRAFT


async def test_a_typed_item_is_stored_clean(db: Database, journal: Journal, clock: FakeClock) -> None:
    """Blanks are numbered in their order, scripts are gone, and an item that is not well formed is refused."""
    await filled_bank(db, journal, clock)
    bank = OpenBank(BANK, BANK_KEY)
    async with act_on(db, journal=journal) as act:
        item, _ = await editing_service.store_version(act, bank, NEW, "wang")
    async with db.reading() as session:
        [(_, full)] = await bank.versions(session, item)
    assert full.content.stem == (
        '水的化学式是 <span class="blank" data-blank="1"></span>，<b>常温</b>下为'
        '<span class="blank" data-blank="2"></span>体'
    )
    assert editing_service.typed_stem(full.content.stem) == "水的化学式是 [[1]]，<b>常温</b>下为[[2]]体"
    for change, code in (
        ({"accepted": (("H2O",),)}, "blank-count-differs"),
        ({"point": " "}, "item-without-point"),
        ({"difficulty": 1.2}, "item-difficulty-outside"),
    ):
        with pytest.raises(Refused, match=code):
            async with act_on(db, journal=journal) as act:
                await editing_service.store_version(act, bank, replace(NEW, **change), "wang")  # type: ignore[arg-type]


async def test_roots_follow_what_may_be_drawn(db: Database, journal: Journal, clock: FakeClock) -> None:
    """A root is kept with its cause when what may be drawn has changed, and only then."""
    root = await filled_bank(db, journal, clock)
    bank = OpenBank(BANK, BANK_KEY)
    assert await root_service.record_root(db, journal, clock, "t", BANK, "approve") == root
    async with act_on(db, journal=journal) as act:
        place = await editing_service.store_version(act, bank, NEW, "wang")
        await review_service.submit(act, BANK, [place], "wang")
        await review_service.approve(act, BANK, [place], "li")
    second = await root_service.record_root(db, journal, clock, "t", BANK, "approve")
    async with act_on(db, journal=journal) as act:
        await review_service.retire(act, BANK, place[0], "li", (BANK_KEY, "泄露"))
    third = await root_service.record_root(db, journal, clock, "t", BANK, "retire")
    async with db.reading() as session:
        kept = await root_service.roots(session, BANK)
        assert third == await store.bank_root(session, BANK)
    assert [(one.root, one.items, one.cause) for one in kept] == [
        (root, 27, "retire"),
        (second, 28, "approve"),
        (root, 27, "import"),
    ]
    assert third == root


async def test_a_search_finds_text_point_and_state(db: Database, journal: Journal, clock: FakeClock) -> None:
    """Words are sought in the text folded, all of them; type, point, band, state and writer narrow further."""
    await filled_bank(db, journal, clock)
    bank = OpenBank(BANK, BANK_KEY)
    async with act_on(db, journal=journal) as act:
        await editing_service.store_version(act, bank, NEW, "wang")
    async with db.reading() as session:
        items = await bank.items(session)

    def found(**sought: object) -> list[str]:
        asked = ItemFilter(**sought)  # type: ignore[arg-type]
        return sorted(one.full.content.label for one in items if asked.holds(one))

    assert found(words="ＳＩＮＧＬＥ stem 11") == ["S11"]
    assert found(words="wrong 3b") == ["S3"]
    assert found(words="化学式 stem") == []
    assert found(type="fill") == ["F0", "F1", "F2", "F3", "N1"]
    assert found(state=ItemState.DRAFT) == found(writer="wang") == ["N1"]
    assert found(point="1.1", band="hard") == ["J0", "J1", "J2", "J3", "J4"]


async def test_the_database_counts_what_the_versions_say(
    db: Database, journal: Journal, clock: FakeClock
) -> None:
    """Coverage counted by the database agrees with the versions: an item counts where its drawn version stands, else
    as one on its way, and not at all once it is retired."""
    await filled_bank(db, journal, clock)
    bank = OpenBank(BANK, BANK_KEY)
    async with act_on(db, journal=journal) as act:
        async with db.reading() as session:
            one = next(i for i in await bank.items(session) if i.full.content.label == "J0")
        moved = replace(one.full.content, difficulty=0.9)
        await editing_service.store_version(act, bank, moved, "wang", (one.full.item, 1))
        await editing_service.store_version(act, bank, NEW, "wang")
        gone = await editing_service.store_version(act, bank, replace(NEW, label="N2"), "wang")
        await review_service.retire(act, BANK, gone[0], "li")
    async with db.reading() as session:
        drawn = await standing_store.counts(session, BANK, drawn=True)
        coming = await standing_store.counts(session, BANK, drawn=False)
        states = await standing_store.states(session, BANK)
        have = await store.bank_coverage(session, BANK)
    assert {(c.point, c.type, c.band): c.items for c in drawn} == {
        (key.point, key.type, key.band): count for key, count in have.items()
    }
    assert [(c.point, c.type, c.band, c.items) for c in coming] == [("1.3", "fill", "medium", 1)]
    assert states == {"draft": 2, "submitted": 0, "approved": 26, "retired": 1}
