"""The child side of an opening: a short-lived process that alone sees passphrases, private halves and opened
keys.

It makes an ephemeral X25519 key signed by the centre, takes passphrases encrypted to it, records the
unsealing before it unseals, does the one act it was started for, and ends. Only a start opening hands a key
back.
"""

import asyncio
import ctypes
import fcntl
import hashlib
import os
import resource
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import (
    BadInput,
    Fact,
    GongyuanError,
    NotFound,
    Refusal,
    Refused,
    Tampered,
    Unavailable,
    required,
)
from server.keys import custody, ring, service
from server.keys.ceremony import (
    NewCustodian,
    create_bank_key,
    group_refusal,
    same_passphrase_refusal,
    store_custodians,
    wrap_new,
)
from server.keys.changes import Change, change_of, change_refusal
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
_LONGEST_LOCK = 128
"""Bytes of a lock's name that come from its subject; file systems end at 255."""


@dataclass(frozen=True, slots=True)
class Unlocked:
    """What an act of a child gets: its begin line and the private halves of the custodians who came."""

    begin: Begin
    privates: Mapping[str, bytearray]

    async def key(self, db: Database, kind: ring.KeyKind, subject: str, purpose: ring.Purpose) -> bytearray:
        """Return a key opened with these custodians for this purpose; the caller wipes it. Tampered when it was
        made for the other."""
        async with db.reading() as session:
            return await ring.recover(session, kind, subject, self.privates, purpose)


@dataclass(slots=True)
class _Gathered:
    """What passphrases gave: private halves by custodian id, new pairs by username, and who was accepted."""

    privates: dict[str, bytearray] = field(default_factory=dict)
    made: dict[str, NewCustodian] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)


Work = Callable[[Unlocked], Awaitable[Outcome]]


def harden() -> None:
    """Forbid core dumps and the reading of this process's memory by others of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def lock_name(kind: str, subject: str) -> str:
    """Return the file name of an opening's lock; a subject too long for one, as a change in words, by its hash."""
    name = "".join(sign if sign.isalnum() or sign in "-_" else "_" for sign in subject)
    if len(name.encode()) > _LONGEST_LOCK:
        name = hashlib.sha256(subject.encode()).hexdigest()
    return f"{kind}-{name}.lock"


def locked(folder: Path, kind: str, subject: str) -> BinaryIO:
    """Take the lock of an opening's subject for as long as the file is open: no two processes open one subject at
    once. `folder` is the data folder; Refused `opening-running` while another process holds it."""
    folder = folder / "openings"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = (folder / lock_name(kind, subject)).open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise Refused(Refusal("opening-running", facts={"kind": kind})) from error
    return lock


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
        """Held for the life of this process: two children never draw or mark one slot at once."""

    async def run(self, kind: OpeningKind, work: Work | None) -> int:
        """Do the whole opening; 0 when its act was done. `work` is asked for by a draw and a marking only."""
        first = await self._read()
        if not isinstance(first, Begin) or first.kind != kind.value:
            self._say(Failed("opening-begin-line"))
            return 1
        try:
            self._lock = locked(self._folder, first.kind, first.subject)
            signature = self._identity.signing.sign(
                offer_bytes(first.opening, first.kind, first.subject, self._public)
            )
            self._say(Offer(self._public, signature))
            start_key: bytearray | None = None
            if kind is OpeningKind.CEREMONY:
                outcome = await self._ceremony(first)
            elif kind is OpeningKind.PASSPHRASE:
                outcome = await self._own_passphrase(first)
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
        change = change_of(begin.subject) if kind is OpeningKind.CUSTODY else None
        if change is not None:
            await self._check(begin, change)
        gathered = await self._gather(begin, change)
        start_key: bytearray | None = None
        prepared: custody.PreparedChange | None = None
        outcome: Outcome = {}
        try:
            openers = tuple(sorted(gathered.accepted[:CUSTODIANS_NEEDED]))
            async with self._db.writing() as session:
                act = self._act(session, begin)
                await service.move(act, begin.opening, OpeningEvent.UNLOCK, custodians=openers)
            unlocked = Unlocked(begin, gathered.privates)
            if kind is OpeningKind.START:
                purpose = ring.Purpose(begin.parameters.get("purpose", ring.Purpose.LIVE.value))
                start_key = await unlocked.key(self._db, ring.KeyKind.START, begin.subject, purpose)
                outcome = {"slot": begin.subject}
            elif kind is OpeningKind.DRILL:
                async with self._db.reading() as session:
                    outcome = await custody.drill(session, gathered.privates)
            elif change is not None:
                async with self._db.reading() as session:
                    made = tuple(gathered.made.values())
                    prepared = await custody.prepare_change(session, change, made, gathered.privates)
            elif work is None:
                raise Unavailable("opening-kind", kind=kind.value)
            else:
                outcome = await work(unlocked)
        finally:
            for private in gathered.privates.values():
                wipe(private)
        async with self._db.writing() as session:
            act = self._act(session, begin)
            if prepared is not None:
                after = await custody.store_change(act, prepared)
                outcome = {"custodians": len(after), "keys": len(prepared.wrappings)}
            await service.move(act, begin.opening, OpeningEvent.FINISH, outcome=outcome)
        return outcome, start_key

    async def _check(self, begin: Begin, change: Change) -> None:
        """Refuse a change before any passphrase is asked for."""
        if {username for username, _name in begin.people} != set(change.added):
            raise BadInput("change-form")
        async with self._db.reading() as session:
            in_office = [one.username for one in await ring.custodians(session)]
        required(change_refusal(in_office, change))

    async def _gather(self, begin: Begin, change: Change | None) -> _Gathered:
        """Take passphrases until two custodians are unwrapped and every new one has a pair; Refused when too
        many were wrong."""
        found = _Gathered()
        openers: list[str] = []
        wrong = 0
        while len(found.privates) < CUSTODIANS_NEEDED or len(found.made) < len(begin.people):
            message = await self._passphrase()
            try:
                if message.new:
                    await self._take_new(begin, message, found)
                else:
                    openers.append(await self._take_opener(message, found, change))
            except (Refused, Tampered, NotFound, BadInput) as error:
                wrong += not message.new
                said = (*openers, *found.made)
                self._say(Progress(said, error.code, error.article, dict(error.facts)))
                if wrong >= WRONG_PASSPHRASES_ALLOWED:
                    raise Refused(Refusal("too-many-wrong-passphrases", facts={"wrong": wrong})) from error
                continue
            self._say(Progress((*openers, *found.made)))
        required(same_passphrase_refusal(found.texts))
        found.accepted = [*openers, *found.made]
        return found

    async def _take_opener(self, message: Passphrase, found: _Gathered, change: Change | None) -> str:
        async with self._db.reading() as session:
            wrapped = await ring.wrapped_custodian(session, message.custodian)
        username = wrapped.custodian.username
        if change is not None and username in change.lost:
            raise Refused(Refusal("custodian-lost", facts={"custodian": username}))
        if wrapped.custodian.id in found.privates:
            facts: Outcome = {"custodian": username, "needed": CUSTODIANS_NEEDED}
            raise Refused(Refusal("two-custodians-needed", facts=facts))
        if len(found.privates) >= CUSTODIANS_NEEDED:
            raise Refused(Refusal("custodians-enough", facts={"custodian": username}))
        text = self._opened(message)
        found.privates[wrapped.custodian.id] = await asyncio.to_thread(ring.unwrap, wrapped, text)
        found.texts.append(text)
        return username

    async def _take_new(self, begin: Begin, message: Passphrase, found: _Gathered) -> None:
        names = dict(begin.people)
        if message.custodian not in names or message.custodian in found.made:
            raise NotFound("custodian-unknown", custodian=message.custodian)
        text = self._opened(message)
        required(same_passphrase_refusal([*found.texts, text]))
        found.made[message.custodian] = await asyncio.to_thread(
            wrap_new, message.custodian, names[message.custodian], text
        )
        found.texts.append(text)

    async def _ceremony(self, begin: Begin) -> Outcome:
        bank = begin.parameters.get("bank", "")
        purpose = ring.Purpose(begin.parameters.get("purpose", ring.Purpose.LIVE.value))
        if begin.people:
            required(group_refusal([username for username, _name in begin.people]))
            async with self._db.reading() as session:
                if await ring.custodians(session):
                    raise Refused(Refusal("custodians-exist"))
        found = _Gathered()
        while len(found.made) < len(begin.people):
            message = await self._passphrase()
            try:
                await self._take_new(begin, message, found)
            except (Refused, Tampered, NotFound, BadInput) as error:
                self._say(Progress(tuple(found.made), error.code, error.article, dict(error.facts)))
                continue
            self._say(Progress(tuple(found.made)))
        async with self._db.writing() as session:
            act = self._act(session, begin)
            names = tuple(sorted(found.made))
            await service.move(act, begin.opening, OpeningEvent.UNLOCK, custodians=names)
        async with self._db.writing() as session:
            act = self._act(session, begin)
            if found.made:
                await store_custodians(act, list(found.made.values()))
            outcome: dict[str, Fact] = {"custodians": len(found.made)}
            if bank:
                outcome |= {"bank": bank, "purpose": purpose.value}
                outcome["check"] = (await create_bank_key(act, bank, purpose)).check_value.hex()
            await service.move(act, begin.opening, OpeningEvent.FINISH, outcome=outcome)
        return outcome

    async def _own_passphrase(self, begin: Begin) -> Outcome:
        """Take a custodian's old and new passphrase, in either order, until they fit."""
        old: str | None = None
        new: str | None = None
        wrong = 0
        async with self._db.reading() as session:
            wrapped = await ring.wrapped_custodian(session, begin.subject)
        username = wrapped.custodian.username
        while True:
            message = await self._passphrase()
            try:
                if message.custodian not in (username, wrapped.custodian.id):
                    raise NotFound("custodian-unknown", custodian=message.custodian)
                text = self._opened(message)
                old, new = (old, text) if message.new else (text, new)
                if old is not None and new is not None:
                    made = await custody.rewrapped(wrapped, old, new)
                    break
            except (Refused, Tampered, NotFound, BadInput) as error:
                wrong += error.code == "passphrase-wrong"
                self._say(Progress((), error.code, error.article, dict(error.facts)))
                if wrong >= WRONG_PASSPHRASES_ALLOWED:
                    raise Refused(Refusal("too-many-wrong-passphrases", facts={"wrong": wrong})) from error
                continue
            self._say(Progress((username,)))
        self._say(Progress((username, username)))
        async with self._db.writing() as session:
            act = self._act(session, begin)
            await service.move(act, begin.opening, OpeningEvent.UNLOCK, custodians=(username,))
        async with self._db.writing() as session:
            act = self._act(session, begin)
            await custody.store_passphrase(act, wrapped, made)
            outcome: Outcome = {"custodian": username}
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


async def stdin_reader() -> asyncio.StreamReader:
    """Return standard input as a stream of lines of at most 1 MiB."""
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0, "rb", buffering=0, closefd=False)
    )
    return reader
