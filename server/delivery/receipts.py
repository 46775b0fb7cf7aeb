"""Check a hand-in receipt by its code, against the answers on disk, the journal and its anchors."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from server.db.journal import JournalRecord, record_hash
from server.delivery.endings import standing
from server.delivery.late_models import MergedAnswerRow, MergeRow
from server.delivery.models import AnswerEventRow, EndingRow, HeadRow, SittingRow
from server.delivery.store import value_of
from server.errors import BadInput, GongyuanError, NotFound
from server.keys.models import AnchorRow
from server.keys.signing import verify
from server.protocol.envelope import (
    answered_count,
    answers_digest,
    chained,
    event_bytes,
    hand_in_bytes,
    receipt_code,
    receipt_code_holds,
)
from server.protocol.ids import code_as_typed
from server.protocol.paper import AnswerValue


class SignedReceipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receipt as it is filed: what the centre signed, in the fields of `handed_in`, with its sitting."""

    sitting: str
    how: str
    at: datetime
    count: int
    digest: str
    head: str
    code: str
    signature: str


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """What a receipt proves, and every fault found, as codes of sentences.

    `answers` are the answers as they were at that moment, by item number. `anchor` is the number and code of the
    first anchor that covers the receipt's journal record, None while no minute's anchor has.
    """

    receipt: SignedReceipt
    name: str
    ticket: str
    room: str
    seat: int
    answers: dict[int, AnswerValue]
    anchor: tuple[int, str] | None
    faults: tuple[str, ...]


def read_receipt(data: bytes) -> SignedReceipt:
    """Read a filed receipt; BadInput `receipt-file-form` when it is none."""
    try:
        return msgspec.json.decode(data, type=SignedReceipt)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadInput("receipt-file-form") from error


def check_code(connection: Connection, typed: str, public: bytes) -> ReceiptCheck:
    """Check the receipt of a code as a person typed it; `public` is the centre's signing key.

    BadInput `receipt-code-form` when the check character shows a misreading, NotFound `receipt-unknown`.
    """
    code = code_as_typed(typed)
    if not receipt_code_holds(code):
        raise BadInput("receipt-code-form")
    return _check(connection, code, public)


def check_receipt(connection: Connection, filed: SignedReceipt, public: bytes) -> ReceiptCheck:
    """Check a filed receipt; `receipt-file-differs` is a fault when the centre's own says something else."""
    found = _check(connection, filed.code, public)
    if filed == found.receipt:
        return found
    return ReceiptCheck(
        found.receipt,
        found.name,
        found.ticket,
        found.room,
        found.seat,
        found.answers,
        found.anchor,
        ("receipt-file-differs", *found.faults),
    )


def _check(connection: Connection, code: str, public: bytes) -> ReceiptCheck:
    ending = connection.execute(select(EndingRow.__table__).where(EndingRow.code == code)).one_or_none()
    merge = connection.execute(select(MergeRow.__table__).where(MergeRow.code == code)).one_or_none()
    row: Any = ending if ending is not None else merge
    if row is None:
        raise NotFound("receipt-unknown")
    table = SittingRow.__table__
    sitting = connection.execute(select(table).where(table.c.id == row.sitting)).one()
    answers = standing(connection, row.sitting)
    if ending is None:
        answers |= _merged(connection, row.sitting, row.number)
    receipt = SignedReceipt(
        sitting=row.sitting,
        how="merged" if ending is None else row.how,
        at=row.at,
        count=row.count,
        digest=row.digest,
        head=row.head,
        code=row.code,
        signature=row.signature.hex(),
    )
    faults = [*_signature_faults(receipt, public)]
    if (answered_count(answers), answers_digest(answers)) != (row.count, row.digest):
        faults.append("receipt-answers-differ")
    if not _chain_holds(connection, row.sitting):
        faults.append("receipt-chain-broken")
    faults += _journal_faults(connection, receipt)
    anchor, wrong = _anchor(connection, receipt.head)
    faults += wrong
    kept = {number: value for number, value in sorted(answers.items()) if any(value)}
    return ReceiptCheck(
        receipt, sitting.name, sitting.ticket, sitting.room, sitting.seat, kept, anchor, tuple(faults)
    )


def _merged(connection: Connection, sitting: str, most: int) -> dict[int, AnswerValue]:
    """Return what was accepted up to this merge."""
    rows = connection.execute(
        select(MergedAnswerRow.number, MergedAnswerRow.value)
        .join(MergeRow, MergeRow.id == MergedAnswerRow.merge)
        .where(MergedAnswerRow.sitting == sitting, MergedAnswerRow.accepted, MergeRow.number <= most)
        .order_by(MergeRow.number)
    )
    return {number: value_of(value) for number, value in rows}


def _signature_faults(receipt: SignedReceipt, public: bytes) -> list[str]:
    signed = hand_in_bytes(receipt.sitting, receipt.at, receipt.count, receipt.digest, receipt.head)
    faults = [] if receipt_code(signed) == receipt.code else ["receipt-code-other"]
    try:
        verify(public, bytes.fromhex(receipt.signature), signed)
    except GongyuanError:
        faults.append("receipt-signature-wrong")
    return faults


def _chain_holds(connection: Connection, sitting: str) -> bool:
    table = AnswerEventRow.__table__
    number, digest = 0, bytes(32)
    for row in connection.execute(select(table).where(table.c.sitting == sitting).order_by(table.c.receipt)):
        digest = chained(digest, event_bytes(sitting, row.lease, row.seq, row.number, value_of(row.value)))
        number += 1
        if (row.receipt, row.digest) != (number, digest):
            return False
    head = connection.execute(select(HeadRow.receipt, HeadRow.digest).where(HeadRow.sitting == sitting)).one()
    return (head.receipt, head.digest) == (number, digest)


def _journal_faults(connection: Connection, receipt: SignedReceipt) -> list[str]:
    chain, seq, digest = receipt.head.split(":")
    table = JournalRecord.__table__
    row = connection.execute(
        select(table).where(table.c.chain == chain, table.c.seq == int(seq))
    ).one_or_none()
    if row is None:
        return ["receipt-head-missing"]
    made = record_hash(row.previous, chain, row.seq, row.at, row.kind, row.actor, row.body)
    body = msgspec.json.decode(row.body)
    said = (body.get("sitting"), body.get("count"), body.get("answers"))
    if (row.hash.hex(), made.hex()) != (digest, digest):
        return ["receipt-head-differs"]
    return [] if said == (receipt.sitting, receipt.count, receipt.digest) else ["receipt-head-differs"]


def _anchor(connection: Connection, head: str) -> tuple[tuple[int, str] | None, list[str]]:
    chain, seq, _ = head.split(":")
    table, records = AnchorRow.__table__, JournalRecord.__table__
    for row in connection.execute(select(table).order_by(table.c.number)):
        named = msgspec.json.decode(row.heads, type=dict[str, str]).get(chain)
        if named is None or int(named.partition(":")[0]) < int(seq):
            continue
        at, _, digest = named.partition(":")
        stored = connection.execute(
            select(records.c.hash).where(records.c.chain == chain, records.c.seq == int(at))
        ).scalar()
        wrong = [] if stored is not None and stored.hex() == digest else ["receipt-anchor-differs"]
        return (row.number, row.code), wrong
    return None, []
