"""The server process is killed without warning while a hall of kiosks answers."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from server.clock import ClockFile, DemoClock, host_monotonic
from server.delivery.timing import Policy
from tests.support.database import database
from tests.support.delivery import prepare_scene
from tests.support.ports import free_port
from tests.support.sitters import Account, Sitter, acknowledged, everybody_answers, settle

ROOT = Path(__file__).resolve().parents[2]
ITEMS, MINUTES = 150, 90
KILLS = 3
MORE = 40
"""Answers acknowledged between two kills, at least."""


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
        async with asyncio.timeout(90):
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


async def test_kill_loses_no_acknowledged_answer(tmp_path: Path) -> None:
    """After three kills in the middle of the exam every acknowledged answer is on disk once, with the receipt
    that the kiosk holds, the exam ended without a custodian, and all chains verify."""
    ClockFile(host_monotonic(), datetime(2026, 3, 14, 0, 0, tzinfo=UTC), 1.0).save(tmp_path / "clock.json")
    clock = DemoClock(tmp_path / "clock.json")
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db, AsyncExitStack() as stack:
        scene = await prepare_scene(db, clock, tmp_path, Policy(MINUTES, 30, 15), items=ITEMS)
        port = free_port()
        sitters = [
            Sitter(f"ws://127.0.0.1:{port}", None, scene.seats[place], scene.numbers(place), ITEMS)
            for place in scene.sittings
        ]
        async with centre(tmp_path, port):
            for sitter in sitters:
                sitter.start()
                stack.push_async_callback(sitter.stop)
            await scene.check_in(*scene.sittings)
            async with asyncio.timeout(60):
                while not all(one.agent.brain._sealed for one in sitters):
                    await asyncio.sleep(0.02)
            bell = await scene.ring()
            await everybody_answers(sitters)
            await acknowledged(sitters, MORE)
        for _ in range(KILLS - 1):
            async with centre(tmp_path, port):
                await acknowledged(sitters, MORE)
        async with centre(tmp_path, port):
            for sitter in sitters:
                await sitter.drained()
                assert (sitter.dropped, sitter.refused) == ([], [])
                assert len(sitter.ledger) == sitter.given
            # The end comes when the test says so: in real time a slow start of the process would reach it.
            end = bell + timedelta(minutes=MINUTES + 1)
            ClockFile(host_monotonic(), end, 1.0).save(tmp_path / "clock.json")
            async with asyncio.timeout(60):
                while not all(one.agent.brain.stage == "finished" for one in sitters):
                    await asyncio.sleep(0.05)
    account = settle(tmp_path / "test.db", sitters)
    assert account.acknowledged >= KILLS * MORE
    assert account == Account(account.acknowledged, account.acknowledged, 0, 0, 0, ())
