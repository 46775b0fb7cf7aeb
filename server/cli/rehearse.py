"""`gongyuan rehearse`: the hall full of headless kiosks for a set time, on this machine, and a pass/fail sheet."""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from server.cli.common import add_config, clock_from, settings_from
from server.clock import SHANGHAI, Clock
from server.db.engine import Database
from server.db.migrate import upgrade
from server.errors import BadInput, Refusal, Refused
from server.keys.identity import Identity
from server.rehearsal.hall import RehearsedHall, settle
from server.rehearsal.sheet import Line, Measured, judge, percentile
from server.settings import DEMO_MARKER, Settings
from server.tables import load_models
from server.web.catalogue import say

_STEP_S = 300.0
"""Monotonic seconds that one step before the bell may take."""


class _Events:
    """The kiosks' events, counted as they come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.counts: Counter[str] = Counter()
        self.last: dict[str, float] = {}
        self.outcomes: dict[str, int] = {}
        self._changed = asyncio.Event()
        self.ended = False

    async def read(self, lines: asyncio.StreamReader) -> None:
        """Read until the kiosks end."""
        while line := await lines.readline():
            event = json.loads(line)
            self.counts[event["event"]] += 1
            self.last[event["event"]] = self._clock.monotonic()
            self.outcomes = event.get("outcomes", self.outcomes)
            self._changed.set()
        self.ended = True
        self._changed.set()

    async def until(self, event: str, count: int, within_s: float) -> None:
        """Wait until an event came so often, the kiosks ended, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.counts[event] < count and not self.ended:
                    self._changed.clear()
                    await self._changed.wait()


class _Server:
    """The scratch centre's serving process."""

    def __init__(self, own: Sequence[str], folder: Path) -> None:
        self._command = [*own, "serve", "--role", "centre", "--config", str(folder / "centre.toml")]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> str:
        """Start it and return its address."""
        address = self._folder / "data" / "address.json"
        await asyncio.to_thread(address.unlink, True)
        self._process = self._started()
        async with asyncio.timeout(_STEP_S):
            while not await asyncio.to_thread(address.exists):
                if self._process.poll() is not None:
                    raise Refused(Refusal("rehearse-server-ended", facts={"log": "server.log"}))
                await asyncio.sleep(0.1)
        return str(json.loads(address.read_text(encoding="utf-8"))["url"])

    def _started(self) -> subprocess.Popen[bytes]:
        with (self._folder / "server.log").open("ab") as log:
            return subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    async def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it: kindly, or as a power cut does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            await asyncio.to_thread(self._process.wait, 30)


def _folder(args: argparse.Namespace, settings: Settings, now: datetime) -> Path:
    """Make the scratch folder: beside the data folder, so that it lies on the same disk."""
    named = f"rehearsal-{now.astimezone(SHANGHAI):%Y%m%d-%H%M%S}"
    folder: Path = args.folder or settings.folder.parent / named
    try:
        (folder / "data").mkdir(parents=True)
    except OSError as error:
        raise BadInput("rehearse-folder", path=str(folder), reason=str(error)) from error
    if args.clock is not None:
        (folder / DEMO_MARKER).touch()
    (folder / "centre.toml").write_text(
        f'role = "centre"\ndata = "data"\nname = {json.dumps(settings.name, ensure_ascii=False)}\n'
        f"writer_gap_ms = {settings.writer_gap_ms}\n[listen]\nport = 0\n",
        encoding="utf-8",
    )
    return folder


async def _rehearsed(args: argparse.Namespace, folder: Path, clock: Clock) -> Measured:
    own = [sys.executable, "-m", "server"]
    if args.clock is not None:
        own += ["demo-child", "--clock", str(args.clock)]
    data = folder / "data"
    db = Database(f"sqlite:///{data / 'gongyuan.db'}")
    hall = RehearsedHall(db, clock, Identity.open_or_create(data), args.minutes, args.items)
    server, events = _Server(own, folder), _Events(clock)
    kiosks: asyncio.subprocess.Process | None = None
    try:
        await hall.prepare(args.seats)
        (folder / "script.json").write_text(json.dumps(hall.script), encoding="utf-8")
        url = await server.start()
        words = ["-m", "kiosk", "bots", "--server", url, "--ca", str(data / "tls" / "ca.pem")]
        words += ["--script", str(folder / "script.json"), "--ledger", str(folder / "ledger.jsonl")]
        words += ["--journals", str(folder / "journals")] if args.journals else []
        kiosks = await asyncio.create_subprocess_exec(
            sys.executable, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 20
        )
        assert kiosks.stdout is not None
        reading = asyncio.create_task(events.read(kiosks.stdout))
        await events.until("welcome", args.seats, _STEP_S)
        await hall.check_in()
        await events.until("sealed", args.seats, _STEP_S)
        rung = clock.monotonic()
        await hall.ring()
        await events.until("opened", args.seats, _STEP_S)
        bell_s = events.last.get("opened", rung + _STEP_S) - rung
        length_s = args.minutes * 60 / max(clock.rate(), 1e-6)
        if args.power_cut:
            await events.until("finished", 1, length_s / 2)
            await server.end(signal.SIGKILL)
            # The same port, so that the kiosks come back by themselves.
            port = url.rpartition(":")[2]
            settings = folder / "centre.toml"
            settings.write_text(
                settings.read_text(encoding="utf-8").replace("port = 0", f"port = {port}"), encoding="utf-8"
            )
            await server.start()
        await events.until("finished", 1, length_s + _STEP_S)
        if kiosks.returncode is None and not events.ended:
            kiosks.terminate()
        await reading
    finally:
        if kiosks is not None and kiosks.returncode is None:
            kiosks.terminate()
            await kiosks.wait()
        await server.end()
        await db.close()
    settled = await asyncio.to_thread(settle, data / "gongyuan.db", folder / "ledger.jsonl")
    count = events.counts
    return Measured(
        seats=args.seats,
        welcomed=min(count["welcome"], args.seats),
        sealed=min(count["sealed"], args.seats),
        opened=min(count["opened"], args.seats),
        bell_s=bell_s,
        latencies=settled.latencies,
        acknowledged=settled.acknowledged,
        lost=settled.lost,
        changed=settled.changed,
        faults=len(settled.faults),
        collected=events.outcomes.get("collected", 0),
        handed_in=events.outcomes.get("handed_in", 0),
        failed=count["failed"],
        power_cut=args.power_cut,
    )


def _sheet(
    settings: Settings, args: argparse.Namespace, now: datetime, found: Measured, lines: Sequence[Line]
) -> str:
    """Return the sheet as text, in both languages, with a line for the signature."""
    passed = all(line.passed for line in lines)
    p50, p99 = percentile(found.latencies, 0.5), percentile(found.latencies, 0.99)
    machine = f"{platform.machine()} · {os.cpu_count()} CPU · {platform.system()} {platform.release()}"
    facts = {
        "name": settings.name,
        "at": f"{now.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}",
        "seats": args.seats,
        "minutes": args.minutes,
        "items": args.items,
        "machine": machine,
        "p50": f"{p50:.0f}",
        "p99": f"{p99:.0f}",
    }
    text = []
    for language in ("zh", "en"):
        text.append(say(language, "rehearse-head", facts))
        for line in lines:
            verdict = say(language, "rehearse-pass" if line.passed else "rehearse-fail", {})
            text.append(f"  {verdict}  {say(language, line.code, {})}: {line.found} ({line.required})")
        text += [say(language, "rehearse-passed" if passed else "rehearse-not-passed", {}), ""]
    return "\n".join(text)


def _rehearse(args: argparse.Namespace) -> int:
    settings, clock = settings_from(args, "centre"), clock_from(args)
    now = clock.legal()
    folder = _folder(args, settings, now)
    load_models()
    upgrade(Database(f"sqlite:///{folder / 'data' / 'gongyuan.db'}"))
    found = asyncio.run(_rehearsed(args, folder, clock))
    lines = judge(found)
    text = _sheet(settings, args, now, found, lines)
    (folder / "sheet.txt").write_text(text, encoding="utf-8")
    print(text)
    print(folder / "sheet.txt")
    return 0 if all(line.passed for line in lines) else 1


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 5_000:
        raise argparse.ArgumentTypeError("1 to 5000")
    return value


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser(
        "rehearse",
        help="fill the hall with headless kiosks for a set time and write a pass/fail sheet",
        description="Runs a scratch centre beside the real data folder, on the same disk: every seat is enrolled, "
        "checked in, opened by the bell, answers to the end and is collected; every acknowledgement is then held "
        "against the disk. Nothing of it touches the centre's own data. Status 1 when it did not pass.",
    )
    parser.add_argument(
        "--seats", type=_count, default=100, help="kiosks, all with a candidate (default 100)"
    )
    parser.add_argument("--minutes", type=_count, default=10, help="length of the exam (default 10)")
    parser.add_argument("--items", type=_count, default=100, help="items of a paper (default 100)")
    parser.add_argument(
        "--power-cut", action="store_true", help="kill the server half-way and start it again"
    )
    parser.add_argument(
        "--journals", action="store_true", help="let every kiosk keep its sealed local journal"
    )
    parser.add_argument("--folder", type=Path, help="scratch folder; it must not exist")
    add_config(parser)
    parser.set_defaults(run=_rehearse)
