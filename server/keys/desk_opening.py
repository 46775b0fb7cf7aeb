"""The desk opening of one process: two custodians open a bank's key for a stated time, and it is forgotten at its end.

Passphrases come encrypted to the ephemeral key of this process, one custodian after the other, each from his own
browser. The process serves no candidate; it holds one bank key at most, and ends when the opening does.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import BadInput, Fact, GongyuanError, NotFound, Refusal, Refused, Tampered, required
from server.keys import ring, service
from server.keys.identity import Identity
from server.keys.openings import (
    CUSTODIANS_NEEDED,
    DESK_LONGEST,
    WRONG_PASSPHRASES_ALLOWED,
    OpeningEvent,
    OpeningFacts,
    OpeningKind,
    window,
)
from server.keys.openings_child import locked
from server.keys.openings_launcher import OpeningOffer, OpeningProgress
from server.keys.openings_wire import offer_bytes, opening_info
from server.keys.ring import KeyKind
from server.keys.sealing import generate_receiving, hpke_open, wipe


class DeskState(StrEnum):
    """Where the desk of this process stands."""

    CLOSED = "closed"
    """Nothing was opened yet."""
    WAITING = "waiting"
    """Passphrases are awaited."""
    OPEN = "open"
    OVER = "over"
    """The key was forgotten; the process ends."""


@dataclass(frozen=True, slots=True)
class OpenDesk:
    """A bank that may be worked on now. `ends_at` is aware UTC, exclusive."""

    opening: str
    bank: str
    key: bytearray
    custodians: tuple[str, ...]
    opened_by: str
    ends_at: datetime


async def close_left(db: Database, journal: Journal, clock: Clock, folder: Path) -> int:
    """Close and journal the desk openings whose process was ended without a word; return how many.

    A desk holds its bank's lock for as long as it lives; an opening at a terminal is over with its stated time.
    """
    async with db.reading() as session:
        left = [one for one in await service.going(session) if one.kind is OpeningKind.DESK]
    closed = 0
    for one in left:
        at_terminal = one.actor.startswith("terminal:")
        if at_terminal and (one.ends_at is None or clock.legal() < one.ends_at):
            continue
        try:
            lock = None if at_terminal else _locked(folder, one.subject)
        except Refused:
            continue
        try:
            with suppress(Refused):
                async with db.writing() as session:
                    act = Act(session, journal, clock.legal(), one.actor)
                    await service.move(act, one.id, OpeningEvent.ABORT, outcome={"cause": "process-ended"})
                    closed += 1
        finally:
            if lock is not None:
                lock.close()
    return closed


def _locked(folder: Path, bank: str) -> BinaryIO:
    """Take the lock of a bank's desk; Refused `opening-running` while another process holds it."""
    return locked(folder, OpeningKind.DESK.value, bank)


class DeskOpening:
    """The one desk opening of this process."""

    def __init__(
        self, db: Database, journal: Journal, clock: Clock, identity: Identity, folder: Path
    ) -> None:
        self._db = db
        self._journal = journal
        self._clock = clock
        self._identity = identity
        self._folder = folder
        self._turn = asyncio.Lock()
        self._forget_offer()
        self._open: OpenDesk | None = None
        self._lock: BinaryIO | None = None
        self.state = DeskState.CLOSED

    def _forget_offer(self) -> None:
        self._private, self._public = generate_receiving()
        self._offer: OpeningOffer | None = None
        self._privates: dict[str, bytearray] = {}
        self._accepted: tuple[str, ...] = ()
        self._wrong = 0
        self._actor = ""
        self._ends_at: datetime | None = None

    async def begin(
        self, bank: str, actor: str, facts: OpeningFacts, duration: timedelta = DESK_LONGEST
    ) -> OpeningOffer:
        """Ask the desk's window, record the intention, and return what passphrases are to be encrypted to.

        Refused by the window, `desk-state` when an opening waits or is open, `opening-running` when another process
        has this bank open; NotFound `key-unknown` without a bank key.
        """
        async with self._turn:
            if self.state is not DeskState.CLOSED:
                raise Refused(Refusal("desk-state", facts={"state": self.state.value}))
            now = self._clock.legal()
            required(window(OpeningKind.DESK, facts, now, duration))
            async with self._db.reading() as session:
                if await ring.active_key(session, KeyKind.BANK, bank) is None:
                    raise NotFound("key-unknown", kind=KeyKind.BANK.value, subject=bank)
            await close_left(self._db, self._journal, self._clock, self._folder)
            self._take_lock(bank)
            self._forget_offer()
            try:
                async with self._db.writing() as session:
                    act = Act(session, self._journal, now, actor)
                    opening = await service.intend(act, OpeningKind.DESK, None, bank, now + duration)
            except BaseException:
                self._release()
                raise
            self._actor, self._ends_at = actor, now + duration
            signature = self._identity.signing.sign(
                offer_bytes(opening, OpeningKind.DESK.value, bank, self._public)
            )
            self._offer = OpeningOffer(opening, OpeningKind.DESK, bank, self._public, signature)
            self.state = DeskState.WAITING
            return self._offer

    @property
    def offer(self) -> OpeningOffer:
        """What passphrases are encrypted to while they are awaited; NotFound `opening-unknown` otherwise."""
        if self._offer is None or self.state is not DeskState.WAITING:
            raise NotFound("opening-unknown")
        return self._offer

    @property
    def begun_by(self) -> str:
        """The actor who began the opening that waits; "" when none does."""
        return self._actor

    @property
    def accepted(self) -> tuple[str, ...]:
        """Usernames whose passphrases were taken so far."""
        return self._accepted

    @property
    def ends_at(self) -> datetime | None:
        """The stated end of the opening that waits or is open."""
        return self._ends_at

    async def passphrase(self, opening: str, custodian: str, sealed: bytes) -> OpeningProgress:
        """Take one custodian's passphrase; with the second one the bank is open.

        Refused `passphrase-wrong`, `two-custodians-needed` for the same custodian twice, and
        `too-many-wrong-passphrases`, which ends the opening.
        """
        async with self._turn:
            offer = self.offer
            if offer.id != opening:
                raise NotFound("opening-unknown")
            try:
                await self._unwrap(custodian, sealed)
            except (Refused, Tampered, NotFound, BadInput) as error:
                self._wrong += 1
                if self._wrong >= WRONG_PASSPHRASES_ALLOWED:
                    refused = Refused(Refusal("too-many-wrong-passphrases", facts={"wrong": self._wrong}))
                    await self._end_waiting(OpeningEvent.FAIL, service.failure(refused))
                    raise refused from error
                raise
            if len(self._privates) >= CUSTODIANS_NEEDED:
                await self._unseal(offer)
            return OpeningProgress(
                offer.id, self._accepted, self.state is DeskState.OPEN, {} if self._open else None
            )

    async def _unwrap(self, custodian: str, sealed: bytes) -> None:
        async with self._db.reading() as session:
            wrapped = await ring.wrapped_custodian(session, custodian)
        if wrapped.custodian.id in self._privates:
            facts: dict[str, Fact] = {"custodian": wrapped.custodian.username, "needed": CUSTODIANS_NEEDED}
            raise Refused(Refusal("two-custodians-needed", facts=facts))
        try:
            text = hpke_open(self._private, sealed, opening_info(self.offer.id)).decode()
        except UnicodeDecodeError as error:
            raise BadInput("passphrase-form") from error
        self._privates[wrapped.custodian.id] = await asyncio.to_thread(ring.unwrap, wrapped, text)
        self._accepted = (*self._accepted, wrapped.custodian.username)

    async def _unseal(self, offer: OpeningOffer) -> None:
        """Record the unsealing, then unseal; private halves are wiped whatever comes of it."""
        names, ends_at = tuple(sorted(self._accepted)), self._ends_at
        assert ends_at is not None
        try:
            async with self._db.writing() as session:
                await service.move(self._act_on(session), offer.id, OpeningEvent.UNLOCK, custodians=names)
            async with self._db.reading() as session:
                key = await ring.recover(session, KeyKind.BANK, offer.subject, self._privates)
        except GongyuanError as error:
            await self._end_waiting(OpeningEvent.FAIL, service.failure(error))
            raise
        finally:
            self._wipe_privates()
        self._open = OpenDesk(offer.id, offer.subject, key, names, self._actor, ends_at)
        self.state = DeskState.OPEN

    def opened(self) -> OpenDesk:
        """Return the open bank; Refused `desk-closed` when none is open or its time is up."""
        if self._open is None or self._clock.legal() >= self._open.ends_at:
            raise Refused(Refusal("desk-closed"))
        return self._open

    def due(self) -> bool:
        """Tell whether the time of what waits or is open is up."""
        running = self.state in (DeskState.WAITING, DeskState.OPEN)
        return running and self._ends_at is not None and self._clock.legal() >= self._ends_at

    async def close(self, cause: str, actor: str | None = None) -> None:
        """Forget the key and record why; does nothing when the desk is over.

        An opening that still waits for passphrases is aborted, and another may be begun.
        """
        async with self._turn:
            if self.state is DeskState.WAITING:
                await self._end_waiting(OpeningEvent.ABORT, {"cause": cause})
            elif self._open is not None:
                opened, self._open = self._open, None
                self.state = DeskState.OVER
                wipe(opened.key)
                with suppress(Refused):  # closed already
                    async with self._db.writing() as session:
                        act = Act(session, self._journal, self._clock.legal(), actor or self._actor)
                        await service.move(act, opened.opening, OpeningEvent.FINISH, outcome={"cause": cause})
                self._release()

    async def _end_waiting(self, event: OpeningEvent, outcome: dict[str, Fact]) -> None:
        assert self._offer is not None
        opening = self._offer.id
        self._wipe_privates()
        with suppress(Refused, NotFound):  # closed already
            async with self._db.writing() as session:
                await service.move(self._act_on(session), opening, event, outcome=outcome)
        self._forget_offer()
        self._release()
        self.state = DeskState.CLOSED

    def _act_on(self, session: AsyncSession) -> Act:
        return Act(session, self._journal, self._clock.legal(), self._actor)

    def _wipe_privates(self) -> None:
        for private in self._privates.values():
            wipe(private)
        self._privates = {}

    def _take_lock(self, bank: str) -> None:
        """Hold the bank for the life of this opening: two desks never work on one bank at once."""
        self._lock = _locked(self._folder, bank)

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
