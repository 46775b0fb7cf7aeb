"""Who may take a sitting: the seat's proof, the candidate's numbers, the device's token.

A refusal says the same whatever the reason: a ticket and an identity number are no secrets, and nobody may
learn from an answer whether they belong together or where the candidate is seated.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.clock import Clock
from server.db.engine import Database
from server.db.reader import Reader
from server.db.writer import Writer
from server.delivery import store
from server.delivery.arrivals import Expected, expected_of, seats_of
from server.delivery.facts import Seat, Sitting
from server.delivery.gathering import Gathered
from server.delivery.receipt_keys import ensure_receipt_key, receipt_key_aad
from server.delivery.seb_keys import SEB, socket_token
from server.delivery.service import credential
from server.delivery.works import Leased, LeaseWork, Work, Written
from server.errors import GongyuanError, NotFound, Refusal
from server.keys.identity import Identity
from server.keys.signing import verify
from server.protocol.envelope import resume_token, seat_proof
from server.protocol.exam import Hello, Resume, SignIn

WRONG_MOST = 5
"""Wrong numbers in a row at one seat before it has to wait."""
TOGETHER = 200
"""Devices of one read at most."""
WRONG_WAIT_S = 30.0
"""Monotonic seconds it then waits."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One device's hold on a sitting."""

    sitting: str
    lease: int


@dataclass(frozen=True, slots=True)
class Proved:
    """A seat that has proved itself; `expecting` tells whether a sitting is open there, as of the `told`-th change of
    sittings that this process heard of."""

    seat: Seat
    expecting: bool
    told: int


class Admission:
    """The checks, and the secrets they need: the slots' receipt keys, held in this process's memory."""

    def __init__(
        self,
        db: Database,
        reader: Reader,
        clock: Clock,
        writer: Writer[Work, Written],
        identity: Identity,
    ) -> None:
        self._db = db
        self._reader = reader
        self._clock = clock
        self._writer = writer
        self._identity = identity
        self._expected: Gathered[str, tuple[Expected, ...]] = Gathered(self._read_expected, TOGETHER)
        """The sittings that a seat is open for, by the seat's id."""
        self._arriving: Gathered[str, Proved] = Gathered(self._read_seats, TOGETHER)
        self.told = 0
        """How many changes of sittings were heard of: what a seat expects may be other than before."""
        self._receipt_keys: dict[str, bytes] = {}
        self._wrong: dict[str, tuple[int, float]] = {}

    async def prove(self, nonce: bytes, hello: Hello) -> Proved | Refusal:
        """Return the enrolled seat whose key signed this socket's challenge, or the one refusal."""
        found = await self._arriving.get(hello.seat)
        try:
            if found is None:
                raise NotFound("seat-unknown")
            seat = found.seat
            verify(seat.public_key, bytes.fromhex(hello.signature), seat_proof(nonce, hello.seat))
        except GongyuanError:
            return Refusal("seat-not-proved")
        if seat.kind == SEB:
            right = socket_token(self._identity, seat.id, nonce)
            if not hmac.compare_digest(right.encode(), hello.token.encode()):
                return Refusal("seb-token-needed")
        return found

    async def expects(self, seat: Seat) -> bool:
        """Tell whether a sitting is open at a seat now."""
        return bool(await self._expected.get(seat.id))

    async def sign_in(self, seat: Seat, sign_in: SignIn) -> Hold | Refusal:
        """Return the sitting open at this seat for these numbers, under a new lease that is on disk."""
        wait = self._wait(seat)
        if wait > 0:
            return Refusal("sign-in-wait", facts={"wait_s": round(wait)})
        expected = await self._expected.get(seat.id) or ()
        found: Sitting | None = None
        for one in expected:
            if self._fits(one.sitting.id, one.credential, sign_in):
                found = one.sitting
        if not expected:
            self._fits(seat.id, bytes(32), sign_in)
        if found is not None:
            self._wrong.pop(seat.id, None)
            work = LeaseWork(found.id, seat.id, seat.room, seat.number, self._clock.legal())
            match await self._writer.write(work):
                case Leased(lease):
                    return Hold(found.id, lease)
                case Refusal() as refusal:
                    return refusal
            return Refusal("retry")
        count, _ = self._wrong.get(seat.id, (0, 0.0))
        self._wrong[seat.id] = (count + 1, self._clock.monotonic())
        return Refusal("sign-in-refused")

    async def holds(self, sitting: Sitting, resume: Resume) -> bool:
        """Tell whether the token proves this lease of the sitting."""
        key = await self.receipt_key(sitting.slot)
        right = resume_token(key, sitting.id, resume.lease)
        return resume.lease <= sitting.lease and hmac.compare_digest(right, resume.token)

    async def _read_seats(self, seats: Sequence[str]) -> Mapping[str, Proved]:
        told = self.told
        found = await self._reader.read(lambda connection: seats_of(connection, seats))
        return {key: Proved(seat, expecting, told) for key, (seat, expecting) in found.items()}

    async def _read_expected(self, seats: Sequence[str]) -> Mapping[str, tuple[Expected, ...]]:
        return await self._reader.read(lambda connection: expected_of(connection, seats))

    async def receipt_key(self, slot: str) -> bytes:
        """Return the slot's receipt key; the first caller makes it, wrapped under the centre's storage
        key.
        """
        known = self._receipt_keys.get(slot)
        if known is not None:
            return known
        async with self._db.reading() as session:
            wrapped = (await store.slot_row(session, slot)).receipt_key
        if wrapped is None:
            async with self._db.writing() as session:
                wrapped = await ensure_receipt_key(session, self._identity, slot)
        key = self._identity.storage_unwrap(wrapped, receipt_key_aad(slot))
        self._receipt_keys[slot] = key
        return key

    def _wait(self, seat: Seat) -> float:
        count, last = self._wrong.get(seat.id, (0, 0.0))
        if count < WRONG_MOST:
            return 0.0
        rest = last + WRONG_WAIT_S - self._clock.monotonic()
        if rest <= 0:
            self._wrong.pop(seat.id, None)
        return max(0.0, rest)

    def _fits(self, sitting: str, right: bytes, sign_in: SignIn) -> bool:
        return hmac.compare_digest(credential(sitting, sign_in.ticket, sign_in.id_number), right)
