"""What a rebuilt centre would not learn from kiosks, and what it must take from them all the same."""

from pathlib import Path

from sqlalchemy import func, select, update

from kiosk.vault import JournalBook
from server.delivery import time_service
from server.delivery.facts import Extent
from server.delivery.late_models import ReplacementRow
from server.delivery.models import AnswerEventRow, AnswerRow, SittingRow
from server.delivery.receipt_keys import ensure_receipt_key, receipt_key_aad
from server.delivery.sitting import State
from server.keys.sealing import generate_receiving
from server.protocol.envelope import chained, event_bytes, receipt_mac
from server.protocol.exam import Acknowledged, Answer, Receipt
from server.protocol.journal import JournalCopy, JournalFile
from server.recovery import rebuilding
from server.recovery.acknowledged import acknowledge
from server.recovery.keeping import stamp
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


def a_late_answer(scene: Scene, key: bytes, recovery: bytes) -> JournalCopy:
    """Return the journal of a seat whose only answer was acknowledged as late."""
    seat, sitting = scene.seats[PLACE], scene.sittings[PLACE]
    book = JournalBook(seat.key, seat.id, sitting, 1, recovery)
    entry = book.write(Answer(lease=1, seq=1, number=2, value=("A",)))
    digest = chained(bytes(32), event_bytes(sitting, 1, 1, 2, ("A",)))
    told = book.settle(
        Acknowledged(
            lease=1,
            seq=1,
            number=2,
            outcome="late",
            receipt=Receipt(number=1, hash=digest.hex(), mac=receipt_mac(key, sitting, 1, 1, 1, digest)),
        )
    )
    return JournalCopy(head=book.head, entries=(entry,), receipts=(told,))


async def test_late_answers_of_papers_that_were_handed_in_are_rebuilt(
    tmp_path: Path, clock: FakeClock
) -> None:
    """A sitting that the file knows as handed in, whose only acknowledged answer was a late one, has that answer in
    the rebuilt records and no answer that stands."""
    private, public = generate_receiving()
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path)
        async with scene.acting() as act:
            wrapped = await ensure_receipt_key(act.session, scene.identity, SLOT)
            key = scene.identity.storage_unwrap(wrapped, receipt_key_aad(SLOT))
            copy = a_late_answer(scene, key, public)
            await act.session.execute(update(SittingRow).values(state=State.HANDED_IN.value))
        async with scene.acting() as act:
            report = await rebuilding._take(act, [JournalFile(journals=(copy,))])
            assert (report.refused, report.journals) == ([], 1)
            assert await rebuilding._open(act, scene.identity, {SLOT: private}) == 0
            [one] = await acknowledge(act, scene.identity, [copy])
        assert (one.answers, one.missing, one.false, one.same_chain) == (1, (), 0, True)
        async with db.reading() as session:
            [event] = await session.scalars(select(AnswerEventRow))
            assert (event.sitting, event.outcome, event.receipt) == (scene.sittings[PLACE], "late", 1)
            assert await session.scalar(select(func.count()).select_from(AnswerRow)) == 0
