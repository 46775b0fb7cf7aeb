"""What the centre had acknowledged before its loss, from the journals and the receipts that kiosks kept.

A receipt holds when the seat signed what it says, its HMAC is that of the slot's receipt key, which no kiosk ever
held, and the entry that it is of leads, from the hash of the receipt before it, to its own hash. Of several entries
under one number that one counts. The receipt chain of a sitting is made anew from its answers in the order of their
receipts: where none is missing, every number and hash is again the one that the kiosk was told.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from server.db.act import Act
from server.delivery.late_models import LateEntryRow, LateJournalRow
from server.delivery.models import AnswerEventRow, AnswerRow, HeadRow, SeatRow, SittingRow, SlotRow
from server.delivery.receipt_keys import receipt_key_aad
from server.delivery.store import value_of
from server.errors import GongyuanError
from server.keys.identity import Identity
from server.keys.signing import verify
from server.protocol.envelope import chained, event_bytes, receipt_mac
from server.protocol.journal import JournalCopy, JournalReceipt, settled_bytes

_Entry = tuple[int, str, datetime | None]
"""Number, value (JSON array of texts) and time of capture."""
_Named = tuple[int, int, str, int, str, str]
"""A receipt's lease and all that it says: one that comes in two copies is one."""


@dataclass(frozen=True, slots=True)
class Proved:
    """One acknowledged answer: its entry, and the receipt whose seals hold."""

    lease: int
    seq: int
    number: int
    value: str
    captured_at: datetime | None
    receipt: JournalReceipt


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One sitting: answers that stand in the centre's records again, receipt numbers that no kiosk brought,
    receipts that did not hold, entries that were never acknowledged, and whether the chain is the one it was. A
    journal that was handed in twice counts once."""

    sitting: str
    answers: int
    missing: tuple[int, ...]
    false: int
    unacknowledged: int
    same_chain: bool

    @property
    def whole(self) -> bool:
        """Tell whether everything that its kiosks were told is there as they were told it."""
        return self.same_chain and not self.missing and not self.false


async def acknowledge(act: Act, identity: Identity, copies: Iterable[JournalCopy]) -> tuple[Rebuilt, ...]:
    """Write every proved answer of kept and opened journals into the centre's records, sitting by sitting."""
    by: dict[str, list[JournalCopy]] = {}
    for copy in copies:
        by.setdefault(copy.head.sitting, []).append(copy)
    slots = {row.id: row for row in await act.session.scalars(select(SlotRow))}
    keys: dict[str, bytes] = {}
    found = []
    for sitting, some in sorted(by.items()):
        row = await act.session.get(SittingRow, sitting)
        if row is None:
            continue
        if row.slot not in keys:
            wrapped = slots[row.slot].receipt_key or b""
            keys[row.slot] = identity.storage_unwrap(wrapped, receipt_key_aad(row.slot))
        found.append(await _sitting(act, sitting, keys[row.slot], some))
    return tuple(found)


async def _sitting(act: Act, sitting: str, key: bytes, copies: Sequence[JournalCopy]) -> Rebuilt:
    entries = await _entries(act, sitting)
    told: set[_Named] = set()
    sealed: dict[int, tuple[int, JournalReceipt]] = {}
    for copy in copies:
        seat = await act.session.get(SeatRow, copy.head.seat)
        for receipt in copy.receipts:
            told.add(_named(copy.head.lease, receipt))
            if seat is not None and _sealed(receipt, copy, seat.public_key, key):
                sealed[receipt.number] = (copy.head.lease, receipt)
    proved: dict[int, Proved] = {}
    for number, (lease, receipt) in sorted(sealed.items()):
        before = sealed.get(number - 1)
        start = bytes(32) if number == 1 else None if before is None else bytes.fromhex(before[1].hash)
        entry = _entry_of(sitting, lease, receipt, start, entries.get((lease, receipt.seq), ()))
        if entry is not None:
            proved[number] = Proved(lease, receipt.seq, *entry, receipt)
    if proved:
        same_chain = await _write(act, sitting, [proved[number] for number in sorted(proved)])
    else:
        same_chain = True
    missing = tuple(number for number in range(1, max(proved, default=0)) if number not in proved)
    held = {_named(one.lease, one.receipt) for one in proved.values()}
    unacknowledged = len(entries) - len({(one.lease, one.seq) for one in proved.values()})
    return Rebuilt(sitting, len(proved), missing, len(told - held), unacknowledged, same_chain)


def _named(lease: int, receipt: JournalReceipt) -> _Named:
    return (lease, receipt.seq, receipt.outcome, receipt.number, receipt.hash, receipt.mac)


def _entry_of(
    sitting: str, lease: int, receipt: JournalReceipt, start: bytes | None, entries: Iterable[_Entry]
) -> _Entry | None:
    """Return the entry that the centre acknowledged by a receipt. Where the receipt before it is missing (`start`
    None) its hash tells nothing: then the entry must be the only one of its number."""
    found = list(dict.fromkeys(entries))
    if start is None:
        return found[0] if len(found) == 1 else None
    for one in found:
        event = event_bytes(sitting, lease, receipt.seq, one[0], value_of(one[1]))
        if chained(start, event).hex() == receipt.hash:
            return one
    return None


async def _entries(act: Act, sitting: str) -> dict[tuple[int, int], list[_Entry]]:
    rows = await act.session.execute(
        select(
            LateJournalRow.lease,
            LateEntryRow.seq,
            LateEntryRow.number,
            LateEntryRow.value,
            LateEntryRow.captured_at,
        )
        .join(LateEntryRow, LateEntryRow.journal == LateJournalRow.id)
        .where(
            LateJournalRow.sitting == sitting,
            LateEntryRow.number.is_not(None),
            LateEntryRow.fault.is_(None),
        )
        .order_by(LateJournalRow.id, LateEntryRow.place)
    )
    found: dict[tuple[int, int], list[_Entry]] = {}
    for lease, seq, number, value, at in rows:
        found.setdefault((lease, seq), []).append((number, value, at))
    return found


def _sealed(receipt: JournalReceipt, copy: JournalCopy, public: bytes, key: bytes) -> bool:
    head, digest = copy.head, bytes.fromhex(receipt.hash)
    named = (receipt.seq, receipt.outcome, receipt.number, receipt.hash, receipt.mac)
    try:
        verify(public, bytes.fromhex(receipt.signature), settled_bytes(head.sitting, head.lease, *named))
    except GongyuanError:
        return False
    right = receipt_mac(key, head.sitting, head.lease, receipt.seq, receipt.outcome, receipt.number, digest)
    return hmac.compare_digest(right, receipt.mac)


async def _write(act: Act, sitting: str, proved: Sequence[Proved]) -> bool:
    """Write a sitting's answers with their receipt chain; tell whether it is the one that the kiosks were told."""
    digest, same_chain = bytes(32), True
    rows: list[dict[str, Any]] = []
    standing: dict[int, Proved] = {}
    for receipt, one in enumerate(proved, 1):
        event = event_bytes(sitting, one.lease, one.seq, one.number, value_of(one.value))
        digest = chained(digest, event)
        same_chain = same_chain and (receipt, digest.hex()) == (one.receipt.number, one.receipt.hash)
        before = standing.get(one.number)
        if one.receipt.outcome == "counted" and (
            before is None or (before.lease, before.seq) < (one.lease, one.seq)
        ):
            standing[one.number] = one
        rows.append(
            {
                "sitting": sitting,
                "lease": one.lease,
                "seq": one.seq,
                "number": one.number,
                "value": one.value,
                # When it arrived is lost; the newest that is known of it is when it was given.
                "received_at": one.captured_at or act.now,
                "captured_at": one.captured_at,
                "outcome": one.receipt.outcome,
                "receipt": receipt,
                "digest": digest,
                "place": receipt - 1,
            }
        )
    root = hashlib.sha256(b"".join(row["digest"] for row in rows)).hexdigest()
    head = await act.record("delivery:answers:stored", {"count": len(rows), "root": root})
    covered = {"chain": head.chain, "record": head.seq}
    await act.session.execute(insert(AnswerEventRow), [row | covered for row in rows])
    if standing:  # answers that came late stand for no item
        await act.session.execute(
            insert(AnswerRow),
            [
                {
                    "sitting": sitting,
                    "number": number,
                    "value": one.value,
                    "lease": one.lease,
                    "seq": one.seq,
                }
                for number, one in sorted(standing.items())
            ],
        )
    newest = max((one.lease, one.seq) for one in proved)
    await act.session.execute(
        update(HeadRow)
        .where(HeadRow.sitting == sitting)
        .values(lease=newest[0], seq=newest[1], receipt=len(rows), digest=digest)
    )
    return same_chain
