"""The serving side of openings: starts the child, passes ciphertext to it, and takes a start key from it.

Nothing that this file handles can be read without the child's ephemeral private key.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import BadInput, Fact, GongyuanError, NotFound, Refusal, Refused, Unavailable, required
from server.keys import service
from server.keys.openings import (
    CUSTODIANS_NEEDED,
    OpeningEvent,
    OpeningFacts,
    OpeningKind,
    OpeningState,
    window,
)
from server.keys.openings_wire import (
    LONGEST_LINE,
    Begin,
    Done,
    Failed,
    Offer,
    Passphrase,
    Progress,
    line,
    read_from_child,
)
from server.keys.start_keys import StartKeys

START_TIMEOUT_S = 60.0
PASSPHRASE_TIMEOUT_S = 60.0
LONGEST_WAIT_S = 900.0
"""An opening whose passphrases have not come after this many monotonic seconds is ended."""
_LAUNCHED = frozenset(OpeningKind) - {OpeningKind.DESK}
_log = logging.getLogger("gongyuan.keys")


def child_command(config: Path, clock: Path | None) -> Callable[[OpeningKind], Sequence[str]]:
    """Return how this server's openings are started: the same settings file, and the demo's clock file if any."""
    program = (sys.executable, "-m", "server")
    demo = ("demo-child", "--clock", str(clock)) if clock is not None else ()
    return lambda kind: (*program, *demo, "opening", kind.value, "--config", str(config))


@dataclass(frozen=True, slots=True)
class OpeningOffer:
    """A child that waits for passphrases encrypted to `public_key` (raw X25519), signed by the centre."""

    id: str
    kind: OpeningKind
    subject: str
    public_key: bytes
    signature: bytes
    people: tuple[tuple[str, str], ...] = ()
    """(username, name) of each person who sets a passphrase: at a ceremony, a change, or for himself."""


@dataclass(frozen=True, slots=True)
class OpeningProgress:
    """Where an opening stands. `failed` is the code that ended it, None while it goes on or when it was
    done."""

    id: str
    accepted: tuple[str, ...]
    done: bool
    outcome: Mapping[str, Fact] | None
    failed: str | None = None
    needed: int = CUSTODIANS_NEEDED
    """Passphrases that must be accepted before the act begins."""


@dataclass(slots=True)
class _Running:
    begin: Begin
    process: asyncio.subprocess.Process
    answers: "asyncio.Queue[Progress | Failed]"
    offered: "asyncio.Future[Offer]"
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    accepted: tuple[str, ...] = ()
    outcome: Mapping[str, Fact] | None = None
    failed: Failed | None = None
    reading: "asyncio.Task[None] | None" = None
    waiting: asyncio.TimerHandle | None = None


class Launcher:
    """The openings of this process. `command(kind)` gives the child's whole command line, without any
    secret."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        clock: Clock,
        command: Callable[[OpeningKind], Sequence[str]],
        start_keys: StartKeys,
    ) -> None:
        self._db = db
        self._journal = journal
        self._clock = clock
        self._command = command
        self._start_keys = start_keys
        self._running: dict[str, _Running] = {}
        self._begun: set[str] = set()

    async def begin(
        self,
        kind: OpeningKind | str,
        plan: str,
        subject: str,
        actor: str,
        facts: OpeningFacts,
        parameters: Mapping[str, str] | None = None,
        people: Sequence[tuple[str, str]] = (),
    ) -> OpeningOffer:
        """Ask the window, record the intention, start the child and return its offer.

        `subject` is the slot (draw, start, marking), the bank (ceremony; "" for custodians only), the change in
        words (custody), the username (passphrase) or "" (drill). Refused
        by the window of the kind; Unavailable `opening-child` when the child does not answer.
        """
        kind = OpeningKind(kind)
        if kind not in _LAUNCHED:
            raise BadInput("opening-kind", kind=kind.value)
        now = self._clock.legal()
        required(window(kind, facts, now))
        async with self._db.writing() as session:
            act = Act(session, self._journal, now, actor)
            opening_id = await service.intend(act, kind, plan or None, subject)
            self._begun.add(opening_id)
        begin = Begin(opening_id, kind.value, plan, subject, actor, parameters or {}, tuple(people))
        try:
            running = await self._start(kind, begin)
            async with asyncio.timeout(START_TIMEOUT_S):
                await running.offered
        except (TimeoutError, OSError) as error:
            await self._end(begin, OpeningEvent.ABORT, {"code": "opening-child"})
            raise Unavailable("opening-child") from error
        return self.offer(opening_id)

    def offer(self, opening_id: str) -> OpeningOffer:
        """Return the offer of an opening of this process, so that each custodian may come from his own browser."""
        running = self._of(opening_id)
        if not running.offered.done() or running.offered.exception() is not None:
            raise NotFound("opening-unknown")
        offer, begin = running.offered.result(), running.begin
        kind = OpeningKind(begin.kind)
        return OpeningOffer(
            opening_id, kind, begin.subject, offer.public_key, offer.signature, tuple(begin.people)
        )

    def begun_by(self, opening_id: str) -> str:
        """Return the actor who began an opening of this process; NotFound `opening-unknown` for any other."""
        return self._of(opening_id).begin.actor

    def has_begun(self, opening_id: str) -> bool:
        """Tell whether this process began the opening: then this launcher closes it, and its key is here."""
        return opening_id in self._begun

    async def passphrase(
        self, opening_id: str, custodian: str, sealed: bytes, new: bool = False
    ) -> OpeningProgress:
        """Pass one custodian's sealed passphrase on and return what became of it.

        Raises what the child said of it, e.g. Refused `passphrase-wrong`. With the last one needed accepted
        the act goes on in the child: ask `progress`, or wait with `finished`.
        """
        running = self._of(opening_id)
        async with running.turn:
            self._raise_if_over(running)
            assert running.process.stdin is not None
            with suppress(ConnectionError):
                running.process.stdin.write(line(Passphrase(custodian, sealed, new)))
                await running.process.stdin.drain()
            try:
                async with asyncio.timeout(PASSPHRASE_TIMEOUT_S):
                    answer = await running.answers.get()
            except TimeoutError as error:
                raise Unavailable("opening-child") from error
        if isinstance(answer, Failed):
            raise _error(answer.code, answer.article, answer.facts)
        if answer.code is not None:
            raise _error(answer.code, answer.article, answer.facts)
        return self.progress(opening_id)

    def progress(self, opening_id: str) -> OpeningProgress:
        """Return where an opening of this process stands; NotFound `opening-unknown` for any other."""
        running = self._of(opening_id)
        return OpeningProgress(
            opening_id,
            running.accepted,
            running.outcome is not None,
            running.outcome,
            running.failed.code if running.failed else None,
            _needed(running.begin),
        )

    async def finished(self, opening_id: str, timeout_s: float) -> OpeningProgress:
        """Wait until the act is over or the monotonic time is, and return where it stands."""
        running = self._of(opening_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await running.ended.wait()
        return self.progress(opening_id)

    async def abort(self, opening_id: str) -> None:
        """End an opening that still waits for passphrases; Refused `opening-state` once it unseals."""
        running = self._of(opening_id)
        async with self._db.reading() as session:
            state = (await service.opening(session, opening_id)).state
        if state is not OpeningState.INTENDED:
            raise Refused(Refusal("opening-state", facts={"state": state.value, "event": "abort"}))
        if running.process.stdin is not None:
            running.process.stdin.close()  # the child records the abort and ends
        await running.ended.wait()

    async def stop(self) -> None:
        """End every child that waits for passphrases, and wait for those at work."""
        for running in list(self._running.values()):
            if running.process.stdin is not None:
                running.process.stdin.close()
        for running in list(self._running.values()):
            await running.ended.wait()

    async def _start(self, kind: OpeningKind, begin: Begin) -> _Running:
        process = await asyncio.create_subprocess_exec(
            *self._command(kind),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
        )
        loop = asyncio.get_running_loop()
        running = _Running(begin, process, asyncio.Queue(), loop.create_future())
        self._running[begin.opening] = running
        running.reading = asyncio.create_task(self._follow(running))
        running.waiting = loop.call_later(LONGEST_WAIT_S, self._too_late, running)
        assert process.stdin is not None
        with suppress(ConnectionError):
            process.stdin.write(line(begin))
            await process.stdin.drain()
        return running

    def _too_late(self, running: _Running) -> None:
        if not running.ended.is_set() and running.process.stdin is not None:
            running.process.stdin.close()

    async def _follow(self, running: _Running) -> None:
        assert running.process.stdout is not None
        try:
            async for data in running.process.stdout:
                self._take(running, data)
        except (msgspec.DecodeError, ValueError):
            _log.error("an opening's child sent a line that is none")
            with suppress(ProcessLookupError):
                running.process.kill()
        await running.process.wait()
        await self._after(running)

    def _take(self, running: _Running, data: bytes) -> None:
        message = read_from_child(data)
        match message:
            case Offer():
                if not running.offered.done():
                    running.offered.set_result(message)
            case Progress():
                running.accepted = message.accepted
                running.answers.put_nowait(message)
            case Done():
                running.outcome = message.outcome
                if message.start_key is not None:
                    self._start_keys.put(running.begin.subject, bytearray(message.start_key))
            case Failed():
                running.failed = message
                running.answers.put_nowait(message)

    async def _after(self, running: _Running) -> None:
        if running.waiting is not None:
            running.waiting.cancel()
        if running.outcome is None and running.failed is None:
            # The child ended without a word: killed, or crashed before it could record anything.
            running.failed = Failed("opening-aborted")
            running.answers.put_nowait(running.failed)
            await self._end(running.begin, OpeningEvent.ABORT, {"code": "opening-aborted"})
        if not running.offered.done():
            failed = running.failed or Failed("opening-child")
            running.offered.set_exception(_error(failed.code, failed.article, failed.facts))
            running.offered.exception()  # it may have been given up by the caller
        running.ended.set()

    async def _end(self, begin: Begin, event: OpeningEvent, outcome: Mapping[str, Fact]) -> None:
        with suppress(Refused, NotFound):
            async with self._db.writing() as session:
                act = Act(session, self._journal, self._clock.legal(), begin.actor)
                await service.move(act, begin.opening, event, outcome=outcome)

    def _of(self, opening_id: str) -> _Running:
        running = self._running.get(opening_id)
        if running is None:
            raise NotFound("opening-unknown")
        return running

    @staticmethod
    def _raise_if_over(running: _Running) -> None:
        if running.failed is not None:
            raise _error(running.failed.code, running.failed.article, running.failed.facts)
        if running.outcome is not None:
            raise Refused(Refusal("opening-state", facts={"state": "done", "event": "passphrase"}))


def _needed(begin: Begin) -> int:
    match OpeningKind(begin.kind):
        case OpeningKind.CEREMONY:
            return len(begin.people)
        case OpeningKind.PASSPHRASE:
            return 2  # the old and the new
        case _:
            return CUSTODIANS_NEEDED + len(begin.people)


def _error(code: str, article: str | None, facts: Mapping[str, Fact]) -> GongyuanError:
    if code in ("opening-child", "internal-error"):
        return Unavailable("opening-child")
    return Refused(Refusal(code, article, facts))
