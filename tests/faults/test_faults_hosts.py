"""One centre on several hosts: two processes on one PostgreSQL database, one of which is killed."""

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from server.cli.main import main
from server.clock import ClockFile, DemoClock, host_monotonic
from server.db.engine import Database
from server.db.journal import verify
from server.db.migrate import upgrade
from server.delivery.timing import Policy
from server.delivery.verification import verify_answers
from server.keys.authority import ensure_tls
from server.tables import load_models
from tests.support.centre import ROOT, demo_command
from tests.support.database import fresh_postgres_url
from tests.support.delivery import Scene, prepare_scene
from tests.support.ports import free_port
from tests.support.sitters import Sitter, acknowledged, everybody_answers

ITEMS = 60
MORE = 40
MINUTES = 90


class Host:
    """One process of the centre; the second kind serves seats only."""

    def __init__(self, base: Path, *words: str) -> None:
        self.base, self.words, self.port = base, words, free_port()
        self.log = base / f"server-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        words = ("serve", "--role", "centre", "--config", str(self.base / "centre.toml"), *self.words)
        command = demo_command(self.base / "clock.json", *words, "--port", str(self.port))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    async def answers(self) -> None:
        """Wait until it takes connections."""
        async with asyncio.timeout(90):
            while True:
                assert self.process is not None and self.process.poll() is None, self.log.read_text()
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Balancer:
    """One address before both hosts: carries bytes to the chosen host, or to the other one when that is gone."""

    def __init__(self, hosts: list[Host]) -> None:
        self.hosts, self.port, self._next = hosts, 0, 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._next += 1
        for turn in range(len(self.hosts)):
            with contextlib.suppress(OSError):
                port = self.hosts[(self._next + turn) % len(self.hosts)].port
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))
                return
        writer.close()


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes one way until they end."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def two_hosts(base: Path, url: str) -> AsyncIterator[tuple[Host, Host, Scene, list[Sitter]]]:
    """A centre of two processes, four candidates checked in, two of them on a line of each process."""
    (base / "data").mkdir()
    (base / ".gongyuan-demo").touch()
    (base / "centre.toml").write_text(
        f'role = "centre"\ndata = "data"\ndatabase = "{url}"\n[listen]\nport = 1\n', encoding="utf-8"
    )
    start = datetime(2026, 3, 14, 0, 0, tzinfo=UTC)
    ClockFile(host_monotonic(), start, 1.0).save(base / "clock.json")
    load_models()
    db = Database(url)
    await asyncio.to_thread(upgrade, db)
    scene = await prepare_scene(
        db, DemoClock(base / "clock.json"), base / "data", Policy(MINUTES, 30, 15), items=ITEMS
    )
    await scene.check_in(*scene.sittings)
    trusted = ssl.create_default_context(
        cafile=str(ensure_tls(base / "data" / "tls", ("localhost", "127.0.0.1")).ca)
    )
    first, second = hosts = Host(base), Host(base, "--seats")
    balancer = Balancer(list(hosts))
    server = await asyncio.start_server(balancer.carry, "127.0.0.1", 0)
    address = f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    sitters = [
        Sitter(address, trusted, scene.seats[place], scene.numbers(place), ITEMS) for place in scene.sittings
    ]
    try:
        for host in hosts:
            host.start()
        for host in hosts:
            await host.answers()
        for sitter in sitters:
            sitter.start()
        yield first, second, scene, sitters
    finally:
        for sitter in sitters:
            await sitter.stop()
        for host in hosts:
            host.kill()
        server.close()
        await db.close()


@pytest.mark.postgres
@pytest.mark.timeout(600)
async def test_one_of_two_hosts_is_killed(tmp_path: Path) -> None:
    """A bell struck elsewhere opens the papers at both processes of a centre; when one is killed its kiosks go on
    at the other, no acknowledged answer is lost or changed, and each paper is collected once."""
    with fresh_postgres_url() as url:
        async with two_hosts(tmp_path, url) as (first, second, scene, sitters):
            async with asyncio.timeout(60):
                while not all(one.agent.brain.seated for one in sitters):
                    await asyncio.sleep(0.02)
            chains = "select count(*) from journal_chain where writer = 'answer-writer'"
            async with scene.db.reading() as session:
                assert await session.scalar(text(chains)) == 2
            await scene.ring()
            # Each process hears of the bell by itself, and one may be long behind the other.
            await everybody_answers(sitters)
            await acknowledged(sitters, MORE)
            second.kill()
            held = {one.seat.id: len(one.ledger) for one in sitters}
            async with asyncio.timeout(60):
                while not all(len(one.ledger) > held[one.seat.id] + 2 for one in sitters):
                    await asyncio.sleep(0.02)
            second.start()
            await second.answers()
            for one in sitters:
                await one.drained()
                assert (one.dropped, one.refused, one.doubled) == ([], [], 0)
            clock = DemoClock(tmp_path / "clock.json")
            ClockFile(host_monotonic(), clock.legal() + timedelta(minutes=MINUTES + 1), 1.0).save(
                tmp_path / "clock.json"
            )
            async with asyncio.timeout(60):
                while not all(one.agent.brain.stage == "finished" for one in sitters):
                    await asyncio.sleep(0.05)
            # A chain that still grows while it is read does not end where its head said.
            for host in (first, second):
                host.kill()
            async with scene.db.reading() as session:
                rows = await session.execute(
                    text("select sitting, lease, seq, number, value, receipt from delivery_answer_event")
                )
                stored = {tuple(row)[:3]: tuple(row)[3:] for row in rows}
                collected = await session.scalar(
                    text("select count(*) from journal_record where kind = 'delivery:sitting:collected'")
                )
                answers = await session.run_sync(lambda live: verify_answers(live.connection()))
                journal = await session.run_sync(verify)
            for one in sitters:
                for key, (number, value, receipt, _) in one.ledger.items():
                    assert stored[key] == (number, f'["{value[0]}"]', receipt)
            assert collected == len(sitters)
            assert answers.faults == journal.faults == ()
            told = first.log.read_text() + second.log.read_text()
            assert "collection failed" not in told


def test_several_processes_need_postgresql(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`serve --workers 2` of a centre on SQLite ends with status 1 and says that one process is all it takes."""
    (tmp_path / "centre.toml").write_text('role = "centre"\ndata = "data"\n', encoding="utf-8")
    assert main(["serve", "--workers", "2", "--config", str(tmp_path / "centre.toml")]) == 1
    assert "on SQLite it is one" in capsys.readouterr().err
