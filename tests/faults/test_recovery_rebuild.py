"""The server's disk is lost in the middle of an exam, and the centre is built anew from the kiosks."""

import asyncio
import random
import shutil
import sqlite3
import ssl
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.agent import Agent
from kiosk.notebook import Notebook, export
from server.clock import SHANGHAI, DemoClock
from server.db.engine import Database
from server.db.migrate import upgrade
from server.delivery import late_journals
from server.delivery.timing import Policy
from server.keys.authority import ensure_tls
from server.keys.recovery import journal_key_info, make_code, recovery_code
from server.keys.sealing import generate_receiving, hpke_seal
from server.recovery.contents import CENTRE_FILE
from server.recovery.rebuilding import read
from server.tables import load_models
from tests.support.centre import ROOT, demo_command
from tests.support.delivery import SLOT, Scene, prepare_scene
from tests.support.exam_centre import ITEMS, Centre
from tests.support.sitters import Account, Sitter, acknowledged, everybody_answers, settle

MORE = 60


async def coded_scene(db: Database, clock: DemoClock, folder: Path) -> tuple[Scene, tuple[str, str]]:
    """Prepare a slot whose journal key is sealed to a recovery code; return its halves, too."""
    scene = await prepare_scene(db, clock, folder, Policy(600, 30, 15), items=ITEMS)
    private, public = generate_receiving()
    async with scene.acting() as act:
        halves = await make_code(act, scene.identity.fingerprint)
        code = await recovery_code(act.session)
        assert code is not None
        sealed = hpke_seal(code.public, private, journal_key_info(SLOT))
        await late_journals.keep_recovery_key(act, SLOT, public, sealed)
    return scene, halves


def with_notebook(sitter: Sitter, folder: Path) -> Sitter:
    """Give a sitter the local journal of a headless kiosk."""
    seat = sitter.seat
    overheard = Notebook(folder / seat.id, seat.key, seat.id)
    sitter.agent = Agent(
        sitter.server, sitter.tls, seat.id, seat.key, sitter._hear, random.Random(seat.id), overheard
    )
    return sitter


async def written(place: Path, halves: tuple[str, str]) -> None:
    """Wait until the recovery file knows everybody's check-in."""
    async with asyncio.timeout(60):
        while True:
            if await asyncio.to_thread((place / CENTRE_FILE).exists):
                second = await asyncio.to_thread(read, place, *halves)
                if {row["state"] for row in second.rows("delivery_sitting")} == {"checked_in"}:
                    return
            await asyncio.sleep(0.2)


@pytest.mark.timeout(600)
async def test_a_lost_disk_is_rebuilt_from_the_kiosks(tmp_path: Path) -> None:
    """After the data folder is gone two people rebuild the centre: every acknowledged answer is there with the
    receipt that its kiosk holds, all chains verify, and the kiosks go on at the rebuilt centre by themselves."""
    lost, place, carried = tmp_path / "lost", tmp_path / "second", tmp_path / "carried"
    for folder in (lost, carried):
        folder.mkdir()
    centre = Centre(lost)
    centre.prepare()
    with (lost / "centre.toml").open("a") as settings:
        settings.write(f'[recovery]\nfolder = "{place}"\n')
    load_models()
    db = Database(f"sqlite:///{centre.data / 'gongyuan.db'}")
    await asyncio.to_thread(upgrade, db)
    clock = DemoClock(lost / "clock.json")
    scene, halves = await coded_scene(db, clock, centre.data)
    await scene.check_in(*scene.sittings)
    tls = ensure_tls(centre.data / "tls", ("localhost", "127.0.0.1"))
    trusted = ssl.create_default_context(cafile=str(tls.ca))
    sitters = [
        with_notebook(
            Sitter(f"wss://127.0.0.1:{centre.port}", trusted, scene.seats[at], scene.numbers(at), ITEMS),
            tmp_path / "kiosks",
        )
        for at in scene.sittings
    ]
    try:
        await centre.start()
        for sitter in sitters:
            sitter.start()
        async with asyncio.timeout(60):
            while not all(one.agent.brain._sealed for one in sitters):
                await asyncio.sleep(0.02)
        await written(place, halves)
        # The last file from before the bell, as when the centre is lost within the seconds between two of them.
        before_the_bell = tmp_path / "before the bell"
        await asyncio.to_thread(shutil.copytree, place, before_the_bell)
        bell = await scene.ring()
        await everybody_answers(sitters)
        await acknowledged(sitters, MORE)
        await centre.kill()
        async with asyncio.timeout(60):
            # What the centre said last is heard before the line is seen to be lost.
            while any(one.agent.brain.stage == "seated" for one in sitters):
                await asyncio.sleep(0.02)
        await db.close()
        shutil.rmtree(centre.data)
        before = settle_nothing(sitters)
        for sitter in sitters:
            (carried / f"{sitter.seat.id}.json").write_bytes(
                await asyncio.to_thread(export, tmp_path / "kiosks" / sitter.seat.id)
            )
        typed = f"{bell.astimezone(SHANGHAI):%H:%M:%S}"
        words = ("rebuild", "--from", str(before_the_bell), "--first", "钱", "--second", "孙")
        words += ("--journals", str(carried), "--stdin", "--config", str(lost / "centre.toml"))
        command = demo_command(lost / "clock.json", *words)
        lines = "\n".join([*halves, *[typed] * 4, ""])
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, input=lines, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, done.stdout + done.stderr
        account = settle(centre.data / "gongyuan.db", sitters)
        assert account == Account(before, before, 0, 0, 0, ()), done.stdout
        with closing(sqlite3.connect(centre.data / "gongyuan.db")) as disk:
            rung = disk.execute("select room, at from delivery_bell order by room").fetchall()
        assert rung == [(room, f"{bell:%Y-%m-%d %H:%M:%S}.000000") for room in ("1", "2")]
        await centre.start()
        await acknowledged(sitters, MORE)
        for sitter in sitters:
            await sitter.drained()
            assert (sitter.dropped, sitter.refused, len(sitter.ledger)) == ([], [], sitter.given)
        await centre.kill()
        account = settle(centre.data / "gongyuan.db", sitters)
        assert account == Account(account.acknowledged, account.acknowledged, 0, 0, 0, ())
        with closing(sqlite3.connect(centre.data / "gongyuan.db")) as disk:
            kinds = {kind for (kind,) in disk.execute("select kind from journal_record")}
        assert {"recovery:centre:restored", "recovery:centre:rebuilt"} <= kinds
    finally:
        for sitter in sitters:
            await sitter.stop()
        await centre.kill()


def settle_nothing(sitters: list[Sitter]) -> int:
    """Return how many answers the kiosks hold an acknowledgement of."""
    return sum(len(one.ledger) for one in sitters)
