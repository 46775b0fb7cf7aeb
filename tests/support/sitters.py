"""Candidates who never stop answering, on the kiosk's real agent, and the account of what they were told."""

import asyncio
import contextlib
import random
import sqlite3
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiosk.agent import Agent
from kiosk.brain import Dropped, Event, Saved
from kiosk.clock import monotonic
from server.db.engine import Database
from server.db.journal import verify
from server.delivery.verification import verify_answers
from server.protocol import exam
from tests.support.delivery import Enrolled

Told = tuple[str, int, int]
"""Sitting, lease and seq of an acknowledged answer."""


@dataclass
class Sitter:
    """One kiosk with a candidate who keeps a few answers on the way; `ledger` holds what was acknowledged."""

    server: str
    tls: ssl.SSLContext | None
    seat: Enrolled
    numbers: tuple[str, str]
    items: int
    most_waiting: int = 4
    ledger: dict[Told, tuple[int, tuple[str, ...], int, str]] = field(default_factory=dict)
    """(number, value, receipt number, chained hash) by answer."""
    given: int = 0
    dropped: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    not_stored: int = 0
    """Refusals that say that the centre could not store an answer just now."""
    doubled: int = 0
    """Acknowledgements that named another receipt than before."""
    answering: bool = True

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seat.id)
        self.agent = Agent(self.server, self.tls, self.seat.id, self.seat.key, self._hear, self._rng)
        self._receive = self.agent.brain.receive
        self.agent.brain.receive = self._overhear  # type: ignore[method-assign]
        self._tasks: list[asyncio.Task[None]] = []

    def _overhear(self, frame: bytes | str, now: float) -> list[Event]:
        # The brain keeps this refusal to itself, since it sends again by itself.
        text = frame if isinstance(frame, str) else frame.decode()
        self.not_stored += '"code":"answer-not-stored"' in text
        return self._receive(frame, now)

    def start(self) -> None:
        """Come to the seat and answer from the bell on."""
        self._tasks = [asyncio.create_task(self.agent.run()), asyncio.create_task(self._answer())]

    async def stop(self) -> None:
        """Leave the seat."""
        await self.agent.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def drained(self, within_s: float = 120.0) -> None:
        """Answer no more, and wait until nothing is on the way."""
        self.answering = False
        async with asyncio.timeout(within_s):
            while len(self.agent.brain.outbox):
                await asyncio.sleep(0.02)

    async def _answer(self) -> None:
        brain = self.agent.brain
        while True:
            if self.answering and self.agent.paper is not None and len(brain.outbox) < self.most_waiting:
                value = (self._rng.choice("ABCD"),)
                brain.answer(self._rng.randint(1, self.items), value, monotonic())
                self.given += 1
                self.agent.wake()
                await asyncio.sleep(0)
            else:
                await asyncio.sleep(0.005)

    def _hear(self, event: Event) -> None:
        brain = self.agent.brain
        match event:
            case exam.Expecting(on=True) if brain.seated is None:
                brain.sign_in(*self.numbers)
            case Saved() if brain.seated is not None:
                answer, receipt = event.answer, event.acknowledged.receipt
                key = brain.seated.sitting, answer.lease, answer.seq
                told = answer.number, answer.value, receipt.number, receipt.hash
                self.doubled += self.ledger.setdefault(key, told) != told
            case Dropped():
                self.dropped.append(event.refused.code)
            case exam.Refused():
                self.refused.append(event.code)
            case exam.Notice():
                self.notices.append(event.text)


async def acknowledged(sitters: list[Sitter], more: int, within_s: float = 120.0) -> None:
    """Wait until so many more answers are acknowledged, over all."""
    wanted = sum(len(one.ledger) for one in sitters) + more
    async with asyncio.timeout(within_s):
        while sum(len(one.ledger) for one in sitters) < wanted:
            await asyncio.sleep(0.01)


async def everybody_answers(sitters: list[Sitter], within_s: float = 120.0) -> None:
    """Wait until each of them has an acknowledged answer: all sit, and every paper is open."""
    async with asyncio.timeout(within_s):
        while not all(one.ledger for one in sitters):
            await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Account:
    """What the kiosks were told against what the disk holds."""

    acknowledged: int
    on_disk: int
    lost: int
    changed: int
    doubled: int
    faults: tuple[str, ...]


def settle(file: Path, sitters: list[Sitter]) -> Account:
    """Compare every acknowledged answer with its row, look for doubles, and verify all chains and what stands."""
    with contextlib.closing(sqlite3.connect(file)) as disk:
        rows: list[tuple[Any, ...]] = disk.execute(
            "select sitting, lease, seq, number, value, receipt, lower(hex(digest)) from delivery_answer_event"
        ).fetchall()
    stored = {row[:3]: row[3:] for row in rows}
    ledger = {key: told for one in sitters for key, told in one.ledger.items()}
    lost = changed = 0
    for key, (number, value, receipt, digest) in ledger.items():
        row = stored.get(key)
        lost += row is None
        text = '["' + '","'.join(value) + '"]'
        changed += row is not None and row != (number, text, receipt, digest)
    doubled = len(rows) - len(stored) + sum(one.doubled for one in sitters)
    doubled += len(rows) - len({(row[0], row[5]) for row in rows})
    return Account(len(ledger), len(rows), lost, changed, doubled, _faults(file))


def _faults(file: Path) -> tuple[str, ...]:
    engine = Database(f"sqlite:///{file}").sync_engine()
    with engine.connect() as connection:
        faults = (*verify_answers(connection).faults, *verify(connection).faults)
    engine.dispose()
    return faults
