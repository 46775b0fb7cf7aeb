"""The system clock of a centre is moved while an exam is on."""

import contextlib
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from server.clock import KEPT_LINE, SystemClock, host_monotonic
from server.db.engine import Database
from server.db.journal import JournalRecord, verify
from server.delivery import service
from server.delivery.clock_watch import ClockWatch
from server.delivery.timing import Policy
from server.delivery.verification import verify_answers
from tests.support.database import database
from tests.support.delivery import ITEMS, prepare_scene
from tests.support.delivery_server import served
from tests.support.sitters import Sitter, acknowledged

START = datetime(2026, 3, 14, 0, 0, tzinfo=UTC)
HOUR = 3600.0


class Host:
    """A host whose system clock a test may move; its monotonic clock goes on."""

    def __init__(self) -> None:
        self.since, self.moved = host_monotonic(), timedelta()

    def true(self) -> datetime:
        """Return the time as it is, whatever the system clock says."""
        return START + timedelta(seconds=host_monotonic() - self.since)

    def system(self) -> datetime:
        return self.true() + self.moved

    def clock(self, kept: Path | None = None) -> SystemClock:
        """Return the clock of a process that starts now."""
        return SystemClock(kept, system=self.system)


def near(one: datetime, other: datetime) -> bool:
    """Say whether two times differ by less than a minute, where a step would make them differ by an hour."""
    return abs(one - other) < timedelta(minutes=1)


async def told(db: Database, kind: str) -> list[int]:
    """Return the seconds of the journal's entries of a kind, in order."""
    async with db.reading() as session:
        rows = await session.scalars(
            select(JournalRecord.body).where(JournalRecord.kind == kind).order_by(JournalRecord.seq)
        )
        return [round(msgspec.json.decode(body)["seconds"], -2) for body in rows]


@pytest.mark.parametrize("hours", [2, -30])
def test_a_step_moves_nothing_until_it_is_followed(hours: int) -> None:
    """Whichever way the system clock steps, the legal time goes on, the step is named, and `follow` takes it."""
    host = Host()
    clock = host.clock()
    host.moved = timedelta(hours=hours)
    assert near(clock.legal(), host.true())
    assert round(clock.step(), -2) == hours * HOUR
    clock.follow()
    assert near(clock.legal(), host.system())
    assert abs(clock.step()) < 60


def test_a_kept_line_holds_for_later_processes_of_this_boot(tmp_path: Path) -> None:
    """A process started after a step goes on by the kept line; one of another boot, or with a line that cannot be
    read, goes by the system clock."""
    host, kept = Host(), tmp_path / KEPT_LINE
    host.clock().keep(kept)
    host.moved = timedelta(hours=2)
    assert near(host.clock(kept).legal(), host.true())
    line = msgspec.json.decode(kept.read_bytes())
    for text in (msgspec.json.encode(line | {"boot": "another"}), b"{}", b"\xff"):
        kept.write_bytes(text)
        assert near(host.clock(kept).legal(), host.system())


async def test_a_step_in_an_exam_is_an_alarm_and_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When the system clock steps past the end of the exam, and back before its day, nobody is collected, answers
    are acknowledged on, each step is journalled once, and after the exam the system clock is followed."""
    host = Host()
    clock = host.clock()
    caplog.set_level(logging.CRITICAL, "gongyuan.clock")
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path, Policy(90, 30, 15))
        watch = ClockWatch(db, scene.journal, clock, tmp_path)
        host.moved = timedelta(hours=-1)
        await watch.look()
        assert abs(clock.step()) < 60
        assert not (tmp_path / KEPT_LINE).exists()
        await scene.check_in(*scene.sittings)
        await watch.look()
        await scene.ring()
        async with served(scene, clock, tmp_path) as url, contextlib.AsyncExitStack() as stack:
            sitters = [
                Sitter(url, None, scene.seats[place], scene.numbers(place), ITEMS) for place in scene.sittings
            ]
            for sitter in sitters:
                sitter.start()
                stack.push_async_callback(sitter.stop)
            await acknowledged(sitters, 20)
            for hours in (3, 3, -40):
                host.moved = timedelta(hours=hours - 1)
                await watch.look()
                await acknowledged(sitters, 40)
                assert abs(watch.off - hours * HOUR) < 60
                assert near(host.clock(tmp_path / KEPT_LINE).legal(), clock.legal())
            assert await told(db, "delivery:clock:stepped") == [3 * HOUR, -40 * HOUR]
            for sitter in sitters:
                await sitter.drained()
                assert (sitter.dropped, sitter.refused, sitter.doubled) == ([], [], 0)
                assert sitter.agent.brain.stage == "seated"
            async with scene.acting() as act:
                for sitting in scene.sittings.values():
                    await service.collect(act, scene.identity.signing.sign, sitting)
            await watch.look()
            assert await told(db, "delivery:clock:followed") == [-HOUR, -40 * HOUR]
            assert not (tmp_path / KEPT_LINE).exists()
            assert near(clock.legal(), host.true() - timedelta(hours=41))
        engine = db.sync_engine()
        with engine.connect() as connection:
            assert verify_answers(connection).faults == ()
            assert verify(connection).faults == ()
        engine.dispose()
