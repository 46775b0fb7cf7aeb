"""Import into the encrypted bank on real databases, the real banks included."""

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import xlsxwriter
from sqlalchemy import select, update

from server.db.engine import Database
from server.db.journal import Journal, JournalRecord
from server.errors import NotFound, Refused, Tampered
from server.itembank import review_service, service, store
from server.itembank.interchange.files import FileRead, read_file
from server.itembank.interchange.mapping import read_mapping
from server.itembank.interchange.rows import RowStatus
from server.itembank.items import LABELS, ItemState
from server.itembank.models import BatchRow, VersionRow
from tests.support.clock import FakeClock
from tests.support.database import act_on
from tests.support.papers import BANK, BANK_KEY, filled_bank, reading_of, small_bank

CRAC_MAP = b"""
[fields]
label = "J"
point = "P"
stem = "Q"
answer = "T"
options = ["A", "B", "C", "D"]
ignore = ["I"]
no_label = ["LX"]
"""
SOURCE = service.Source("file", bytes(32))


@pytest.fixture
def journal() -> Journal:
    """One writer's chain."""
    return Journal("test")


async def brought(
    db: Database,
    journal: Journal,
    clock: FakeClock,
    read: FileRead,
    review: service.Review | None = None,
    bank: str = BANK,
) -> service.ImportReport:
    """Import what was read into a bank that is made when it is not there."""
    async with db.writing() as session:
        await service.create_bank(service.Act(session, journal, clock.legal(), "test"), bank, bank)
    source = service.Source("file", read.sha256)
    return await service.import_items(
        db, journal, clock, "test", bank, BANK_KEY, read.reading, source, review
    )


async def test_what_is_imported_opens_to_the_same_items(
    db: Database, journal: Journal, clock: FakeClock
) -> None:
    """Every item of a file opens under the bank key to the content that was read, approved by two people."""
    await filled_bank(db, journal, clock)
    async with db.reading() as session:
        opened = service.open_items(BANK, BANK_KEY, await store.drawable(session, BANK))
        rows = (await session.scalars(select(VersionRow))).all()
    assert sorted(one.content.label for one in opened) == sorted(one.label for one in small_bank())
    assert {one.content for one in opened} == set(small_bank())
    assert {(row.writer, row.reviewer, row.state) for row in rows} == {("writer", "reviewer", "approved")}


async def test_no_text_of_an_item_lies_in_clear_in_the_database(
    db: Database, journal: Journal, clock: FakeClock
) -> None:
    """No column of any version row holds a stem, an option or a label."""
    await filled_bank(db, journal, clock)
    async with db.reading() as session:
        rows = (await session.scalars(select(VersionRow))).all()
        journalled = " ".join((await session.scalars(select(JournalRecord.body))).all())
    held = " ".join(repr(value) for row in rows for value in vars(row).values())
    for content in small_bank():
        for text in (content.stem, *content.options):
            assert text not in held
            assert text not in journalled


async def test_equal_texts_have_unequal_hashes(db: Database, journal: Journal, clock: FakeClock) -> None:
    """The same content imported into two banks has different public hashes: a hash confirms no suspected text."""
    content = small_bank()[:1]
    hashes = []
    for bank in ("one", "two"):
        async with db.writing() as session:
            await service.create_bank(service.Act(session, journal, clock.legal(), "test"), bank, bank)
        await service.import_items(db, journal, clock, "t", bank, BANK_KEY, reading_of(content), SOURCE)
        async with db.reading() as session:
            hashes.append((await store.versions(session, bank))[0].hash)
    assert hashes[0] != hashes[1]


async def test_importing_again_changes_nothing(db: Database, journal: Journal, clock: FakeClock) -> None:
    """A second import of the same file stores nothing and leaves the root as it was."""
    root = await filled_bank(db, journal, clock)
    report = await service.import_items(
        db, journal, clock, "t", BANK, BANK_KEY, reading_of(small_bank()), SOURCE
    )
    assert (report.stored, report.root) == (0, root)
    assert report.counts == {"imported": 0, "doubtful": 0, "skipped": 0, "unchanged": len(small_bank())}


async def test_an_edited_item_becomes_a_new_version(db: Database, journal: Journal, clock: FakeClock) -> None:
    """The same label and stem with another difficulty is version 2, and only it may be drawn once approved."""
    await filled_bank(db, journal, clock)
    edited = replace(small_bank()[0], difficulty=0.55)
    review = service.Review("w", "r")
    report = await service.import_items(
        db, journal, clock, "t", BANK, BANK_KEY, reading_of((edited,)), SOURCE, review
    )
    assert (report.stored, report.approved, report.outcomes[0].remarks[-1].code) == (1, 1, "item-new-version")
    async with db.reading() as session:
        versions = await store.versions(session, BANK)
        drawable = await store.drawable(session, BANK)
    assert Counter(one.version for one in versions) == {1: len(small_bank()), 2: 1}
    assert len(drawable) == len(small_bank())
    assert [one.public.difficulty for one in drawable if one.public.version == 2] == [0.55]


async def test_a_key_that_disagrees_with_the_bank_waits_as_a_draft(
    db: Database, journal: Journal, clock: FakeClock
) -> None:
    """Another key for an item that the bank holds is stored as a draft even when two people stand for the file."""
    root = await filled_bank(db, journal, clock)
    disputed = replace(small_bank()[0], key=("B",))
    report = await service.import_items(
        db, journal, clock, "t", BANK, BANK_KEY, reading_of((disputed,)), SOURCE, service.Review("w", "r")
    )
    assert (report.stored, report.approved, report.root) == (1, 0, root)
    assert report.outcomes[0].status is RowStatus.DOUBTFUL
    assert report.outcomes[0].remarks[-1].code == "key-disagrees-with-bank"


async def test_the_same_item_under_reordered_options_is_not_a_dispute(
    db: Database, journal: Journal, clock: FakeClock
) -> None:
    """Options in another order with the key moved along are a new version without doubt."""
    await filled_bank(db, journal, clock)
    first = small_bank()[0]
    moved = replace(first, options=first.options[::-1], key=("D",))
    report = await service.import_items(db, journal, clock, "t", BANK, BANK_KEY, reading_of((moved,)), SOURCE)
    assert [remark.code for remark in report.outcomes[0].remarks] == ["item-new-version"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"label": "NEW", "options": ("p", "q"), "key": ("A",)}, "stem-held-already"),
        ({"stem": "quite another", "options": ("p", "q"), "key": ("A",)}, "label-held-by-another"),
    ],
)
async def test_a_half_known_item_is_doubtful(
    db: Database, journal: Journal, clock: FakeClock, change: dict[str, object], code: str
) -> None:
    """A known stem with other options, or a known label on another item, is stored as a draft with a doubt."""
    await filled_bank(db, journal, clock)
    changed = replace(small_bank()[0], **change)  # type: ignore[arg-type]
    report = await service.import_items(
        db, journal, clock, "t", BANK, BANK_KEY, reading_of((changed,)), SOURCE, service.Review("w", "r")
    )
    assert (report.stored, report.approved, report.outcomes[0].remarks[-1].code) == (1, 0, code)


async def test_without_review_everything_is_a_draft(db: Database, journal: Journal, clock: FakeClock) -> None:
    """Items imported without two people are drafts, cannot be drawn, and become drawable by another's approval."""
    async with db.writing() as session:
        await service.create_bank(service.Act(session, journal, clock.legal(), "test"), BANK, "bank")
    await service.import_items(
        db, journal, clock, "t", BANK, BANK_KEY, reading_of(small_bank()), SOURCE, writer="zhang"
    )
    async with db.reading() as session:
        assert await store.drawable(session, BANK) == ()
        items = [(one.item, one.version) for one in await store.versions(session, BANK)]
    async with act_on(db, journal=journal) as act:
        await review_service.submit(act, BANK, items, "zhang")
    with pytest.raises(Refused, match="review-by-writer"):
        async with act_on(db, journal=journal) as act:
            await review_service.approve(act, BANK, items, "Zhang")
    async with act_on(db, journal=journal) as act:
        assert await review_service.approve(act, BANK, items[:5], "li") == 5
    async with db.reading() as session:
        assert len(await store.drawable(session, BANK)) == 5


async def test_a_retired_item_cannot_be_drawn_or_retired_again(
    db: Database, journal: Journal, clock: FakeClock
) -> None:
    """Retiring takes an item with all its versions out of the draw, once."""
    await filled_bank(db, journal, clock)
    async with db.reading() as session:
        item = (await store.versions(session, BANK))[0].item
    async with act_on(db, journal=journal) as act:
        await review_service.retire(act, BANK, item, "li")
    async with db.reading() as session:
        assert item not in {one.public.item for one in await store.drawable(session, BANK)}
    with pytest.raises(Refused, match="item-state-refused"):
        async with act_on(db, journal=journal) as act:
            await review_service.retire(act, BANK, item, "li")


async def test_one_person_cannot_stand_for_an_import(
    db: Database, journal: Journal, clock: FakeClock
) -> None:
    """An import whose writer is its reviewer is refused and stores nothing."""
    async with db.writing() as session:
        await service.create_bank(service.Act(session, journal, clock.legal(), "test"), BANK, "bank")
    with pytest.raises(Refused, match="review-by-writer"):
        await service.import_items(
            db,
            journal,
            clock,
            "t",
            BANK,
            BANK_KEY,
            reading_of(small_bank()),
            SOURCE,
            service.Review("a", "a"),
        )
    async with db.reading() as session:
        assert await store.versions(session, BANK) == ()


async def test_a_bank_that_is_not_there_is_named(db: Database, journal: Journal, clock: FakeClock) -> None:
    """An import into an unknown bank is NotFound."""
    with pytest.raises(NotFound, match="bank-unknown"):
        await service.import_items(
            db, journal, clock, "t", "nowhere", BANK_KEY, reading_of(small_bank()), SOURCE
        )


async def test_a_broken_import_leaves_nothing_that_is_seen(
    db: Database, journal: Journal, clock: FakeClock
) -> None:
    """Versions of a batch that never finished are in no read, and the next import eight hours later removes them."""
    await filled_bank(db, journal, clock)
    async with db.writing() as session:
        await session.execute(update(BatchRow).values(state="staging"))
    async with db.reading() as session:
        assert await store.versions(session, BANK) == ()
    clock.advance(hours=8, seconds=1)
    await service.import_items(db, journal, clock, "t", BANK, BANK_KEY, reading_of(small_bank()), SOURCE)
    async with db.reading() as session:
        assert len((await session.scalars(select(VersionRow))).all()) == len(small_bank())


async def test_a_wrong_key_opens_nothing(db: Database, journal: Journal, clock: FakeClock) -> None:
    """Another bank key makes the import itself fail: it cannot read what the bank holds."""
    await filled_bank(db, journal, clock)
    with pytest.raises(Tampered, match="item-broken"):
        await service.import_items(db, journal, clock, "t", BANK, b"k" * 32, reading_of(small_bank()), SOURCE)


async def test_a_ciphertext_moved_to_another_item_does_not_open(
    db: Database, journal: Journal, clock: FakeClock
) -> None:
    """Two items that exchange ciphertext and nonce are both refused: the place is part of the seal."""
    await filled_bank(db, journal, clock)
    async with db.writing() as session:
        left, right = (await session.scalars(select(VersionRow).order_by(VersionRow.id).limit(2))).all()
        left.nonce, right.nonce = right.nonce, left.nonce
        left.ciphertext, right.ciphertext = right.ciphertext, left.ciphertext
        names = {left.item, right.item}
    async with db.reading() as session:
        broken = 0
        for sealed in await store.sealed_items(session, BANK):
            if sealed.public.item in names:
                with pytest.raises(Tampered, match="item-broken"):
                    service.open_item(BANK, BANK_KEY, sealed)
                broken += 1
    assert broken == 2


async def test_an_import_of_many_chunks_is_visible_whole(
    db: Database, journal: Journal, clock: FakeClock
) -> None:
    """Five hundred items, ten chunks of an import, all stand in the bank as drafts after its last step."""
    contents = tuple(
        replace(small_bank()[0], label=f"N{number}", stem=f"stem {number}") for number in range(500)
    )
    async with db.writing() as session:
        await service.create_bank(service.Act(session, journal, clock.legal(), "test"), BANK, "bank")
    report = await service.import_items(db, journal, clock, "t", BANK, BANK_KEY, reading_of(contents), SOURCE)
    async with db.reading() as session:
        versions = await store.versions(session, BANK)
    assert (report.stored, len(versions), {one.state for one in versions}) == (500, 500, {ItemState.DRAFT})


def real(shared: Path) -> Path:
    """Return the folder of the real banks; skip visibly where it is absent."""
    folder = shared / "data" / "itembank"
    if not folder.is_dir():
        pytest.skip("../shared/data/itembank is not here")
    return folder


def accounted(read: FileRead, rows: int) -> Counter[str]:
    """Check that every row has one outcome with an item or a reason; return the counts by status."""
    outcomes = read.reading.outcomes
    assert len(outcomes) == len({outcome.place for outcome in outcomes}) == rows
    for outcome in outcomes:
        assert outcome.content is not None or outcome.remarks
        if outcome.status is RowStatus.DOUBTFUL:
            assert any(remark.doubt for remark in outcome.remarks)
    return Counter(outcome.status.value for outcome in outcomes)


async def test_the_whole_real_bank_comes_in(
    db: Database, journal: Journal, clock: FakeClock, shared: Path
) -> None:
    """Of the 2,275 real items every row is accounted for, at least 95 % without doubt, and all stored ones open."""
    folder = real(shared)
    read = read_file(folder / "items.jsonl", pictures=folder)
    counts = accounted(read, 2275)
    assert counts["imported"] >= 2161
    report = await brought(db, journal, clock, read, service.Review("writer", "reviewer"))
    assert sum(report.counts.values()) == 2275
    assert report.approved == counts["imported"]
    async with db.reading() as session:
        opened = service.open_items(BANK, BANK_KEY, await store.sealed_items(session, BANK))
    assert len(opened) == report.stored
    assert Counter(one.content.type for one in opened)["judge"] == 300


def test_the_real_files_come_in_with_one_saved_mapping_a_file(shared: Path) -> None:
    """Of each of the two real banks at least 90 % of the rows come in without a manual touch."""
    folder = real(shared)
    mapping = read_mapping(CRAC_MAP)
    for name, rows in (("full", 1375), ("class_a", 683), ("class_b", 1143), ("class_c", 1282)):
        counts = accounted(read_file(folder / "crac2025" / f"{name}.csv", saved=mapping), rows)
        assert counts["imported"] >= rows * 0.9, (name, counts)
    for name in ("data", "questions_zizhongxiao"):
        counts = accounted(read_file(folder / "ai-trainer-l3" / f"{name}.json"), 900)
        assert counts == {"imported": 900}


async def test_the_real_key_disputes_are_found(
    db: Database, journal: Journal, clock: FakeClock, shared: Path
) -> None:
    """The second copy of the 900 items disagrees with the first on 110 keys and more, each a draft."""
    folder = real(shared) / "ai-trainer-l3"
    first = read_file(folder / "data.json")
    await brought(db, journal, clock, first, service.Review("writer", "reviewer"))
    second = read_file(folder / "questions_zizhongxiao.json")
    unlabelled = replace(
        second.reading,
        outcomes=tuple(
            replace(one, content=replace(one.content, label="")) if one.content else one
            for one in second.reading.outcomes
        ),
    )
    report = await brought(db, journal, clock, replace(second, reading=unlabelled), service.Review("w", "r"))
    codes = Counter(remark.code for outcome in report.outcomes for remark in outcome.remarks)
    assert 110 <= codes["key-disagrees-with-bank"] <= 127
    assert sum(report.counts.values()) == 900


@pytest.mark.parametrize("wording", range(5))
def test_900_real_items_come_in_from_excel_in_five_wordings(
    shared: Path, tmp_path: Path, wording: int
) -> None:
    """The 900 items written as .xlsx under five header wordings and key styles come in with the same keys."""

    items = json.loads((real(shared) / "ai-trainer-l3" / "data.json").read_text(encoding="utf-8"))
    headers = (
        ("编号", "题型", "题干", "选项A", "选项B", "选项C", "选项D", "选项E", "答案"),
        ("试题编号", "题目类型", "题目", "A", "B", "C", "D", "E", "正确答案"),
        ("ID", "Type", "Question", "Option A", "Option B", "Option C", "Option D", "Option E", "Answer"),
        ("题目编号", "题型名称", "试题内容", "选项1", "选项2", "选项3", "选项4", "选项5", "标准答案（必填）"),
        ("编码", "试题类型", "题目内容", "A选项", "B选项", "C选项", "D选项", "E选项", "参考答案"),
    )[wording]
    words = {"judge": "判断题", "single": "单选题", "multiple": "多选题"}
    styles = (
        lambda key: ";".join(key),
        lambda key: "".join(key),
        lambda key: "[" + ",".join(f'"{label}"' for label in key) + "]",
        lambda key: "、".join(key),
        lambda key: "，".join(key).lower(),
    )
    judged = (("√", "×"), ("对", "错"), ("正确", "错误"), ("T", "F"), ("是", "否"))[wording]
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"strings_to_formulas": False, "in_memory": True})
    sheet = book.add_worksheet("题库")
    sheet.write_row(0, 0, headers)
    keys: dict[str, tuple[str, ...]] = {}
    order = Random(wording).sample(range(len(items)), len(items))
    for place, index in enumerate(order, start=1):
        item = items[index]
        letters = item["answer"].split(";")
        options = [item[f"option_{label}"] or "" for label in LABELS[:5]]
        if item["type"] == "judge":
            answer, key = judged[0 if letters == ["A"] else 1], ("T",) if letters == ["A"] else ("F",)
            options = [""] * 5
        else:
            answer, key = styles[wording](letters), tuple(letters)
        keys[str(item["id"])] = key
        sheet.write_row(place, 0, [str(item["id"]), words[item["type"]], item["question"], *options, answer])
    book.close()
    path = tmp_path / "bank.xlsx"
    path.write_bytes(buffer.getvalue())
    read = read_file(path)
    assert accounted(read, 900) == {"imported": 900}
    assert {one.content.label: one.content.key for one in read.reading.outcomes if one.content} == keys
