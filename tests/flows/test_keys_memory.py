"""The serving process's memory before, during and after the openings: it never holds what it must not."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from server.accounts.roles import Role
from server.accounts.service import create_account
from server.app import load_models
from server.clock import ClockFile, host_monotonic
from server.db.engine import Database
from server.db.migrate import upgrade
from server.keys import ring
from server.keys.identity import Identity
from server.keys.models import KeyRow, ShareRow
from server.keys.openings_wire import opening_info
from server.keys.sealing import hpke_open, hpke_seal
from server.packages.contents import (
    CandidateContent,
    ExamContent,
    RoomContent,
    SeatingContent,
    SlotContent,
    StandingContent,
)
from server.packages.outbox import pack
from server.packages.peers import register_peer
from tests.support.clock import START
from tests.support.database import act_on, database
from tests.support.memory import found_in_memory

ROOT = Path(__file__).resolve().parents[2]
BANK_FILE = ROOT / "server" / "demo" / "bank" / "electrician-4.xlsx"
BLUEPRINT = ROOT / "server" / "demo" / "bank" / "blueprint.toml"
PASSPHRASES = {"chen": "perihelion-saffron-41", "sun": "quarrystone-lilac-73"}
PASSWORD = "a good password"
PLANNED = START + timedelta(hours=1)
LONG_S = 120.0


@dataclass(slots=True)
class Centre:
    """A running centre and how to act at it."""

    folder: Path
    config: Path
    clock: Path
    db: Database
    http: httpx.AsyncClient
    pid: int

    async def post(self, path: str, body: object = None, content: bytes | None = None) -> Any:
        token = self.http.cookies.get("csrftoken") or ""
        headers = {"x-csrftoken": token}
        if content is not None:
            answer = await self.http.post(path, content=content, headers=headers)
        else:
            answer = await self.http.post(path, json={} if body is None else body, headers=headers)
        assert answer.status_code < 300, f"{path}: {answer.text}"
        return answer.json() if answer.content else None

    async def open(self, offer: dict[str, Any]) -> dict[str, Any]:
        """Give both passphrases, as the page does, and wait for the end of the act."""
        public = bytes.fromhex(offer["public_key"])
        for custodian, passphrase in PASSPHRASES.items():
            sealed = hpke_seal(public, passphrase.encode(), opening_info(offer["id"])).hex()
            path = f"/api/openings/{offer['id']}/passphrases"
            await self.post(path, {"custodian": custodian, "sealed": sealed})
        for _ in range(10):
            progress = (await self.http.get(f"/api/openings/{offer['id']}?wait=30")).json()
            if progress["done"] or progress["failed"]:
                break
        assert progress["done"], progress
        return dict(progress)

    def go_to(self, moment: Any) -> None:
        ClockFile(host_monotonic(), moment, 1.0).save(self.clock)

    def found(self, secrets: dict[str, bytes]) -> set[str]:
        return found_in_memory(self.pid, secrets)


def demo_command(clock: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "server", "demo-child", "--clock", str(clock), *words]


@contextmanager
def serving(base: Path, config: Path, clock: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a centre's server in a process of its own."""
    log = (base / "server.log").open("wb")
    command = demo_command(clock, "serve", "--role", "centre", "--config", str(config))
    process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
        log.close()


async def address(base: Path, process: subprocess.Popen[bytes]) -> str:
    for _ in range(600):
        file = base / "data" / "address.json"
        if await asyncio.to_thread(file.exists):
            return str(json.loads(await asyncio.to_thread(file.read_text))["url"])
        assert process.poll() is None, "the server ended"
        await asyncio.sleep(0.1)
    raise AssertionError("the server did not come up")


def prepare(base: Path) -> tuple[Path, Path]:
    """Write settings, clock and the mark of an accelerated day; return settings file and clock file."""
    (base / "data").mkdir()
    (base / ".gongyuan-demo").touch()
    config, clock = base / "centre.toml", base / "clock.json"
    config.write_text('role = "centre"\ndata = "data"\n[listen]\nport = 0\n', encoding="utf-8")
    ClockFile(host_monotonic(), START, 1.0).save(clock)
    return config, clock


@asynccontextmanager
async def centre(base: Path) -> AsyncIterator[Centre]:
    """A real server process, an account for everything, and the registry as its trusted peer."""
    config, clock = prepare(base)
    load_models()
    db = Database(f"sqlite:///{base / 'data' / 'gongyuan.db'}")
    await asyncio.to_thread(upgrade, db)
    registry = Identity.open_or_create(base / "registry")
    async with act_on(db) as act:
        roles = {Role.ADMINISTRATOR, Role.CHIEF, Role.EXAM_OFFICE, Role.CUSTODIAN, Role.TECHNICIAN}
        await create_account(act, "everyone", "众人", PASSWORD, roles)
        keys = registry.public
        await register_peer(act, "registry", "registry", keys.signing, keys.receiving, None, ("a", "b"))
    with serving(base, config, clock) as process:
        url = await address(base, process)
        context = ssl.create_default_context(cafile=base / "data" / "tls" / "ca.pem")
        async with httpx.AsyncClient(base_url=url, verify=context, timeout=LONG_S) as http:
            await http.get("/api/time")
            made = Centre(base, config, clock, db, http, process.pid)
            await made.post("/api/login", {"username": "everyone", "password": PASSWORD})
            yield made
    await db.close()


async def import_items(centre: Centre) -> str:
    """Import the demo's bank at the desk, in a command of its own; return the bank's root."""
    words = ["items", "import", str(BANK_FILE), "--bank", "bank-1", "--bank-name", "电工四级题库"]
    words += ["--approve", "--writer", "秦", "--reviewer", "许", "--passphrases-stdin"]
    process = await asyncio.create_subprocess_exec(
        *demo_command(centre.clock, *words, "--config", str(centre.config)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    lines = "".join(f"{name}:{passphrase}\n" for name, passphrase in PASSPHRASES.items())
    said, _ = await process.communicate(lines.encode())
    assert process.returncode == 0, said.decode()
    (bank,) = (await centre.http.get("/api/banks")).json()
    return str(bank["root"])


async def send_exam(centre: Centre, base: Path, commitment: str, root: str) -> None:
    """Let the registry send an exam of two candidates in one room."""
    people = [
        CandidateContent(
            id=f"c{n}",
            ticket=f"t{n}",
            name="考生",
            id_kind="resident",
            id_number=f"{n}",
            subjects=("theory",),
        )
        for n in (1, 2)
    ]
    slot = SlotContent(
        id="slot-1",
        subject="theory",
        method="computer",
        starts_at=PLANNED,
        minutes=90,
        hand_in_early=30,
        hand_in_late=15,
        pass_mark=60.0,
        total=100.0,
        place="示范考点",
        policy=1,
    )
    content = ExamContent(
        plan="plan-1",
        name="20260314电工",
        organisation="org-1",
        organisation_name="示范评价机构",
        occupation="电工",
        occupation_code="6-31-01-03",
        level=4,
        jurisdiction="beijing",
        slots=(slot,),
        rooms=(RoomContent(number="1", name="一考场", seats=30),),
        candidates=tuple(people),
        seating=tuple(
            SeatingContent(sitting=f"s{n}", slot="slot-1", candidate=f"c{n}", room="1", seat=n)
            for n in (1, 2)
        ),
        staff=(),
        commitment=commitment,
        nonce="5a" * 32,
        bank_root=root,
        standing=StandingContent(organisation="org-1", status="good", serial=1, as_of=START),
    )
    registry = Identity.open_or_create(base / "registry")
    here = Identity.open_or_create(base / "data")
    async with database(f"sqlite:///{base / 'registry.db'}") as db, act_on(db) as act:
        keys = here.public
        await register_peer(act, "centre", "org-1", keys.signing, keys.receiving, None, ("a", "b"))
        data = (await pack(act, registry, "org-1", "exam", "plan-1", content)).bytes
    await centre.post("/api/packages", content=data)


async def secrets_of(centre: Centre) -> dict[str, bytes]:
    """Open everything in this test's own process: keys, shares, private halves and passphrases by name."""
    known = {f"passphrase of {name}": text.encode() for name, text in PASSPHRASES.items()}
    privates: dict[str, bytearray] = {}
    async with centre.db.reading() as session:
        for name, passphrase in PASSPHRASES.items():
            wrapped = await ring.wrapped_custodian(session, name)
            private = await asyncio.to_thread(ring.unwrap, wrapped, passphrase)
            privates[wrapped.custodian.id] = private
            known[f"private half of {name}"] = bytes(private)
        for key in await ring.keys(session):
            if key.retired:
                continue
            known[f"{key.kind.value} key"] = bytes(
                await ring.recover(session, key.kind, key.subject, privates)
            )
        rows = await session.execute(
            select(ShareRow.custodian, ShareRow.sealed, KeyRow.id, KeyRow.kind, KeyRow.subject).join(
                KeyRow, KeyRow.id == ShareRow.key
            )
        )
        for custodian, sealed, key_id, kind, subject in rows:
            info = ring.share_info(key_id, kind, subject, custodian)
            share = hpke_open(privates[custodian], sealed, info)
            known[f"share of the {kind} key of {custodian}"] = share[:-1]  # its last byte is only its place
    return known


async def test_the_serving_process_never_holds_what_two_custodians_open(tmp_path: Path) -> None:
    """Through ceremony, draw, start and marking the serving process's writable memory never holds the bank key, the
    marking key, any share, any private half or any passphrase; it holds the start key from its opening to the bell."""
    async with centre(tmp_path) as here:
        people = [{"username": name, "name": name} for name in PASSPHRASES]
        await here.open(await here.post("/api/ceremony", {"custodians": people, "bank": "bank-1"}))
        root = await import_items(here)
        commitment = (await here.post("/api/plans/plan-1/commitment"))["commitment"]
        await send_exam(here, tmp_path, commitment, root)
        blueprint = await asyncio.to_thread(BLUEPRINT.read_text, "utf-8")
        draw = {"kind": "draw", "slot": "slot-1", "bank": "bank-1", "blueprint": blueprint}
        await here.open(await here.post("/api/openings", draw))
        secrets = await secrets_of(here)
        assert {"bank key", "marking key", "start key"} <= set(secrets)
        assert len(secrets) == 3 + 2 + 2 + 6
        forbidden = {name: secret for name, secret in secrets.items() if name != "start key"}
        assert here.found(secrets) == set()

        await here.post("/api/hall/slots/slot-1/prepare")
        await here.post("/api/hall/slots/slot-1/seals")
        here.go_to(PLANNED - timedelta(minutes=9))
        await here.open(await here.post("/api/openings", {"kind": "start", "slot": "slot-1"}))
        assert here.found(secrets) == {"start key"}
        here.go_to(PLANNED)
        await here.post("/api/hall/slots/slot-1/bell", {"rooms": []})
        for sitting in ("s1", "s2"):
            await here.post(f"/api/hall/sittings/{sitting}/absent", {"reason": "缺考"})
        here.go_to(PLANNED + timedelta(minutes=95))
        await here.post("/api/hall/slots/slot-1/close")
        await here.open(await here.post("/api/openings", {"kind": "marking", "slot": "slot-1"}))
        assert here.found(forbidden) == set()


def test_the_search_itself_finds_what_is_there() -> None:
    """The search finds a secret that another process holds, raw or as hex, and does not find one that it never had."""
    code = "import sys; a = bytes.fromhex(sys.stdin.readline()); b = a.hex().upper(); print(1, flush=True); input()"
    secret, absent = os.urandom(32), os.urandom(32)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(secret.hex() + "\n")
    process.stdin.flush()
    process.stdout.readline()
    try:
        assert found_in_memory(process.pid, {"there": secret, "not there": absent}) == {"there"}
    finally:
        process.kill()
        process.wait()
