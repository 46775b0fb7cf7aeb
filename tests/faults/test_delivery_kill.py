"""The server process is killed without warning while a hall of kiosks answers."""

import asyncio
import contextlib
import io
import json
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kiosk.bots import Bots
from kiosk.script import AnswerItems, KioskScript, Person, Script
from server.clock import ClockFile, DemoClock, host_monotonic
from server.db.journal import verify
from server.delivery.verification import verify_answers
from tests.support.database import database
from tests.support.delivery import prepare_scene

ROOT = Path(__file__).resolve().parents[2]
RATE = 240.0
KILLS = 3
MORE = 40
"""Answers acknowledged between two kills, at least."""


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def centre(folder: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the candidate side as a process of its own until the block ends; it is killed then, as by a power
    cut.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.delivery_server",
        str(folder),
        str(folder / "clock.json"),
        str(port),
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                assert process.returncode is None
                await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until(out: io.StringIO, event: str, count: int) -> None:
    """Wait until so many events of a kind were told."""
    async with asyncio.timeout(60):
        while sum(f'"event": "{event}"' in line for line in out.getvalue().splitlines()) < count:
            await asyncio.sleep(0.02)


async def more(ledger: io.StringIO, answers: int) -> None:
    """Wait until so many more answers are acknowledged than were at the call."""
    async with asyncio.timeout(60):
        wanted = ledger.getvalue().count("\n") + answers
        while ledger.getvalue().count("\n") < wanted:
            await asyncio.sleep(0.02)


async def test_kill_loses_no_acknowledged_answer(tmp_path: Path) -> None:
    """After three kills in the middle of the exam every acknowledged answer is on disk once, with the receipt
    that the kiosk holds, the exam ended without a custodian, and all chains verify."""
    ClockFile(host_monotonic(), datetime(2026, 3, 14, 0, 0, tzinfo=UTC), RATE).save(tmp_path / "clock.json")
    clock = DemoClock(tmp_path / "clock.json")
    out, ledger = io.StringIO(), io.StringIO()
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path, enrol=False, items=150)
        port = free_port()
        kiosks = []
        for place, code in scene.codes.items():
            person = None
            if place in scene.sittings:
                person = Person(*scene.numbers(place), plan=(AnswerItems(0, 45),))
            kiosks.append(KioskScript(code, person))
        bots = Bots(f"ws://127.0.0.1:{port}", None, Script(tuple(kiosks)), out, ledger)
        async with centre(tmp_path, port):
            running = asyncio.create_task(bots.run())
            await until(out, "welcome", 6)
            await scene.check_in(*scene.sittings)
            await until(out, "sealed", 4)
            await scene.ring()
            await until(out, "opened", 4)
            await more(ledger, MORE)
        for _ in range(KILLS - 1):
            async with centre(tmp_path, port):
                await more(ledger, MORE)
        async with centre(tmp_path, port):
            async with asyncio.timeout(90):
                assert await running == 0
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert told[-1]["outcomes"] == {"collected": 4}
    kept = [json.loads(line) for line in ledger.getvalue().splitlines()]
    with contextlib.closing(sqlite3.connect(tmp_path / "test.db")) as disk:
        rows: list[tuple[Any, ...]] = disk.execute(
            "select sitting, lease, seq, number, value, receipt, hex(digest) from delivery_answer_event"
        ).fetchall()
    on_disk = {row[:3]: row[3:] for row in rows}
    assert len(on_disk) == len(rows)
    assert len(kept) > 300
    for row in kept:
        number, value, receipt, digest = on_disk[(row["sitting"], row["lease"], row["seq"])]
        assert (number, json.loads(value), receipt) == (row["number"], row["value"], row["receipt"])
        assert digest.lower() == row["hash"]
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        engine = db.sync_engine()
        with engine.connect() as connection:
            assert verify_answers(connection).faults == ()
            assert verify(connection).faults == ()
        engine.dispose()
