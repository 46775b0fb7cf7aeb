"""Seats and their machines: one-time codes, and enrolment of a machine's key."""

import hashlib
import secrets
import uuid
from collections.abc import Iterable
from typing import Protocol

from sqlalchemy import delete, select

from server.db.act import Act
from server.db.signals import announce
from server.delivery.facts import Seat, SeatCode
from server.delivery.models import SeatCodeRow, SeatRow
from server.delivery.store import seat_fact
from server.errors import BadInput, NotPermitted
from server.protocol.ids import base32, code_as_typed

KINDS = ("page", "headless", "seb")
SEATS = "delivery.seats"
"""Topic of the signal that a machine was enrolled; its key is room-number."""
CODE_CHARACTERS = 10
"""50 random bits, used once."""


class RoomSeats(Protocol):
    """A room by its number, with seats 1 to `seats` (affairs' Room is one)."""

    @property
    def number(self) -> str:
        """Room number as in the exam package."""

    @property
    def seats(self) -> int:
        """How many seats the room has, spare ones included."""


async def issue_seat_codes(
    act: Act, rooms: Iterable[RoomSeats], kind: str | None = None
) -> tuple[SeatCode, ...]:
    """Make a fresh one-time enrolment code for every seat of these rooms; unused older ones become void.

    The codes are returned once, for the printed list; only their hashes are kept. `kind` is the one kind of
    machine that may use them; BadInput `seat-kind` for another than KINDS.
    """
    if kind is not None and kind not in KINDS:
        raise BadInput("seat-kind", kind=kind)
    codes: list[SeatCode] = []
    for room in rooms:
        await act.session.execute(
            delete(SeatCodeRow).where(SeatCodeRow.room == room.number, SeatCodeRow.used_at.is_(None))
        )
        for seat in range(1, room.seats + 1):
            code = base32(secrets.token_bytes(8), CODE_CHARACTERS)
            codes.append(SeatCode(room.number, seat, code))
            act.session.add(
                SeatCodeRow(digest=_digest(code), room=room.number, number=seat, issued_at=act.now, kind=kind)
            )
        facts = {"room": room.number, "seats": room.seats}
        await act.record("delivery:seats:codes-issued", facts if kind is None else {**facts, "kind": kind})
    return tuple(codes)


async def enrol_seat(
    act: Act, code: str, public_key: bytes, kind: str, report_key: bytes | None = None
) -> Seat:
    """Bind a machine's Ed25519 key to the seat of a one-time code; an older machine of the seat is revoked.

    NotPermitted `seat-code-wrong` for an unknown, used or voided code (not told apart), `seat-kind-other` where the
    code is for another kind of machine; BadInput for a key or kind of another form.
    """
    if len(public_key) != 32 or (report_key is not None and len(report_key) != 32):
        raise BadInput("public-key-form")
    if kind not in KINDS:
        raise BadInput("seat-kind", kind=kind)
    row = await act.session.scalar(
        select(SeatCodeRow).where(SeatCodeRow.digest == _digest(code_as_typed(code))).with_for_update()
    )
    if row is None or row.used_at is not None:
        raise NotPermitted("seat-code-wrong")
    if row.kind is not None and row.kind != kind:
        raise NotPermitted("seat-kind-other", kind=row.kind)
    row.used_at = act.now
    older = await act.session.scalars(
        select(SeatRow).where(
            SeatRow.room == row.room, SeatRow.number == row.number, SeatRow.revoked_at.is_(None)
        )
    )
    for machine in older:
        machine.revoked_at = act.now
    seat = SeatRow(
        id=str(uuid.uuid4()),
        room=row.room,
        number=row.number,
        kind=kind,
        public_key=public_key,
        report_key=report_key,
        enrolled_at=act.now,
    )
    act.session.add(seat)
    await act.record(
        "delivery:seat:enrolled", {"seat": seat.id, "room": seat.room, "number": seat.number, "kind": kind}
    )
    await announce(act.session, SEATS, f"{seat.room}-{seat.number}")
    return seat_fact(seat)


def _digest(code: str) -> bytes:
    return hashlib.sha256(b"gongyuan/seat-code/1\x00" + code.encode()).digest()
