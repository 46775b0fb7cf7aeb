"""From a worker's messages to rows, journal and feed, and what people do with alerts."""

import threading
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.engine import Database
from server.db.journal import Journal, verify
from server.errors import BadInput, NotFound, Refused, Tampered
from server.proctor import service, store
from server.proctor.alerts import AlertAct, AlertState
from server.proctor.anomalies import RoomExpectation, SeatExpectation, SeatStatus
from server.proctor.evidence import AnomalyKind
from server.proctor.evidence_store import EvidenceStore
from server.proctor.feed import Feed
from server.proctor.seats import CameraLayout, SeatRegion
from server.proctor.watch import Watch
from server.protocol.proctoring import CameraPicture, CameraSample, SeatLine
from tests.support.clock import FakeClock
from tests.support.database import act_on

POSTGRES = ("test_absence_is_stored_journalled_and_shown", "test_two_people_confirm")

AT = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def xor(data: bytes, aad: bytes) -> bytes:
    return bytes(b ^ aad[i % len(aad)] for i, b in enumerate(data))


def at(second: float) -> datetime:
    return AT + timedelta(seconds=second)


def sample(second: float, state: str, since: float, faults: tuple[str, ...] = ()) -> CameraSample:
    line = SeatLine(
        seat="5",
        state=state,
        since=at(since),
        structure=0.0,
        visible=1.0,
        motion=0.0,
        faces=0,
        face_score=0.0,
    )
    return CameraSample(
        camera="camera-1",
        room="1",
        captured_at=at(second),
        width=1280,
        height=720,
        faults=faults,
        measures={"std": 30.25},
        seats=(line,),
        faces=(),
        stray_faces=(),
        detector="scripted",
    )


async def writing(
    session: AsyncSession, rooms: Collection[str], now: datetime
) -> Mapping[str, RoomExpectation]:
    return {room: RoomExpectation(room, (SeatExpectation("5", SeatStatus.WRITING, 2.0),)) for room in rooms}


def watch_on(db: Database, clock: FakeClock, folder: Path, journal: Journal) -> tuple[Watch, Feed]:
    feed = Feed()
    return Watch(db, journal, clock, feed, writing, EvidenceStore(folder, xor, xor)), feed


async def leave(watch: Watch) -> None:
    await watch.take(sample(0, "occupied", 0))
    await watch.take(CameraPicture(camera="camera-1", captured_at=at(30), jpeg=b"\xff\xd8picture"))
    await watch.take(sample(30, "empty", 15))


async def test_absence_is_stored_journalled_and_shown(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    """An absence makes one anomaly with its picture, one alert in the feed, journal records, and ends with
    the return.
    """
    journal = Journal("test")
    watch, feed = watch_on(db, clock, tmp_path, journal)
    await leave(watch)
    await watch.take(sample(60, "empty", 15))
    for second in (90, 120):
        await watch.take(sample(second, "occupied", 90))
    async with db.reading() as session:
        (alert,) = await store.alerts(session)
        (kept,) = await store.anomalies(session, alert.key)
        checked = await session.run_sync(verify)
    assert (alert.kind, alert.about, alert.ended_at, alert.state) == (
        AnomalyKind.EMPTY_SEAT,
        "5",
        at(90),
        AlertState.OPEN,
    )
    assert (kept.anomaly.started_at, kept.anomaly.found_at, kept.ended_at) == (at(15), at(30), at(90))
    assert kept.picture_sha256 is not None
    assert EvidenceStore(tmp_path, xor, xor).get(kept.picture_sha256) == b"\xff\xd8picture"
    assert feed.alerts() == (alert,)
    assert feed.snapshot().alerts[0].picture is True
    seen = feed.seat("1", "5")
    assert seen is not None
    assert seen.state == "occupied"
    assert (checked.faults, checked.records >= 3) == ((), True)


async def test_restart_goes_on_with_the_same_alert(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    """After a restart in the middle of an absence the absence is found again and joins the alert from before."""
    first, _ = watch_on(db, clock, tmp_path, Journal("one"))
    await leave(first)
    clock.set(at(40))
    second, feed = watch_on(db, clock, tmp_path, Journal("two"))
    await second.recover()
    assert len(feed.alerts()) == 1
    await second.take(sample(60, "occupied", 60))
    await second.take(sample(95, "empty", 70))
    async with db.reading() as session:
        (alert,) = await store.alerts(session)
        kept = await store.anomalies(session, alert.key)
    assert [k.ended_at for k in kept] == [at(40), None]
    assert alert.ended_at is None


async def test_decision_survives_the_next_sample(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    """What a person decides between two samples is not written over by the end of the finding."""
    watch, feed = watch_on(db, clock, tmp_path, Journal("test"))
    await leave(watch)
    (alert,) = feed.alerts()
    async with act_on(db, now=at(40), actor="staff:a") as act:
        await service.decide_alert(act, alert.key, AlertAct.DISMISS, "toilet, escorted")
    for second in (60, 90):
        await watch.take(sample(second, "occupied", 60))
    async with db.reading() as session:
        (after,) = await store.alerts(session)
        notes = await store.notes(session, alert.key)
    assert (after.state, after.ended_at) == (AlertState.DISMISSED, at(60))
    assert [(n.person, n.act, n.text) for n in notes] == [("staff:a", AlertAct.DISMISS, "toilet, escorted")]


async def test_two_people_confirm(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    """A finding on a candidate is confirmed by two accounts; the first alone is refused the second time."""
    watch, feed = watch_on(db, clock, tmp_path, Journal("test"))
    await leave(watch)
    key = feed.alerts()[0].key
    async with act_on(db, actor="staff:a") as act:
        assert (await service.decide_alert(act, key, AlertAct.CONFIRM)).state is AlertState.SECONDED
    with pytest.raises(Refused) as refused:
        async with act_on(db, actor="staff:a") as act:
            await service.decide_alert(act, key, AlertAct.CONFIRM)
    assert refused.value.code == "alert-second-person"
    async with act_on(db, actor="staff:b") as act:
        done = await service.decide_alert(act, key, AlertAct.CONFIRM)
    feed.put_alert(done, picture=True)
    assert feed.snapshot().alerts[0].state == "confirmed"


@pytest.mark.parametrize(
    "what, text, code",
    [(AlertAct.NOTE, "  ", "alert-note-empty"), (AlertAct.NOTE, "x" * 2001, "alert-note-long")],
)
async def test_bad_notes_are_refused(db: Database, what: AlertAct, text: str, code: str) -> None:
    """A note without words or with over 2,000 characters is refused before anything is looked up."""
    with pytest.raises(BadInput) as wrong:
        async with act_on(db) as act:
            await service.decide_alert(act, "none", what, text)
    assert wrong.value.code == code


async def test_unknown_alert_is_not_found(db: Database) -> None:
    """A decision on a key that no alert has is NotFound."""
    with pytest.raises(NotFound):
        async with act_on(db) as act:
            await service.decide_alert(act, "none", AlertAct.DISMISS)


async def test_camera_fault_is_stored_once(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    """A lost camera makes one alert however often the loss is repeated, and its picture is not shown as new."""
    watch, feed = watch_on(db, clock, tmp_path, Journal("test"))
    await watch.take(CameraPicture(camera="camera-1", captured_at=at(0), jpeg=b"\xff\xd8old"))
    await watch.take(sample(0, "occupied", 0))
    assert watch.picture("camera-1") == b"\xff\xd8old"
    for second in (10, 16, 22, 28):
        await watch.take(sample(second, "unknown", 10, ("lost",)))
    assert watch.picture("camera-1") is None
    (alert,) = feed.alerts()
    assert (alert.kind, alert.about, len(alert.anomalies)) == (AnomalyKind.CAMERA_FAULT, "camera:camera-1", 1)
    health = feed.camera("camera-1")
    assert health is not None
    assert health.online is False


async def test_camera_is_registered_anew(db: Database) -> None:
    """A camera registered a second time replaces its seats."""
    region = SeatRegion("1", ((0, 0), (10, 0), (10, 10)), (5, 5), 4)
    layout = CameraLayout("camera-1", "1", 640, 360, (region,))
    camera = store.Camera("camera-1", "1", "mjpeg", "http://127.0.0.1/", 640, 360)
    for _ in range(2):
        async with act_on(db) as act:
            await service.register_camera(act, camera, layout)
    async with db.reading() as session:
        assert await store.cameras(session) == (camera,)


def test_changed_evidence_is_noticed(tmp_path: Path) -> None:
    """A kept picture whose file was changed is Tampered, and a name that is no hash is NotFound."""
    kept = EvidenceStore(tmp_path, xor, xor)
    name = kept.put(b"picture")
    (tmp_path / f"{name}.sealed").write_bytes(b"other")
    with pytest.raises(Tampered):
        kept.get(name)
    with pytest.raises(NotFound):
        kept.get("../secret")


async def test_rooms_are_not_asked_at_every_picture(db: Database, clock: FakeClock) -> None:
    """What the exam expects is asked once in two seconds of a room's pictures, and again after them."""
    asked: list[datetime] = []

    async def expecting(
        session: AsyncSession, rooms: Collection[str], now: datetime
    ) -> Mapping[str, RoomExpectation]:
        asked.append(now)
        return await writing(session, rooms, now)

    watch = Watch(db, Journal("test"), clock, Feed(), expecting)
    for second in (0, 1, 1.9, 2, 3.5, 30):
        await watch.take(sample(second, "occupied", 0))
    assert asked == [at(0), at(2), at(30)]


async def test_newest_picture_of_the_evidence_is_kept(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    """A finding keeps the newest picture taken while its evidence lasted, and none from before it."""
    kept = []
    for number, taken in enumerate((20, 10)):
        watch, feed = watch_on(db, clock, tmp_path, Journal(f"{number}"))
        await watch.take(sample(100 * number, "occupied", 100 * number))
        moment = at(100 * number + taken)
        await watch.take(CameraPicture(camera="camera-1", captured_at=moment, jpeg=b"\xff\xd8"))
        await watch.take(sample(100 * number + 30, "empty", 100 * number + 15))
        kept.append(feed.snapshot().alerts[0].picture)
    assert kept == [True, False]


async def test_no_picture_is_written_in_the_event_loop(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    """The cipher of a finding's picture runs in another thread than the one that serves."""
    threads = []

    def wrap(data: bytes, aad: bytes) -> bytes:
        threads.append(threading.current_thread())
        return data

    store_of = EvidenceStore(tmp_path, wrap, wrap)
    await leave(Watch(db, Journal("test"), clock, Feed(), writing, store_of))
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()
