"""Answers from kiosk to disk and back: `python -m benchmarks.answers [--quick] [--kiosks N] [--rate R]`.

A centre's process with everything on (seat proof, sign-in, event log, receipts, journal, beacons) takes answers
over real websockets and acknowledges them after fsync. Two floors come from the same run: a bare ASGI websocket
echo in the same process (CPU per message) and a raw group commit of 100 upserts a transaction (rows per second).
At the end the answers on disk are counted: all that were acknowledged, or the run fails.
"""

import argparse
import asyncio
import contextlib
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.hall import ITEMS, Served, prepare, served
from benchmarks.kiosks import Beacons, Echo, Kiosk, Line, refused, seat_all
from benchmarks.measure import allow_files, cpu_of, hold_still, machine, memory_of, print_figure, quantile
from server.protocol.codec import encode
from server.protocol.exam import Answer, Beacon

ECHOES_TOGETHER = 50


@dataclass(frozen=True, slots=True)
class Load:
    """What one load gave: answers, wall seconds, server CPU seconds, latencies in ms."""

    answers: int
    wall_s: float
    cpu_s: float
    latencies: list[float]


async def paced(kiosks: list[Kiosk], server: Served, rate: float, seconds: float) -> Load:
    """Send `rate` answers a second over all kiosks for so many seconds, then wait for the
    acknowledgements.
    """
    for kiosk in kiosks:
        kiosk.latencies.clear()
    cpu, begin, sent = cpu_of(server.pid), time.monotonic(), 0
    while (elapsed := time.monotonic() - begin) < seconds:
        while sent < elapsed * rate:
            kiosks[sent % len(kiosks)].answer()
            sent += 1
        await asyncio.sleep(0.001)
    while any(kiosk.sent for kiosk in kiosks) and time.monotonic() - begin < seconds + 15:
        await asyncio.sleep(0.005)
    wall = time.monotonic() - begin
    return Load(sent, wall, cpu_of(server.pid) - cpu, [x for kiosk in kiosks for x in kiosk.latencies])


async def closed_loop(kiosks: list[Kiosk], server: Served, seconds: float) -> Load:
    """Each kiosk sends its next answer as soon as the last one is acknowledged."""
    for kiosk in kiosks:
        kiosk.latencies.clear()
    cpu, begin = cpu_of(server.pid), time.monotonic()

    async def one(kiosk: Kiosk) -> int:
        count = 0
        while time.monotonic() - begin < seconds:
            kiosk.acknowledged.clear()
            kiosk.answer()
            await asyncio.wait_for(kiosk.acknowledged.wait(), 30)
            count += 1
        return count

    total = sum(await asyncio.gather(*(one(kiosk) for kiosk in kiosks)))
    wall = time.monotonic() - begin
    return Load(total, wall, cpu_of(server.pid) - cpu, [x for kiosk in kiosks for x in kiosk.latencies])


async def echo_floor(line: Line, server: Served, beacon: Beacon | None, messages: int) -> float:
    """Return the server's CPU microseconds per echoed message of an answer's size, over 50 sockets."""
    frame = encode(Answer(lease=1, seq=1, number=1, value=("A",), beacon=beacon))
    sockets = [await line.connect(Echo) for _ in range(ECHOES_TOGETHER)]
    each = messages // ECHOES_TOGETHER

    async def one(socket: Any) -> None:
        for _ in range(each):
            socket.back.clear()
            socket.send(frame)
            await socket.back.wait()

    cpu = cpu_of(server.pid)
    await asyncio.gather(*(one(socket) for socket in sockets))
    used = cpu_of(server.pid) - cpu
    for socket in sockets:
        socket.abort()
    return used / (each * ECHOES_TOGETHER) * 1e6


def commit_floor(folder: Path, seconds: float) -> float:
    """Return rows per second of one idempotent upsert each, 100 to a transaction, SQLite WAL and FULL, no
    ORM.
    """
    with contextlib.closing(sqlite3.connect(folder / "floor.db", isolation_level=None)) as disk:
        disk.execute("pragma journal_mode=wal")
        disk.execute("pragma synchronous=full")
        disk.execute(
            "create table a (sitting text, number int, value text, lease int, seq int, "
            "primary key (sitting, number))"
        )
        begin, rows = time.monotonic(), 0
        while time.monotonic() - begin < seconds:
            disk.execute("begin immediate")
            disk.executemany(
                "insert into a values (?, ?, ?, ?, ?) on conflict (sitting, number) do update set "
                "value = excluded.value, lease = excluded.lease, seq = excluded.seq "
                "where (excluded.lease, excluded.seq) > (lease, seq)",
                [(f"s{(rows + n) % 500}", (rows + n) % ITEMS, '["A"]', 1, rows + n) for n in range(100)],
            )
            disk.execute("commit")
            rows += 100
        return rows / (time.monotonic() - begin)


async def measure(folder: Path, kiosks: int, rate: float, seconds: float, messages: int) -> None:
    """Measure one hall and print."""
    guests = await prepare(folder, kiosks, rung=True)
    raw = commit_floor(folder, min(2.0, seconds))
    with served(folder) as server:
        hold_still()
        before, line, beacons = memory_of(server.pid), Line(server.port), Beacons()
        seated = [Kiosk(guest, beacons) for guest in guests]
        signed_in = await seat_all(seated, line)
        memory = (memory_of(server.pid) - before) / kiosks
        echo = await echo_floor(line, server, beacons.message, messages)
        steady = await paced(seated, server, rate, seconds)
        ceiling = await closed_loop(seated, server, seconds)
        for kiosk in seated:
            if kiosk.socket is not None:
                kiosk.socket.abort()
    if refusals := refused(seated):
        raise RuntimeError(f"answers were refused: {refusals}")
    on_disk, wanted = stored(folder), steady.answers + ceiling.answers
    if on_disk != wanted:
        raise RuntimeError(f"{wanted} answers were acknowledged and {on_disk} are on disk")
    conditions = machine() | {"kiosks": kiosks, "tls": False, "on_disk": on_disk}
    offered = conditions | {"offered_per_s": rate}
    per_s, closed = ceiling.answers / ceiling.wall_s, conditions | {"load": "closed loop"}
    print_figure("durable_answers_per_s", per_s, "1/s", raw, closed)
    print_figure("cpu_us_per_answer", steady.cpu_s / steady.answers * 1e6, "us", echo, offered)
    print_figure("cpu_us_per_answer_at_ceiling", ceiling.cpu_s / ceiling.answers * 1e6, "us", echo, closed)
    for share, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99")):
        value = quantile(steady.latencies, share)
        print_figure(f"acknowledged_{name}_ms", value, "ms", None, offered)
    print_figure("acknowledged_last_ms", max(steady.latencies), "ms", None, offered)
    print_figure("memory_bytes_per_kiosk", memory, "B", None, conditions)
    print_figure("sign_ins_per_s", kiosks / signed_in, "1/s", None, conditions)


def stored(folder: Path) -> int:
    """Return how many answers the hall's disk holds."""
    with contextlib.closing(sqlite3.connect(folder / "gongyuan.db")) as disk:
        return int(disk.execute("select count(*) from delivery_answer_event").fetchone()[0])


def main() -> int:
    """Run the benchmark; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the short form, at most 45 s")
    parser.add_argument("--kiosks", type=int)
    parser.add_argument("--rate", type=float, help="answers a second offered in the steady load")
    arguments = parser.parse_args()
    allow_files()
    halls = [(200, 600.0)] if arguments.quick else [(2000, 2000.0), (5000, 5000.0)]
    if arguments.kiosks is not None:
        halls = [(arguments.kiosks, float(arguments.kiosks))]
    seconds, messages = (5.0, 6_000) if arguments.quick else (20.0, 40_000)
    for kiosks, rate in halls:
        with tempfile.TemporaryDirectory(prefix="gongyuan-bench-") as folder:
            uvloop.run(measure(Path(folder), kiosks, arguments.rate or rate, seconds, messages))
    return 0


if __name__ == "__main__":
    sys.exit(main())
