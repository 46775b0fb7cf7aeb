"""The launcher of an exam machine: starts Chromium on the candidate page, starts it again when it ends, and reports
the machine's health.

The browser makes and keeps the seat's key; the launcher has a key of its own, for its reports only, which the page
names at enrolment. Both come to the page in the address's fragment, which no server is sent.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlencode

import httpx
import msgspec

from kiosk.clock import monotonic
from kiosk.doctor import examine
from kiosk.finding import reached
from kiosk.policies import flags_for
from kiosk.restarts import over_budget, wait_before
from kiosk.settings import KioskSettings
from kiosk.vault import SeatKey
from server.errors import GongyuanError, Unavailable
from server.protocol.health import HEALTH_EVERY_S, HealthReport, SignedReport, health_bytes
from server.protocol.link import reconnect_wait

_END_WITHIN_S = 5.0
_ASK_AGAIN_S = 20.0
"""Monotonic seconds to the next report after one that was not taken: the machine may be enrolled any moment."""
_UNREACHABLE_SAY = 5
"""Tries without an answer after which the browser is started all the same: the page says that the line is lost, and
keeps the candidate's answers."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the launcher says as it works: started, ended, reported or refused, with a figure."""

    what: str
    figure: int | str = ""


class Launcher:
    """One machine. `run` until `stop`; `say` hears what happens."""

    def __init__(
        self,
        settings: KioskSettings,
        say: Callable[[Told], None],
        code: str = "",
        further: tuple[str, ...] = (),
    ) -> None:
        """`code` enrols the machine at its first start; `further` are flags of this one run."""
        self._settings = settings
        self._say = say
        self._code = code
        self._further = further
        self._key = own_key(Path(settings.folder))
        self._home = home(Path(settings.folder), settings.addresses)
        self._since = monotonic()
        self._ended: list[float] = []
        self._restarts = 0
        self._number = 0
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._report_now = asyncio.Event()

    async def run(self) -> None:
        """Keep the browser running; Tampered `kiosk-pin-other` when another server answers at the address."""
        await self._meet_server()
        reports = asyncio.create_task(self._keep_reporting())
        try:
            while not self._stopping.is_set():
                await self._browse()
        finally:
            reports.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reports
            await self._end()

    def stop(self) -> None:
        """End the browser and the launcher."""
        self._stopping.set()

    async def _meet_server(self) -> None:
        """Check the server's key; a server that does not answer is waited for, but not for ever."""
        for failures in range(_UNREACHABLE_SAY):
            try:
                server, _ = await reached(self._settings.addresses, self._settings.pin)
                self._home = home(Path(self._settings.folder), self._settings.addresses, server)
                return
            except Unavailable:
                self._say(Told("unreachable", failures + 1))
                await self._rest(reconnect_wait(failures, 1.0))
                if self._stopping.is_set():
                    return

    async def _browse(self) -> None:
        settings = self._settings
        settings.profile.mkdir(parents=True, exist_ok=True, mode=0o700)
        given = {"report": self._key.public.hex()} | ({"code": self._code} if self._code else {})
        self._code = ""
        self._process = await asyncio.create_subprocess_exec(
            settings.browser,
            *flags_for(settings.pin, str(settings.profile)),
            *settings.arguments,
            *self._further,
            f"{self._home}/exam#{urlencode(given)}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self._say(Told("started", self._process.pid))
        if self._restarts:
            self._report_now.set()
        ended, stopping = (
            asyncio.create_task(self._process.wait()),
            asyncio.create_task(self._stopping.wait()),
        )
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._stopping.is_set():
            ended.cancel()
            return
        # Children of a browser that was killed hold its profile; they go with it.
        _signal_group(self._process.pid, signal.SIGKILL)
        now = monotonic()
        self._ended = [*self._ended, now][-100:]
        self._restarts += 1
        self._say(Told("ended", self._process.returncode or 0))
        await self._rest(wait_before(self._ended, now))

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_END_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        _signal_group(process.pid, signal.SIGKILL)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _keep_reporting(self) -> None:
        while True:
            self._report_now.clear()
            taken = False
            try:
                taken = await self._report()
            except (GongyuanError, httpx.HTTPError, OSError) as error:
                self._say(Told("not reported", str(error)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEALTH_EVERY_S if taken else _ASK_AGAIN_S):
                    await self._report_now.wait()

    async def _report(self) -> bool:
        """Report once; true when the centre took it. A launcher that was started again does not know how far its
        numbers had come: the centre says so, and it goes on from there at once.
        """
        server, tls = await reached(self._settings.addresses, self._settings.pin)
        async with httpx.AsyncClient(verify=tls, timeout=15, trust_env=False) as client:
            for _ in range(2):
                signed = sign_report(await self._stand(), self._key)
                answer = await client.post(f"{server}/api/seats/health", json=msgspec.to_builtins(signed))
                if answer.status_code != 409:
                    break
                self._number = int(answer.json()["facts"]["newest"])
        taken = answer.status_code == 204
        self._say(Told("reported" if taken else "refused", answer.status_code))
        return taken

    async def _stand(self) -> HealthReport:
        """How this machine stands now."""
        machine = await examine(self._settings)
        running = self._process is not None and self._process.returncode is None
        faults = machine.faults
        if over_budget(self._ended, monotonic()):
            faults = ("kiosk-browser-crashing", *faults)
        self._number += 1
        return HealthReport(
            number=self._number,
            programme=version("gongyuan"),
            browser=machine.browser,
            running=running,
            up_s=round(monotonic() - self._since),
            restarts=self._restarts,
            disk_free_mb=machine.disk_free_mb,
            clock_difference_ms=machine.clock_difference_ms,
            input_method=machine.input_method,
            faults=faults[:20],
        )


def sign_report(report: HealthReport, key: SeatKey) -> SignedReport:
    """Return a report as it is sent, signed with the launcher's key."""
    text = msgspec.json.encode(report).decode()
    return SignedReport(key=key.public.hex(), report=text, signature=key.sign(health_bytes(text)).hex())


def home(folder: Path, addresses: Sequence[str], answering: str = "") -> str:
    """Return the address at which this machine's page is opened, ever the same: the seat's key and unconfirmed answers
    belong to it, and the browser has the page itself when nobody answers there. Kept in `<folder>/address` once a
    server has answered.
    """
    path = folder / "address"
    kept = path.read_text(encoding="ascii").strip() if path.exists() else ""
    if kept in addresses:
        return kept
    if answering:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(f"{answering}\n", encoding="ascii")
    return answering or addresses[0]


def own_key(folder: Path) -> SeatKey:
    """Return the launcher's key, kept in `<folder>/launcher.key` (0600); made at the first start.

    An empty file is what a power cut left before any key was in it: no page was ever given one, so a new one is made.
    """
    path = folder / "launcher.key"
    if path.exists() and path.stat().st_size:
        return SeatKey.load(path.read_bytes())
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = SeatKey.generate()
    making = folder / "launcher.key.new"
    making.unlink(missing_ok=True)
    _write_through(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, key.raw())
    making.replace(path)
    _write_through(folder, os.O_RDONLY)
    return key


def _write_through(path: Path, flags: int, data: bytes = b"") -> None:
    """Write data to a file, or nothing to a folder, and return once the disk has it."""
    descriptor = os.open(path, flags, 0o600)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _signal_group(leader: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, what)
