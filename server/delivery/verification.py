"""Check the answers on disk against their receipt chains, against the journal, and against what stands."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, select

from server.db.journal import JournalRecord
from server.delivery.models import AnswerEventRow, AnswerRow, HeadRow
from server.delivery.store import value_of
from server.protocol.envelope import chained, event_bytes


@dataclass(frozen=True, slots=True)
class AnswerVerification:
    """Sittings and stored answers read, and every fault found, in words."""

    sittings: int
    answers: int
    faults: tuple[str, ...]


def verify_answers(connection: Connection) -> AnswerVerification:
    """Recompute every sitting's receipt chain and every batch's root in the journal.

    Faults: a missing or changed answer, a head that names another chain, a journal record whose root or count
    is not that of its answers, a standing answer that is not the newest counted one. While others write, ask on a
    connection of `Database.snapshot()`.
    """
    faults: list[str] = []
    heads = {row.sitting: row for row in connection.execute(select(HeadRow.__table__))}
    newest: dict[tuple[str, int], tuple[int, int, str]] = {}
    chain: dict[str, tuple[int, bytes]] = {}
    batches: dict[tuple[str, int], int] = {}
    count = 0
    table = AnswerEventRow.__table__
    for row in connection.execute(select(table).order_by(table.c.sitting, table.c.receipt)):
        count += 1
        number, previous = chain.get(row.sitting, (0, bytes(32)))
        event = event_bytes(row.sitting, row.lease, row.seq, row.number, value_of(row.value))
        if row.receipt != number + 1 or chained(previous, event) != row.digest:
            faults.append(f"{row.sitting}: receipt {row.receipt} does not follow receipt {number}")
        chain[row.sitting] = (row.receipt, row.digest)
        batches[(row.chain, row.record)] = batches.get((row.chain, row.record), 0) + 1
        if row.outcome == "counted":
            key = (row.sitting, row.number)
            newest[key] = max(newest.get(key, (0, 0, "")), (row.lease, row.seq, row.value))
    for sitting, head in heads.items():
        if (head.receipt, head.digest) != chain.get(sitting, (0, bytes(32))):
            faults.append(f"{sitting}: the head names receipt {head.receipt}")
    standing = {
        (row.sitting, row.number): (row.lease, row.seq, row.value)
        for row in connection.execute(select(AnswerRow.__table__))
    }
    faults += [
        f"{sitting}: item {number} stands otherwise" for sitting, number in _different(standing, newest)
    ]
    faults += _journal_faults(connection, batches)
    return AnswerVerification(len(heads), count, tuple(faults))


def _different(
    standing: dict[tuple[str, int], tuple[int, int, str]], newest: dict[tuple[str, int], tuple[int, int, str]]
) -> list[tuple[str, int]]:
    return sorted(key for key in standing.keys() | newest.keys() if standing.get(key) != newest.get(key))


def _journal_faults(connection: Connection, batches: dict[tuple[str, int], int]) -> list[str]:
    faults = []
    records = JournalRecord.__table__
    table = AnswerEventRow.__table__
    query = select(records).where(records.c.kind == "delivery:answers:stored")
    known = {(row.chain, row.seq): row.body for row in connection.execute(query)}
    for key in sorted(known.keys() | batches.keys()):
        chain, record = key
        rows = connection.execute(
            select(table.c.digest)
            .where(table.c.chain == chain, table.c.record == record)
            .order_by(table.c.place)
        )
        digests = [digest for (digest,) in rows]
        root = hashlib.sha256(b"".join(digests)).hexdigest()
        if known.get(key) != f'{{"count":{len(digests)},"root":"{root}"}}':
            faults.append(f"{chain}: record {record} does not cover its answers")
    return faults
