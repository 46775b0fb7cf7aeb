"""The whole exam over real websockets and TLS: headless kiosks against the candidate side of a centre."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn

from kiosk.bots import Bots, tls_of
from kiosk.script import AnswerItems, CallAt, DropAt, HandInAt, KioskScript, Person, Script
from server.clock import ClockFile, DemoClock, host_monotonic
from server.delivery import service, store
from server.delivery.runtime import Hall
from server.delivery.sitting import State
from server.keys.authority import ensure_tls
from tests.support.database import database
from tests.support.delivery import SLOT, Scene, prepare_scene
from tests.support.delivery_server import candidate_app, server_config

ITEMS = 20


@asynccontextmanager
async def serving(scene: Scene, folder: Path, clock: DemoClock) -> AsyncIterator[tuple[str, Hall]]:
    """Serve the scene over TLS on a free port; give the address and the live hall."""
    tls = ensure_tls(folder / "tls", ("localhost", "127.0.0.1"))
    app = candidate_app(scene.db, clock, folder)
    config = server_config(app, 0, ssl_certfile=str(tls.certificate), ssl_keyfile=str(tls.key))
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"wss://127.0.0.1:{port}", app.state.site.hall
    finally:
        server.should_exit = True
        await running


async def heard(out: io.StringIO, event: str, count: int) -> list[dict[str, Any]]:
    """Wait until so many events of a kind were told."""
    async with asyncio.timeout(60):
        while True:
            rows = [json.loads(line) for line in out.getvalue().splitlines()]
            found = [row for row in rows if row["event"] == event]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)


async def refusals(out: io.StringIO, *codes: str) -> None:
    """Wait until each of these refusals was heard."""
    count = 1
    while not set(codes) <= {row["code"] for row in await heard(out, "refused", count)}:
        count += 1


async def test_exam_over_real_sockets(tmp_path: Path) -> None:
    """Enrolment, sign-in, sealed paper, bell, key, answers, refusals, a drop, a move, hand-in and collection
    end with every acknowledged answer standing on disk."""
    ClockFile(host_monotonic(), datetime(2026, 3, 14, 0, 0, tzinfo=UTC), 1.0).save(tmp_path / "clock.json")
    clock = DemoClock(tmp_path / "clock.json")
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path, enrol=False, items=ITEMS)
        plans: dict[tuple[str, int], tuple[Any, ...]] = {
            ("1", 1): (AnswerItems(1, 25), HandInAt(10), HandInAt(40)),
            ("1", 2): (AnswerItems(1, 60), DropAt(20, 0.01), CallAt(5, "请来一下")),
            ("2", 1): (AnswerItems(1, 60),),
            ("2", 2): (AnswerItems(1, 60), HandInAt(80)),
        }
        kiosks = []
        for place, code in scene.codes.items():
            person = None
            if place in plans:
                person = Person(*scene.numbers(place), ability=0.5, plan=plans[place])
            kiosks.append(KioskScript(code, person))
        out, ledger = io.StringIO(), io.StringIO()

        async def at(minute: int) -> None:
            """Let it be so many minutes after the bell, for the centre and for all who are on a line."""
            ClockFile(host_monotonic(), bell + timedelta(minutes=minute), 1.0).save(tmp_path / "clock.json")
            hall.send_beacon()

        async with serving(scene, tmp_path, clock) as (address, hall):
            tls = ensure_tls(tmp_path / "tls", ("localhost", "127.0.0.1"))
            bots = Bots(address, tls_of(tls.ca), Script(tuple(kiosks), seed=1), out, ledger)
            running = asyncio.create_task(bots.run())
            await heard(out, "welcome", 6)
            await scene.check_in(*plans)
            await heard(out, "sealed", 4)
            assert not [line for line in out.getvalue().splitlines() if '"opened"' in line]
            bell = await scene.ring()
            await heard(out, "opened", 4)
            await at(10)
            await refusals(out, "hand-in-too-early")
            # What is answered in this very turn is on its way when the line is dropped.
            await at(20)
            await heard(out, "resumed", 1)
            async with scene.acting() as act:
                await service.reseat(act, scene.sittings[("2", 1)], "2", 3, "键盘损坏")
            await heard(out, "seated", 5)
            await at(40)
            await heard(out, "handed_in", 1)
            await at(80)
            await refusals(out, "hand-in-too-late")
            async with asyncio.timeout(60):
                while len(ledger.getvalue().splitlines()) < 4 * ITEMS:
                    await asyncio.sleep(0.02)
            await at(91)
            assert await running == 0
        told = [json.loads(line) for line in out.getvalue().splitlines()]
        refused = {row["code"] for row in told if row["event"] == "refused"}
        assert refused == {"hand-in-too-early", "hand-in-too-late"}
        assert {"moved", "walked", "dropped", "resumed"} <= {row["event"] for row in told}
        assert told[-1]["outcomes"] == {"handed_in": 1, "collected": 3}
        async with db.reading() as session:
            states = {one.id: one.state for one in await store.sittings(session, SLOT)}
            answers = {key: await store.final_answers(session, key) for key in states}
        assert states[scene.sittings[("1", 1)]] is State.HANDED_IN
        assert sorted(states.values()) == ["collected"] * 3 + ["handed_in"]
        kept = [json.loads(line) for line in ledger.getvalue().splitlines()]
        counted = [row for row in kept if row["outcome"] == "counted"]
        assert len({(row["sitting"], row["lease"], row["seq"]) for row in kept}) == len(kept)
        for row in counted:
            assert row["number"] in answers[row["sitting"]]
        assert {key: len(value) for key, value in answers.items()} == dict.fromkeys(states, ITEMS)
