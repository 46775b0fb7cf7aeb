"""What a rebuilt centre would not learn from kiosks, and what it must take from them all the same."""

from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import func, select, update

from kiosk.vault import JournalBook
from server.db.engine import Database
from server.delivery import time_service
from server.delivery.facts import Extent
from server.delivery.late_models import ReplacementRow
from server.delivery.models import AnswerEventRow, AnswerRow, SittingRow
from server.delivery.receipt_keys import ensure_receipt_key, receipt_key_aad
from server.delivery.sitting import State
from server.errors import Refused
from server.keys.recovery import make_code
from server.keys.sealing import generate_receiving
from server.protocol.envelope import chained, event_bytes, receipt_mac
from server.protocol.exam import Acknowledged, Answer, Receipt
from server.protocol.journal import JournalCopy, JournalFile
from server.recovery import rebuilding
from server.recovery.acknowledged import acknowledge
from server.recovery.keeping import stamp, write
from tests.support.clock import FakeClock
from tests.support.database import database
from tests.support.delivery import SLOT, Scene, prepare_scene

PLACE = ("1", 1)


async def test_an_allowance_a_pause_and_a_spare_paper_make_the_file_be_written_anew(
    tmp_path: Path, clock: FakeClock
) -> None:
    """After extra time, a pause and a replaced paper the stamp of the recovery file is another each time."""
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path)
        sitting = scene.sittings[PLACE]
        extent = Extent(SLOT, None, sitting)
        async with scene.acting() as act:
            stamps = [await stamp(act.session)]
            await time_service.extend(act, extent, 60, "照顾")
            stamps.append(await stamp(act.session))
            await time_service.pause(act, extent, "停电")
            stamps.append(await stamp(act.session))
            await time_service.resume(act, extent)
            stamps.append(await stamp(act.session))
            act.session.add(
                ReplacementRow(
                    id="r", sitting=sitting, at=act.now, before="a", spare="b", lease=2, actor="x", reason="y"
                )
            )
            await act.session.flush()
            stamps.append(await stamp(act.session))
    assert len(set(stamps)) == 5


def a_late_answer(
    scene: Scene,
    key: bytes,
    recovery: bytes,
    values: tuple[str, ...] = ("A",),
    outcome: Literal["counted", "late"] = "late",
) -> JournalCopy:
    """Return the journal of a seat whose only answer, A, was acknowledged as late. `values` are entries under its
    number, `outcome` is what the seat says of it."""
    seat, sitting = scene.seats[PLACE], scene.sittings[PLACE]
    book = JournalBook(seat.key, seat.id, sitting, 1, recovery)
    entries = tuple(book.write(Answer(lease=1, seq=1, number=2, value=(value,))) for value in values)
    digest = chained(bytes(32), event_bytes(sitting, 1, 1, 2, ("A",)))
    mac = receipt_mac(key, sitting, 1, 1, "late", 1, digest)
    told = book.settle(
        Acknowledged(
            lease=1,
            seq=1,
            number=2,
            outcome=outcome,
            receipt=Receipt(number=1, hash=digest.hex(), mac=mac),
        )
    )
    return JournalCopy(head=book.head, entries=entries, receipts=(told,))


async def rebuilt(scene: Scene, private: bytes, *copies: JournalCopy) -> rebuilding.Report:
    """Take journals that were brought to a centre that lost its answers."""
    async with scene.acting() as act:
        report = await rebuilding._take(act, [JournalFile(journals=(copy,)) for copy in copies])
        await rebuilding._open(act, scene.identity, {SLOT: private})
        report.sittings = await acknowledge(act, scene.identity, report.kept)
    return report


async def prepared(db: Database, clock: FakeClock, folder: Path) -> tuple[Scene, bytes]:
    """Return a scene and its slot's receipt key."""
    scene = await prepare_scene(db, clock, folder)
    async with scene.acting() as act:
        wrapped = await ensure_receipt_key(act.session, scene.identity, SLOT)
    return scene, scene.identity.storage_unwrap(wrapped, receipt_key_aad(SLOT))


async def test_a_second_entry_under_a_number_and_a_second_copy_change_nothing(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Of two entries with one number the one that the centre acknowledged is rebuilt, wherever it stands, and a
    journal that is brought twice is told and judged once."""
    private, public = generate_receiving()
    for at, values in enumerate((("A", "B"), ("B", "A"))):
        async with database(f"sqlite:///{tmp_path / f'{at}.db'}") as db:
            scene, key = await prepared(db, clock, tmp_path / str(at))
            copy = a_late_answer(scene, key, public, values)
            report = await rebuilt(scene, private, copy, copy)
            assert (report.journals, report.entries, report.whole) == (1, 2, True)
            async with db.reading() as session:
                assert list(await session.scalars(select(AnswerEventRow.value))) == ['["A"]']


async def test_a_seat_cannot_make_its_late_answer_count(tmp_path: Path, clock: FakeClock) -> None:
    """A receipt of a late answer that the seat signed as counted is false: nothing is rebuilt of it."""
    private, public = generate_receiving()
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene, key = await prepared(db, clock, tmp_path)
        report = await rebuilt(scene, private, a_late_answer(scene, key, public, outcome="counted"))
    assert [(one.answers, one.false) for one in report.sittings] == [(0, 1)] and not report.whole


async def test_a_database_that_holds_a_centre_is_not_built_over(
    db: Database, tmp_path: Path, clock: FakeClock
) -> None:
    """Into a PostgreSQL database with a centre in it nothing is rebuilt, and the new data folder is not made."""
    scene, folder = await prepare_scene(db, clock, tmp_path / "old"), tmp_path / "new"
    async with scene.acting() as act:
        halves = await make_code(act, scene.identity.fingerprint)
    await write(db, scene.identity, clock, tmp_path / "old", tmp_path / "second")
    second = rebuilding.read(tmp_path / "second", *halves)
    with pytest.raises(Refused, match=r"rebuild-(folder|database)-used"):
        await rebuilding.write(db, folder, clock, second, (), ("钱", "孙"), {}, {}, {})
    assert not folder.exists()


async def test_late_answers_of_papers_that_were_handed_in_are_rebuilt(
    tmp_path: Path, clock: FakeClock
) -> None:
    """A sitting that the file knows as handed in, whose only acknowledged answer was a late one, has that answer in
    the rebuilt records and no answer that stands."""
    private, public = generate_receiving()
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene, key = await prepared(db, clock, tmp_path)
        async with scene.acting() as act:
            await act.session.execute(update(SittingRow).values(state=State.HANDED_IN.value))
        report = await rebuilt(scene, private, a_late_answer(scene, key, public))
        [one] = report.sittings
        assert (report.refused, report.journals) == ([], 1)
        assert (one.answers, one.missing, one.false, one.same_chain) == (1, (), 0, True)
        async with db.reading() as session:
            [event] = await session.scalars(select(AnswerEventRow))
            assert (event.sitting, event.outcome, event.receipt) == (scene.sittings[PLACE], "late", 1)
            assert await session.scalar(select(func.count()).select_from(AnswerRow)) == 0
