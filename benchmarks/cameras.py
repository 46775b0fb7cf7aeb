"""Cameras end to end: `python -m benchmarks.cameras [--quick] [--only SIZE] [--cameras N] [--seconds S]`.

Drawn rooms of 30 candidates are served as H.264 over real RTSP on loopback (25 pictures a second, a key frame each
second, 2 Mbit/s at 720p and 4 at 1080p) by a process that is not counted. Camera workers, one for each processor,
read, judge and send; this process takes their messages as a centre does, compares them with 30 sittings and writes
findings to SQLite. Counted are the CPU seconds of the workers and of this process over the stretch measured. The
floor is a worker that only decodes the same streams. The camera count is what 80 % of the processors would carry at
the CPU measured per camera-second; `taken` tells which share of the pictures offered was judged meanwhile.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import msgspec
import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.drawn import BEGIN, SEATS, drawn_hall, write_setup
from benchmarks.measure import cpu_of, machine, memory_of, print_figure
from server.clock import SystemClock
from server.db import metadata
from server.db.engine import Database
from server.db.journal import Journal
from server.proctor.anomalies import RoomExpectation, SeatExpectation, SeatStatus
from server.proctor.capture import SourceConfig
from server.proctor.detectors.yunet import YuNet, width_for
from server.proctor.evidence import Frame
from server.proctor.feed import Feed
from server.proctor.pipeline import CameraPipeline, fixed_part
from server.proctor.quality import QualityGauge
from server.proctor.structure import SeatScale
from server.proctor.supervisor import WorkerSupervisor
from server.proctor.view import PixelsView
from server.proctor.watch import Watch
from server.proctor.worker import WorkerCamera, WorkerConfig, message_of
from server.protocol.proctoring import CameraSample, FromWorker, WorkerAlive, frame
from server.tables import load_models

CHILD = "import sys; from server.clock import SystemClock; from server.proctor.worker import run; " + (
    "run(sys.argv[1], sys.stdout.buffer, SystemClock())"
)
# Reads the same streams as a worker and judges nothing: what cannot be saved.
DECODER = """
import sys, threading, time
from datetime import UTC, datetime
from server.proctor.capture import RtspSource
news = threading.Event()
sources = [RtspSource(address, lambda: datetime.now(UTC)) for address in sys.argv[1:]]
for source in sources: source.start(news.set)
while True:
    news.wait()
    news.clear()
    taken = sum(source.take() is not None for source in sources)
    if taken: print(taken, flush=True)
"""
SHARE = 0.8
# The first pictures are looked at whole; what is measured is a room that goes on.
WARM_S = 8
MBIT = {"1280x720": 2, "1920x1080": 4}
WANTED = {"1280x720": 40, "1920x1080": 28}


@dataclass(slots=True)
class Tally:
    """What the workers told in some stretch."""

    samples: dict[str, int] = field(default_factory=dict)
    faults: set[str] = field(default_factory=set)
    alive: dict[int, WorkerAlive] = field(default_factory=dict)

    def everybody(self, cameras: int, least: int = 1) -> bool:
        """True once that many cameras gave so many samples each."""
        return sum(count >= least for count in self.samples.values()) >= cameras


@asynccontextmanager
async def rtsp(cameras: int, size: str, *more: str) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """The RTSP server's port and process."""
    command = [sys.executable, "-m", "benchmarks.rtsp", str(cameras), "--size", size, *more]
    command += ["--kbit", str(MBIT[size] * 1000)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        if process.stdout is None:
            raise RuntimeError("the server has no output")
        yield int(await process.stdout.readline()), process
    finally:
        process.kill()
        await process.wait()


async def writing(
    session: AsyncSession, rooms: Collection[str], at: datetime
) -> Mapping[str, RoomExpectation]:
    """Expect everybody to write."""
    seats = tuple(SeatExpectation(str(n), SeatStatus.WRITING) for n in range(1, SEATS + 1))
    return {room: RoomExpectation(room, seats) for room in rooms}


def configure(folder: Path, port: int, cameras: int, size: str, workers: int, rooms: int) -> list[Path]:
    """Write each worker's configuration and its cameras' set-ups."""
    width, height = (int(number) for number in size.split("x"))
    made = []
    for number in range(cameras):
        setup = write_setup(folder, f"camera-{number}", f"room-{number}", (width, height), number % rooms)
        source = SourceConfig(kind="rtsp", at=f"rtsp://127.0.0.1:{port}/{number}")
        made.append(
            WorkerCamera(id=f"camera-{number}", room=f"room-{number}", source=source, setup=str(setup))
        )
    paths = []
    for number in range(workers):
        config = WorkerConfig(cameras=tuple(made[number::workers]))
        path = folder / f"worker-{number}.json"
        path.write_bytes(msgspec.json.encode(config))
        paths.append(path)
    return paths


async def whole(cameras: int, size: str, seconds: float, workers: int, rooms: int) -> float:
    """Measure and print one size; return CPU ms per camera-second."""
    clock, tally, feed = SystemClock(), Tally(), Feed()
    with tempfile.TemporaryDirectory(prefix="cameras-") as name:
        folder = Path(name)
        load_models()
        db = Database(f"sqlite:///{folder / 'centre.db'}")
        async with db.engine.begin() as connection:
            await connection.run_sync(metadata.Base.metadata.create_all)
        watch = Watch(db, Journal("benchmark"), clock, feed, writing)
        async with rtsp(cameras, size, "--rooms", str(rooms), "--seconds", str(7 * rooms)) as (port, _):
            floor = await decode_alone(cameras, port, seconds / 2, workers)
            running = [
                _Worker(path, number, tally, watch, clock)
                for number, path in enumerate(configure(folder, port, cameras, size, workers, rooms))
            ]
            tasks = [asyncio.create_task(worker.supervisor.run()) for worker in running]
            try:
                await _until(tally, cameras, 3)
                await asyncio.sleep(WARM_S)
                figures = await _stretch(tally, running, seconds)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        await db.engine.dispose()
    reading, judging, parent, samples, rss = figures
    # Reading is paid for every picture offered, judging for those that a busy machine got to.
    per = (reading / (cameras * seconds) + (judging + parent) / max(1, samples)) * 1000
    alive = list(tally.alive.values())
    looks, camera_s = sum(a.looks for a in alive), sum(a.camera_s for a in alive)
    facts = machine() | {
        "size": size, "cameras": cameras, "workers": workers, "seats": SEATS, "seconds": seconds,
        "taken": round(samples / (cameras * seconds), 3), "reading_ms": round(reading / (cameras * seconds) * 1000, 2),
        "judging_ms": round(judging / max(1, samples) * 1000, 2),
        "parent_ms": round(parent / max(1, samples) * 1000, 2),
        "worker_rss_mb": round(rss / 1e6), "faults": sorted(tally.faults),
        "looks_per_camera_minute": round(60 * looks / max(1.0, camera_s), 1),
        "oldest_look_s": round(max((a.oldest_s for a in alive), default=0.0), 1),
        "alerts": len(feed.alerts()), "opencv": cv2.__version__, "time": "CPU of workers and of this process",
    }  # fmt: skip
    print_figure(f"camera_second_{size}_ms", per, "ms", floor, facts)
    room = SHARE * 1000 * (os.cpu_count() or 1)
    print_figure(f"cameras_{size}", room / per, "cameras", WANTED[size], facts)
    return per


@dataclass(slots=True)
class _Worker:
    """A supervised worker whose messages are counted and go to the watch."""

    path: Path
    number: int
    tally: Tally
    watch: Watch
    clock: SystemClock
    supervisor: WorkerSupervisor = field(init=False)

    def __post_init__(self) -> None:
        command = (sys.executable, "-c", CHILD, str(self.path))
        self.supervisor = WorkerSupervisor(command, self._take, self.clock)

    async def _take(self, message: FromWorker) -> None:
        match message:
            case CameraSample():
                self.tally.samples[message.camera] = self.tally.samples.get(message.camera, 0) + 1
                self.tally.faults |= set(message.faults)
            case WorkerAlive():
                self.tally.alive[self.number] = message
        await self.watch.take(message)


async def _until(tally: Tally, cameras: int, least: int) -> None:
    begin = time.monotonic()
    while not tally.everybody(cameras, least):
        if time.monotonic() - begin > 120:
            raise RuntimeError(f"only {len(tally.samples)} of {cameras} cameras gave pictures")
        await asyncio.sleep(0.1)


def _main_thread(pid: int) -> float:
    """CPU seconds of a process's first thread: that of a worker judges, the others read and decode."""
    fields = Path(f"/proc/{pid}/task/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _stretch(
    tally: Tally, running: list[_Worker], seconds: float
) -> tuple[float, float, float, int, int]:
    """CPU seconds of reading, judging and this process, samples, and the largest resident memory of a worker."""
    pids = [worker.supervisor.pid for worker in running]
    if None in pids:
        raise RuntimeError("a worker ended")
    known = [pid for pid in pids if pid is not None]
    cpu, judged = sum(map(cpu_of, known)), sum(map(_main_thread, known))
    own, samples = time.process_time(), sum(tally.samples.values())
    tally.faults.clear()
    await asyncio.sleep(seconds)
    own = time.process_time() - own
    judging = sum(map(_main_thread, known)) - judged
    reading = sum(map(cpu_of, known)) - cpu - judging
    return reading, judging, own, sum(tally.samples.values()) - samples, max(map(memory_of, known))


async def decode_alone(cameras: int, port: int, seconds: float, workers: int) -> float:
    """CPU ms per picture of processes that read and decode only."""
    addresses = [f"rtsp://127.0.0.1:{port}/{number}" for number in range(cameras)]
    processes, counts = [], [0] * workers
    for number in range(workers):
        processes.append(
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", DECODER, *addresses[number::workers], stdout=asyncio.subprocess.PIPE
            )
        )

    async def count(number: int) -> None:
        out = processes[number].stdout
        while out is not None and (line := await out.readline()):
            counts[number] += int(line)

    counting = [asyncio.create_task(count(number)) for number in range(workers)]
    begin = time.monotonic()
    while sum(counts) < 3 * cameras and time.monotonic() - begin < 120:
        await asyncio.sleep(0.1)
    pids = [process.pid for process in processes]
    cpu, taken = sum(map(cpu_of, pids)), sum(counts)
    await asyncio.sleep(seconds)
    spent, taken = sum(map(cpu_of, pids)) - cpu, sum(counts) - taken
    for process in processes:
        process.kill()
        await process.wait()
    await asyncio.gather(*counting)
    return spent / max(1, taken) * 1000


def stages(pictures: int) -> None:
    """Print what each stage after decoding costs for a picture of 720p, on one thread."""
    cv2.setNumThreads(1)
    hall = drawn_hall()
    layout, empty = hall.layout("1"), cv2.cvtColor(hall.references("1", BEGIN)[0], cv2.COLOR_BGR2GRAY)
    reference = np.asarray(empty, dtype=np.uint8)
    spent = {"quality": 0.0, "seats": 0.0, "whole": 0.0, "message": 0.0}
    gauge, scale = QualityGauge(reference, fixed=fixed_part(layout)), SeatScale(layout, [reference])
    pipeline = CameraPipeline(layout, (reference,), YuNet(width=width_for(layout)))
    for second in range(pictures):
        at = BEGIN + timedelta(seconds=60 + second)
        view = PixelsView(hall.picture("1", at))
        view.grey()
        marks = [time.process_time()]
        gauge.assess(view.grey(), Frame(layout.camera_id, "1", at, layout.width, layout.height))
        marks.append(time.process_time())
        scale.measure(view.grey())
        marks.append(time.process_time())
        sample = pipeline.process(view, at)
        marks.append(time.process_time())
        if sample is None or not sample.quality.usable:
            raise RuntimeError("a sound picture was not usable")
        frame(message_of(sample))
        marks.append(time.process_time())
        for name, begin, end in zip(spent, marks[:-1], marks[1:], strict=True):
            spent[name] += end - begin
    each = {name: seconds / pictures * 1000 for name, seconds in spent.items()}
    each["faces"] = each["whole"] - each["quality"] - each["seats"]
    facts = machine() | {"pictures": pictures, "size": "1280x720", "seats": SEATS, "time": "CPU, one thread"}
    facts["looks_per_camera_minute"] = round(pipeline.counts.looks_per_minute, 1)
    for name in ("quality", "seats", "faces", "message"):
        print_figure(f"{name}_ms", each[name], "ms", None, facts)


def main() -> int:
    """Run the benchmark; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="8 cameras for 10 s, 720p only")
    parser.add_argument("--only", choices=sorted(WANTED), help="one size")
    parser.add_argument("--cameras", type=int, default=0, help="how many, in place of 40 and 28")
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    stages(40 if given.quick else 200)
    sizes = [given.only] if given.only else ["1280x720"] if given.quick else sorted(WANTED)
    for size in sizes:
        count = given.cameras or (8 if given.quick else WANTED[size])
        seconds = 10.0 if given.quick else given.seconds
        workers = min(count, os.cpu_count() or 1)
        asyncio.run(whole(count, size, seconds, workers, 1 if given.quick else 3))
    return 0


if __name__ == "__main__":
    sys.exit(main())
