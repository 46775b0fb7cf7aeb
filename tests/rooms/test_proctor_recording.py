"""The recordings of a centre from camera to index: pieces, chain, a killed recorder, a camera that is gone."""

import asyncio
import math
import os
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import SystemClock
from server.db.journal import Journal, JournalRecord
from server.keys.identity import Identity
from server.proctor import recording_store as store
from server.proctor.alerts import AlertState
from server.proctor.course import FIRST_CHAIN, Course, chained
from server.proctor.evidence import AnomalyKind
from server.proctor.feed import Feed
from server.proctor.recording import Recording
from server.proctor.simulation import HallDrawing, HallScript
from server.proctor.simulation_server import HallServer
from server.proctor.watch import Watch
from server.protocol.recording import CaptionText, RecorderTrouble, SegmentOpened
from server.settings import CameraSettings, RecordingSettings, Settings
from tests.support.database import database

CHILD = (
    "import sys; from server.clock import SystemClock; from server.proctor.recorder import run;"
    "run(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer, SystemClock())"
)


async def nothing_expected(session: AsyncSession, room: str, moment: datetime) -> None:
    return None


async def test_a_course_is_indexed_chained_and_its_gap_is_a_finding(tmp_path: Path) -> None:
    """Closed pieces stand in the index under one chain that anybody can count again from the journal; a killed
    recorder's piece is closed as cut; a camera that is gone becomes a gap and an alert that one person may confirm."""
    clock = SystemClock()
    started = clock.legal()
    drawn = HallDrawing(["1"], 4, 2, HallScript())
    server = HallServer(drawn, clock.legal, every_legal_s=0.1)
    server.start()
    camera = CameraSettings(id="c1", room="1", source=server.stream("1"), kind="mjpeg")
    settings = Settings(
        role="centre",
        data=str(tmp_path),
        name="朝阳考点",
        cameras=(camera,),
        recording=RecordingSettings(segment_s=0.6, reserve_mb=0),
    )
    identity = Identity.open_or_create(tmp_path)
    feed = Feed()

    async def courses(session: AsyncSession, moment: datetime) -> tuple[Course, ...]:
        return (Course("slot", "1", started, 90, name="第1考场", seats=4, method="computer"),)

    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        watch = Watch(db, Journal("test"), clock, feed, nothing_expected)
        recording = Recording(
            settings,
            clock,
            db,
            Journal("test"),
            courses,
            (sys.executable, "-c", CHILD),
            identity.storage_wrap,
            identity.storage_unwrap,
            lambda code, facts: code,
            watch,
        )
        recording.gap_after_s = math.inf

        async def until(count: int) -> tuple[store.Segment, ...]:
            while True:
                async with db.reading() as session:
                    found = await store.chain(session, "c1")
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.05)

        await recording.start()
        try:
            await until(2)
            process = recording._groups[0][1].pid
            assert process is not None
            os.kill(process, signal.SIGKILL)
            while not recording.recording:
                await asyncio.sleep(0.05)
            before = await until(3)
            cut = [one for one in before if not one.complete]
            await until(len(before) + 2)
            server.stop()
            # A gap bears the reason that the recorder gave by then, and between two pieces there is none.
            while recording.recording or not recording._state["c1"].trouble[1]:
                await asyncio.sleep(0.05)
            recording.gap_after_s = 0.0
            while not [alert for alert in feed.alerts() if alert.ended_at is None]:
                await asyncio.sleep(0.05)
        finally:
            await recording.stop()
            server.stop()
        async with db.reading() as session:
            segments = await store.chain(session, "c1")
            assert await store.growing(session) == ()
            gaps = await store.gaps(session, "slot")
            plan = await recording.plan(session)
            told = [
                record
                for record in await session.scalars(select(JournalRecord).order_by(JournalRecord.seq))
                if record.kind == "proctor:recording:closed"
            ]
    assert len(cut) <= 1
    assert len(told) == len(segments)
    value = FIRST_CHAIN
    for one in segments:
        assert one.ended_at is not None
        value = chained(value, one.id, one.started_at, one.ended_at, one.sha256 or "")
        assert one.chain == value
        assert (one.slot, one.caption.room, one.caption.point) == ("slot", "第1考场", "朝阳考点")
        assert recording.read(one) or not one.complete
    alert = next(alert for alert in feed.alerts() if alert.kind is AnomalyKind.RECORDING_GAP)
    assert (alert.about, alert.on_candidate, alert.state) == ("camera:c1", False, AlertState.OPEN)
    assert gaps
    assert gaps[-1].reason
    assert plan.needed > 0
    assert all(gap.started_at >= started - timedelta(seconds=1) for gap in gaps)


async def test_a_piece_that_the_disk_did_not_take_is_closed_as_cut(tmp_path: Path) -> None:
    """After a recorder's word of a disk that takes nothing, its camera counts as not recording and its piece as cut,
    so that the gap is found without waiting for the recorder's end."""
    clock, identity = SystemClock(), Identity.open_or_create(tmp_path)
    camera = CameraSettings(id="c1", room="1", source="http://camera", kind="mjpeg")
    settings = Settings(role="centre", data=str(tmp_path), name="朝阳考点", cameras=(camera,))

    async def courses(session: AsyncSession, moment: datetime) -> tuple[Course, ...]:
        return ()

    caption = CaptionText(point="", method="", room="", layout="")
    opened = SegmentOpened(
        segment="s1", camera="c1", path="s1.gyseg", started_at=clock.legal(), caption=caption
    )
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        recording = Recording(
            settings,
            clock,
            db,
            Journal("test"),
            courses,
            (),
            identity.storage_wrap,
            identity.storage_unwrap,
            lambda code, facts: code,
        )
        await recording.take(opened)
        assert recording.recording == {"c1"}
        await recording.take(RecorderTrouble(camera="c1", code="recording-disk", reason="full"))
        async with db.reading() as session:
            (cut,) = await store.chain(session, "c1")
            assert await store.growing(session) == ()
    assert (recording.recording, cut.complete) == (frozenset(), False)
