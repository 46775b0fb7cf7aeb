"""A server restart: `python -m benchmarks.reconnect [--quick] [--kiosks N]`.

Kiosks sit over TLS in a running exam, each with answers on the way, when the centre's process is killed without
warning and started again on the same port. They come back with the back-off of real kiosks. Measured is the time
from the moment the new process listens until the last kiosk has taken its sitting up again; then every answer
that was on the way must be acknowledged, and every acknowledged one be on disk, or the run fails. The floor comes
from the same run: bare TLS websocket handshakes against the same process, scaled to the same number.
"""

import argparse
import asyncio
import contextlib
import random
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks.hall import Served, prepare, start, stop
from benchmarks.kiosks import Beacons, Echo, Kiosk, Line, refused, seat_all, trusting
from benchmarks.measure import allow_files, cpu_of, machine, memory_of, print_figure, quantile
from server.protocol.link import reconnect_wait

QUICK, FULL = 100, 5000
ANSWERS_EACH = 3
HANDSHAKES_TOGETHER = 50
PATIENCE_S = 180.0


async def handshake_floor(line: Line, server: Served, count: int) -> tuple[float, float]:
    """Return the seconds that so many bare TLS websocket connections take, 50 at a time, and the server's CPU
    microseconds for one.
    """
    some = min(count, 500)
    gate = asyncio.Semaphore(HANDSHAKES_TOGETHER)

    async def one() -> None:
        async with gate:
            (await line.connect(Echo)).abort()

    begin, cpu = time.monotonic(), cpu_of(server.pid)
    await asyncio.gather(*(one() for _ in range(some)))
    wall, cpu = time.monotonic() - begin, cpu_of(server.pid) - cpu
    return wall / some * count, cpu / some * 1e6


async def back(kiosk: Kiosk, line: Line, rng: random.Random) -> float:
    """Wait until the line is gone, come back as a real kiosk does; return when it sat again."""
    await kiosk.away.wait()
    failures = 0
    while True:
        await asyncio.sleep(reconnect_wait(failures, rng.random()))
        try:
            await kiosk.come(line)
            return time.monotonic()
        except (OSError, TimeoutError):
            if kiosk.socket is not None:
                kiosk.socket.abort()
            failures += 1


async def measure(folder: Path, count: int) -> None:
    """Measure one hall and print."""
    guests = await prepare(folder, count, rung=True)
    running: Served = await asyncio.to_thread(start, folder, tls=True)
    try:
        line, beacons = Line(running.port, trusting(folder)), Beacons()
        floor, bare_cpu = await handshake_floor(line, running, count)
        before, cpu = memory_of(running.pid), cpu_of(running.pid)
        kiosks = [Kiosk(guest, beacons) for guest in guests]
        seated = await seat_all(kiosks, line)
        memory = (memory_of(running.pid) - before) / count
        sign_in_cpu = cpu_of(running.pid) - cpu
        coming = [asyncio.create_task(back(kiosk, line, random.Random(n))) for n, kiosk in enumerate(kiosks)]
        for kiosk in kiosks:
            for _ in range(ANSWERS_EACH):
                kiosk.answer()
        while sum(len(kiosk.latencies) for kiosk in kiosks) < count:
            await asyncio.sleep(0.001)
        killed_at = time.monotonic()
        await asyncio.to_thread(running.kill)
        running = await asyncio.to_thread(start, folder, tls=True, port=running.port)
        listening_at, cpu = time.monotonic(), cpu_of(running.pid)
        async with asyncio.timeout(PATIENCE_S):
            times = await asyncio.gather(*coming)
            back_cpu = cpu_of(running.pid) - cpu
            while any(kiosk.sent for kiosk in kiosks):
                await asyncio.sleep(0.01)
        for kiosk in kiosks:
            if kiosk.socket is not None:
                kiosk.socket.abort()
    finally:
        await asyncio.to_thread(stop, running)
    if refusals := refused(kiosks):
        raise RuntimeError(f"kiosks were refused: {refusals}")
    with contextlib.closing(sqlite3.connect(folder / "gongyuan.db")) as disk:
        stored = int(disk.execute("select count(*) from delivery_answer_event").fetchone()[0])
    if stored != count * ANSWERS_EACH:
        raise RuntimeError(f"{count * ANSWERS_EACH} answers were acknowledged and {stored} are on disk")
    conditions = machine() | {"kiosks": count, "tls": True, "lost": 0, "answers_on_disk": stored}
    waits = [at - listening_at for at in times]
    print_figure("all_back_s", max(waits), "s", floor, conditions)
    print_figure("median_back_s", quantile(waits, 0.5), "s", floor, conditions)
    print_figure("restart_s", listening_at - killed_at, "s", None, conditions)
    print_figure("cpu_us_per_reconnect", back_cpu / count * 1e6, "us", bare_cpu, conditions)
    print_figure("cpu_us_per_sign_in", sign_in_cpu / count * 1e6, "us", bare_cpu, conditions)
    print_figure("sign_ins_per_s_tls", count / seated, "1/s", None, conditions)
    print_figure("memory_bytes_per_kiosk_tls", memory, "B", None, conditions)


def main() -> int:
    """Run the benchmark; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 kiosks in place of 5,000")
    parser.add_argument("--kiosks", type=int)
    arguments = parser.parse_args()
    allow_files()
    with tempfile.TemporaryDirectory(prefix="gongyuan-bench-") as folder:
        count = arguments.kiosks or (QUICK if arguments.quick else FULL)
        uvloop.run(measure(Path(folder), count))
    return 0


if __name__ == "__main__":
    sys.exit(main())
