"""The child side of an opening: a short-lived process that alone sees passphrases, private halves and opened
keys.

It makes an ephemeral X25519 key signed by the centre, takes passphrases encrypted to it, records the
unsealing before it unseals, does the one act it was started for, and ends. Only a start opening hands a key
back.
"""

import asyncio
import ctypes
import fcntl
import os
import resource
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import BadInput, Fact, GongyuanError, NotFound, Refusal, Refused, Tampered, Unavailable
from server.keys import ring, service
from server.keys.ceremony import (
    NewCustodian,
    create_bank_key,
    group_refusal,
    same_passphrase_refusal,
    store_custodians,
    wrap_new,
)
from server.keys.identity import Identity
from server.keys.openings import CUSTODIANS_NEEDED, WRONG_PASSPHRASES_ALLOWED, OpeningEvent, OpeningKind
from server.keys.openings_wire import (
    LONGEST_LINE,
    Begin,
    Done,
    Failed,
    FromChild,
    Offer,
    Passphrase,
    Progress,
    line,
    offer_bytes,
    opening_info,
    read_to_child,
)
from server.keys.sealing import generate_receiving, hpke_open, wipe

Outcome = Mapping[str, Fact]
_PR_SET_DUMPABLE = 4


@dataclass(frozen=True, slots=True)
class Unlocked:
    """What an act of a child gets: its begin line and the private halves of the custodians who came."""

    begin: Begin
    privates: Mapping[str, bytearray]

    async def key(self, db: Database, kind: ring.KeyKind, subject: str) -> bytearray:
        """Return a key opened with these custodians; the caller wipes it."""
        async with db.reading() as session:
            return await ring.recover(session, kind, subject, self.privates)


Work = Callable[[Unlocked], Awaitable[Outcome]]


def harden() -> None:
    """Forbid core dumps and the reading of this process's memory by others of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def private_stdout() -> BinaryIO:
    """Return the pipe to the parent, and send every stray print of a library to standard error instead."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "wb", buffering=0)


class Child:
    """One opening in its child process."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        clock: Clock,
        identity: Identity,
        folder: Path,
        reader: asyncio.StreamReader,
        writer: BinaryIO,
    ) -> None:
        self._db = db
        self._journal = journal
        self._clock = clock
        self._identity = identity
        self._folder = folder
        self._reader = reader
        self._writer = writer
        self._private, self._public = generate_receiving()
        self._lock: BinaryIO | None = None

    async def run(self, kind: OpeningKind, work: Work | None) -> int:
        """Do the whole opening; 0 when its act was done. `work` is not asked for by a ceremony or a start."""
        first = await self._read()
        if not isinstance(first, Begin) or first.kind != kind.value:
            self._say(Failed("opening-begin-line"))
            return 1
        try:
            self._take_lock(first)
            signature = self._identity.signing.sign(
                offer_bytes(first.opening, first.kind, first.subject, self._public)
            )
            self._say(Offer(self._public, signature))
            if kind is OpeningKind.CEREMONY:
                outcome, start_key = await self._ceremony(first), None
            else:
                outcome, start_key = await self._open(first, kind, work)
        except asyncio.IncompleteReadError:
            await self._close(first, OpeningEvent.ABORT, {"code": "opening-aborted"})
            return 1
        except GongyuanError as error:
            await self._close(first, OpeningEvent.FAIL, service.failure(error))
            self._say(Failed(error.code, error.article, dict(error.facts)))
            return 1
        except Exception as error:
            await self._close(first, OpeningEvent.FAIL, service.failure(error))
            self._say(Failed("internal-error"))
            raise
        self._say(Done(outcome, bytes(start_key) if start_key is not None else None))
        if start_key is not None:
            wipe(start_key)
        return 0

    async def _open(
        self, begin: Begin, kind: OpeningKind, work: Work | None
    ) -> tuple[Outcome, bytearray | None]:
        privates = await self._custodians()
        try:
            names = []
            async with self._db.reading() as session:
                for custodian in privates:
                    names.append((await ring.wrapped_custodian(session, custodian)).custodian.username)
            async with self._db.writing() as session:
                act = self._act(session, begin)
                await service.move(act, begin.opening, OpeningEvent.UNLOCK, custodians=tuple(sorted(names)))
            unlocked = Unlocked(begin, privates)
            start_key: bytearray | None = None
            if kind is OpeningKind.START:
                start_key = await unlocked.key(self._db, ring.KeyKind.START, begin.subject)
                outcome: Outcome = {"slot": begin.subject}
            elif work is None:
                raise Unavailable("opening-kind", kind=kind.value)
            else:
                outcome = await work(unlocked)
        finally:
            for private in privates.values():
                wipe(private)
        async with self._db.writing() as session:
            act = self._act(session, begin)
            await service.move(act, begin.opening, OpeningEvent.FINISH, outcome=outcome)
        return outcome, start_key

    async def _custodians(self) -> dict[str, bytearray]:
        """Take passphrases until two custodians are unwrapped; Refused when too many were wrong."""
        privates: dict[str, bytearray] = {}
        accepted: list[str] = []
        wrong = 0
        while len(privates) < CUSTODIANS_NEEDED:
            message = await self._passphrase()
            try:
                async with self._db.reading() as session:
                    wrapped = await ring.wrapped_custodian(session, message.custodian)
                if wrapped.custodian.id in privates:
                    facts: Outcome = {"custodian": wrapped.custodian.username, "needed": CUSTODIANS_NEEDED}
                    raise Refused(Refusal("two-custodians-needed", facts=facts))
                text = self._opened(message)
                privates[wrapped.custodian.id] = await asyncio.to_thread(ring.unwrap, wrapped, text)
                accepted.append(wrapped.custodian.username)
            except (Refused, Tampered, NotFound, BadInput) as error:
                wrong += 1
                self._say(Progress(tuple(accepted), error.code, error.article, dict(error.facts)))
                if wrong >= WRONG_PASSPHRASES_ALLOWED:
                    raise Refused(Refusal("too-many-wrong-passphrases", facts={"wrong": wrong})) from error
                continue
            self._say(Progress(tuple(accepted)))
        return privates

    async def _ceremony(self, begin: Begin) -> Outcome:
        made: dict[str, NewCustodian] = {}
        texts: dict[str, str] = {}
        bank = begin.parameters.get("bank", "")
        if begin.people:
            refusal = group_refusal([username for username, _name in begin.people])
            if refusal is not None:
                raise Refused(refusal)
            async with self._db.reading() as session:
                if await ring.custodians(session):
                    raise Refused(Refusal("custodians-exist"))
        names = dict(begin.people)
        while len(made) < len(names):
            message = await self._passphrase()
            try:
                if message.custodian not in names or message.custodian in made:
                    raise NotFound("custodian-unknown", custodian=message.custodian)
                text = self._opened(message)
                refusal = same_passphrase_refusal([*texts.values(), text])
                if refusal is not None:
                    raise Refused(refusal)
                made[message.custodian] = await asyncio.to_thread(
                    wrap_new, message.custodian, names[message.custodian], text
                )
                texts[message.custodian] = text
            except (Refused, Tampered, NotFound, BadInput) as error:
                self._say(Progress(tuple(made), error.code, error.article, dict(error.facts)))
                continue
            self._say(Progress(tuple(made)))
        async with self._db.writing() as session:
            act = self._act(session, begin)
            await service.move(act, begin.opening, OpeningEvent.UNLOCK, custodians=tuple(sorted(made)))
        async with self._db.writing() as session:
            act = self._act(session, begin)
            if made:
                await store_custodians(act, list(made.values()))
            outcome: dict[str, Fact] = {"custodians": len(made)}
            if bank:
                outcome["bank"] = bank
                outcome["check"] = (await create_bank_key(act, bank)).check_value.hex()
            await service.move(act, begin.opening, OpeningEvent.FINISH, outcome=outcome)
        return outcome

    def _opened(self, message: Passphrase) -> str:
        plain = hpke_open(self._private, message.sealed, opening_info(self._begun))
        try:
            return plain.decode()
        except UnicodeDecodeError as error:
            raise BadInput("passphrase-form") from error

    async def _passphrase(self) -> Passphrase:
        message = await self._read()
        if not isinstance(message, Passphrase):
            raise BadInput("opening-line-form")
        return message

    async def _read(self) -> Begin | Passphrase:
        """Read one line; IncompleteReadError when the parent has closed the pipe."""
        data = await self._reader.readuntil(b"\n")
        try:
            message = read_to_child(data)
        except msgspec.DecodeError as error:
            raise BadInput("opening-line-form") from error
        if isinstance(message, Begin):
            self._begun = message.opening
        return message

    def _say(self, message: FromChild) -> None:
        with suppress(BrokenPipeError):  # the parent is gone: what was done stands in the database
            self._writer.write(line(message))

    async def _close(self, begin: Begin, event: OpeningEvent, outcome: Mapping[str, Fact]) -> None:
        try:
            async with self._db.writing() as session:
                await service.move(self._act(session, begin), begin.opening, event, outcome=outcome)
        except (Refused, NotFound):
            return  # closed already, or never recorded

    def _act(self, session: AsyncSession, begin: Begin) -> Act:
        return Act(session, self._journal, self._clock.legal(), begin.actor)

    def _take_lock(self, begin: Begin) -> None:
        """Hold the opening's subject for the life of this process: two children never draw or mark one slot
        at once."""
        folder = self._folder / "openings"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = "".join(sign if sign.isalnum() or sign in "-_" else "_" for sign in begin.subject)
        self._lock = (folder / f"{begin.kind}-{name}.lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused(Refusal("opening-running", facts={"kind": begin.kind})) from error


async def stdin_reader() -> asyncio.StreamReader:
    """Return standard input as a stream of lines of at most 1 MiB."""
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0, "rb", buffering=0, closefd=False)
    )
    return reader
