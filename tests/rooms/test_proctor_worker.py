"""Capture over HTTP, the worker process, and its supervisor."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import SystemClock
from server.errors import BadInput
from server.proctor import supervisor
from server.proctor.calibration import CameraSetup, save_setup
from server.proctor.capture import (
    Captured,
    MjpegSource,
    MultipartReader,
    SnapshotSource,
    Source,
    SourceConfig,
    captured_at,
    stored_pictures,
)
from server.proctor.detectors.yunet import MODEL
from server.proctor.evidence import CameraFault
from server.proctor.proctoring import groups
from server.proctor.simulation import CameraFailure, HallDrawing, HallScript, Interval, SeatScript
from server.proctor.simulation_server import HallServer
from server.proctor.supervisor import WorkerSupervisor
from server.proctor.view import PixelsView, PlanesView
from server.proctor.worker import WorkerCamera, WorkerConfig
from server.protocol.proctoring import CameraPicture, CameraSample, FromWorker, WorkerReady

START = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
CHILD = (
    "import sys; from server.clock import SystemClock; from server.proctor.worker import run;"
    "run(sys.argv[1], sys.stdout.buffer, SystemClock())"
)
needs_model = pytest.mark.skipif(not MODEL.is_file(), reason="the face model is not here: run make assets")


class StepClock:
    """Legal time that goes on half a minute each time it is asked, by the picture server's own rhythm."""

    def __init__(self) -> None:
        self.now = START
        self.lock = threading.Lock()

    def legal(self) -> datetime:
        with self.lock:
            self.now += timedelta(seconds=0.5)
            return self.now


@pytest.fixture
def served() -> Iterator[HallServer]:
    seats = tuple(
        SeatScript("1", str(n), START - timedelta(hours=1), START + timedelta(days=1)) for n in range(1, 7)
    )
    drawn = HallDrawing(["1"], 6, 1, HallScript(seats=seats))
    server = HallServer(drawn, StepClock().legal, every_legal_s=5)
    server.start()
    yield server
    server.stop()


def newest(source: Source, count: int) -> list[tuple[datetime, tuple[int, ...]]]:
    """Starts the source and takes `count` pictures, waiting for each at most a minute."""
    news, out = threading.Event(), []
    source.start(news.set)
    while len(out) < count:
        assert news.wait(60), source.trouble()
        news.clear()
        captured = source.take()
        if captured is not None:
            picture = captured.picture()
            assert picture is not None
            out.append((captured.captured_at, picture.shape))
    source.stop()
    return out


@pytest.mark.parametrize("kind", ["mjpeg", "snapshot"])
def test_capture_time_is_the_frame_time(served: HallServer, kind: str) -> None:
    """Pictures over HTTP carry the time of the header, on the grid of the camera, not the time of arrival."""

    def never() -> datetime:
        raise AssertionError("the clock was asked")

    source: Source = MjpegSource(served.stream("1"), never)
    if kind == "snapshot":
        source = SnapshotSource(served.snapshot("1"), 0.05, never)
    taken = newest(source, 3)
    assert all(moment.timestamp() % 5 == 0 for moment, _ in taken)
    assert all(shape == (720, 1280, 3) for _, shape in taken)


def test_without_a_good_header_the_clock_counts() -> None:
    """A missing, broken or zoneless capture time is replaced by the legal time; one with a zone becomes UTC."""
    assert [captured_at(h, lambda: START) for h in (None, "soon", "2026-03-14T01:00:00")] == [START] * 3
    assert captured_at("2026-03-14T09:30:00+08:00", lambda: START) == START + timedelta(minutes=30)


def test_camera_that_is_not_there_is_trouble() -> None:
    """A source whose address answers nothing tells its trouble and gives no picture."""
    news = threading.Event()
    source = MjpegSource("http://127.0.0.1:9/none", lambda: START)
    source.start(news.set)
    assert news.wait(60)
    assert source.trouble() is not None
    assert source.take() is None
    source.stop()


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5), st.booleans(), st.integers(1, 50))
def test_multipart_survives_any_cutting(bodies: list[bytes], stated: bool, cut: int) -> None:
    """Parts come out whole however the stream is cut, with or without a stated length."""
    bodies = [b"\xff\xd8" + body.replace(b"--b", b"") for body in bodies]
    stream = b""
    for body in bodies:
        length = b"Content-Length: %d\r\n" % len(body) if stated else b""
        stream += b"--b\r\nContent-Type: image/jpeg\r\n" + length + b"\r\n" + body + b"\r\n"
    stream += b"--b--\r\n"
    reader = MultipartReader("multipart/x-mixed-replace; boundary=b")
    out = [body for i in range(0, len(stream), cut) for _, body in reader.receive(stream[i : i + cut])]
    assert out == bodies


def test_stored_pictures_have_their_times(tmp_path: Path) -> None:
    """A folder's pictures are dated by their names, else by the interval; a video's by its own seconds."""
    picture = np.full((36, 64, 3), 120, np.uint8)
    for name in ("a_20260314T010203Z.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), picture)
    config = SourceConfig(kind="folder", at=str(tmp_path), every_s=2, starts_at=START)
    moments = [c.captured_at for c in stored_pictures(config)]
    assert moments == [datetime(2026, 3, 14, 1, 2, 3, tzinfo=UTC), START + timedelta(seconds=2)]
    with av.open(str(tmp_path / "v.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 64, 36
        for _ in range(30):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        out.mux(stream.encode())
    film = SourceConfig(kind="file", at=str(tmp_path / "v.mp4"), every_s=1, starts_at=START)
    assert [c.captured_at for c in stored_pictures(film)] == [START + timedelta(seconds=s) for s in (0, 1, 2)]
    with pytest.raises(BadInput):
        list(stored_pictures(SourceConfig(kind="file", at=str(tmp_path / "none.mp4"))))


def config_for(server: HallServer, drawn: HallDrawing, folder: Path, lost_after_s: float = 6.0) -> Path:
    setup = save_setup(folder, CameraSetup(drawn.layout("1"), ()))
    camera = WorkerCamera(
        id=drawn.camera_id("1"),
        room="1",
        source=SourceConfig(kind="mjpeg", at=server.stream("1")),
        setup=str(setup),
    )
    config = WorkerConfig(cameras=(camera,), options={"width": 640.0}, lost_after_s=lost_after_s)
    path = folder / "worker.json"
    path.write_bytes(msgspec.json.encode(config))
    return path


@needs_model
async def test_worker_is_started_again_and_reports_a_loss(tmp_path: Path) -> None:
    """A worker gives pictures and samples of a real stream, comes back after it was killed, and tells a lost
    camera.
    """
    lost = CameraFailure(
        "1", CameraFault.LOST, Interval(START + timedelta(days=2), START + timedelta(days=9))
    )
    drawn = HallDrawing(["1"], 6, 1, HallScript(failures=(lost,)))
    clock = StepClock()
    server = HallServer(drawn, clock.legal, every_legal_s=5)
    server.start()
    got: list[FromWorker] = []
    news = asyncio.Event()

    async def take(message: FromWorker) -> None:
        got.append(message)
        news.set()

    async def until(count: int, kind: type, **facts: object) -> None:
        def found() -> int:
            return sum(isinstance(m, kind) and all(getattr(m, k) == v for k, v in facts.items()) for m in got)

        while found() < count:
            news.clear()
            await news.wait()

    path = config_for(server, drawn, tmp_path, lost_after_s=0.5)
    worker = WorkerSupervisor((sys.executable, "-c", CHILD, str(path)), take, SystemClock())
    task = asyncio.create_task(worker.run())
    try:
        await until(2, CameraSample, faults=())
        first = worker.pid
        assert first is not None
        assert worker._process is not None
        worker._process.kill()
        await until(2, WorkerReady)
        samples = sum(isinstance(m, CameraSample) for m in got)
        await until(samples + 1, CameraSample)
        assert worker.pid != first
        with clock.lock:
            clock.now = START + timedelta(days=3)
        await until(1, CameraSample, faults=("lost",))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.stop()
    assert worker.pid is None
    pictures = [m for m in got if isinstance(m, CameraPicture)]
    assert pictures[0].jpeg[:2] == b"\xff\xd8"
    moments = [m.captured_at for m in got if isinstance(m, CameraSample) and m.faults == ()]
    assert moments[0] in {picture.captured_at for picture in pictures}


async def test_a_worker_may_take_long_to_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that has not spoken yet is not ended for its silence, however soon one that speaks would be."""
    monkeypatch.setattr(supervisor, "SILENT_S", 0.001)
    code = "import sys; from server.protocol.proctoring import WorkerReady, frame;"
    code += "sys.stdout.buffer.write(frame(WorkerReady(version=1, detector='none', cameras=())))"
    pids: list[int | None] = []
    spoken = asyncio.Event()

    async def take(_message: FromWorker) -> None:
        pids.append(worker.pid)
        spoken.set()

    worker = WorkerSupervisor((sys.executable, "-c", code), take, SystemClock())
    task = asyncio.create_task(worker.run())
    try:
        while worker.pid is None:
            await asyncio.sleep(0)
        first = worker.pid
        await spoken.wait()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert pids == [first]


@pytest.mark.parametrize(
    "cameras, processors, sizes", [(0, 2, []), (3, 8, [3]), (17, 8, [9, 8]), (40, 2, [20, 20])]
)
def test_no_more_workers_than_processors(cameras: int, processors: int, sizes: list[int]) -> None:
    """Cameras are shared among at most as many workers as processors, each with eight or more where there are
    several, and every camera is in one."""
    every = [
        WorkerCamera(id=str(n), room="1", source=SourceConfig(kind="snapshot", at=str(n)))
        for n in range(cameras)
    ]
    made = groups(every, processors)
    assert [len(group) for group in made] == sizes
    assert sorted(camera.id for group in made for camera in group) == sorted(camera.id for camera in every)


def test_video_planes_are_read_like_pixels() -> None:
    """Grey, grey patches and colour windows taken from a video picture's planes are those of the same picture in
    pixels, to a few levels, in its own size and in another."""
    pixels = np.asarray(
        cv2.GaussianBlur(HallDrawing(["1"], 6, 1, HallScript()).picture("1", START), (0, 0), 3)
    )
    planar = av.VideoFrame.from_ndarray(pixels, format="bgr24").reformat(format="yuv420p")
    view = Captured(START, None, None, planar).view()
    assert isinstance(view, PlanesView)
    for size in ((1280, 720), (640, 360)):
        one, other = view.scaled(size), PixelsView(np.asarray(pixels, np.uint8)).scaled(size)
        assert one.grey().shape == (size[1], size[0])
        assert cv2.absdiff(one.grey(), other.grey()).mean() < 2
        for patch, small in (((0, 0, *size), (320, 180)), ((101, 60, 171, 163), (48, 48))):
            assert one.patch(patch, small).shape == small[::-1]
            assert cv2.absdiff(one.patch(patch, small), other.patch(patch, small)).mean() < 3
        window = (100, 60, 420, 252)
        assert cv2.absdiff(one.window(window, (240, 144)), other.window(window, (240, 144))).mean() < 3
