"""Headless kiosks, many in one process: they enrol their seats, connect over TLS and act as their script
says.

Events are JSON lines on stdout. Commands are JSON lines on stdin: {"stop": true} ends all, {"drop": [ticket,
legal minutes]} drops a candidate's line. A candidate whom the centre moves walks to the kiosk of the new seat
by himself.
"""

import asyncio
import contextlib
import json
import random
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

import httpx

from kiosk.agent import Agent, enrol
from kiosk.brain import Dropped, Event, Saved, Stage
from kiosk.choice import choose, plain_knowledge
from kiosk.clock import monotonic
from kiosk.notebook import Notebook
from kiosk.script import AnswerItems, CallAt, DropAt, HandInAt, Person, Script
from kiosk.vault import SeatKey
from server.errors import GongyuanError
from server.protocol import exam

_LOOK_S = 0.2
_ENROL_TOGETHER = 8


@dataclass(slots=True)
class Visitor:
    """A candidate on his way through his plan; he keeps it when he is moved to another kiosk."""

    person: Person
    rng: random.Random
    done: set[int] = field(default_factory=set)
    answered: set[int] = field(default_factory=set)
    back_at: datetime | None = None
    outcome: str = ""


class Bot:
    """One kiosk and, perhaps, the candidate at it."""

    def __init__(self, bots: "Bots", number: int, key: SeatKey, enrolled: dict[str, Any]) -> None:
        self.number = number
        self.room, self.seat = str(enrolled["room"]), int(enrolled["number"])
        self.visitor: Visitor | None = None
        self._bots = bots
        self._expected = False
        self._asked = False
        self._given: dict[tuple[int, int], float] = {}
        """When answers on their way were given."""
        self.agent = Agent(
            bots.server,
            bots.tls,
            str(enrolled["seat"]),
            key,
            self._hear,
            random.Random(f"{bots.script.seed}-{number}"),
            None
            if bots.journals is None
            else Notebook(bots.journals / f"{self.room}-{self.seat}", key, str(enrolled["seat"])),
        )

    async def run(self) -> None:
        """Keep the line and act out the plan until all bots are done."""
        line = asyncio.create_task(self.agent.run())
        try:
            while not self._bots.finished.is_set():
                await self._act()
                if line.done() and line.exception() is not None:
                    self.tell("failed", reason=str(line.exception()))
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._bots.finished.wait(), self._pause())
        finally:
            await self.agent.stop()
            line.cancel()
            await asyncio.gather(line, return_exceptions=True)

    def tell(self, event: str, **facts: Any) -> None:
        """Say on stdout what happened."""
        now = self.agent.brain.legal(monotonic())
        ticket = self.visitor.person.ticket if self.visitor is not None else None
        at = None if now is None else now.isoformat()
        self._bots.say(
            event, kiosk=self.number, seat=f"{self.room}-{self.seat}", ticket=ticket, at=at, **facts
        )

    async def lose_line(self, minutes: float) -> None:
        """Drop the line for so many legal minutes."""
        now = self.agent.brain.legal(monotonic())
        if self.visitor is None or now is None:
            return
        self.visitor.back_at = now + timedelta(minutes=minutes)
        self.tell("dropped", minutes=minutes)
        await self.agent.lose_line()

    def _pause(self) -> float:
        """Look at least every 15 legal seconds, and not more often than is of use."""
        return min(_LOOK_S, max(0.02, 5.0 / max(self.agent.brain.rate, 1e-6)))

    async def _act(self) -> None:
        visitor, brain = self.visitor, self.agent.brain
        if visitor is None or visitor.person.absent or visitor.outcome:
            return
        if brain.stage is Stage.WELCOME and brain.seated is None and self._expected and not self._asked:
            self._asked = True
            brain.sign_in(visitor.person.ticket, visitor.person.id_number)
            self.agent.wake()
        now = brain.legal(monotonic())
        if now is None:
            return
        if visitor.back_at is not None and now >= visitor.back_at:
            visitor.back_at = None
            self.agent.find_line()
        phase = brain.phase
        if brain.seated is None or phase is None or phase.start is None or self.agent.paper is None:
            return
        if phase.kind != "running" or brain.stage in (Stage.LEFT, Stage.FINISHED):
            return
        minute = (now - phase.start).total_seconds() / 60
        for index, step in enumerate(visitor.person.plan):
            if index not in visitor.done:
                await self._step(visitor, index, step, minute)

    async def _step(self, visitor: Visitor, index: int, step: Any, minute: float) -> None:
        brain, paper = self.agent.brain, self.agent.paper
        if paper is None:
            return
        match step:
            case AnswerItems():
                wanted = round(len(paper.items) * step.share)
                span = max(step.until - step.begin, 1e-6)
                due = min(
                    wanted, int(wanted * (minute - step.begin) / span) + 1 if minute >= step.begin else 0
                )
                for item in paper.items[:due]:
                    if item.number not in visitor.answered:
                        visitor.answered.add(item.number)
                        value = choose(item, self._bots.knowledge, visitor.person.ability, visitor.rng)
                        given = brain.answer(item.number, value, monotonic())
                        self._given[(given.lease, given.seq)] = monotonic()
                        self.agent.wake()
                if due >= wanted:
                    visitor.done.add(index)
            case HandInAt() if minute >= step.at:
                if self.agent.online and brain.stage is Stage.SEATED and brain.hand_in():
                    visitor.done.add(index)
                    self.agent.wake()
            case DropAt() if minute >= step.at:
                visitor.done.add(index)
                await self.lose_line(step.minutes)
            case CallAt() if minute >= step.at:
                visitor.done.add(index)
                brain.call("help", step.text)
                self.agent.wake()

    def _hear(self, event: Event) -> None:
        brain = self.agent.brain
        match event:
            case exam.Welcome():
                self.tell("welcome")
            case exam.Expecting():
                self._expected, self._asked = event.on, False
            case exam.Seated():
                self.tell(
                    "resumed" if event.next_seq > 1 else "seated",
                    lease=event.lease,
                    answers=len(event.answers),
                )
            case exam.PaperSealed():
                self.tell("sealed", paper=event.paper.id)
            case exam.PaperKey():
                self.tell(
                    "opened",
                    paper=event.paper,
                    items=0 if self.agent.paper is None else len(self.agent.paper.items),
                )
            case Saved():
                since = self._given.pop((event.answer.lease, event.answer.seq), None)
                self._bots.keep(brain.seated, event, None if since is None else monotonic() - since)
            case Dropped():
                self.tell("answer-refused", code=event.refused.code, number=event.answer.number)
            case exam.Refused():
                self.tell("refused", about=event.about, code=event.code, facts=event.facts)
                if event.about == "sign_in":
                    self._expected = False
            case exam.HandedIn() | exam.Collected():
                kind = "handed_in" if isinstance(event, exam.HandedIn) else "collected"
                self.tell(kind, count=event.count, code=event.code)
                self._leave(kind)
            case exam.Voided():
                self.tell("voided")
                self._leave("voided")
            case exam.Moved():
                self.tell("moved", to=f"{event.room}-{event.number}")
                self._bots.walk(self, event.room, event.number)
            case exam.Notice():
                self.tell("message", text=event.text)
                brain.put_away(event.id)
                self.agent.wake()

    def _leave(self, outcome: str) -> None:
        if self.visitor is not None:
            self.visitor.outcome = outcome
            self._bots.look()


class Bots:
    """All kiosks of one process."""

    def __init__(
        self,
        server: str,
        tls: ssl.SSLContext | None,
        script: Script,
        out: IO[str],
        ledger: IO[str] | None,
        journals: Path | None = None,
    ) -> None:
        self.server, self.tls, self.script, self.journals = server, tls, script, journals
        self.knowledge = plain_knowledge(script.knowledge)
        self.finished = asyncio.Event()
        self.saved = 0
        self._out, self._ledger = out, ledger
        self._bots: list[Bot] = []

    async def run(self) -> int:
        """Enrol, act, and end when every candidate's paper is in; return 0, or 1 when a seat failed."""
        try:
            await self._enrol()
        except GongyuanError as error:
            self.say("failed", reason=str(error))
            return 1
        self.say("enrolled", kiosks=len(self._bots))
        self.look()
        await asyncio.gather(*(bot.run() for bot in self._bots))
        outcomes: dict[str, int] = {}
        for bot in self._bots:
            if bot.visitor is not None:
                key = "absent" if bot.visitor.person.absent else bot.visitor.outcome or "unfinished"
                outcomes[key] = outcomes.get(key, 0) + 1
        self.say("finished", outcomes=outcomes, saved=self.saved)
        return 0

    def say(self, event: str, **facts: Any) -> None:
        """Write one event line."""
        self._out.write(json.dumps({"event": event, **facts}, ensure_ascii=False) + "\n")
        self._out.flush()

    def keep(self, seated: exam.Seated | None, saved: Saved, after_s: float | None = None) -> None:
        """Note an acknowledged answer in the ledger, with the seconds from giving it to its acknowledgement."""
        self.saved += 1
        if self._ledger is None or seated is None:
            return
        answer, told = saved.answer, saved.acknowledged
        row = {
            "sitting": seated.sitting,
            "lease": answer.lease,
            "seq": answer.seq,
            "number": answer.number,
            "value": list(answer.value),
            "outcome": told.outcome,
            "receipt": told.receipt.number,
            "hash": told.receipt.hash,
            "mac": told.receipt.mac,
            "after_ms": None if after_s is None else round(after_s * 1000, 1),
        }
        self._ledger.write(json.dumps(row, ensure_ascii=False) + "\n")

    def walk(self, old: Bot, room: str, seat: int) -> None:
        """Let a moved candidate go on at the kiosk of his new seat."""
        visitor, old.visitor = old.visitor, None
        for bot in self._bots:
            if (bot.room, bot.seat) == (room, seat) and visitor is not None:
                visitor.back_at = None
                bot.visitor = visitor
                bot.tell("walked", came_from=f"{old.room}-{old.seat}")
                return
        if visitor is not None:
            old.visitor = visitor
            visitor.outcome = "moved-away"
            self.look()

    def look(self) -> None:
        """End when nobody is left."""
        people = [
            bot.visitor for bot in self._bots if bot.visitor is not None and not bot.visitor.person.absent
        ]
        if all(visitor.outcome for visitor in people):
            self.finished.set()

    async def obey(self, lines: asyncio.StreamReader) -> None:
        """Follow commands until the stream ends."""
        while line := await lines.readline():
            try:
                command = json.loads(line)
                if command.get("stop"):
                    self.finished.set()
                elif "drop" in command:
                    ticket, minutes = command["drop"]
                    for bot in self._bots:
                        if bot.visitor is not None and bot.visitor.person.ticket == ticket:
                            await bot.lose_line(float(minutes))
                else:
                    self.say("command-unknown", command=line.decode("utf-8", "replace").strip())
            except (ValueError, TypeError, AttributeError) as error:
                self.say("command-unknown", reason=str(error))

    async def _enrol(self) -> None:
        together = asyncio.Semaphore(_ENROL_TOGETHER)
        async with httpx.AsyncClient(verify=self.tls or True, timeout=30, trust_env=False) as client:

            async def one(number: int, code: str) -> Bot:
                key = SeatKey.generate()
                async with together:
                    return Bot(self, number, key, await enrol(client, self.server, code, key))

            self._bots = list(
                await asyncio.gather(*(one(n, kiosk.code) for n, kiosk in enumerate(self.script.kiosks, 1)))
            )
        for bot, kiosk in zip(self._bots, self.script.kiosks, strict=True):
            if kiosk.person is not None:
                rng = random.Random(f"{self.script.seed}-{kiosk.person.ticket}")
                bot.visitor = Visitor(kiosk.person, rng)


def tls_of(ca: Path | None) -> ssl.SSLContext | None:
    """Return a context that trusts the centre's own authority and nothing else; None without one (plain
    ws).
    """
    if ca is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(ca))
    return context


async def run_bots(
    server: str,
    ca: Path | None,
    script: Script,
    ledger: Path | None,
    commands: bool = True,
    journals: Path | None = None,
) -> int:
    """Run a script against a server; events on stdout, commands from stdin, acknowledged answers into the
    ledger, each seat's sealed journal into a folder of its own.
    """
    with contextlib.ExitStack() as stack:
        kept = None if ledger is None else stack.enter_context(ledger.open("w", encoding="utf-8"))
        bots = Bots(server, tls_of(ca), script, sys.stdout, kept, journals)
        obeying = asyncio.create_task(_obey_stdin(bots)) if commands else None
        try:
            return await bots.run()
        finally:
            if obeying is not None:
                obeying.cancel()
                await asyncio.gather(obeying, return_exceptions=True)


async def _obey_stdin(bots: Bots) -> None:
    reader = asyncio.StreamReader()
    make: Callable[[], asyncio.StreamReaderProtocol] = lambda: asyncio.StreamReaderProtocol(reader)  # noqa: E731
    with contextlib.suppress(OSError, ValueError):
        await asyncio.get_running_loop().connect_read_pipe(make, sys.stdin)
        await bots.obey(reader)
