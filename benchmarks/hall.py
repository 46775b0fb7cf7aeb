"""A centre to be measured: a hall of checked-in candidates with sealed papers, served by a process of its own.

`prepare` fills a data folder and returns who may sit where; `served` runs `python -m benchmarks.hall FOLDER`,
which is the whole application of a centre on the configuration of `gongyuan serve`, and beside it `/echo`, a
bare ASGI websocket echo that serves as a floor. The process follows commands on stdin, one a line, and answers
each with a JSON line: `bell` strikes the bell, `beacon` sends one frame to every seat, `import` takes in the
package of another plan with 10,000 candidates.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import rfc8785
import uvicorn
from sqlalchemy import insert

from server.accounts.roles import Role
from server.accounts.service import begin_login, create_account
from server.affairs.taking import accept_exam, write_ahead
from server.app import create_app
from server.cli.serve import prepare_process
from server.clock import SystemClock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.migrate import upgrade
from server.delivery import service
from server.delivery.facts import Place, SlotTerms
from server.delivery.models import SeatRow
from server.delivery.timing import Policy
from server.keys.authority import ensure_tls
from server.keys.identity import Identity
from server.keys.passwords import prepared_password
from server.keys.sealing import paper_key, seal
from server.keys.signing import SigningKey
from server.packages.contents import (
    CandidateContent,
    ExamContent,
    RoomContent,
    SeatingContent,
    SlotContent,
    StandingContent,
)
from server.papers.models import PaperSet, SealedPaperRow
from server.protocol.paper import Option, Paper, PaperItem
from server.settings import CameraSettings, Listen, Settings
from server.tables import load_models
from server.web.seat_handshake import SeatDoor, SeatUpgradeProtocol, without_tickets
from server.web.site import LOGIN_COOKIE, Site, cookie_tag
from server.web.whole_frames import WholeFramesProtocol

ITEMS = 100
SLOT, PLAN = "slot", "plan"
CAMERAS = "cameras.json"
"""Cameras of the hall, where its folder has the file: a list of `CameraSettings`."""
START_KEY = bytes(range(32))
SEATS_A_ROOM = 30
IMPORTED = 10_000
"""Candidates of the plan that `import` takes in."""
_ROWS_A_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Guest:
    """Who may sit at a seat: the seat's id and private key (32 raw bytes, hex), and the candidate's numbers."""

    seat: str
    key: str
    ticket: str
    id_number: str


async def prepare(folder: Path, kiosks: int, *, rung: bool, policy: Policy | None = None) -> list[Guest]:
    """Write a slot with so many candidates checked in on enrolled seats, each with a sealed paper of 100 items,
    the bell struck when `rung`; return who may sit. Also writes them to `<folder>/guests.json`, and a chief's
    login for boards to `<folder>/board.json`.
    """
    load_models()
    clock, identity = SystemClock(), Identity.open_or_create(folder)
    db = Database(f"sqlite:///{folder / 'gongyuan.db'}")
    await asyncio.to_thread(upgrade, db)
    journal, now = Journal("benchmark"), clock.legal()
    terms = SlotTerms(SLOT, PLAN, "基准", "基准", now, policy or Policy(600, 30, 15), 1)
    places = [
        Place(f"sitting-{n}", f"c{n}", f"考生{n}", f"T{n}", f"ID{n}", *_place_of(n)) for n in range(kiosks)
    ]
    async with db.writing() as session:
        await accept_exam(Act(session, journal, now, "benchmark"), exam_of(PLAN, SLOT, "", kiosks, now))
        await service.prepare_sittings(Act(session, journal, now, "benchmark"), terms, places)
        session.add(PaperSet(id="set", plan=PLAN, slot=SLOT, state="current", sealed_at=now))
    guests: list[Guest] = []
    for start in range(0, kiosks, _ROWS_A_CHUNK):
        chunk = places[start : start + _ROWS_A_CHUNK]
        async with db.writing() as session:
            act = Act(session, journal, now, "benchmark")
            keys = [SigningKey.generate() for _ in chunk]
            guests += [
                Guest(f"seat-{start + n}", key.raw().hex(), place.ticket, place.id_number)
                for n, (place, key) in enumerate(zip(chunk, keys, strict=True))
            ]
            seats = [
                {
                    "id": f"seat-{start + n}",
                    "room": place.room,
                    "number": place.seat,
                    "kind": "headless",
                    "public_key": key.public,
                    "enrolled_at": now,
                }
                for n, (place, key) in enumerate(zip(chunk, keys, strict=True))
            ]
            await session.execute(insert(SeatRow), seats)
            papers = [_sealed(place, start + n) for n, place in enumerate(chunk)]
            await session.execute(insert(SealedPaperRow), papers)
            for place in chunk:
                await service.check_in(act, place.sitting, {})
    if rung:
        async with db.writing() as session:
            wrapped = identity.storage_wrap(START_KEY, service.start_key_aad(SLOT))
            await service.ring(Act(session, journal, now, "benchmark"), SLOT, None, wrapped, now)
    hashed = await prepared_password(secrets.token_hex(8), "board")
    async with db.writing() as session:
        act = Act(session, journal, now, "benchmark")
        account = await create_account(act, "board", "大屏", hashed, {Role.CHIEF})
        token = await begin_login(act, account, "127.0.0.1", clock.monotonic())
    await db.close()
    cookie = f"{LOGIN_COOKIE}-{cookie_tag('centre', identity.fingerprint)}"
    login = json.dumps({"cookie": cookie, "token": token})
    await asyncio.to_thread((folder / "board.json").write_text, login, encoding="utf-8")
    text = json.dumps([asdict(guest) for guest in guests])
    await asyncio.to_thread((folder / "guests.json").write_text, text, encoding="utf-8")
    return guests


def _place_of(n: int) -> tuple[str, int]:
    return str(n // SEATS_A_ROOM + 1), n % SEATS_A_ROOM + 1


def _sealed(place: Place, number: int) -> dict[str, Any]:
    """Return a sealed paper's row, sealed as the draw seals."""
    options = tuple(Option(label, f"<p>选项{label}，与题干同样长短的一句话</p>") for label in "ABCD")
    items = tuple(
        PaperItem(n, "single", f"<p>第{n}题：下列关于安全操作的说法中，正确的是哪一项？</p>", 1.0, options)
        for n in range(1, ITEMS + 1)
    )
    paper = f"paper-{number}"
    clear = msgspec.json.encode(Paper(paper, PLAN, SLOT, "基准", 600, items))
    digest = hashlib.sha256(clear).digest()
    named: dict[str, Any] = {
        "hash": digest.hex(),
        "paper": paper,
        "plan": PLAN,
        "policy": 1,
        "sitting": place.sitting,
    }
    aad = rfc8785.dumps(named)
    nonce, ciphertext = seal(paper_key(START_KEY, paper), clear, aad)
    return {
        "id": paper,
        "set_id": "set",
        "sitting": place.sitting,
        "room": place.room,
        "number": number,
        "policy": 1,
        "hash": digest,
        "nonce": nonce,
        "aad": aad,
        "ciphertext": ciphertext,
    }


# The process that is measured.


def serve(folder: Path, port: int, *, tls: bool) -> None:
    """Serve the folder's centre until SIGTERM; a JSON line with the port says that it listens."""
    file = folder / CAMERAS
    cameras = msgspec.json.decode(file.read_bytes(), type=tuple[CameraSettings, ...]) if file.exists() else ()
    settings = Settings(
        role="centre",
        data=str(folder),
        name="基准",
        secure_cookies=tls,
        listen=Listen(port=port),
        cameras=cameras,
    )
    app = create_app(settings, SystemClock(), lambda *words: (sys.executable, "-m", "server", *words))
    site: Site = app.state.site
    door = SeatDoor(app)
    prepare_process()

    async def both(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket" and scope["path"] == "/echo":
            await _echo(receive, send)
        else:
            await door(scope, receive, send)

    files = ensure_tls(folder / "tls", ()) if tls else None
    config = uvicorn.Config(
        both,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http=SeatUpgradeProtocol,
        ws=WholeFramesProtocol,
        ws_per_message_deflate=False,
        ws_ping_interval=25.0,
        ws_max_size=1 << 20,
        ssl_certfile=None if files is None else str(files.certificate),
        ssl_keyfile=None if files is None else str(files.key),
        ssl_context_factory=None if files is None else without_tickets,
        log_level="error",
        access_log=False,
        backlog=8192,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)

    async def run() -> None:
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        if server.started:
            _say(port=server.servers[0].sockets[0].getsockname()[1])
            obeying = asyncio.create_task(_obey(site))
            await serving
            obeying.cancel()
        else:
            await serving

    uvicorn_loop = config.get_loop_factory()
    with asyncio.Runner(loop_factory=uvicorn_loop) as runner:
        runner.run(run())


async def _obey(site: Site) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        begin = time.monotonic()
        match line.strip():
            case b"bell":
                wrapped = site.identity.storage_wrap(START_KEY, service.start_key_aad(SLOT))
                async with site.acting("staff:chief") as act:
                    await service.ring(act, SLOT, None, wrapped, act.now)
            case b"beacon":
                site.hall.send_beacon()
            case b"import":
                content = exam_of("other", "other-slot", "other-", IMPORTED, site.clock.legal())
                acting = partial(site.acting, "peer:registry")
                ahead = await write_ahead(acting, content)
                async with acting() as act:
                    await accept_exam(act, content, ahead)
        _say(begin=begin, end=time.monotonic())


def exam_of(plan: str, slot: str, mark: str, candidates: int, now: datetime) -> ExamContent:
    """Return the exam package of a plan with so many candidates and as many sittings, in rooms of 30; `mark` begins
    their ids and numbers.
    """
    terms = SlotContent(
        id=slot,
        subject="theory",
        method="computer",
        starts_at=now,
        minutes=90,
        hand_in_early=30,
        hand_in_late=15,
        pass_mark=60.0,
        total=100.0,
        place="基准",
        policy=1,
    )
    return ExamContent(
        plan=plan,
        name="基准",
        organisation="o",
        organisation_name="基准机构",
        occupation="电工",
        occupation_code="6-31-01-03",
        level=4,
        jurisdiction="beijing",
        slots=(terms,),
        rooms=tuple(
            RoomContent(number=str(n), name=str(n), seats=30) for n in range(1, candidates // 30 + 2)
        ),
        candidates=tuple(
            CandidateContent(
                id=f"{mark}c{n}",
                ticket=f"{mark}T{n}",
                name=f"考生{n}",
                id_kind="resident",
                id_number=f"{mark}ID{n}",
                subjects=("theory",),
            )
            for n in range(candidates)
        ),
        seating=tuple(
            SeatingContent(
                sitting=f"{mark}sitting-{n}",
                slot=slot,
                candidate=f"{mark}c{n}",
                room=_place_of(n)[0],
                seat=_place_of(n)[1],
            )
            for n in range(candidates)
        ),
        staff=(),
        commitment="0" * 64,
        nonce="0" * 64,
        bank_root="0" * 64,
        standing=StandingContent(organisation="o", status="good", serial=1, as_of=now),
    )


def _say(**facts: float) -> None:
    print(json.dumps(facts), flush=True)


async def _echo(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] != "websocket.receive":
            return
        await send({"type": "websocket.send", "text": event["text"]})


# The measuring process.


@dataclass(frozen=True, slots=True)
class Served:
    """A running centre; `pid` is the process to measure."""

    process: "subprocess.Popen[str]"
    port: int

    @property
    def pid(self) -> int:
        """The serving process."""
        return self.process.pid

    async def ask(self, command: str) -> dict[str, float]:
        """Give a command; return when it began and ended, in monotonic seconds of this machine."""
        return await asyncio.to_thread(self._ask, command)

    def _ask(self, command: str) -> dict[str, float]:
        if self.process.stdin is None:
            raise RuntimeError("the process hears no commands")
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return _heard(self.process)

    def kill(self) -> None:
        """End the process without warning, as a power cut does."""
        self.process.kill()
        self.process.wait()


def start(folder: Path, *, tls: bool = False, port: int = 0) -> Served:
    """Start the process and wait until it listens."""
    command = [sys.executable, "-m", "benchmarks.hall", str(folder), "--port", str(port)]
    process = subprocess.Popen(
        [*command, *(["--tls"] if tls else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    return Served(process, int(_heard(process)["port"]))


def stop(served: Served) -> None:
    """End the process as an operator does; kill it when it does not end within 20 s."""
    if served.process.poll() is None:
        served.process.send_signal(signal.SIGTERM)
    try:
        served.process.wait(20)
    except subprocess.TimeoutExpired:
        served.kill()
    for pipe in (served.process.stdin, served.process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


@contextlib.contextmanager
def served(folder: Path, *, tls: bool = False, port: int = 0) -> Iterator[Served]:
    """Run the process for the length of the block."""
    running = start(folder, tls=tls, port=port)
    try:
        yield running
    finally:
        stop(running)


def _heard(process: "subprocess.Popen[str]") -> dict[str, float]:
    line = process.stdout.readline() if process.stdout is not None else ""
    if not line:
        raise RuntimeError(f"the serving process ended with status {process.wait()}")
    facts: dict[str, float] = json.loads(line)
    return facts


def main() -> int:
    """Serve a prepared folder, or prepare it first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--prepare", type=int, metavar="KIOSKS", help="fill the empty folder first")
    parser.add_argument("--minutes", type=int, default=600, help="length of the prepared exam")
    parser.add_argument("--early", type=int, default=30, help="no hand-in in the first so many minutes")
    parser.add_argument("--late", type=int, default=15, help="no hand-in in the last so many minutes")
    arguments = parser.parse_args()
    if arguments.prepare is not None:
        policy = Policy(arguments.minutes, arguments.early, arguments.late)
        asyncio.run(prepare(arguments.folder, arguments.prepare, rung=False, policy=policy))
    serve(arguments.folder, arguments.port, tls=arguments.tls)
    return 0


if __name__ == "__main__":
    sys.exit(main())
