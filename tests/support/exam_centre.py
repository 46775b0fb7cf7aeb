"""A whole centre as a process that tests may kill, in the middle of an exam whose candidates never stop answering."""

import asyncio
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from server.clock import ClockFile, DemoClock, host_monotonic
from server.db.engine import Database
from server.db.migrate import upgrade
from server.delivery.timing import Policy
from server.keys.authority import ensure_tls
from server.tables import load_models
from tests.support.centre import ROOT, demo_command
from tests.support.delivery import Scene, prepare_scene
from tests.support.ports import free_port
from tests.support.sitters import Sitter, everybody_answers

ITEMS = 60


class Centre:
    """`serve --role centre`, the same on every start: its own data folder, TLS, and one port. `more` are further lines
    of its settings (TOML).
    """

    def __init__(self, base: Path, more: str = "") -> None:
        self.base, self.port, self._more = base, free_port(), more
        self.data = base / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Write settings, the mark of an accelerated day and its clock."""
        self.data.mkdir()
        (self.base / ".gongyuan-demo").touch()
        (self.base / "centre.toml").write_text(
            f'role = "centre"\ndata = "data"\n[listen]\nport = {self.port}\n{self._more}', encoding="utf-8"
        )
        start = datetime(2026, 3, 14, 0, 0, tzinfo=UTC)
        ClockFile(host_monotonic(), start, 1.0).save(self.base / "clock.json")

    async def start(self) -> None:
        """Start the process and wait until it takes connections."""
        self._process = self._started()
        async with asyncio.timeout(90):
            while not await self._answers():
                assert self._process.poll() is None, (self.base / "server.log").read_text()
                await asyncio.sleep(0.05)

    def _started(self) -> subprocess.Popen[bytes]:
        words = ("serve", "--role", "centre", "--config", str(self.base / "centre.toml"))
        with (self.base / "server.log").open("ab") as log:
            command = demo_command(self.base / "clock.json", *words)
            return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    async def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(self._process.wait)

    @property
    def pid(self) -> int:
        """The serving process."""
        assert self._process is not None
        return self._process.pid

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True


@asynccontextmanager
async def sitting_hall(base: Path, more: str = "") -> AsyncIterator[tuple[Centre, Scene, list[Sitter]]]:
    """A running centre in the middle of an exam, four candidates answering; `more` goes to its settings."""
    centre = Centre(base, more)
    centre.prepare()
    load_models()
    db = Database(f"sqlite:///{centre.data / 'gongyuan.db'}")
    await asyncio.to_thread(upgrade, db)
    clock = DemoClock(base / "clock.json")
    scene = await prepare_scene(db, clock, centre.data, Policy(600, 30, 15), items=ITEMS)
    await scene.check_in(*scene.sittings)
    await scene.ring()
    tls = ensure_tls(centre.data / "tls", ("localhost", "127.0.0.1"))
    trusted = ssl.create_default_context(cafile=str(tls.ca))
    sitters = [
        Sitter(f"wss://127.0.0.1:{centre.port}", trusted, scene.seats[place], scene.numbers(place), ITEMS)
        for place in scene.sittings
    ]
    try:
        await centre.start()
        for sitter in sitters:
            sitter.start()
        # Who still signs in when a test takes the disk away is asked to try again, and these do not.
        await everybody_answers(sitters)
        yield centre, scene, sitters
    finally:
        for sitter in sitters:
            await sitter.stop()
        await centre.kill()
        await db.close()
