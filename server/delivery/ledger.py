"""The statements that the answer writer runs: a batch of works in, one outcome each, inside one transaction.

Order and repetition are decided here, in the transaction, from what is on disk: the sitting's row (locked on
PostgreSQL, the write lock on SQLite) carries state and newest lease, its head row the newest (lease, seq) and
the receipt chain. One journal record a batch covers all its answers: its root is SHA-256 over their chained
hashes.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import Connection

from server.clock import Clock
from server.db.engine import run
from server.db.journal import Journal, as_stored
from server.db.signals import notify
from server.delivery.acts import LINE, OPENED, SITTING
from server.delivery.answers import Standing, counts, newer, storable
from server.delivery.endings import Sign, end_sitting, standing
from server.delivery.handin import content_refusal
from server.delivery.sitting import Event, State, step
from server.delivery.works import (
    AnswerWork,
    Done,
    HandInWork,
    Leased,
    LeaseWork,
    LineWork,
    MarkWork,
    OpenedWork,
    Released,
    ReleaseWork,
    Stored,
    Work,
    Written,
)
from server.errors import Refusal
from server.protocol.envelope import answered_count, answers_digest, chained, event_bytes
from server.protocol.exam import Outcome

ACTOR = "centre:answer-writer"

UPSERT_ANSWER = """
insert into delivery_answer (sitting, number, value, lease, seq) values {rows}
on conflict (sitting, number) do update set value = excluded.value, lease = excluded.lease, seq = excluded.seq
where excluded.lease > delivery_answer.lease
   or (excluded.lease = delivery_answer.lease and excluded.seq > delivery_answer.seq)
"""
INSERT_EVENT = """
insert into delivery_answer_event (sitting, lease, seq, number, value, received_at, captured_at, outcome,
receipt, digest, chain, record, place) values {rows}
"""
UPSERT_MARK = "insert into delivery_mark (sitting, number) values {rows} on conflict do nothing"
DELETE_MARK = "delete from delivery_mark where sitting = ? and number = ?"
MOVE_HEADS = """
insert into delivery_head (lease, seq, receipt, digest, sitting) values {rows}
on conflict (sitting) do update set lease = excluded.lease, seq = excluded.seq, receipt = excluded.receipt,
digest = excluded.digest
"""
INSERT_HEARTBEAT = "insert into delivery_heartbeat (sitting, seat, at, kind) values {rows}"
UPDATE_LEASE = "update delivery_sitting set lease = ? where id = ?"
INSERT_LEASE = "insert into delivery_lease (sitting, lease, seat, taken_at) values (?, ?, ?, ?)"
OPEN_PAPERS = "update delivery_sitting set state = ?, opened_at = ? where id in {those}"
UPDATE_ITEMS = "update delivery_sitting set items = ? where id = ?"
LOAD_HEADS = """
select s.id, s.state, s.lease, h.lease, h.seq, h.receipt, h.digest, s.room, s.seat
from delivery_sitting s join delivery_head h on h.sitting = s.id where s.id in ({keys}) order by s.id for update
"""
LOAD_HEADS_AT_ONCE = """
select json_group_array(
    json_array(s.id, s.state, s.lease, h.lease, h.seq, h.receipt, hex(h.digest), s.room, s.seat))
from delivery_sitting s join delivery_head h on h.sitting = s.id where s.id in ({keys})
"""
"""What every answer (and mark) costs, past the expression language; `?` stands for the driver's placeholder.

One statement takes many rows, and the heads come as one row: SQLite's driver gives up the interpreter's lock at
every row it steps to, and the busy event loop hands it back late, so that a statement a row made a batch wait for
the loop a hundred times.
"""
ROWS = (256, 192, 128, 96, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)
"""Rows that one statement may have, so that few are prepared: a batch goes in two or three statements a table."""

FIND_EVENT = """
select number, value, outcome, receipt, digest from delivery_answer_event
where sitting = ? and lease = ? and seq = ?
"""
FIND_STANDING = "select lease, seq from delivery_answer where sitting = ? and number = ?"


_encoder = msgspec.json.Encoder()


@dataclass(slots=True)
class _Event:
    """One row of the event log, before its journal record is known."""

    sitting: str
    lease: int
    seq: int
    number: int
    value: str
    received_at: datetime
    captured_at: datetime | None
    outcome: str
    receipt: int
    digest: bytes


@dataclass(slots=True)
class _Head:
    """The head of one sitting while a batch is written."""

    state: State
    newest_lease: int
    lease: int
    seq: int
    receipt: int
    digest: bytes
    room: str
    seat: int
    touched: bool = False


class Ledger:
    """What the writer's thread runs; holds no state between batches but its journal chain's name."""

    def __init__(self, journal: Journal, clock: Clock, sign: Sign) -> None:
        self._journal = journal
        self._clock = clock
        self._sign = sign

    def store(self, connection: Connection, works: Sequence[Work]) -> list[Written]:
        """Write a batch; the results are in the order of the works."""
        batch = _Batch(connection, self._journal, self._clock, self._sign)
        batch.load(sorted(set(chain.from_iterable(map(_sittings_of, works)))))
        written = [batch.take(work) for work in works]
        batch.flush()
        return written


class _Batch:
    def __init__(self, connection: Connection, journal: Journal, clock: Clock, sign: Sign) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._journal = journal
        self._clock = clock
        self._sign = sign
        self._heads: dict[str, _Head] = {}
        self._events: list[_Event] = []
        self._current: dict[tuple[str, int], tuple[Any, ...]] = {}
        self._fresh: dict[tuple[str, int, int], tuple[_Event, Stored]] = {}
        self._standing: dict[tuple[str, int], Standing] = {}
        self._opened: list[tuple[Any, ...]] = []
        self._beats: list[tuple[Any, ...]] = []
        self._told: dict[tuple[str, str], None] = {}
        """What other processes shall look at, in order."""

    def load(self, sittings: list[str]) -> None:
        """Read and lock the heads, in one order for all writers so that no two wait for each other."""
        # The number of keys goes up in doubles, so that a few prepared statements serve all batches.
        keys = sittings + sittings[-1:] * ((1 << (len(sittings) - 1).bit_length()) - len(sittings))
        marks = ", ".join("?" * len(keys))
        if self._is_sqlite:
            (told,) = self._one(LOAD_HEADS_AT_ONCE.format(keys=marks), tuple(keys)) or ("[]",)
            found = [(*row[:6], bytes.fromhex(row[6]), *row[7:]) for row in msgspec.json.decode(told)]
        else:
            statement = LOAD_HEADS.format(keys=marks.replace("?", "%s"))
            found = [tuple(row) for row in self._connection.exec_driver_sql(statement, tuple(keys))]
        for key, state, *rest in found:
            self._heads[key] = _Head(State(state), *rest)

    def take(self, work: Work) -> Written:
        if isinstance(work, ReleaseWork):
            return self._release(work)
        head = self._heads.get(work.sitting)
        if head is None:
            return Refusal("sitting-unknown")
        match work:
            case AnswerWork():
                return self._answer(head, work)
            case HandInWork():
                return self._hand_in(head, work)
            case MarkWork():
                self._mark(work)
            case OpenedWork():
                self._opened.append((work.items, work.sitting))
            case LineWork():
                at = as_stored(self._connection, work.at)
                self._beats.append((work.sitting, work.seat, at, "here" if work.here else "lost"))
                self._told[(LINE, work.sitting)] = None
            case LeaseWork():
                return self._lease(head, work)
        return Done()

    def _release(self, work: ReleaseWork) -> Released:
        heads = {one: self._heads[one] for one in work.sittings if one in self._heads}
        opening = [one for one, head in heads.items() if step(head.state, Event.OPEN) is State.OPENED]
        for one in opening:
            heads[one].state = State.OPENED
        if opening:
            keys: Any = opening
            those = "(select unnest(?::text[]))"
            if self._is_sqlite:
                keys, those = _encoder.encode(opening).decode(), "(select value from json_each(?))"
            at = as_stored(self._connection, work.at)
            self._one(OPEN_PAPERS.format(those=those), (State.OPENED.value, at, keys))
            kind, facts = "delivery:papers:opened", {"sittings": opening}
            self._journal.append_sync(self._connection, work.at, kind, ACTOR, facts)
            self._told[(OPENED, work.slot)] = None
        return Released(frozenset(one for one, head in heads.items() if head.state is State.OPENED))

    def _lease(self, head: _Head, work: LeaseWork) -> Written:
        # Looked at again here: since the device asked, the check-in may have been undone.
        if head.state not in (State.CHECKED_IN, State.OPENED) or (head.room, head.seat) != (
            work.room,
            work.number,
        ):
            return Refusal("sign-in-refused")
        head.newest_lease += 1
        self._one(UPDATE_LEASE, (head.newest_lease, work.sitting))
        at = as_stored(self._connection, work.at)
        self._one(INSERT_LEASE, (work.sitting, head.newest_lease, work.seat, at))
        self._journal.append_sync(
            self._connection,
            work.at,
            "delivery:lease:taken",
            f"seat:{work.room}-{work.number}",
            {"sitting": work.sitting, "lease": head.newest_lease, "seat": work.seat},
        )
        self._told[(SITTING, work.sitting)] = None
        return Leased(head.newest_lease)

    def _answer(self, head: _Head, work: AnswerWork) -> Written:
        repeated = self._repeated(head, work)
        if repeated is not None:
            return repeated
        refusal = storable(head.state, work.lease, head.newest_lease)
        if refusal is not None:
            return refusal
        value = _encoder.encode(work.value).decode()
        outcome: Outcome = "late"
        if counts(head.state, work.timely):
            is_newer = newer(work.lease, work.seq, self._standing_of(head, work))
            outcome = "counted" if is_newer else "superseded"
        event = event_bytes(work.sitting, work.lease, work.seq, work.number, work.value)
        head.digest = chained(head.digest, event)
        head.receipt += 1
        head.touched = True
        if (work.lease, work.seq) > (head.lease, head.seq):
            head.lease, head.seq = work.lease, work.seq
        stored = Stored(outcome, head.receipt, head.digest)
        row = _Event(
            work.sitting,
            work.lease,
            work.seq,
            work.number,
            value,
            work.received_at,
            work.captured_at,
            outcome,
            head.receipt,
            head.digest,
        )
        self._events.append(row)
        self._fresh[(work.sitting, work.lease, work.seq)] = (row, stored)
        if outcome == "counted":
            self._standing[(work.sitting, work.number)] = Standing(work.lease, work.seq)
            key = (work.sitting, work.number)
            self._current[key] = (work.sitting, work.number, value, work.lease, work.seq)
        return stored

    def _repeated(self, head: _Head, work: AnswerWork) -> Written | None:
        """Return the first outcome of the same (lease, seq), a refusal when it said something else, or
        None.
        """
        if (work.lease, work.seq) > (head.lease, head.seq):
            return None
        said = (work.number, _encoder.encode(work.value).decode())
        fresh = self._fresh.get((work.sitting, work.lease, work.seq))
        if fresh is not None:
            row, stored = fresh
            return stored if (row.number, row.value) == said else _reused(work)
        found = self._one(FIND_EVENT, (work.sitting, work.lease, work.seq))
        if found is None:
            return None
        number, value, outcome, receipt, digest = found
        return Stored(outcome, receipt, bytes(digest)) if (number, value) == said else _reused(work)

    def _standing_of(self, head: _Head, work: AnswerWork) -> Standing | None:
        if (work.lease, work.seq) > (head.lease, head.seq):
            # Newer than everything stored for this sitting, so newer than what stands for the item.
            return None
        known = self._standing.get((work.sitting, work.number))
        if known is not None:
            return known
        found = self._one(FIND_STANDING, (work.sitting, work.number))
        return None if found is None else Standing(found[0], found[1])

    def _hand_in(self, head: _Head, work: HandInWork) -> Written:
        self._flush_answers()
        answers = standing(self._connection, work.sitting)
        count = answered_count(answers)
        refusal = content_refusal(
            head.state,
            work.lease,
            head.newest_lease,
            work.count == count,
            work.digest == answers_digest(answers),
            count,
        )
        if refusal is not None:
            return refusal
        head.state = State.HANDED_IN
        self._told[(SITTING, work.sitting)] = None
        return end_sitting(
            self._connection,
            self._journal,
            self._sign,
            work.sitting,
            State.HANDED_IN,
            work.at,
            f"sitting:{work.sitting}",
            answers,
        )

    def _mark(self, work: MarkWork) -> None:
        if work.on:
            self._many(UPSERT_MARK, [(work.sitting, work.number)])
        else:
            self._one(DELETE_MARK, (work.sitting, work.number))

    def _flush_answers(self) -> None:
        if self._current:
            self._many(UPSERT_ANSWER, list(self._current.values()))
            self._current = {}

    def flush(self) -> None:
        """Write what the batch gathered, and the one journal record that covers it."""
        self._flush_answers()
        for opened in self._opened:
            self._one(UPDATE_ITEMS, opened)
        if self._beats:
            self._many(INSERT_HEARTBEAT, self._beats)
        notify(self._connection, tuple(self._told))
        if not self._events:
            return
        root = hashlib.sha256(b"".join(row.digest for row in self._events)).hexdigest()
        record = self._journal.append_sync(
            self._connection,
            self._clock.legal(),
            "delivery:answers:stored",
            ACTOR,
            {"count": len(self._events), "root": root},
        )
        live = self._connection
        self._many(
            INSERT_EVENT,
            [
                (
                    row.sitting,
                    row.lease,
                    row.seq,
                    row.number,
                    row.value,
                    as_stored(live, row.received_at),
                    None if row.captured_at is None else as_stored(live, row.captured_at),
                    row.outcome,
                    row.receipt,
                    row.digest,
                    record.chain,
                    record.seq,
                    place,
                )
                for place, row in enumerate(self._events)
            ],
        )
        self._many(
            MOVE_HEADS,
            [
                (head.lease, head.seq, head.receipt, head.digest, key)
                for key, head in self._heads.items()
                if head.touched
            ],
        )

    def _many(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        """Run a statement for rows of one width, many rows at a time."""
        one, at = "(" + ", ".join("?" * len(rows[0])) + ")", 0
        while at < len(rows):
            some = next(size for size in ROWS if size <= len(rows) - at)
            values = tuple(chain.from_iterable(rows[at : at + some]))
            self._one(statement.format(rows=", ".join([one] * some)), values)
            at += some

    def _one(self, statement: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        return run(self._connection, statement, values)


def _sittings_of(work: Work) -> tuple[str, ...]:
    return work.sittings if isinstance(work, ReleaseWork) else (work.sitting,)


def _reused(work: AnswerWork) -> Refusal:
    return Refusal("answer-seq-reused", facts={"lease": work.lease, "seq": work.seq})
