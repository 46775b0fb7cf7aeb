"""A centre with a standby is killed in the middle of an exam; the standby is promoted and the kiosks go over."""

import asyncio
import signal
import ssl
import subprocess
from pathlib import Path

import pytest

from server.clock import DemoClock
from server.db.engine import Database
from server.db.migrate import upgrade
from server.delivery.timing import Policy
from server.keys.authority import ensure_tls
from server.tables import load_models
from tests.support.centre import ROOT, demo_command
from tests.support.delivery import prepare_scene
from tests.support.exam_centre import ITEMS, Centre
from tests.support.ports import free_port
from tests.support.sitters import Account, Sitter, acknowledged, everybody_answers, settle

MORE = 60
PHRASE = "a long passphrase for the second machine\n"


def command(centre: Centre, *words: str) -> list[str]:
    return demo_command(centre.base / "clock.json", *words, "--config", str(centre.base / "centre.toml"))


async def ran(centre: Centre, *words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    """Run one of the centre's commands to its end."""
    return await asyncio.to_thread(
        subprocess.run,
        command(centre, *words),
        cwd=ROOT,
        input=given,
        capture_output=True,
        text=True,
        timeout=200,
    )


def machine(base: Path, address: str) -> Centre:
    """Return a machine whose settings name the standby; it waits for it as long as it takes."""
    base.mkdir()
    centre = Centre(base)
    centre.prepare()
    with (base / "centre.toml").open("a") as settings:
        settings.write(f'[standby]\naddress = "{address}"\npolicy = "sync"\nwait_ms = 30000\n')
    return centre


@pytest.mark.timeout(600)  # seven processes one after another
async def test_a_promoted_standby_has_every_acknowledged_answer(tmp_path: Path) -> None:
    """With the standby waited for, a kill of the centre and a promotion lose no acknowledged answer; the kiosks go
    over by themselves and finish there; the old server refuses to serve when it comes back."""
    address = f"localhost:{free_port()}"
    first, second = machine(tmp_path / "first", address), machine(tmp_path / "second", address)
    load_models()
    db = Database(f"sqlite:///{first.data / 'gongyuan.db'}")
    await asyncio.to_thread(upgrade, db)
    scene = await prepare_scene(
        db, DemoClock(first.base / "clock.json"), first.data, Policy(600, 30, 15), items=ITEMS
    )
    await scene.check_in(*scene.sittings)
    await scene.ring()
    await db.close()
    bundle = str(tmp_path / "keys.bundle")
    done = await ran(first, "standby", "export", bundle, "--passphrase-stdin", given=PHRASE)
    assert done.returncode == 0, done.stderr
    done = await ran(second, "standby", "prepare", bundle, "--passphrase-stdin", given=PHRASE)
    assert done.returncode == 0, done.stderr
    tls = ensure_tls(first.data / "tls", ("localhost", "127.0.0.1"))
    trusted = ssl.create_default_context(cafile=str(tls.ca))
    servers = f"wss://127.0.0.1:{first.port},wss://127.0.0.1:{second.port}"
    sitters = [Sitter(servers, trusted, scene.seats[at], scene.numbers(at), ITEMS) for at in scene.sittings]
    receiving = await asyncio.create_subprocess_exec(
        *command(second, "standby", "serve"), cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert receiving.stdout is not None and await receiving.stdout.readline() == b"standby\n"
        await first.start()
        for sitter in sitters:
            sitter.start()
        await everybody_answers(sitters)
        await acknowledged(sitters, MORE)
        await first.kill()
        receiving.send_signal(signal.SIGTERM)
        await receiving.wait()
        done = await ran(second, "standby", "promote", "--by", "钱主考", "--reason", "主服务器断电")
        assert done.returncode == 0 and done.stdout.startswith("epoch 2"), done.stderr
        account = settle(second.data / "gongyuan.db", sitters)
        assert (account.lost, account.changed, account.doubled, account.faults) == (0, 0, 0, ())
        await second.start()
        await acknowledged(sitters, MORE)
        for sitter in sitters:
            await sitter.drained()
            assert (sitter.dropped, sitter.refused, len(sitter.ledger)) == ([], [], sitter.given)
            assert sitter.agent.brain._beacon is not None and sitter.agent.brain._beacon.epoch == 2
        back = await ran(first, "serve", "--role", "centre")
        assert back.returncode == 1 and "epoch 2" in back.stderr
        await second.kill()
        account = settle(second.data / "gongyuan.db", sitters)
        assert account == Account(account.acknowledged, account.acknowledged, 0, 0, 0, ())
    finally:
        for sitter in sitters:
            await sitter.stop()
        for centre in (first, second):
            await centre.kill()
        if receiving.returncode is None:
            receiving.kill()
            await receiving.wait()
