"""Answers from kiosk to disk and back: `python -m benchmarks.answers [--quick] [--kiosks N] [--rate R]`.

A server process with everything on (seat proof, sign-in, event log, receipts, journal, beacons) takes answers
over real websockets and acknowledges them after fsync. Two floors come from the same run: a bare ASGI
websocket echo (CPU per message) and a raw group commit of 100 upserts a transaction (rows per second). One
JSON line a figure.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import insert
from websockets.asyncio.client import ClientConnection, connect

from kiosk.brain import Brain, Challenged
from kiosk.vault import SeatKey
from server.app import load_models
from server.clock import SystemClock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.metadata import Base
from server.db.signals import Signals
from server.delivery import service
from server.delivery.facts import Place, SlotTerms
from server.delivery.models import SeatRow
from server.delivery.runtime import Hall, answer_writer
from server.delivery.timing import Policy
from server.keys.identity import Identity
from server.papers.models import PaperSet, SealedPaperRow
from server.protocol.codec import encode
from server.protocol.exam import Answer
from server.web.candidate.socket import serve

ITEMS = 100
SLOT, PLAN = "slot", "plan"
_LOGGED_IN_TOGETHER = 50


@dataclass(frozen=True, slots=True)
class Load:
    """What one load gave: answers, wall seconds, server CPU seconds, latencies in ms."""

    answers: int
    wall_s: float
    cpu_s: float
    latencies: list[float]


# The server process.


def serve_answers(folder: Path) -> None:
    """Serve `/` as a bare echo and `/ws/candidate` as the hall; the port is written to `<folder>/port`."""
    from litestar import Litestar, WebSocket, websocket

    clock, identity = SystemClock(), Identity.open_or_create(folder)
    db = Database(f"sqlite:///{folder / 'bench.db'}")
    signals = Signals(db)
    hall = Hall(db, clock, Journal("bench"), answer_writer(db, clock, identity), signals, identity)

    @websocket("/ws/candidate")
    async def candidate(socket: WebSocket[Any, Any, Any]) -> None:
        await serve(socket, hall)

    async def start() -> None:
        await signals.start()
        await hall.start()

    async def stop() -> None:
        await hall.stop()
        await signals.stop()

    app = Litestar(
        [candidate], on_startup=[start], on_shutdown=[stop], openapi_config=None, logging_config=None
    )

    async def both(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket" and scope["path"] == "/echo":
            await _echo(receive, send)
        else:
            await app(scope, receive, send)

    config = uvicorn.Config(
        both,
        host="127.0.0.1",
        port=0,
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        access_log=False,
        backlog=8192,
    )
    server = uvicorn.Server(config)

    async def run() -> None:
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        (folder / "port").write_text(str(server.servers[0].sockets[0].getsockname()[1]), encoding="utf-8")
        await task

    import gc

    gc.set_threshold(50_000, 20, 10_000)
    asyncio.run(run())


async def _echo(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] != "websocket.receive":
            return
        await send({"type": "websocket.send", "text": event["text"]})


# The hall to be served.


async def make_hall(folder: Path, kiosks: int) -> list[tuple[str, SeatKey, str, str]]:
    """Write a slot with so many checked-in sittings and enrolled seats, its bell struck; return who may sign
    in.
    """
    load_models()
    clock, identity = SystemClock(), Identity.open_or_create(folder)
    db = Database(f"sqlite:///{folder / 'bench.db'}")
    async with db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    now = clock.legal()
    people: list[tuple[str, SeatKey, str, str]] = []
    async with db.writing() as session:
        act = Act(session, Journal("bench-setup"), now, "bench")
        terms = SlotTerms(SLOT, PLAN, "bench", "bench", now, Policy(600, 30, 15), 1)
        places = [
            Place(f"sitting-{n}", f"c{n}", f"考生{n}", f"T{n}", f"ID{n}", str(n // 30), n % 30 + 1)
            for n in range(kiosks)
        ]
        await service.prepare_sittings(act, terms, places)
        session.add(PaperSet(id="set", plan=PLAN, slot=SLOT, state="current", sealed_at=now))
        await session.flush()
        seats, papers = [], []
        for n, place in enumerate(places):
            key = SeatKey.generate()
            people.append((f"seat-{n}", key, place.ticket, place.id_number))
            seats.append(
                {
                    "id": f"seat-{n}",
                    "room": place.room,
                    "number": place.seat,
                    "kind": "headless",
                    "public_key": key.public,
                    "enrolled_at": now,
                }
            )
            papers.append(
                {
                    "id": f"paper-{n}",
                    "set_id": "set",
                    "sitting": place.sitting,
                    "room": place.room,
                    "number": n,
                    "policy": 1,
                    "hash": bytes(32),
                    "nonce": bytes(12),
                    "aad": b"{}",
                    "ciphertext": bytes(64),
                }
            )
        await session.execute(insert(SeatRow), seats)
        await session.execute(insert(SealedPaperRow), papers)
        for place in places:
            await service.check_in(act, place.sitting, {})
        wrapped = identity.storage_wrap(bytes(32), service.start_key_aad(SLOT))
        await service.ring(act, SLOT, None, wrapped, now)
    await db.close()
    return people


# The load.


class Kiosk:
    """One socket that sends prepared answers and counts acknowledgements."""

    def __init__(self, address: str, seat: str, key: SeatKey, ticket: str, id_number: str) -> None:
        self.brain = Brain(seat)
        self.address, self.key, self.numbers = address, key, (ticket, id_number)
        self.socket: ClientConnection | None = None
        self.seq = 0
        self.sent: dict[int, float] = {}
        self.latencies: list[float] = []
        self.acknowledged = asyncio.Event()
        self.reading: asyncio.Task[None] | None = None

    async def sit(self) -> None:
        """Prove the seat, sign in, and wait for the paper key."""
        self.socket = await connect(self.address, compression=None, ping_interval=None, max_size=None)
        signed_in = False
        async for frame in self.socket:
            for event in self.brain.receive(frame, 0.0):
                if isinstance(event, Challenged):
                    self.brain.prove(self.key.prove(event.nonce, self.brain.seat))
                elif getattr(event, "on", None) is True and not signed_in:
                    signed_in = True
                    self.brain.sign_in(*self.numbers)
            for out in self.brain.data_to_send(0.0):
                await self.socket.send(out, text=True)
            if self.brain.seated is not None and b'"paper_key"' in _bytes(frame):
                break
        self.reading = asyncio.create_task(self._read())

    async def send(self) -> None:
        """Send the next answer."""
        if self.socket is None or self.brain.seated is None:
            return
        self.seq += 1
        value = ("ABCD"[self.seq % 4],)
        answer = Answer(
            lease=self.brain.seated.lease,
            seq=self.seq,
            number=self.seq % ITEMS + 1,
            value=value,
            beacon=_BEACON.get(0),
        )
        self.sent[self.seq] = time.monotonic()
        await self.socket.send(encode(answer), text=True)

    async def _read(self) -> None:
        if self.socket is None:
            return
        async for frame in self.socket:
            data = _bytes(frame)
            if data.startswith(b'{"type":"acknowledged"'):
                seq = int(data.split(b'"seq":', 1)[1].split(b",", 1)[0])
                self.latencies.append((time.monotonic() - self.sent.pop(seq)) * 1000)
                self.acknowledged.set()
            elif data.startswith(b'{"type":"beacon"'):
                self.brain.receive(frame, 0.0)


_BEACON: dict[int, Any] = {}


def _bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


def cpu_of(process: subprocess.Popen[bytes]) -> float:
    """Return user and system CPU seconds of a process."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(process: subprocess.Popen[bytes]) -> int:
    """Return the resident bytes of a process."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def paced(kiosks: list[Kiosk], process: subprocess.Popen[bytes], rate: float, seconds: float) -> Load:
    """Send `rate` answers a second over all kiosks for so many seconds, then wait for the
    acknowledgements.
    """
    for kiosk in kiosks:
        kiosk.latencies.clear()
    cpu, begin, sent = cpu_of(process), time.monotonic(), 0
    while (elapsed := time.monotonic() - begin) < seconds:
        while sent < elapsed * rate:
            await kiosks[sent % len(kiosks)].send()
            sent += 1
        await asyncio.sleep(0.001)
    while any(kiosk.sent for kiosk in kiosks) and time.monotonic() - begin < seconds + 15:
        await asyncio.sleep(0.005)
    wall = time.monotonic() - begin
    return Load(sent, wall, cpu_of(process) - cpu, [x for kiosk in kiosks for x in kiosk.latencies])


async def closed_loop(kiosks: list[Kiosk], process: subprocess.Popen[bytes], seconds: float) -> Load:
    """Each kiosk sends its next answer as soon as the last one is acknowledged."""
    for kiosk in kiosks:
        kiosk.latencies.clear()
    cpu, begin = cpu_of(process), time.monotonic()

    async def one(kiosk: Kiosk) -> int:
        count = 0
        while time.monotonic() - begin < seconds:
            kiosk.acknowledged.clear()
            await kiosk.send()
            await asyncio.wait_for(kiosk.acknowledged.wait(), 30)
            count += 1
        return count

    total = sum(await asyncio.gather(*(one(kiosk) for kiosk in kiosks)))
    wall = time.monotonic() - begin
    return Load(total, wall, cpu_of(process) - cpu, [x for kiosk in kiosks for x in kiosk.latencies])


async def echo_floor(port: int, process: subprocess.Popen[bytes], messages: int) -> float:
    """Return the server's CPU microseconds per echoed message of an answer's size, over 50 sockets."""
    frame = encode(Answer(lease=1, seq=1, number=1, value=("A",), beacon=_BEACON.get(0))).decode()
    sockets = [
        await connect(f"ws://127.0.0.1:{port}/echo", compression=None, ping_interval=None) for _ in range(50)
    ]

    async def one(socket: ClientConnection) -> None:
        for _ in range(messages // 50):
            await socket.send(frame)
            await socket.recv()

    cpu = cpu_of(process)
    await asyncio.gather(*(one(socket) for socket in sockets))
    used = cpu_of(process) - cpu
    for socket in sockets:
        await socket.close()
    return used / (messages // 50 * 50) * 1e6


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


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the server process; give it and its port."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.answers", "--serve", str(folder)])
    try:
        while not (folder / "port").exists():
            if process.poll() is not None:
                raise RuntimeError("the server process ended")
            time.sleep(0.05)
        yield process, int((folder / "port").read_text(encoding="utf-8"))
    finally:
        process.terminate()
        process.wait(20)


async def measure(folder: Path, kiosks: int, rate: float, seconds: float, messages: int) -> None:
    """Measure and print."""
    people = await make_hall(folder, kiosks)
    raw = commit_floor(folder, min(2.0, seconds))
    with served(folder) as (process, port):
        before = memory_of(process)
        seated = [Kiosk(f"ws://127.0.0.1:{port}/ws/candidate", *person) for person in people]
        begin = time.monotonic()
        for start in range(0, kiosks, _LOGGED_IN_TOGETHER):
            await asyncio.gather(*(kiosk.sit() for kiosk in seated[start : start + _LOGGED_IN_TOGETHER]))
        signed_in = time.monotonic() - begin
        _BEACON[0] = seated[0].brain._beacon
        memory = (memory_of(process) - before) / kiosks
        echo = await echo_floor(port, process, messages)
        steady = await paced(seated, process, rate, seconds)
        ceiling = await closed_loop(seated, process, seconds)
        for kiosk in seated:
            if kiosk.reading is not None:
                kiosk.reading.cancel()
            if kiosk.socket is not None:
                kiosk.socket.transport.abort()
    stored = _stored(folder)
    wanted = steady.answers + ceiling.answers
    if stored != wanted:
        raise RuntimeError(f"{wanted} answers were acknowledged and {stored} are on disk")
    conditions = {
        "kiosks": kiosks,
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "tls": False,
        "on_disk": stored,
    }
    per_answer = steady.cpu_s / steady.answers * 1e6
    offered = conditions | {"offered_per_s": rate}
    _print(
        "durable_answers_per_s",
        ceiling.answers / ceiling.wall_s,
        "1/s",
        raw,
        conditions | {"load": "closed loop"},
    )
    _print("cpu_us_per_answer", per_answer, "us", echo, offered)
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        value = _quantile(steady.latencies, share)
        _print(f"acknowledged_{name}_ms", value, "ms", None, offered)
    _print("memory_bytes_per_kiosk", memory, "B", None, conditions)
    _print("sign_ins_per_s", kiosks / signed_in, "1/s", None, conditions)


def _stored(folder: Path) -> int:
    with contextlib.closing(sqlite3.connect(folder / "bench.db")) as disk:
        return int(disk.execute("select count(*) from delivery_answer_event").fetchone()[0])


def _quantile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=1000)[round(share * 1000) - 1]


def _print(figure: str, value: float, unit: str, floor: float | None, conditions: dict[str, Any]) -> None:
    line = {
        "figure": figure,
        "value": round(value, 2),
        "unit": unit,
        "floor": None if floor is None else round(floor, 2),
        "ratio": None if floor is None else round(value / floor, 4),
        "conditions": conditions,
    }
    print(json.dumps(line, ensure_ascii=False), flush=True)


def main() -> int:
    """Run the benchmark; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the short form, at most 45 s")
    parser.add_argument("--kiosks", type=int)
    parser.add_argument("--rate", type=float, help="answers a second offered in the steady load")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve_answers(arguments.serve)
        return 0
    kiosks = arguments.kiosks or (60 if arguments.quick else 2000)
    rate = arguments.rate or (600.0 if arguments.quick else 2000.0)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files[1], files[1]))
    with tempfile.TemporaryDirectory(prefix="gongyuan-bench-") as folder:
        seconds, messages = (6.0, 6_000) if arguments.quick else (20.0, 40_000)
        asyncio.run(measure(Path(folder), kiosks, rate, seconds, messages))
    return 0


if __name__ == "__main__":
    sys.exit(main())
