"""Something between kiosk and centre that stands still, carries late and in crumbs, or breaks off amid a frame."""

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest

from kiosk import agent
from server.delivery.timing import Policy
from server.keys.authority import ensure_tls
from tests.support.bad_line import BadLine, Fate
from tests.support.clock import RunningClock
from tests.support.database import database
from tests.support.delivery import lost_lines, prepare_scene
from tests.support.delivery_server import served
from tests.support.sitters import Account, Sitter, acknowledged, settle

ITEMS = 60
FATES: tuple[Fate, ...] = ("stalling", "slow", "cut", "whole")
STILL, DIRECT = ("1", 1), ("2", 2)
STALLS, CUTS = 2, 8


async def test_bad_lines_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind lines that stand still, carry late and in crumbs, or break off amid a frame, kiosks come back by
    themselves, every answer given is acknowledged and on disk once, and a seat on a good line keeps its line."""
    monkeypatch.setattr(agent, "reconnect_wait", lambda failures, chance: 0.02)
    clock = RunningClock()
    tls = ensure_tls(tmp_path / "tls", ("localhost", "127.0.0.1"))
    trusted = ssl.create_default_context(cafile=str(tls.ca))
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path, Policy(600, 30, 15), items=ITEMS)
        await scene.check_in(*scene.sittings)
        await scene.ring()
        more = {"ssl_certfile": str(tls.certificate), "ssl_keyfile": str(tls.key)}
        async with served(scene, clock, tmp_path, **more) as url, contextlib.AsyncExitStack() as stack:
            lines, sitters = [], []
            for number, (place, fate) in enumerate(zip(scene.sittings, FATES, strict=True)):
                line = BadLine("whole", number)
                address = await stack.enter_async_context(line.to(url))
                sitter = Sitter(address, trusted, scene.seats[place], scene.numbers(place), ITEMS)
                if fate == "stalling":
                    # Only here: on a slow machine a good line, too, is silent for so long.
                    sitter.agent._silent_after_s = 1.5
                line.fate = fate
                lines.append(line)
                sitters.append(sitter)
                sitter.start()
                stack.push_async_callback(sitter.stop)
            stalling, _, cut, _ = lines
            async with asyncio.timeout(120):
                while stalling.spoiled < STALLS or cut.spoiled < CUTS:
                    await acknowledged(sitters[3:], 1)
            await acknowledged(sitters[1:2], 5)
            direct, still = [await lost_lines(db, scene.sittings[place]) for place in (DIRECT, STILL)]
            assert direct == 0 < still
            for line in lines:
                line.fate = "whole"
            for sitter in sitters:
                await sitter.drained()
                assert (sitter.dropped, len(sitter.ledger)) == ([], sitter.given)
    account = settle(tmp_path / "test.db", sitters)
    assert account == Account(account.acknowledged, account.acknowledged, 0, 0, 0, ())
