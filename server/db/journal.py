"""The append-only, hash-chained journal.

One chain per writer incarnation: a process that writes starts a new chain whose first record names the heads it
found. A record's hash is SHA-256(previous hash ‖ canonical JSON of the record without its hash), RFC 8785.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785
from sqlalchemy import (
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.db.engine import run
from server.db.metadata import Base
from server.errors import Fact

ZERO = bytes(32)

_HEAD = "select head_seq, head_hash from journal_chain where id = ?"
_INSERT_CHAIN = (
    "insert into journal_chain (id, writer, started_at, head_seq, head_hash) values (?, ?, ?, ?, ?)"
)
_INSERT_RECORD = (
    "insert into journal_record (chain, seq, at, kind, actor, body, previous, hash) "
    "values (?, ?, ?, ?, ?, ?, ?, ?)"
)
_MOVE_HEAD = "update journal_chain set head_seq = ?, head_hash = ? where id = ?"
"""One record a batch of answers: to build these by the expression language cost more than to run them."""


class JournalChain(Base):
    """One writer incarnation and the head of its chain."""

    __tablename__ = "journal_chain"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    writer: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    head_seq: Mapped[int] = mapped_column(Integer, default=0)
    head_hash: Mapped[bytes] = mapped_column(LargeBinary(32), default=ZERO)


class JournalRecord(Base):
    """One record; never updated, never deleted."""

    __tablename__ = "journal_record"
    __table_args__ = (UniqueConstraint("chain", "seq"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    chain: Mapped[str] = mapped_column(ForeignKey("journal_chain.id"))
    seq: Mapped[int]
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(80), index=True)
    actor: Mapped[str] = mapped_column(String(120))
    body: Mapped[str] = mapped_column(Text)
    previous: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


@dataclass(frozen=True, slots=True)
class Head:
    """Head of one chain: its id, the last sequence number (0 = empty) and that record's hash."""

    chain: str
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Verification:
    """Outcome of a check: chains and records read, and every fault found, in words."""

    chains: int
    records: int
    faults: tuple[str, ...]


def record_hash(
    previous: bytes, chain: str, seq: int, at: datetime, kind: str, actor: str, body: str
) -> bytes:
    """Return SHA-256 over the previous hash and the canonical record."""
    record = {"actor": actor, "at": at.isoformat(), "body": body, "chain": chain, "kind": kind, "seq": seq}
    return hashlib.sha256(previous + _canonical_texts(record)).digest()


class Journal:
    """The door for administrative records of one process. Safe for concurrent transactions: the chain's row is
    the lock (SQLite: the write transaction itself; PostgreSQL: SELECT … FOR UPDATE)."""

    def __init__(self, writer: str) -> None:
        self.chain = str(uuid.uuid4())
        self.writer = writer
        self._started = False

    async def append(
        self, session: AsyncSession, now: datetime, kind: str, actor: str, facts: Mapping[str, Any]
    ) -> Head:
        """Append one record inside the caller's transaction; kind has the grammar `source:subject:action`."""
        return await session.run_sync(self.append_sync, now, kind, actor, facts)

    def append_sync(
        self, session: Session | Connection, now: datetime, kind: str, actor: str, facts: Mapping[str, Any]
    ) -> Head:
        """The same for a synchronous session or connection (children, the writer's thread)."""
        connection = _connection(session)
        lock = "" if connection.dialect.name == "sqlite" else " for update"
        row = run(connection, _HEAD + lock, (self.chain,))
        seq, previous = self._start(connection, now) if row is None else (int(row[0]), bytes(row[1]))
        return self._put(connection, seq + 1, previous, now, kind, actor, canonical(facts).decode())

    def _put(
        self,
        connection: Connection,
        seq: int,
        previous: bytes,
        now: datetime,
        kind: str,
        actor: str,
        body: str,
    ) -> Head:
        digest = record_hash(previous, self.chain, seq, now, kind, actor, body)
        row = (self.chain, seq, as_stored(connection, now), kind, actor, body, previous, digest)
        run(connection, _INSERT_RECORD, row)
        run(connection, _MOVE_HEAD, (seq, digest, self.chain))
        return Head(self.chain, seq, digest)

    def _start(self, connection: Connection, now: datetime) -> tuple[int, bytes]:
        found = heads_sync(connection)
        row = (self.chain, self.writer, as_stored(connection, now), 0, ZERO)
        run(connection, _INSERT_CHAIN, row)
        facts: dict[str, Fact] = {head.chain: f"{head.seq}:{head.hash.hex()}" for head in found}
        body = rfc8785.dumps({"writer": self.writer, "found": facts}).decode()
        head = self._put(connection, 1, ZERO, now, "journal:chain:started", self.writer, body)
        return head.seq, head.hash


def as_stored(connection: Connection, moment: datetime) -> datetime | str:
    """Return an aware time in the form in which SQLAlchemy keeps it, for statements past the expression
    language.
    """
    if moment.tzinfo is None:
        raise ValueError("a naive datetime cannot be stored")
    if connection.dialect.name != "sqlite":
        return moment
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(" ", "microseconds")[:26]


def _connection(session: Session | Connection) -> Connection:
    if isinstance(session, Connection):
        return session
    # What the act has changed so far stands before its record, and fails before it.
    session.flush()
    return session.connection()


def canonical(facts: Mapping[str, Any]) -> bytes:
    """Return RFC 8785 JSON."""
    if all(key.isascii() and _plain(value) for key, value in facts.items()):
        return _canonical_texts(facts)
    return rfc8785.dumps(dict(facts))


def _plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(one, str) for one in value)
    return value is None or isinstance(value, str) or (isinstance(value, int) and abs(value) < 1 << 53)


def _canonical_texts(row: Mapping[str, Any]) -> bytes:
    # Texts, truth values and small integers under ASCII names: json writes them as RFC 8785 does, in C.
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def heads_sync(session: Session | Connection) -> tuple[Head, ...]:
    """Return the heads of all chains, ordered by chain id."""
    rows = session.execute(
        select(JournalChain.id, JournalChain.head_seq, JournalChain.head_hash).order_by(JournalChain.id)
    )
    return tuple(Head(chain, seq, digest) for chain, seq, digest in rows)


async def heads(session: AsyncSession) -> tuple[Head, ...]:
    """Return the heads of all chains, ordered by chain id."""
    return await session.run_sync(heads_sync)


def verify(session: Session | Connection) -> Verification:
    """Recompute every chain from its first record; report gaps, changed records and heads that do not match.

    Heads and records come by several statements: while others write, ask on a connection of `Database.snapshot()`, or
    what was written between two of them is told as a fault.
    """
    faults: list[str] = []
    count = 0
    chain_heads = heads_sync(session)
    for head in chain_heads:
        previous, expected = ZERO, 1
        table = JournalRecord.__table__
        rows = session.execute(
            select(table).where(table.c.chain == head.chain).order_by(table.c.seq)
        ).mappings()
        for row in rows:
            count += 1
            if row["seq"] != expected:
                faults.append(f"{head.chain}: record {expected} is missing before {row['seq']}")
                expected = row["seq"]
            digest = record_hash(
                previous, head.chain, row["seq"], row["at"], row["kind"], row["actor"], row["body"]
            )
            if row["previous"] != previous or row["hash"] != digest:
                faults.append(f"{head.chain}: record {row['seq']} does not match its hash")
            previous = row["hash"]
            expected += 1
        if (expected - 1, previous) != (head.seq, head.hash):
            faults.append(
                f"{head.chain}: the head names record {head.seq}, the last one found is {expected - 1}"
            )
    return Verification(len(chain_heads), count, tuple(faults))
