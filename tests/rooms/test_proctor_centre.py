"""A centre's cameras from settings to alert: drawn hall, MJPEG, worker process, true detector, database,
feed.
"""

import asyncio
import sys
import threading
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import SystemClock
from server.db.journal import Journal
from server.proctor import store
from server.proctor.anomalies import RoomExpectation, SeatExpectation, SeatStatus
from server.proctor.calibration import CameraSetup, empty_reference, save_setup
from server.proctor.detectors.yunet import MODEL
from server.proctor.evidence import AnomalyKind
from server.proctor.evidence_store import EvidenceStore
from server.proctor.feed import Feed
from server.proctor.proctoring import Proctoring, without_password
from server.proctor.simulation import ExtraPerson, HallDrawing, HallScript, Interval, SeatScript
from server.proctor.simulation_server import HallServer
from server.settings import CameraSettings, Settings
from tests.support.database import database

START = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
CHILD = (
    "import sys; from server.clock import SystemClock; from server.proctor.worker import run;"
    "run(sys.argv[1], sys.stdout.buffer, SystemClock())"
)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


class FedClock:
    """Legal time that goes on by one picture only when the last one has come out at the other end."""

    def __init__(self) -> None:
        self.now = START
        self.lock = threading.Lock()

    def legal(self) -> datetime:
        with self.lock:
            return self.now


@pytest.mark.skipif(not MODEL.is_file(), reason="the face model is not here: run make assets")
async def test_absence_and_stranger_reach_the_feed(tmp_path: Path) -> None:
    """At one picture in 30 legal seconds an absence of ten minutes and a stranger of five become alerts with
    pictures.
    """
    away = Interval(at(3), at(13))
    seats = tuple(SeatScript("1", str(n), at(0.5), at(90), (away,) if n == 2 else ()) for n in range(1, 13))
    extra = ExtraPerson("1", Interval(at(4), at(9)), row=3)
    drawn = HallDrawing(["1"], 12, 2, HallScript(seats=seats, extras=(extra,)))
    clock = FedClock()
    server = HallServer(drawn, clock.legal, every_legal_s=30)
    server.start()
    reference = empty_reference(drawn.references("1", START))
    save_setup(tmp_path / "cameras", CameraSetup(drawn.layout("1"), (reference,)))
    camera = CameraSettings(
        id=drawn.camera_id("1"),
        room="1",
        source=server.stream("1"),
        kind="mjpeg",
        layout=f"cameras/{drawn.camera_id('1')}.toml",
    )
    settings = Settings(role="centre", data=str(tmp_path), cameras=(camera,))

    async def expected(
        session: AsyncSession, rooms: Collection[str], moment: datetime
    ) -> Mapping[str, RoomExpectation]:
        seats = tuple(SeatExpectation(str(n), SeatStatus.WRITING) for n in range(1, 13))
        return {room: RoomExpectation(room, seats) for room in rooms}

    feed, evidence = Feed(), EvidenceStore(tmp_path / "evidence", lambda b, _: b, lambda b, _: b)
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        command = (sys.executable, "-c", CHILD)
        cameras = Proctoring(settings, SystemClock(), db, Journal("test"), feed, expected, command, evidence)
        await cameras.start()
        try:
            for picture in range(30):
                async with asyncio.timeout(60):
                    while cameras.watch.samples <= picture:
                        await asyncio.sleep(0.01)
                with clock.lock:
                    clock.now += timedelta(seconds=30)
        finally:
            await cameras.stop()
            server.stop()
        async with db.reading() as session:
            alerts = {alert.kind: alert for alert in await store.alerts(session)}
            assert [kept.id for kept in await store.cameras(session)] == [camera.id]
    assert set(alerts) == {AnomalyKind.EMPTY_SEAT, AnomalyKind.EXTRA_PERSON}
    empty, stranger = alerts[AnomalyKind.EMPTY_SEAT], alerts[AnomalyKind.EXTRA_PERSON]
    assert (empty.about, empty.opened_at, empty.ended_at) == ("2", at(3.5), at(13.5))
    assert at(5) <= stranger.opened_at <= at(6)
    assert all(seen.picture for seen in feed.snapshot().alerts)
    assert cameras.watch.detectors == {"yunet"}
    assert cameras.watch.picture(camera.id) is not None


def test_password_is_not_kept() -> None:
    """A camera's address is stored without user and password, and an address without them as it is."""
    assert without_password("rtsp://user:pw@10.0.0.5:554/a?b=1") == "rtsp://10.0.0.5:554/a?b=1"
    assert without_password("http://10.0.0.5/a") == "http://10.0.0.5/a"
