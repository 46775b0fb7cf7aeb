"""Answers beside cameras: `python -m benchmarks.beside [--quick] [--kiosks N] [--rate R] [--cameras N]`.

The same hall is served twice by a whole centre that takes the same answers: without cameras, then with drawn rooms
of 30 candidates over real RTSP on loopback (720p, 25 pictures a second, 2 Mbit/s), watched and recorded by processes
of the centre. Printed is the time to an acknowledgement with cameras, beside that without as the floor. The RTSP
server, which in a centre is the cameras themselves, runs behind everything as the camera workers do. Answers on disk
are counted: all that were acknowledged, or the run fails.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvloop

from benchmarks.answers import Load, paced, stored
from benchmarks.cameras import rtsp
from benchmarks.drawn import write_setup
from benchmarks.hall import CAMERAS, SEATS_A_ROOM, Served, prepare, served
from benchmarks.kiosks import Beacons, Kiosk, Line, refused, seat_all
from benchmarks.measure import allow_files, cpu_of, hold_still, machine, print_figure, quantile
from server.proctor.supervisor import NICENESS
from server.settings import CameraSettings

SIZE = "1280x720"
ROOMS = 3
BUSY_S = 1.0
"""CPU seconds that each camera process has used before it counts as watching, beyond its start."""


@dataclass(frozen=True, slots=True)
class Hall:
    """One hall's answers, and the share of all processors that its camera processes took meanwhile."""

    load: Load
    cameras_share: float


@asynccontextmanager
async def cameras_at(folder: Path, count: int) -> AsyncIterator[None]:
    """Serve so many cameras and write them to the hall's folder."""
    async with rtsp(count, SIZE, "--rooms", str(ROOMS), "--seconds", "7") as (port, process):
        os.setpriority(os.PRIO_PROCESS, process.pid, min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS))
        width, height = (int(number) for number in SIZE.split("x"))
        cameras = []
        for number in range(count):
            name, room = f"camera-{number}", str(number + 1)
            setup = write_setup(folder, name, room, (width, height), number % ROOMS)
            address = f"rtsp://127.0.0.1:{port}/{number}"
            layout = str(setup.relative_to(folder))
            cameras.append(CameraSettings(id=name, room=room, source=address, kind="rtsp", layout=layout))
        (folder / CAMERAS).write_bytes(msgspec.json.encode(cameras))
        yield


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started."""
    lists = (task / "children" for task in Path(f"/proc/{pid}/task").iterdir())
    return [int(child) for one in lists for child in one.read_text(encoding="utf-8").split()]


async def watching(server: Served, processes: int) -> None:
    """Wait until so many camera processes run and each has been at work for a while."""
    begin, first = time.monotonic(), dict[int, float]()
    while True:
        now = {pid: cpu_of(pid) for pid in children_of(server.pid)}
        # What a process uses before its first pictures is its start: some three seconds.
        first |= {pid: used + 3.0 for pid, used in now.items() if pid not in first}
        if sum(used >= first[pid] + BUSY_S for pid, used in now.items()) >= processes:
            return
        if time.monotonic() - begin > 90:
            raise RuntimeError("the camera processes do not watch")
        await asyncio.sleep(0.2)


async def hall(folder: Path, kiosks: int, rate: float, seconds: float, cameras: int) -> Hall:
    """Measure one hall's answers, with so many cameras."""
    guests = await prepare(folder, kiosks, rung=True)
    with served(folder) as server:
        hold_still()
        if cameras:
            await watching(server, min(os.cpu_count() or 1, max(1, cameras // 8)))
        line, beacons = Line(server.port), Beacons()
        seated = [Kiosk(guest, beacons) for guest in guests]
        await seat_all(seated, line)
        before = {pid: cpu_of(pid) for pid in children_of(server.pid)}
        load = await paced(seated, server, rate, seconds)
        spent = sum(cpu_of(pid) - used for pid, used in before.items())
        for kiosk in seated:
            if kiosk.socket is not None:
                kiosk.socket.abort()
    if refusals := refused(seated):
        raise RuntimeError(f"answers were refused: {refusals}")
    if (on_disk := stored(folder)) != load.answers:
        raise RuntimeError(f"{load.answers} answers were acknowledged and {on_disk} are on disk")
    return Hall(load, spent / load.wall_s / (os.cpu_count() or 1))


async def measure(kiosks: int, rate: float, seconds: float, cameras: int) -> None:
    """Measure both halls and print."""
    with tempfile.TemporaryDirectory(prefix="gongyuan-bench-") as folder:
        without = await hall(Path(folder), kiosks, rate, seconds, 0)
    with tempfile.TemporaryDirectory(prefix="gongyuan-bench-") as folder:
        async with cameras_at(Path(folder), cameras):
            beside = await hall(Path(folder), kiosks, rate, seconds, cameras)
    conditions = machine() | {
        "kiosks": kiosks,
        "offered_per_s": rate,
        "cameras": cameras,
        "size": SIZE,
        "seats": SEATS_A_ROOM,
        "cameras_share": round(beside.cameras_share, 3),
        "floor": "without cameras",
    }
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        value, floor = (quantile(one.load.latencies, share) for one in (beside, without))
        print_figure(f"acknowledged_beside_cameras_{name}_ms", value, "ms", floor, conditions)


def main() -> int:
    """Run the benchmark; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the short form, at most 45 s")
    parser.add_argument("--kiosks", type=int)
    parser.add_argument("--rate", type=float, help="answers a second")
    parser.add_argument("--cameras", type=int)
    given = parser.parse_args()
    allow_files()
    kiosks, rate, seconds, cameras = (200, 300.0, 8.0, 16) if given.quick else (1000, 1000.0, 20.0, 24)
    uvloop.run(
        measure(
            given.kiosks or kiosks,
            given.rate or rate,
            seconds,
            cameras if given.cameras is None else given.cameras,
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
