"""Camera set-ups in versions: kept, refused when stale, taken up by a running worker; what changed in a room."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from sqlalchemy import select

from server.cli.main import main
from server.clock import SystemClock
from server.db.act import Act
from server.db.journal import Journal, JournalRecord
from server.errors import BadInput, GongyuanError, Refused
from server.proctor import service, setups, store
from server.proctor.calibration import ChangedPlaces, empty_reference, load_setup
from server.proctor.capture import SourceConfig
from server.proctor.detectors.yunet import MODEL
from server.proctor.models import SeatStateRow
from server.proctor.simulation import HallDrawing, HallScript, LightChange, SeatScript, place
from server.proctor.simulation_server import HallServer
from server.proctor.supervisor import WorkerSupervisor
from server.proctor.timeline import Timeline, seat_changes
from server.proctor.wall import Wall, smaller
from server.proctor.worker import WorkerCamera, WorkerConfig
from server.protocol.proctoring import CameraPicture, CameraSample, FromWorker, SeatLine
from tests.support.database import database

START = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
CHILD = (
    "import sys; from server.clock import SystemClock; from server.proctor.worker import run;"
    "run(sys.argv[1], sys.stdout.buffer, SystemClock())"
)


def hall(*lights: LightChange) -> HallDrawing:
    """Return a room of twelve where everybody sits from START on."""
    seats = tuple(SeatScript("1", str(n), START, START + timedelta(hours=3)) for n in range(1, 13))
    return HallDrawing(["1"], 12, 2, HallScript(seats=seats, lights=lights))


async def test_versions_are_kept_and_a_stale_one_is_refused(tmp_path: Path) -> None:
    """A set-up saved on version 1 by two people is kept once, journalled, and read back by workers as it was drawn."""
    drawn, journal = hall(), Journal("test")
    layout = drawn.layout("1")
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        async with db.writing() as session:
            act = Act(session, journal, START, "staff:tech")
            camera = store.Camera(layout.camera_id, "1", "mjpeg", "http://camera", 1280, 720)
            await service.register_camera(act, camera, None)
            reference = setups.keep_reference(
                tmp_path, layout.camera_id, empty_reference(drawn.references("1", START)), START, "lights on"
            )
            first = await setups.save(act, tmp_path, 0, layout, (reference,))
            second = await setups.save(act, tmp_path, 1, layout, (reference,))
        assert (first.version, second.version) == (1, 2)
        async with db.writing() as session:
            act = Act(session, journal, START, "staff:other")
            with pytest.raises(Refused) as stale:
                await setups.save(act, tmp_path, 1, layout, ())
            assert stale.value.code == "setup-newer"
        async with db.reading() as session:
            newest = await setups.newest(session, layout.camera_id)
            (shown,) = await setups.on_wall(session)
            kinds = list(await session.scalars(select(JournalRecord.kind).order_by(JournalRecord.id)))
    assert newest == second
    assert (shown.version, len(shown.seats)) == (2, 12)
    assert kinds.count("proctor:setup:saved") == 2
    read = load_setup(setups.publish(tmp_path, second))
    assert [seat.seat for seat in read.layout.seats] == [seat.seat for seat in layout.seats]
    assert np.array_equal(read.references[0], empty_reference(drawn.references("1", START)))
    (setups.setups_folder(tmp_path) / reference.name).write_bytes(b"x")
    with pytest.raises(BadInput) as changed:
        setups.read_references(tmp_path, second)
    assert changed.value.code == "reference-unreadable"
    with pytest.raises(GongyuanError):
        setups.setup_file(tmp_path, "../camera")


async def test_a_running_worker_takes_up_saved_seats(tmp_path: Path) -> None:
    """A worker that began without seats tells every seat's state after a set-up was saved, without a restart."""
    drawn, ticks = hall(), [START]

    def legal() -> datetime:
        ticks[0] += timedelta(seconds=0.2)
        return ticks[0]

    server = HallServer(drawn, legal, every_legal_s=1)
    server.start()
    newer = setups.setup_file(tmp_path, drawn.camera_id("1"))
    camera = WorkerCamera(
        id=drawn.camera_id("1"),
        room="1",
        source=SourceConfig(kind="mjpeg", at=server.stream("1")),
        newer=str(newer),
    )
    path = tmp_path / "worker.json"
    path.write_bytes(msgspec.json.encode(WorkerConfig(cameras=(camera,), detector="scripted")))
    seen: asyncio.Queue[CameraSample] = asyncio.Queue()

    async def take(message: FromWorker) -> None:
        if isinstance(message, CameraSample):
            seen.put_nowait(message)

    worker = WorkerSupervisor((sys.executable, "-c", CHILD, str(path)), take, SystemClock())
    task = asyncio.create_task(worker.run())
    try:
        first = await seen.get()
        assert first.seats == ()
        began = worker.pid
        saved = setups.SavedSetup(camera.id, 1, START, "staff:tech", drawn.layout("1"), ())
        setups.publish(tmp_path, saved)
        while not (sample := await seen.get()).seats:
            pass
        assert [line.seat for line in sample.seats] == [str(n) for n in range(1, 13)]
        assert worker.pid == began
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.stop()


def test_who_sits_down_changes_the_picture_and_light_does_not() -> None:
    """Against the empty room twelve who sit change their own places, and a room a third darker changes next to none."""
    drawn = hall(LightChange("1", START - timedelta(minutes=5), 0.67))
    light = hall()
    reference = empty_reference(light.references("1", START - timedelta(minutes=10)))
    places = ChangedPlaces(reference)
    dim = cv2.cvtColor(drawn.picture("1", START - timedelta(minutes=1)), cv2.COLOR_BGR2GRAY)
    places.add(dim, START - timedelta(minutes=1))
    assert len(places.changes()) < 20
    for n in range(1, 4):
        grey = cv2.cvtColor(light.picture("1", START + timedelta(seconds=n)), cv2.COLOR_BGR2GRAY)
        places.add(grey, START + timedelta(seconds=n))
    changes = places.changes()
    for number in range(1, 13):
        x, y, head = place(number)
        near = [c for c in changes if abs(c.x - x) < head and -head < c.y - y < 1.6 * head]
        assert len(near) >= 3, number
        assert min(c.since for c in near) == START + timedelta(seconds=1)


async def test_small_pictures_are_made_once_for_all_walls() -> None:
    """Two walls that ask for the same picture get the same bytes, at most so wide; a broken picture gives none."""
    done, jpeg = cv2.imencode(".jpg", hall().picture("1", START))
    assert done
    newest = {"a": CameraPicture(camera="a", captured_at=START, jpeg=np.asarray(jpeg).tobytes())}
    newest["b"] = CameraPicture(camera="b", captured_at=START, jpeg=b"\xff\xd8 no picture")
    wall = Wall(newest.get)
    one, other = await asyncio.gather(wall.picture("a", 480), wall.picture("a", 480))
    assert one is not None
    assert other is not None
    assert one[1] is other[1]
    shape = cv2.imdecode(np.frombuffer(one[1], np.uint8), cv2.IMREAD_COLOR).shape
    assert shape == (270, 480, 3)
    assert await wall.picture("b", 480) is None
    assert await wall.picture("c", 480) is None
    small = smaller(newest["a"].jpeg, 320)
    assert smaller(small, 960) == small
    wall.stop()


async def test_seat_changes_are_kept_in_order(tmp_path: Path) -> None:
    """Only changes of a seat's state are written, and a room's changes of a time come back oldest first."""
    now = [0.0]

    def sample(minute: int, *states: str) -> CameraSample:
        at = START + timedelta(minutes=minute)
        lines = tuple(
            SeatLine(
                seat=str(n),
                state=state,
                since=at if minute else START,
                structure=None,
                visible=None,
                motion=None,
                faces=None,
                face_score=None,
            )
            for n, state in enumerate(states, start=1)
        )
        return CameraSample(
            camera="c",
            room="1",
            captured_at=at,
            width=1280,
            height=720,
            faults=(),
            measures={},
            seats=lines,
            faces=(),
            stray_faces=(),
            detector="scripted",
        )

    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        timeline = Timeline(db, lambda: now[0])
        timeline.take(sample(0, "occupied", "occupied"))
        timeline.take(sample(0, "occupied", "occupied"))
        assert await timeline.flush() == 0
        now[0] = 9.0
        assert await timeline.flush() == 2
        timeline.take(sample(3, "empty"))
        assert await timeline.flush(everything=True) == 1
        async with db.reading() as session:
            rows = list(await session.scalars(select(SeatStateRow)))
            found = await seat_changes(session, ["1"], START, START + timedelta(hours=1))
    assert len(rows) == 3
    assert [(one.seat, one.state) for one in found] == [("1", "occupied"), ("2", "occupied"), ("1", "empty")]


@pytest.mark.skipif(not MODEL.is_file(), reason="the face model is not here: run make assets")
def test_seats_are_proposed_from_stored_pictures_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From pictures of a room, of it empty, and its check-ins the command writes every seat in its place."""
    drawn = hall()
    for folder in ("full", "empty"):
        (tmp_path / folder).mkdir()
    for n in range(20):
        at = START + timedelta(seconds=10 + 3 * n)
        name = f"{at:%Y%m%dT%H%M%S}.jpg"
        cv2.imwrite(str(tmp_path / "full" / name), drawn.picture("1", at))
    for n, picture in enumerate(drawn.references("1", START - timedelta(minutes=5))[:4]):
        cv2.imwrite(str(tmp_path / "empty" / f"{n}.png"), picture)
    rows = "".join(f"{n},{(START + timedelta(seconds=10)).isoformat()}\n" for n in range(1, 13))
    (tmp_path / "check-ins.csv").write_text(rows, encoding="utf-8")
    words = ["proctor", "calibrate", str(tmp_path / "full"), "--camera", "c", "--room", "1", "--seats", "12"]
    words += ["--columns", "6", "--numbering", "rows", "--empty", str(tmp_path / "empty"), "--width", "960"]
    words += ["--check-ins", str(tmp_path / "check-ins.csv"), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert "12 seats, order 100% sure" in capsys.readouterr().out
    setup = load_setup(tmp_path / "out" / "c.toml")
    assert len(setup.references) == 1
    for region in setup.layout.seats:
        x, y, head = place(int(region.seat))
        assert np.hypot(region.head[0] - x, region.head[1] - y) < head, region.seat
    words[words.index("12")] = "3"
    assert main(words) != 0
