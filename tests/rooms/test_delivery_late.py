"""Late journals on real databases: kept, opened by the recovery key, judged by two people, never an overwrite."""

import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import select, update

from kiosk.brain import Saved
from kiosk.vault import JournalBook, SeatKey
from server.conduct import late_answers
from server.db.engine import Database
from server.db.journal import JournalRecord
from server.delivery import late_journals, late_service, store
from server.delivery.merging import Decision
from server.delivery.models import AnswerRow, SittingRow
from server.delivery.receipts import check_code, check_receipt, read_receipt
from server.delivery.runtime import Hall
from server.delivery.sitting import State
from server.delivery.verification import verify_answers
from server.errors import BadInput, GongyuanError, Refused
from server.keys.sealing import generate_receiving
from server.keys.signing import verify
from server.protocol import exam
from server.protocol.journal import JournalCopy, JournalEntry
from tests.support.clock import FakeClock
from tests.support.delivery import SLOT, Scene, TestKiosk, open_hall, prepare_scene, seated_kiosk

RECOVERY = generate_receiving()
PLACE = ("1", 1)


@pytest_asyncio.fixture
async def scene(db: Database, clock: FakeClock, tmp_path: Path) -> Scene:
    made = await prepare_scene(db, clock, tmp_path)
    async with made.acting() as act:
        await late_journals.keep_recovery_key(act, SLOT, RECOVERY[1])
    return made


@pytest_asyncio.fixture
async def hall(scene: Scene) -> AsyncIterator[Hall]:
    async with open_hall(scene) as opened:
        yield opened


class Seat:
    """A kiosk that writes its sealed journal before it sends, as the page does."""

    def __init__(self, kiosk: TestKiosk) -> None:
        self.kiosk = kiosk
        self.books: dict[int, JournalBook] = {}
        kiosk.brain._keep = self._keep

    def _keep(self, seated: exam.Seated, answer: exam.Answer, _opening: object = None) -> None:
        if answer.lease not in self.books:
            assert seated.journal_key is not None
            self.books[answer.lease] = JournalBook(
                self.kiosk.seat.key,
                self.kiosk.seat.id,
                seated.sitting,
                answer.lease,
                bytes.fromhex(seated.journal_key),
            )
        self.books[answer.lease].write(answer)

    def answer(self, number: int, *value: str) -> None:
        self.kiosk.brain.answer(number, value, self.kiosk.scene.clock.monotonic())

    @property
    def journal(self) -> JournalCopy:
        return self.books[max(self.books)].copy()


async def offline_at_the_end(scene: Scene, hall: Hall, clock: FakeClock) -> Seat:
    """One answer acknowledged, then the line lost, a change and a new answer before the end, one after it."""
    kiosk = await seated_kiosk(scene, hall, PLACE)
    seat = Seat(kiosk)
    await scene.ring()
    await kiosk.until(lambda: kiosk.paper is not None)
    seat.answer(1, "A")
    await kiosk.until(lambda: not len(kiosk.brain.outbox))
    clock.advance(minutes=60)
    kiosk.disconnect()
    await seen(scene, "lost")
    clock.advance(minutes=5)
    seat.answer(1, "B")
    seat.answer(2, "C")
    clock.advance(minutes=40)
    seat.answer(3, "D")
    await collected(scene)
    return seat


async def seen(scene: Scene, kind: str) -> None:
    import asyncio

    from server.delivery.models import HeartbeatRow

    async with asyncio.timeout(60):
        while True:
            async with scene.db.reading() as session:
                if await session.scalar(select(HeartbeatRow.id).where(HeartbeatRow.kind == kind)):
                    return
            await asyncio.sleep(0.01)


async def collected(scene: Scene) -> None:
    import asyncio

    async with asyncio.timeout(60):
        while True:
            async with scene.db.reading() as session:
                if (await store.sitting(session, scene.sittings[PLACE])).state is State.COLLECTED:
                    return
            await asyncio.sleep(0.01)


async def keep(scene: Scene, journal: JournalCopy, own_seat: str = "") -> int:
    async with scene.acting("staff:technician") as act:
        return await late_journals.keep(act, journal.head, 0, journal.entries, "file", own_seat)


async def refused(scene: Scene, journal: JournalCopy, own_seat: str = "") -> str:
    with pytest.raises(GongyuanError) as caught:
        await keep(scene, journal, own_seat)
    return caught.value.code


async def opened(scene: Scene) -> int:
    node = "".join(scene.identity.fingerprint.split())
    async with scene.acting("opening:test") as act:
        faults = 0
        for journal in await late_journals.journals(act.session, SLOT):
            faults += await late_journals.open_journal(
                act, journal.id, RECOVERY[0], node, scene.identity.public.signing
            )
        return faults


async def items(scene: Scene) -> tuple[late_service.LateItem, ...]:
    async with scene.db.reading() as session:
        return await late_service.items(session, scene.sittings[PLACE])


async def final(scene: Scene) -> dict[int, tuple[str, ...]]:
    async with scene.db.reading() as session:
        return dict(await store.final_answers(session, scene.sittings[PLACE]))


def decided(found: tuple[late_service.LateItem, ...], **accept: bool) -> list[Decision]:
    return [
        Decision(i.late.number, i.late.lease, i.late.seq, accept.get(f"n{i.late.number}", True), "断线期间")
        for i in found
        if i.refusal is None
    ]


async def test_a_carried_journal_is_merged_by_two_people_as_a_fact_of_its_own(
    scene: Scene, hall: Hall, clock: FakeClock
) -> None:
    """A journal carried by hand changes no acknowledged answer; what two people accept stands beside it, signed."""
    seat = await offline_at_the_end(scene, hall, clock)
    sitting = scene.sittings[PLACE]
    assert await keep(scene, seat.journal) == 4
    assert await keep(scene, seat.journal) == 4
    assert await items(scene) == ()
    assert await opened(scene) == 0
    found = await items(scene)
    assert [(i.late.number, i.refusal and i.refusal.code) for i in found] == [
        (1, None),
        (2, None),
        (3, "late-after-end"),
    ]
    assert found[0].stands is not None and found[0].stands.value == ("A",)
    assert found[0].absence is not None and found[0].absence.start < clock.legal() - timedelta(minutes=40)
    assert await final(scene) == {1: ("A",)}

    decisions = decided(found, n1=True, n2=False)
    async with scene.acting("staff:chief") as act:
        with pytest.raises(Refused, match="late-items-missing"):
            await late_service.propose(act, sitting, decisions[:1])
    async with scene.acting("staff:chief") as act:
        with pytest.raises(Refused, match="late-reason-missing"):
            await late_service.propose(act, sitting, [replace(one, reason=" ") for one in decisions])
    async with scene.acting("staff:chief") as act:
        await late_service.propose(act, sitting, decisions)
    async with scene.acting("staff:chief") as act:
        with pytest.raises(Refused, match="late-second-person"):
            await late_service.confirm(act, scene.identity.signing.sign, sitting)
    async with scene.acting("staff:deputy") as act:
        merge = await late_service.confirm(act, scene.identity.signing.sign, sitting)
    assert (merge.first, merge.second, merge.accepted, merge.refused) == (
        "staff:chief",
        "staff:deputy",
        (1,),
        (2,),
    )
    assert await final(scene) == {1: ("B",)}
    async with scene.db.reading() as session:
        assert await late_service.undecided(session, sitting) == ()
        standing = await session.scalars(select(AnswerRow.value).where(AnswerRow.sitting == sitting))
        assert list(standing) == ['["A"]']
        kinds = set(await session.scalars(select(JournalRecord.kind)))
    assert {f"delivery:late-answers:{act}" for act in ("proposed", "merged")} <= kinds
    async with scene.db.reading() as session:
        ending = await store.ending(session, sitting)
    assert ending is not None
    public = scene.identity.public.signing
    with scene.db.sync_engine().connect() as connection:
        assert verify_answers(connection).faults == ()
        for code, answers in ((ending.code, {1: ("A",)}), (merge.code, {1: ("B",)})):
            checked = check_code(connection, code.lower(), public)
            assert (checked.answers, checked.faults) == (answers, ())
        filed = check_code(connection, ending.code, public).receipt
        assert check_receipt(connection, read_receipt(msgspec.json.encode(filed)), public).faults == ()
        other = msgspec.structs.replace(filed, count=2)
        assert check_receipt(connection, other, public).faults == ("receipt-file-differs",)
        with pytest.raises(BadInput, match="receipt-code-form"):
            check_code(connection, ending.code[:-1] + ("1" if ending.code[-1] == "0" else "0"), public)
    async with scene.db.writing() as session:
        await session.execute(update(AnswerRow).where(AnswerRow.sitting == sitting).values(value='["C"]'))
        await session.execute(
            update(JournalRecord).where(JournalRecord.kind.like("%collected")).values(actor="x")
        )
    with scene.db.sync_engine().connect() as connection:
        found = check_code(connection, ending.code, public)
    assert found.faults == ("receipt-answers-differ", "receipt-head-differs")


async def test_a_kiosk_that_comes_back_after_the_end_brings_its_answers_by_itself(
    scene: Scene, hall: Hall, clock: FakeClock
) -> None:
    """After hours offline the kiosk's answers are kept as late and change nothing until two people merge them."""
    seat = await offline_at_the_end(scene, hall, clock)
    seat.kiosk.connect()
    await seat.kiosk.until(lambda: seat.kiosk.last("collected") is not None)
    await seat.kiosk.until(lambda: not len(seat.kiosk.brain.outbox))
    outcomes = [one.acknowledged.outcome for one in seat.kiosk.events if isinstance(one, Saved)]
    assert outcomes == ["counted", "late", "late", "late"]
    assert await final(scene) == {1: ("A",)}
    assert [(i.late.number, i.late.source) for i in await items(scene)] == [
        (1, "line"),
        (2, "line"),
        (3, "line"),
    ]
    assert (await items(scene))[2].refusal is not None
    seat.kiosk.brain.offer(seat.journal)
    await seat.kiosk.until(lambda: seat.kiosk.last("journal_kept") is not None)
    await opened(scene)
    assert [(i.late.number, i.late.value) for i in await items(scene)] == [
        (1, ("B",)),
        (2, ("C",)),
        (3, ("D",)),
    ]


async def test_what_is_not_that_seats_own_journal_is_refused(
    scene: Scene, hall: Hall, clock: FakeClock
) -> None:
    """Changed bytes, a left-out entry, another seat's signature, another sitting, seat or lease: each is refused."""
    seat = await offline_at_the_end(scene, hall, clock)
    copy = seat.journal
    head, entries = copy.head, copy.entries
    other = scene.seats[("1", 2)]

    def with_entries(*changed: JournalEntry) -> JournalCopy:
        return JournalCopy(head=head, entries=changed)

    bad = msgspec.structs.replace(entries[1], data=bytes(len(entries[1].data)))
    assert await refused(scene, with_entries(entries[0], bad)) == "journal-signature-wrong"
    assert await refused(scene, with_entries(entries[0], entries[2])) == "journal-signature-wrong"
    sitting = msgspec.structs.replace(head, sitting=scene.sittings[("1", 2)])
    assert await refused(scene, JournalCopy(head=sitting, entries=entries)) == "journal-lease-other"
    stolen = msgspec.structs.replace(head, seat=other.id)
    assert await refused(scene, JournalCopy(head=stolen, entries=entries)) == "journal-lease-other"
    lease = msgspec.structs.replace(head, lease=7)
    assert await refused(scene, JournalCopy(head=lease, entries=entries)) == "journal-lease-other"
    assert await refused(scene, copy, other.id) == "journal-other-seat"
    forged = JournalBook(SeatKey.generate(), head.seat, head.sitting, head.lease, RECOVERY[1])
    forged.write(exam.Answer(lease=1, seq=2, number=1, value=("B",)))
    assert await refused(scene, forged.copy()) == "journal-signature-wrong"
    assert await keep(scene, copy) == 4
    anew = JournalBook(seat.kiosk.seat.key, head.seat, head.sitting, head.lease, RECOVERY[1])
    anew.write(exam.Answer(lease=1, seq=2, number=1, value=("D",)))
    assert await refused(scene, anew.copy()) == "journal-head-other"
    assert await opened(scene) == 0


async def test_a_handed_in_paper_takes_no_journal(scene: Scene, hall: Hall, clock: FakeClock) -> None:
    """An old disk neither overwrites nor adds to a paper that was handed in."""
    seat = await offline_at_the_end(scene, hall, clock)
    async with scene.db.writing() as session:
        await session.execute(update(SittingRow).values(state=State.HANDED_IN.value))
    assert await refused(scene, seat.journal) == "journal-handed-in"


async def test_signatures_of_a_journal_are_checked_beside_the_event_loop(
    scene: Scene, hall: Hall, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A carried journal of 250 entries is kept in three parts, and no signature is checked in the serving thread."""
    seat = await offline_at_the_end(scene, hall, clock)
    book = next(iter(seat.books.values()))
    for seq in range(100, 346):
        book.write(exam.Answer(lease=1, seq=seq, number=1, value=("B",)))
    journal = book.copy()
    threads: set[threading.Thread] = set()

    def watched(public: bytes, signature: bytes, data: bytes) -> None:
        threads.add(threading.current_thread())
        verify(public, signature, data)

    monkeypatch.setattr("server.delivery.late_journals.verify", watched)
    kept = []
    for first in late_answers.parts_of(journal):
        part = journal.entries[first : first + late_answers.ENTRIES_AT_ONCE]
        async with scene.acting("staff:technician") as act:
            kept.append(await late_journals.keep(act, journal.head, first, part, "file"))
    assert kept == [100, 200, 250]
    assert threads
    assert threading.current_thread() not in threads
