"""A scratch hall for a rehearsal: one slot, rooms full of candidates who do not exist, papers sealed as real ones.

It lives in a data folder of its own and shares nothing with the centre's but the machine, so that nothing of a
rehearsal can reach an exam that counts.
"""

import hashlib
import json
import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal, verify
from server.delivery import service
from server.delivery.facts import Place, SlotTerms
from server.delivery.seating import issue_seat_codes
from server.delivery.timing import Policy
from server.delivery.verification import verify_answers
from server.keys.identity import Identity
from server.keys.sealing import canonical, paper_key, random_key, seal
from server.papers.models import PaperSet, SealedPaperRow
from server.protocol.paper import Option, Paper, PaperItem

SEATS_A_ROOM = 50
CHUNK = 50
"""Acts of one transaction at most."""
PLAN = "rehearsal"


@dataclass(frozen=True, slots=True)
class Room:
    """A room as seat codes are issued for."""

    number: str
    seats: int


@dataclass(slots=True)
class RehearsedHall:
    """The scratch hall on its database; `script` is what the headless kiosks do."""

    db: Database
    clock: Clock
    identity: Identity
    minutes: int
    items: int
    slot: str = field(default_factory=lambda: str(uuid.uuid4()))
    journal: Journal = field(default_factory=lambda: Journal("rehearsal"))
    sittings: list[str] = field(default_factory=list)
    script: dict[str, Any] = field(default_factory=dict)
    _start_key: bytearray = field(default_factory=random_key)

    @asynccontextmanager
    async def acting(self) -> AsyncIterator[Act]:
        """Open one act of the rehearsal."""
        async with self.db.writing() as session:
            yield Act(session, self.journal, self.clock.legal(), "rehearsal")

    async def prepare(self, seats: int) -> None:
        """Make slot, sittings, seat codes and sealed papers for so many seats."""
        rooms = [
            Room(str(number + 1), min(SEATS_A_ROOM, seats - at))
            for number, at in enumerate(range(0, seats, SEATS_A_ROOM))
        ]
        terms = SlotTerms(self.slot, PLAN, PLAN, PLAN, self.clock.legal(), Policy(self.minutes, 0, 0), 1)
        places, people = [], {}
        for room in rooms:
            for seat in range(1, room.seats + 1):
                sitting, ticket = str(uuid.uuid4()), f"R{room.number.zfill(3)}{seat:03}"
                people[(room.number, seat)] = ticket
                self.sittings.append(sitting)
                places.append(Place(sitting, str(uuid.uuid4()), ticket, ticket, ticket, room.number, seat))
        async with self.acting() as act:
            await service.prepare_sittings(act, terms, places)
            codes = await issue_seat_codes(act, rooms)
            set_of = PaperSet(
                id=str(uuid.uuid4()), plan=PLAN, slot=self.slot, state="current", sealed_at=act.now
            )
            act.session.add(set_of)
            await act.session.flush()
            for number, place in enumerate(places):
                act.session.add(self._sealed(set_of.id, place, number))
        plan = [{"do": "answer", "begin": 0.05, "until": self.minutes * 0.85, "share": 1.0}]
        self.script = {
            "seed": 1,
            "kiosks": [
                {
                    "code": code.code,
                    "person": {
                        "ticket": people[(code.room, code.seat)],
                        "id_number": people[(code.room, code.seat)],
                        "plan": plan,
                    },
                }
                for code in codes
            ],
        }

    def _sealed(self, set_id: str, place: Place, number: int) -> SealedPaperRow:
        paper = str(uuid.uuid4())
        options = tuple(Option(label, f"{label} {paper[:8]}") for label in "ABCD")
        items = tuple(
            PaperItem(n, "single", f"{n}. {paper} " * 6, 1.0, options) for n in range(1, self.items + 1)
        )
        clear = msgspec.json.encode(Paper(paper, PLAN, self.slot, PLAN, self.minutes, items))
        digest = hashlib.sha256(clear).digest()
        named = {"hash": digest.hex(), "paper": paper, "plan": PLAN, "policy": 1, "sitting": place.sitting}
        aad = canonical(named)
        nonce, ciphertext = seal(paper_key(self._start_key, paper), clear, aad)
        return SealedPaperRow(
            id=paper,
            set_id=set_id,
            sitting=place.sitting,
            room=place.room,
            number=number,
            policy=1,
            hash=digest,
            nonce=nonce,
            aad=aad,
            ciphertext=ciphertext,
        )

    async def check_in(self) -> None:
        """Check everybody in, as invigilators do in the minutes before the bell."""
        for at in range(0, len(self.sittings), CHUNK):
            async with self.acting() as act:
                for sitting in self.sittings[at : at + CHUNK]:
                    await service.check_in(act, sitting, {"rehearsal": True})

    async def ring(self) -> None:
        """Strike the bell for every room."""
        wrapped = self.identity.storage_wrap(self._start_key, service.start_key_aad(self.slot))
        async with self.acting() as act:
            await service.ring(act, self.slot, None, wrapped, act.now)


@dataclass(frozen=True, slots=True)
class Settled:
    """What the kiosks were told against what the disk holds."""

    acknowledged: int
    lost: int
    changed: int
    faults: tuple[str, ...]
    latencies: tuple[float, ...]
    """Milliseconds from an answer to its acknowledgement, ascending."""


def settle(file: Path, ledger: Path) -> Settled:
    """Hold every acknowledgement in the kiosks' ledger against its row on disk, and verify all chains."""
    told = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
    with closing(sqlite3.connect(file)) as disk:
        rows = disk.execute(
            "select sitting, lease, seq, number, value, receipt, lower(hex(digest)) from delivery_answer_event"
        ).fetchall()
    stored = {row[:3]: (row[3], json.loads(row[4]), row[5], row[6]) for row in rows}
    lost = changed = 0
    for one in told:
        found = stored.get((one["sitting"], one["lease"], one["seq"]))
        lost += found is None
        right = (one["number"], one["value"], one["receipt"], one["hash"])
        changed += found is not None and found != right
    with Database(f"sqlite:///{file}").snapshot() as connection:
        faults = (*verify_answers(connection).faults, *verify(connection).faults)
    after = tuple(sorted(one["after_ms"] for one in told if one["after_ms"] is not None))
    return Settled(len(told), lost, changed, faults, after)
