"""Transactions that fail at their commit, and a disk that may only be read."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text

from kiosk.brain import Saved
from server.db.engine import Database
from server.db.journal import verify
from server.delivery.verification import verify_answers
from server.protocol import exam
from tests.support.clock import FakeClock
from tests.support.delivery import ITEMS, TestKiosk, open_hall, prepare_scene, seated_kiosk

SPOILED = 3
BREAK = {
    True: (
        "create table fault_parent (id integer primary key)",
        "create table fault_child (parent integer references fault_parent (id) deferrable initially deferred)",
        f"create trigger fault after insert on delivery_answer_event when new.number = {SPOILED} "
        "begin insert into fault_child values (1); end",
    ),
    False: (
        "create table fault_parent (id integer primary key)",
        "create table fault_child (parent integer references fault_parent (id) deferrable initially deferred)",
        "create function fault() returns trigger language plpgsql as "
        "$$ begin insert into fault_child values (1); return new; end $$",
        "create trigger fault after insert on delivery_answer_event for each row "
        f"when (new.number = {SPOILED}) execute function fault()",
    ),
}
NOT_OPENED = {
    True: (
        "create trigger shut before update on delivery_sitting when new.state = 'opened' "
        "begin select raise(abort, 'shut'); end",
    ),
    False: (
        "create function shut() returns trigger language plpgsql as $$ begin raise exception 'shut'; end $$",
        "create trigger shut before update on delivery_sitting for each row "
        "when (new.state = 'opened') execute function shut()",
    ),
}
OPENED_AGAIN = {True: "drop trigger shut", False: "drop trigger shut on delivery_sitting"}
MEND = {True: "drop trigger fault", False: "drop trigger fault on delivery_answer_event"}


async def run(db: Database, *statements: str) -> None:
    """Run statements in one transaction."""
    async with db.engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def numbers_on_disk(db: Database) -> list[int]:
    """Return the item numbers in the event log."""
    async with db.engine.connect() as connection:
        found = await connection.execute(text("select number from delivery_answer_event order by number"))
        return [number for (number,) in found]


def saved(kiosk: TestKiosk) -> list[int]:
    """Return the item numbers that were acknowledged, in order of number."""
    return sorted(event.answer.number for event in kiosk.events if isinstance(event, Saved))


def refused_for_now(kiosk: TestKiosk) -> list[int]:
    """Return the item numbers that the centre said it did not store, which wait for the clock to be sent again; an
    answer on its way is not among them."""
    waiting = kiosk.brain.outbox._entries.values()
    return sorted(entry.answer.number for entry in waiting if entry.again_at is not None)


async def test_failed_commit_is_not_acknowledged(
    db: Database, clock: FakeClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer whose transaction fails at its commit is not acknowledged however often it is sent while the
    fault lasts, holds up no other answer of its batch, and is kept once when the fault is gone."""
    scene = await prepare_scene(db, clock, tmp_path)
    async with open_hall(scene) as hall:
        kiosk = await seated_kiosk(scene, hall, ("1", 1))
        await scene.ring()
        await kiosk.until(lambda: kiosk.paper is not None)
        await run(db, *BREAK[db.is_sqlite])
        for number in range(1, ITEMS + 1):
            kiosk.brain.answer(number, ("A",), clock.monotonic())
        others = [number for number in range(1, ITEMS + 1) if number != SPOILED]
        # The kiosk counts from when it hears the refusal: only then may the clock go on.
        await kiosk.until(lambda: saved(kiosk) == others and refused_for_now(kiosk) == [SPOILED])
        for _ in range(3):
            clock.advance(seconds=1.5)
            caplog.clear()
            await kiosk.until(lambda: refused_for_now(kiosk) == [SPOILED])
            assert "an item was not stored" in caplog.text
        assert saved(kiosk) == others == await numbers_on_disk(db)
        assert len(kiosk.brain.outbox) == 1
        await run(db, MEND[db.is_sqlite])
        clock.advance(seconds=1.5)
        await kiosk.until(lambda: len(kiosk.brain.outbox) == 0)
        assert saved(kiosk) == await numbers_on_disk(db) == list(range(1, ITEMS + 1))
    engine = db.sync_engine()
    with engine.connect() as connection:
        assert verify_answers(connection).faults == ()
        assert verify(connection).faults == ()
    engine.dispose()


async def test_a_paper_whose_opening_is_not_recorded_stays_closed(
    db: Database, clock: FakeClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the bell no key goes out while the opening cannot be recorded, and each goes out when the hall next looks."""
    scene = await prepare_scene(db, clock, tmp_path)
    async with open_hall(scene) as hall:
        kiosk = await seated_kiosk(scene, hall, ("1", 1))
        await run(db, *NOT_OPENED[db.is_sqlite])
        await scene.ring()
        await kiosk.until(lambda: "was not stored" in caplog.text)
        await hall._following.look_again()
        assert kiosk.paper is None
        await run(db, OPENED_AGAIN[db.is_sqlite])
        await hall._following.look_again()
        await kiosk.until(lambda: kiosk.paper is not None)
    async with db.engine.connect() as connection:
        assert (
            await connection.execute(text("select count(*) from delivery_sitting where state = 'opened'"))
        ).scalar() == 1


@pytest.fixture
def disk() -> Iterator[set[str]]:
    """The disk's troubles: with `read-only` in it, every transaction that begins may read and not write."""
    troubles: set[str] = set()

    def begin(connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA query_only={'ON' if 'read-only' in troubles else 'OFF'}")
        elif "read-only" in troubles:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")

    event.listen(Engine, "begin", begin)
    yield troubles
    event.remove(Engine, "begin", begin)


async def test_a_disk_that_may_only_be_read(
    db: Database, clock: FakeClock, tmp_path: Path, caplog: pytest.LogCaptureFixture, disk: set[str]
) -> None:
    """While nothing can be written no answer is acknowledged, who signs in or calls is asked to try again, no line is
    lost, and when it can be again every answer is kept once."""
    scene = await prepare_scene(db, clock, tmp_path)
    async with open_hall(scene) as hall:
        kiosk = await seated_kiosk(scene, hall, ("1", 1))
        await scene.check_in(("2", 1))
        other = TestKiosk(scene, hall, ("2", 1))
        other.connect()
        await other.until(lambda: other.last("expecting") is not None)
        await scene.ring()
        await kiosk.until(lambda: kiosk.paper is not None)
        kiosk.brain.answer(1, ("A",), clock.monotonic())
        await kiosk.until(lambda: saved(kiosk) == [1])
        caplog.clear()
        disk.add("read-only")
        for number in range(2, ITEMS + 1):
            kiosk.brain.answer(number, ("A",), clock.monotonic())
        kiosk.brain.call("machine")
        await other.sign_in()
        unsaved = list(range(2, ITEMS + 1))
        await kiosk.until(lambda: refused_for_now(kiosk) == unsaved and kiosk.last("refused") is not None)
        assert "not stored" in caplog.text
        for one, about in ((other, "sign_in"), (kiosk, "call")):
            refused = one.last("refused")
            assert isinstance(refused, exam.Refused) and (refused.about, refused.code) == (about, "retry")
        assert saved(kiosk) == [1] == await numbers_on_disk(db)
        disk.clear()
        await other.sign_in()
        clock.advance(seconds=1.5)
        await kiosk.until(lambda: len(kiosk.brain.outbox) == 0)
        assert kiosk.line is not None and kiosk.line.close_code is None
        assert other.brain.seated is not None
        assert saved(kiosk) == await numbers_on_disk(db) == list(range(1, ITEMS + 1))
    engine = db.sync_engine()
    with engine.connect() as connection:
        assert verify_answers(connection).faults == ()
        assert verify(connection).faults == ()
    engine.dispose()
