"""The answer ledger and writer on real databases: order, repetition, lost and failed batches, a full
queue.
"""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import Connection, event, text

from server.db.engine import Database
from server.db.journal import Journal, verify
from server.db.signals import Signals, announce
from server.db.writer import Writer
from server.delivery import service, store
from server.delivery.answers import Timeliness
from server.delivery.facts import Ending, SlotTerms
from server.delivery.ledger import Ledger
from server.delivery.models import AnswerEventRow, LeaseRow
from server.delivery.seating import enrol_seat, issue_seat_codes
from server.delivery.sitting import State
from server.delivery.verification import verify_answers
from server.delivery.works import AnswerWork, HandInWork, Released, ReleaseWork, Stored, Work, Written
from server.errors import NotPermitted, Refusal, Refused
from server.protocol.envelope import answers_digest
from tests.support.clock import FakeClock
from tests.support.delivery import SLOT, Room, Scene, prepare_scene

PLACE = ("1", 1)
TRAP = {
    "sqlite": (
        """create trigger trap before insert on delivery_answer_event when new.number = 5
        begin select raise(abort, 'no'); end""",
    ),
    "postgresql": (
        """create function trap() returns trigger as $$ begin
        if new.number = 5 then raise check_violation; end if; return new; end $$ language plpgsql""",
        """create trigger trap before insert on delivery_answer_event
        for each row execute function trap()""",
    ),
}
"""Makes the insert of item 5 fail."""


@pytest_asyncio.fixture
async def scene(db: Database, clock: FakeClock, tmp_path: Path) -> Scene:
    scene = await prepare_scene(db, clock, tmp_path, enrol=False)
    await scene.check_in(PLACE)
    async with scene.acting() as act:
        row = await store.sitting_row(act.session, scene.sittings[PLACE], lock=True)
        row.lease = 2
        for lease, seat in ((1, "seat-a"), (2, "seat-b")):
            act.session.add(LeaseRow(sitting=row.id, lease=lease, seat=seat, taken_at=act.now))
        await act.session.flush()
        opening = ReleaseWork(row.slot, (row.id,), act.now)
    assert await asyncio.to_thread(write, scene, [opening]) == [Released(frozenset({row.id}))]
    return scene


def ledger(scene: Scene) -> Ledger:
    return Ledger(Journal("test-writer"), scene.clock, scene.identity.signing.sign)


def work(scene: Scene, lease: int, seq: int, number: int, value: str, timely: str = "in_time") -> AnswerWork:
    values = (value,) if value else ()
    return AnswerWork(
        scene.sittings[PLACE], lease, seq, number, values, scene.clock.legal(), None, Timeliness(timely)
    )


def write(scene: Scene, works: Sequence[Work]) -> list[Written]:
    engine = scene.db.sync_engine()
    try:
        with engine.begin() as connection:
            return ledger(scene).store(connection, works)
    finally:
        engine.dispose()


async def standing(scene: Scene) -> dict[int, tuple[str, ...]]:
    async with scene.db.reading() as session:
        return dict(await store.final_answers(session, scene.sittings[PLACE]))


def faults(scene: Scene) -> tuple[str, ...]:
    with scene.db.snapshot() as connection:
        return verify_answers(connection).faults + verify(connection).faults


async def test_a_living_centre_is_verified_without_a_false_fault(scene: Scene) -> None:
    """Answers stored after each statement of a verification, by which every chain and head moves on, are none of its
    faults: it counts what stood when it began, and who stores does not wait for it."""
    write(scene, [work(scene, 1, 1, 1, "A")])
    last = 1

    def store_another(*_: object) -> None:
        nonlocal last
        last += 1
        write(scene, [work(scene, 1, last, last % 5 + 1, "B")])

    with scene.db.snapshot() as connection:
        event.listen(connection, "after_cursor_execute", store_another)
        connection.execute(text("select count(*) from journal_chain"))
        began = last - 1
        answers = verify_answers(connection)
        journal = verify(connection)
    assert answers.faults + journal.faults == ()
    assert answers.answers == began < last - 5
    assert faults(scene) == ()


async def test_any_order_and_repetition_end_the_same(scene: Scene) -> None:
    """Doubled, reordered and regrouped deliveries of the same answers leave the same answers standing."""
    rng = random.Random(3)
    sent = [
        work(scene, lease, seq, rng.randint(1, 5), rng.choice("ABCD"))
        for lease in (1, 2)
        for seq in range(1, 16)
    ]
    deliveries = sent + rng.sample(sent, 20)
    rng.shuffle(deliveries)
    receipts: dict[tuple[int, int], set[int]] = {}
    while deliveries:
        size = rng.randint(1, 7)
        batch, deliveries = deliveries[:size], deliveries[size:]
        for one, written in zip(batch, write(scene, batch), strict=True):
            assert isinstance(written, Stored)
            receipts.setdefault((one.lease, one.seq), set()).add(written.receipt)
    expected = {}
    for one in sorted(sent, key=lambda w: (w.lease, w.seq)):
        expected[one.number] = one.value
    assert await standing(scene) == expected
    assert all(len(numbers) == 1 for numbers in receipts.values())
    assert {n for numbers in receipts.values() for n in numbers} == set(range(1, 31))
    assert faults(scene) == ()


async def test_same_number_other_content_is_refused(scene: Scene) -> None:
    """A (lease, seq) that comes again with another answer is refused, in the same batch and later."""
    first, other = work(scene, 2, 1, 1, "A"), work(scene, 2, 1, 1, "B")
    assert isinstance(write(scene, [first, other])[1], Refusal)
    later = write(scene, [other])[0]
    assert isinstance(later, Refusal) and later.code == "answer-seq-reused"
    assert await standing(scene) == {1: ("A",)}


async def test_late_answers_are_kept_and_change_nothing(scene: Scene) -> None:
    """A late answer gets its receipt and the outcome late, and what stood before stands."""
    write(scene, [work(scene, 2, 1, 1, "A")])
    late = write(scene, [work(scene, 2, 2, 1, "B", "late")])[0]
    assert isinstance(late, Stored) and late.outcome == "late"
    assert await standing(scene) == {1: ("A",)}
    assert faults(scene) == ()


async def test_cleared_answer_is_no_answer(scene: Scene) -> None:
    """An answer cleared later does not stand."""
    write(scene, [work(scene, 2, 1, 1, "A"), work(scene, 2, 2, 1, "")])
    assert await standing(scene) == {}


async def test_hand_in_sees_the_answers_of_its_batch(scene: Scene) -> None:
    """A hand-in in the same batch as its last answer counts it, and a second hand-in is refused."""
    clock = scene.clock
    digest = answers_digest({1: ("A",), 2: ("B",)})
    hand_in = HandInWork(scene.sittings[PLACE], 2, 3, 2, digest, clock.legal())
    wrong = HandInWork(scene.sittings[PLACE], 2, 3, 1, digest, clock.legal())
    written = write(
        scene,
        [
            work(scene, 2, 1, 1, "A"),
            wrong,
            work(scene, 2, 2, 2, "B"),
            hand_in,
            hand_in,
            work(scene, 2, 4, 3, "C"),
        ],
    )
    assert isinstance(written[1], Refusal) and written[1].code == "hand-in-differs"
    assert isinstance(written[3], Ending) and (written[3].count, written[3].digest) == (2, digest)
    assert isinstance(written[4], Refusal) and written[4].code == "hand-in-already"
    assert isinstance(written[5], Stored) and written[5].outcome == "late"
    assert await standing(scene) == {1: ("A",), 2: ("B",)}
    async with scene.db.reading() as session:
        assert (await store.sitting(session, scene.sittings[PLACE])).state is State.HANDED_IN
    assert faults(scene) == ()


async def test_changed_answer_is_found(scene: Scene) -> None:
    """An answer changed on disk behind the writer's back is a fault of the chain."""
    write(scene, [work(scene, 2, 1, 1, "A"), work(scene, 2, 2, 2, "B")])
    async with scene.acting() as act:
        await act.session.execute(
            text("update delivery_answer_event set value = :value where number = 1"), {"value": '["D"]'}
        )
    assert any("receipt 1" in fault for fault in faults(scene))


async def test_failed_insert_acknowledges_nothing(scene: Scene) -> None:
    """When the insert of an answer fails, its sender is told nothing was stored, the others' answers are
    stored, and the next try succeeds."""
    for statement in TRAP["sqlite" if scene.db.is_sqlite else "postgresql"]:
        async with scene.acting() as act:
            await act.session.execute(text(statement))
    writer: Writer[Work, Written] = Writer(scene.db.sync_engine(), ledger(scene).store, scene.clock, gap_s=0)
    works = [work(scene, 2, n, n, "A") for n in range(1, 8)]
    # Queued before the thread starts, so that all are one batch.
    loop = asyncio.get_running_loop()
    told: list[asyncio.Future[Written | None]] = [loop.create_future() for _ in works]
    for one, future in zip(works, told, strict=True):
        assert writer.offer(one, future.set_result)
    writer.start()
    results = await asyncio.gather(*told)
    assert [n for n, result in enumerate(results, 1) if not isinstance(result, Stored)] == [5]
    async with scene.acting() as act:
        drop = "drop trigger trap" if scene.db.is_sqlite else "drop trigger trap on delivery_answer_event"
        await act.session.execute(text(drop))
    assert isinstance(await writer.write(works[4]), Stored)
    await writer.stop()
    assert len(await standing(scene)) == 7
    assert faults(scene) == ()


async def test_full_queue_says_retry(db: Database, clock: FakeClock) -> None:
    """A full queue refuses at once, and takes again after it was emptied."""
    taken: list[int] = []

    def keep(_: Connection, items: Sequence[int]) -> list[int]:
        taken.extend(items)
        return list(items)

    writer: Writer[int, int] = Writer(db.sync_engine(), keep, clock, gap_s=0, limit=3)
    told: list[int | None] = []
    assert [writer.offer(n, told.append) for n in range(5)] == [True, True, True, False, False]
    writer.start()
    assert await writer.write(9) == 9
    assert (taken, told, writer.figures().refused) == ([0, 1, 2, 9], [0, 1, 2], 2)
    await writer.stop()
    assert writer.offer(1, told.append) is False


async def test_signal_is_heard_after_commit_only(db: Database) -> None:
    """A signal announced in a transaction that rolls back is never heard; one that commits is heard once."""
    signals = Signals(db)
    await signals.start()
    heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    signals.subscribe(lambda topic, key: heard.put_nowait((topic, key)))
    with pytest.raises(RuntimeError):
        async with db.writing() as session:
            await announce(session, "t", "lost")
            raise RuntimeError
    async with db.writing() as session:
        await announce(session, "t", "kept")
        await announce(session, "t", "kept")
        assert heard.empty()
    async with asyncio.timeout(60):
        assert await heard.get() == ("t", "kept")
    assert heard.empty()
    await signals.stop()


async def test_signal_reaches_another_process(db: Database) -> None:
    """A change announced through another database handle, as another process has, is heard."""
    signals = Signals(db)
    await signals.start()
    heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    signals.subscribe(lambda topic, key: heard.put_nowait((topic, key)))
    other = Database(db.url.render_as_string(hide_password=False))
    async with other.writing() as session:
        await announce(session, "topic", "键")
    async with asyncio.timeout(60):
        assert await heard.get() == ("topic", "键")
    await other.close()
    await signals.stop()


async def test_seat_code_serves_once(scene: Scene) -> None:
    """An enrolment code works once; a newer list voids unused older codes; all wrong codes get one
    refusal.
    """
    used, old = scene.codes[("1", 1)], scene.codes[("1", 2)]
    async with scene.acting() as act:
        seat = await enrol_seat(act, used.lower(), bytes(32), "headless")
        assert (seat.room, seat.number) == ("1", 1)
    async with scene.acting() as act:
        codes = await issue_seat_codes(act, [Room("1", 2)])
        assert [(code.room, code.seat) for code in codes] == [("1", 1), ("1", 2)]
    for code in (used, old, "0000000000"):
        with pytest.raises(NotPermitted, match="seat-code-wrong"):
            async with scene.acting() as act:
                await enrol_seat(act, code, bytes(32), "headless")
    async with scene.acting() as act:
        await enrol_seat(act, codes[0].code, bytes([1]) * 32, "page")
    async with scene.db.reading() as session:
        assert [one.public_key for one in await store.seats(session, ["1"])] == [bytes([1]) * 32]


async def test_reseat_refusals(scene: Scene) -> None:
    """A candidate is not moved to the own seat, to another candidate's, nor to a seat without a machine."""
    async with scene.acting() as act:
        for room, seat, code in (
            ("1", 1, "reseat-same"),
            ("1", 2, "seat-taken"),
            ("2", 3, "seat-not-enrolled"),
        ):
            with pytest.raises(Refused, match=code):
                await service.reseat(act, scene.sittings[PLACE], room, seat, "x")


async def test_absent_candidate_may_still_come(scene: Scene) -> None:
    """A candidate marked absent can be checked in; one whose paper was opened cannot be marked absent."""
    other = scene.sittings[("1", 2)]
    async with scene.acting() as act:
        await service.mark_absent(act, other)
        await service.check_in(act, other, {})
        with pytest.raises(Refused, match="sitting-state"):
            await service.mark_absent(act, scene.sittings[PLACE])


async def test_preparing_twice_adds_nothing(scene: Scene) -> None:
    """Preparing a slot again makes no second sitting, and its counts of answers stay."""
    write(scene, [work(scene, 2, 1, 1, "A")])
    async with scene.acting() as act:
        terms: SlotTerms = await store.slot_terms(act.session, SLOT)
        assert await service.prepare_sittings(act, terms, []) == 0
    async with scene.db.reading() as session:
        facts = await store.hall_facts(session, SLOT, scene.clock.legal())
        events = await session.scalar(text(f"select count(*) from {AnswerEventRow.__tablename__}"))
    assert [(fact.room, fact.seat, fact.answered) for fact in facts] == [
        ("1", 1, 1),
        ("1", 2, 0),
        ("2", 1, 0),
        ("2", 2, 0),
    ]
    assert events == 1
