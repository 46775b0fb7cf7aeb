"""Health of the machines: reports are checked as they come and written many at a time."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.engine import Database
from server.db.signals import Signals
from server.delivery.models import SeatHealthRow, SeatRow
from server.delivery.seating import SEATS
from server.errors import BadInput, NotPermitted, Refusal, Refused, Tampered
from server.keys.signing import verify
from server.protocol.health import SILENT_AFTER_S, HealthReport, SignedReport, health_bytes

WRITE_EVERY_S = 5.0
"""Monotonic seconds between two writes: a hall of thousands costs one transaction each time."""


@dataclass(frozen=True, slots=True)
class MachineHealth:
    """The newest report of an enrolled machine."""

    room: str
    number: int
    kind: str
    at: datetime
    report: HealthReport

    def silent(self, now: datetime) -> bool:
        """Tell whether the machine has stopped reporting."""
        return now - self.at > timedelta(seconds=SILENT_AFTER_S)


class HealthDesk:
    """Takes reports in; one in each process that serves seats."""

    def __init__(self, db: Database, clock: Clock, signals: Signals) -> None:
        self._db = db
        self._clock = clock
        self._seats: dict[str, str] = {}
        self._newest: dict[str, int] = {}
        self._waiting: dict[str, tuple[datetime, int, str]] = {}
        self._written_at: float | None = None
        signals.subscribe(self._on_signal)

    async def take(self, signed: SignedReport) -> None:
        """Keep a report; NotPermitted `kiosk-unknown` for a key that no enrolled machine has, or a signature that is
        not its own; BadInput `health-form`; Refused `health-repeated` for a number that is not above the newest: who
        recorded a report cannot show a dead machine as well.
        """
        try:
            verify(bytes.fromhex(signed.key), bytes.fromhex(signed.signature), health_bytes(signed.report))
            seat = await self._seat(signed.key)
        except Tampered as error:
            raise NotPermitted("kiosk-unknown") from error
        if seat is None:
            raise NotPermitted("kiosk-unknown")
        try:
            number = msgspec.json.decode(signed.report, type=HealthReport).number
        except msgspec.DecodeError as error:
            raise BadInput("health-form", reason=str(error)) from error
        newest = self._newest.get(seat, -1)
        if number <= newest:
            raise Refused(Refusal("health-repeated", facts={"newest": newest}))
        self._newest[seat] = number
        self._waiting[seat] = (self._clock.legal(), number, signed.report)
        now = self._clock.monotonic()
        if self._written_at is None or now - self._written_at >= WRITE_EVERY_S:
            self._written_at = now
            await self.write()

    async def write(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        async with self._db.writing() as session:
            known = set(await session.scalars(select(SeatRow.id).where(SeatRow.id.in_(waiting))))
            stored = await _numbers(session, known)  # another process may have taken a newer one
            fresh = {seat for seat in known if waiting[seat][1] > stored.get(seat, -1)}
            await session.execute(delete(SeatHealthRow).where(SeatHealthRow.seat.in_(fresh)))
            session.add_all(
                SeatHealthRow(seat=seat, at=waiting[seat][0], report=waiting[seat][2])
                for seat in sorted(fresh)
            )

    async def _seat(self, key: str) -> str | None:
        found = self._seats.get(key)
        if found is None:
            query = select(SeatRow.id).where(
                SeatRow.report_key == bytes.fromhex(key), SeatRow.revoked_at.is_(None)
            )
            async with self._db.reading() as session:
                found = await session.scalar(query)
                stored = {} if found is None else await _numbers(session, {found})
            if found is not None:
                self._seats[key] = found
                self._newest[found] = max(self._newest.get(found, -1), stored.get(found, -1))
        return found

    def _on_signal(self, topic: str, _key: str) -> None:
        if topic == SEATS:
            self._seats.clear()


async def _numbers(session: AsyncSession, seats: Collection[str]) -> dict[str, int]:
    """The number of the newest stored report of each of these seats that has one."""
    query = select(SeatHealthRow.seat, SeatHealthRow.report).where(SeatHealthRow.seat.in_(seats))
    rows = (await session.execute(query)).tuples()
    return {seat: msgspec.json.decode(report, type=HealthReport).number for seat, report in rows}


async def machines(session: AsyncSession) -> tuple[MachineHealth, ...]:
    """Return the newest report of every enrolled machine that has reported, in order of room and seat."""
    query = (
        select(SeatRow.room, SeatRow.number, SeatRow.kind, SeatHealthRow.at, SeatHealthRow.report)
        .join(SeatHealthRow, SeatHealthRow.seat == SeatRow.id)
        .where(SeatRow.revoked_at.is_(None))
        .order_by(SeatRow.room, SeatRow.number)
    )
    rows = (await session.execute(query)).tuples()
    return tuple(
        MachineHealth(room, number, kind, at, msgspec.json.decode(report, type=HealthReport))
        for room, number, kind, at, report in rows
    )
