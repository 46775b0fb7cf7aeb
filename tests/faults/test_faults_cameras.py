"""Cameras over real RTSP that freeze, break off and come back, workers that are killed: what is told of them."""

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from benchmarks.cameras import CHILD, writing
from benchmarks.drawn import write_setup
from benchmarks.measure import memory_of
from server.clock import SystemClock
from server.db.journal import Journal
from server.proctor.capture import SourceConfig
from server.proctor.detectors.yunet import MODEL
from server.proctor.evidence import AnomalyKind
from server.proctor.feed import Feed
from server.proctor.supervisor import WorkerSupervisor
from server.proctor.watch import Watch
from server.proctor.worker import WorkerCamera, WorkerConfig
from server.protocol.proctoring import CameraSample, FromWorker
from tests.support.database import database
from tests.support.measured import append_measured

pytestmark = pytest.mark.skipif(not MODEL.is_file(), reason="the face model is not here: run make assets")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Hall:
    """Cameras, their workers, and what came of them."""

    commands: asyncio.StreamWriter
    feed: Feed
    workers: list[WorkerSupervisor]
    news: asyncio.Event = field(default_factory=asyncio.Event)
    usable: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)

    def take(self, message: FromWorker) -> None:
        if isinstance(message, CameraSample):
            (self.lost if "lost" in message.faults else self.usable)[message.camera] += 1
            self.news.set()

    def order(self, word: str, camera: int) -> None:
        self.commands.write(f"{word} {camera}\n".encode())

    async def until(self, true: Callable[[], bool], seconds: float = 150) -> None:
        async with asyncio.timeout(seconds):
            while not true():
                self.news.clear()
                await self.news.wait()

    def fault_open(self, camera: str) -> bool:
        return any(
            alert.kind is AnomalyKind.CAMERA_FAULT
            and alert.about == f"camera:{camera}"
            and alert.ended_at is None
            for alert in self.feed.alerts()
        )


@asynccontextmanager
async def hall(folder: Path, cameras: int, workers: int) -> AsyncIterator[Hall]:
    """That many cameras on loopback, watched by workers under their supervisors and written to SQLite."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.rtsp", str(cameras), "--size", "640x360", "--fps", "5", "--gop", "5"),
        *("--seconds", "6", "--rooms", "1", "--kbit", "400"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None
    port = int(await server.stdout.readline())
    feed, clock = Feed(), SystemClock()
    made = Hall(server.stdin, feed, [])
    async with database(f"sqlite:///{folder / 'watch.db'}") as db:
        watch = Watch(db, Journal("test"), clock, feed, writing)

        async def take(message: FromWorker) -> None:
            await watch.take(message)
            made.take(message)

        for number in range(workers):
            watched = tuple(
                WorkerCamera(
                    id=f"camera-{n}",
                    room=f"room-{n}",
                    source=SourceConfig(kind="rtsp", at=f"rtsp://127.0.0.1:{port}/{n}"),
                    setup=str(write_setup(folder, f"camera-{n}", f"room-{n}", (640, 360))),
                )
                for n in range(number, cameras, workers)
            )
            path = folder / f"worker-{number}.json"
            path.write_bytes(msgspec.json.encode(WorkerConfig(cameras=watched, lost_after_s=2.5)))
            made.workers.append(WorkerSupervisor((sys.executable, "-c", CHILD, str(path)), take, clock))
        tasks = [asyncio.create_task(worker.run()) for worker in made.workers]
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            server.kill()
            await server.wait()


async def goes_on(made: Hall, camera: str, more: int = 2) -> None:
    """Waits until the camera gave some more usable pictures and no fault of it is open."""
    before = made.usable[camera]
    await made.until(lambda: made.usable[camera] >= before + more and not made.fault_open(camera))


@pytest.mark.timeout(600)
async def test_frozen_and_broken_cameras_are_told_and_come_back(tmp_path: Path) -> None:
    """A camera that freezes and one that breaks off are each alarmed while the other goes on, and end by
    themselves."""
    async with hall(tmp_path, cameras=2, workers=1) as made:
        await made.until(lambda: len(made.usable) == 2)
        made.order("freeze", 0)
        await made.until(lambda: made.fault_open("camera-0"))
        await goes_on(made, "camera-1", more=1)
        made.order("run", 0)
        made.order("kill", 1)
        await made.until(lambda: made.fault_open("camera-1"))
        made.order("run", 1)
        await goes_on(made, "camera-0")
        await goes_on(made, "camera-1")
        pid = made.workers[0].pid
        assert pid is not None
        # What watches runs behind what serves.
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, own + 10)


@pytest.mark.long
async def test_soak(tmp_path: Path) -> None:
    """For half an hour cameras freeze, break off and return and workers are killed: each loss is alarmed and
    ended, no worker is stuck, and none grows by more than a quarter after its first minutes."""
    seconds = float(os.environ.get("GONGYUAN_SOAK_S", "1800"))
    dice, done, grown = random.Random(5), Counter[str](), 0.0
    loop = asyncio.get_running_loop()
    async with hall(tmp_path, cameras=6, workers=2) as made:
        await made.until(lambda: len(made.usable) == 6)
        begin, settled = loop.time(), dict[int, int]()
        while loop.time() - begin < seconds:
            camera, word = dice.randrange(6), dice.choice(("freeze", "kill", "freeze", "kill", "worker"))
            name = f"camera-{camera}"
            if word == "worker":
                worker = made.workers[camera % 2]
                pid = worker.pid
                if pid is not None:
                    settled.pop(pid, None)
                    os.kill(pid, signal.SIGKILL)
            else:
                made.order(word, camera)
                await made.until(lambda name=name: made.fault_open(name))  # type: ignore[misc]
                made.order("run", camera)
            done[word] += 1
            for number in range(6):
                await goes_on(made, f"camera-{number}")
            await asyncio.sleep(dice.uniform(0, 5))
            for pid in [worker.pid for worker in made.workers if worker.pid is not None]:
                # Resident memory when a worker has seen everything once is what it is measured against.
                now = memory_of(pid)
                if loop.time() - begin > 120 or pid not in settled:
                    settled.setdefault(pid, now)
                grown = max(grown, now / settled[pid])
        assert not any(made.fault_open(f"camera-{n}") for n in range(6))
    append_measured(
        "cameras frozen, broken off and returned, workers killed",
        {
            "minutes": round(seconds / 60, 1),
            **{f"times {word}": count for word, count in sorted(done.items())},
            "losses told": sum(made.lost.values()),
            "usable pictures": sum(made.usable.values()),
            "largest growth of a worker": f"{grown:.2f}",
        },
    )
    assert grown <= 1.25
