"""A real centre's server process under the accelerated-day clock, and how a test acts at it."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from server.accounts.roles import Role
from server.accounts.service import create_account
from server.clock import ClockFile, host_monotonic
from server.db.engine import Database
from server.db.migrate import upgrade
from server.keys.identity import Identity
from server.keys.openings_wire import opening_info
from server.keys.sealing import hpke_seal
from server.packages.peers import register_peer
from server.tables import load_models
from tests.support.clock import START
from tests.support.cookies import csrf
from tests.support.database import act_on

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASES = {"chen": "perihelion-saffron-41", "sun": "quarrystone-lilac-73"}
PASSWORD = "a good password"
LONG_S = 120.0


@dataclass(slots=True)
class Centre:
    """A running centre and how to act at it."""

    folder: Path
    config: Path
    clock: Path
    db: Database
    http: httpx.AsyncClient
    url: str
    pid: int

    async def post(self, path: str, body: object = None, content: bytes | None = None) -> Any:
        """Send JSON or raw bytes and return the JSON answer; an AssertionError names what was refused."""
        token = csrf(self.http.cookies)
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

    def go_to(self, moment: datetime) -> None:
        """Set the legal time of every process of this centre."""
        ClockFile(host_monotonic(), moment, 1.0).save(self.clock)


def demo_command(clock: Path, *words: str) -> list[str]:
    """Return the command line of one of the centre's own processes."""
    return [sys.executable, "-m", "server", "demo-child", "--clock", str(clock), *words]


@contextmanager
def serving(base: Path, config: Path, clock: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a centre's server in a process of its own."""
    log = (base / "server.log").open("wb")
    command = demo_command(clock, "serve", "--role", "centre", "--config", str(config))
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(LONG_S)
        if process.stdout is not None:
            process.stdout.close()
        log.close()


async def address(process: subprocess.Popen[bytes]) -> str:
    """Return the address that the server tells once it is bound."""
    assert process.stdout is not None
    told = (await asyncio.to_thread(process.stdout.readline)).decode().strip()
    assert told.startswith("https://"), "the server ended"
    return told


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
        url = await address(process)
        context = ssl.create_default_context(cafile=base / "data" / "tls" / "ca.pem")
        async with httpx.AsyncClient(base_url=url, verify=context, timeout=LONG_S) as http:
            await http.get("/api/time")
            made = Centre(base, config, clock, db, http, url, process.pid)
            await made.post("/api/login", {"username": "everyone", "password": PASSWORD})
            yield made
    await db.close()
