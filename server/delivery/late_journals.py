"""Late journals: kept as they come, opened by two custodians, every entry held against its seat's signature.

Nothing here changes an answer: what comes of the entries is judged by two named people (`late_service`).
"""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.db.signals import announce
from server.delivery import acts, store
from server.delivery.answers import Capture
from server.delivery.late_models import JournalKeyRow, LateEntryRow, LateJournalRow
from server.delivery.models import AnswerEventRow, LeaseRow, SeatRow, SittingRow
from server.delivery.sitting import State
from server.errors import BadInput, GongyuanError, NotFound, Refusal, Refused, Tampered
from server.keys.sealing import Bytes, hpke_open, unseal
from server.keys.signing import verify
from server.protocol import codec
from server.protocol.envelope import beacon_bytes
from server.protocol.exam import Beacon, Captured
from server.protocol.journal import (
    MOST_ENTRIES,
    JournalEntry,
    JournalHead,
    entry_aad,
    entry_bytes,
    head_bytes,
    link,
    wrap_info,
)

_NOT_KEPT = (State.PREPARED, State.CHECKED_IN, State.ABSENT, State.VOIDED)


@dataclass(frozen=True, slots=True)
class LateJournal:
    """One kept journal: where it comes from, and how many of its entries are opened or hold a fault."""

    id: str
    sitting: str
    lease: int
    seat: str
    room: str
    number: int
    source: str
    received_at: datetime
    received_from: str
    entries: int
    opened: int
    faults: int


async def keep_recovery_key(act: Act, slot: str, public: bytes, sealed: bytes | None = None) -> None:
    """Keep the public half of a slot's journal recovery key; a new draw's replaces it. `sealed` is the private
    half, sealed to the printed recovery code."""
    row = await act.session.get(JournalKeyRow, slot)
    if row is None:
        act.session.add(JournalKeyRow(slot=slot, public=public, made_at=act.now, recovery=sealed))
    else:
        row.public, row.made_at, row.recovery = public, act.now, sealed
    await act.session.flush()
    await act.record("delivery:journal-key:kept", {"slot": slot, "public": public.hex()})


async def recovery_key(session: AsyncSession, slot: str) -> bytes | None:
    """Return the public half of the slot's journal recovery key, or None."""
    row = await session.get(JournalKeyRow, slot)
    return None if row is None else row.public


async def keep(
    act: Act,
    head: JournalHead,
    first: int,
    entries: Sequence[JournalEntry],
    source: str,
    own_seat: str = "",
    *,
    lost: bool = False,
) -> int:
    """Keep entries of a journal from place `first` on; return how many are kept now. Repeating adds nothing.

    `own_seat` is the seat on the line, "" for a file; `lost` when the centre lost its own answers, and takes those of
    papers that were handed in or voided as well. Refused `journal-other-seat`, `journal-handed-in`,
    `journal-sitting-state`, `journal-lease-other` (the seat never held that lease), `journal-gap` (names
    `kept`); NotFound for an unknown sitting or seat; Tampered `journal-signature-wrong` or
    `journal-head-other` (another journal of the same lease is kept).
    """
    if own_seat and head.seat != own_seat:
        raise Refused(Refusal("journal-other-seat"))
    sitting = await store.sitting_row(act.session, head.sitting, lock=True)
    seat = await act.session.get(SeatRow, head.seat)
    if seat is None:
        raise NotFound("journal-seat-unknown")
    held = await act.session.get(LeaseRow, (head.sitting, head.lease))
    if held is None or held.seat != seat.id:
        raise Refused(Refusal("journal-lease-other", facts={"lease": head.lease}))
    if sitting.state == State.HANDED_IN.value and not lost:
        raise Refused(Refusal("journal-handed-in"))
    if State(sitting.state) in _NOT_KEPT and not lost:
        raise Refused(Refusal("journal-sitting-state", facts={"state": sitting.state}))
    await asyncio.to_thread(require_signed, seat, head)
    row = await act.session.scalar(
        select(LateJournalRow).where(
            LateJournalRow.sitting == head.sitting,
            LateJournalRow.lease == head.lease,
            LateJournalRow.seat == head.seat,
        )
    )
    kept = 0 if row is None else row.entries
    if row is not None and row.wrapped.hex() != head.wrapped:
        raise Tampered("journal-head-other")
    if first > kept:
        raise Refused(Refusal("journal-gap", facts={"kept": kept}))
    if first + len(entries) > MOST_ENTRIES:
        raise BadInput("journal-too-long", most=MOST_ENTRIES)
    if row is not None:
        await _repeated(act.session, row, first, entries)
    new = entries[kept - first :]
    if not new:
        return kept
    signed = head_bytes(head.sitting, head.lease, head.seat, head.wrapped)
    last = link(signed) if row is None else row.last
    last = await asyncio.to_thread(_linked, seat.public_key, last, new, kept)
    if row is None:
        row = LateJournalRow(
            id=str(uuid.uuid4()),
            sitting=head.sitting,
            lease=head.lease,
            seat=head.seat,
            wrapped=bytes.fromhex(head.wrapped),
            source=source,
            received_at=act.now,
            received_from=act.actor,
            last=last,
            entries=0,
        )
        act.session.add(row)
        await act.session.flush()
    act.session.add_all(
        LateEntryRow(
            journal=row.id,
            place=place,
            seq=entry.seq,
            iv=entry.iv,
            data=entry.data,
            signature=bytes.fromhex(entry.signature),
        )
        for place, entry in enumerate(new, kept)
    )
    row.entries, row.last = kept + len(new), last
    await act.session.flush()
    await act.record(
        "delivery:journal:kept",
        {
            "journal": row.id,
            "sitting": head.sitting,
            "lease": head.lease,
            "seat": head.seat,
            "source": source,
            "entries": row.entries,
            "last": last.hex(),
        },
    )
    await announce(act.session, acts.SITTING, head.sitting)
    return row.entries


def _linked(public: bytes, last: bytes, entries: Sequence[JournalEntry], place: int) -> bytes:
    """The chain's hash after entries that follow place `place`; Tampered at the first that the seat did not sign. Takes
    a tenth of a millisecond an entry."""
    for number, entry in enumerate(entries, place + 1):
        signed = entry_bytes(last, entry.seq, entry.iv, entry.data)
        _signed_by(public, entry.signature, signed, number)
        last = link(signed)
    return last


def require_signed(seat: SeatRow | None, head: JournalHead) -> SeatRow:
    """Return the seat whose key signed a journal's head; NotFound `journal-seat-unknown`, Tampered
    `journal-signature-wrong`."""
    if seat is None:
        raise NotFound("journal-seat-unknown")
    signed = head_bytes(head.sitting, head.lease, head.seat, head.wrapped)
    _signed_by(seat.public_key, head.signature, signed, 0)
    return seat


def _signed_by(public: bytes, signature: str, signed: bytes, place: int) -> None:
    try:
        verify(public, bytes.fromhex(signature), signed)
    except GongyuanError as error:
        raise Tampered("journal-signature-wrong", place=place) from error


async def _repeated(
    session: AsyncSession, row: LateJournalRow, first: int, entries: Sequence[JournalEntry]
) -> None:
    """Refuse entries that were kept already with another signature: the journal was written anew."""
    known = {
        entry.place: entry.signature
        for entry in await session.scalars(
            select(LateEntryRow).where(
                LateEntryRow.journal == row.id,
                LateEntryRow.place >= first,
                LateEntryRow.place < first + len(entries),
            )
        )
    }
    for place, entry in enumerate(entries, first):
        if place in known and known[place].hex() != entry.signature:
            raise Tampered("journal-signature-wrong", place=place + 1)


async def journals(session: AsyncSession, slot: str) -> tuple[LateJournal, ...]:
    """Return the late journals of a slot in order of arrival."""
    rows = await session.execute(
        select(
            LateJournalRow,
            SeatRow.room,
            SeatRow.number,
            func.count(LateEntryRow.opened_at),
            func.count(LateEntryRow.fault),
        )
        .join(SittingRow, SittingRow.id == LateJournalRow.sitting)
        .join(SeatRow, SeatRow.id == LateJournalRow.seat)
        .outerjoin(LateEntryRow, LateEntryRow.journal == LateJournalRow.id)
        .where(SittingRow.slot == slot)
        .group_by(LateJournalRow.id, SeatRow.room, SeatRow.number)
        .order_by(LateJournalRow.received_at, LateJournalRow.id)
    )
    return tuple(
        LateJournal(
            row.id,
            row.sitting,
            row.lease,
            row.seat,
            room,
            number,
            row.source,
            row.received_at,
            row.received_from,
            row.entries,
            opened,
            faults,
        )
        for row, room, number, opened, faults in rows
    )


async def waiting(session: AsyncSession, slot: str) -> int:
    """Return how many late journals of a slot hold entries that nobody has opened."""
    return sum(1 for one in await journals(session, slot) if one.opened < one.entries)


async def open_journal(act: Act, journal: str, recovery: Bytes, node: str, node_public: bytes) -> int:
    """Open every entry of one journal that is not opened yet; return how many hold a fault.

    `recovery` is the private half, `node` this centre's name in beacons and `node_public` its signing key. An
    entry that cannot be opened, or holds no answer, keeps its fault: `seal-broken`, `journal-entry-form` or
    `journal-contradicts` (the centre acknowledged another answer under the same number).
    """
    row = await act.session.get(LateJournalRow, journal)
    if row is None:
        raise NotFound("journal-unknown")
    info = wrap_info(row.sitting, row.lease, row.seat)
    try:
        data_key: bytes | None = hpke_open(recovery, row.wrapped, info)
    except Tampered:
        data_key = None
    known = await _acknowledged(act.session, row.sitting, row.lease)
    faults = 0
    entries = await act.session.scalars(
        select(LateEntryRow)
        .where(LateEntryRow.journal == journal, LateEntryRow.opened_at.is_(None))
        .order_by(LateEntryRow.place)
    )
    for entry in entries:
        entry.opened_at = act.now
        try:
            captured = _opened(row, entry, data_key)
        except GongyuanError as error:
            entry.fault = error.code
            faults += 1
            continue
        entry.number = captured.number
        entry.value = msgspec.json.encode(captured.value).decode()
        if captured.beacon is not None and true_beacon(captured.beacon, node, node_public):
            entry.beacon_at = captured.beacon.now
            entry.captured_at = Capture(captured.beacon.now, captured.elapsed_ms, captured.beacon.rate).at
        said = known.get(entry.seq)
        if said is not None and said != (entry.number, entry.value):
            entry.fault = "journal-contradicts"
            faults += 1
    await act.session.flush()
    await act.record(
        "delivery:journal:opened",
        {"journal": journal, "sitting": row.sitting, "entries": row.entries, "faults": faults},
    )
    await announce(act.session, acts.SITTING, row.sitting)
    return faults


def _opened(row: LateJournalRow, entry: LateEntryRow, data_key: bytes | None) -> Captured:
    if data_key is None:
        raise Tampered("seal-broken")
    return codec.captured(
        unseal(data_key, entry.iv, entry.data, entry_aad(row.sitting, row.lease, entry.seq))
    )


def true_beacon(beacon: Beacon, node: str, public: bytes) -> bool:
    """Tell whether the centre of this name and signing key made a beacon."""
    if beacon.node != node:
        return False
    signed = beacon_bytes(beacon.now, beacon.rate, beacon.node, beacon.epoch)
    try:
        verify(public, bytes.fromhex(beacon.signature), signed)
    except GongyuanError:
        return False
    return True


async def _acknowledged(session: AsyncSession, sitting: str, lease: int) -> dict[int, tuple[int, str]]:
    rows = await session.execute(
        select(AnswerEventRow.seq, AnswerEventRow.number, AnswerEventRow.value).where(
            AnswerEventRow.sitting == sitting, AnswerEventRow.lease == lease
        )
    )
    return {seq: (number, value) for seq, number, value in rows}
