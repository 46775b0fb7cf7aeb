"""Rows of delivery: seats, sittings, leases, answers, and everything that moves a sitting's time or place."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class SlotRow(Base):
    """A slot whose sittings are prepared, with the filed times they are judged by."""

    __tablename__ = "delivery_slot"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    plan: Mapped[str] = mapped_column(String(36), index=True)
    plan_name: Mapped[str] = mapped_column(String(200))
    title: Mapped[str] = mapped_column(String(200))
    starts_at: Mapped[datetime]
    minutes: Mapped[int]
    early: Mapped[int]
    late: Mapped[int]
    policy: Mapped[int]
    prepared_at: Mapped[datetime]
    receipt_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The slot's receipt key, wrapped under the centre's storage key; kiosks never hold it."""


class SittingRow(Base):
    """One candidate, one paper, one time, on a seat."""

    __tablename__ = "delivery_sitting"
    __table_args__ = (Index("ix_delivery_sitting_seat", "room", "seat"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    slot: Mapped[str] = mapped_column(ForeignKey("delivery_slot.id"), index=True)
    candidate: Mapped[str] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(String(120))
    ticket: Mapped[str] = mapped_column(String(40))
    credential: Mapped[bytes] = mapped_column(LargeBinary(32))
    """SHA-256 over sitting, ticket and identity number: enough to compare what is typed at the seat."""
    room: Mapped[str] = mapped_column(String(40))
    seat: Mapped[int]
    time_room: Mapped[str] = mapped_column(String(40))
    """The room whose bell, delays and pauses this sitting follows: where its paper was opened."""
    state: Mapped[str] = mapped_column(String(16), index=True)
    lease: Mapped[int] = mapped_column(Integer, default=0)
    """The newest lease given; 0 before the first sign-in."""
    paper: Mapped[str | None] = mapped_column(String(36))
    """A spare paper given instead of the drawn one; None means the drawn one."""
    items: Mapped[int | None]
    """How many items the opened paper has, as the kiosk reported."""
    checked_in_at: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class HeadRow(Base):
    """Where a sitting's answers stand: newest (lease, seq) stored, and the head of its receipt chain."""

    __tablename__ = "delivery_head"

    sitting: Mapped[str] = mapped_column(ForeignKey("delivery_sitting.id"), primary_key=True)
    lease: Mapped[int] = mapped_column(Integer, default=0)
    seq: Mapped[int] = mapped_column(Integer, default=0)
    receipt: Mapped[int] = mapped_column(Integer, default=0)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))


class SeatRow(Base):
    """An enrolled machine: the public half of its non-extractable key. A new enrolment revokes the older
    one.
    """

    __tablename__ = "delivery_seat"
    __table_args__ = (Index("ix_delivery_seat_place", "room", "number"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    room: Mapped[str] = mapped_column(String(40))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    """page, headless or seb: fixed at enrolment."""
    public_key: Mapped[bytes] = mapped_column(LargeBinary(32))
    report_key: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Raw Ed25519 public key that signs the health reports of this machine's launcher; None where there is none."""
    enrolled_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class SeatHealthRow(Base):
    """The newest health report of a machine."""

    __tablename__ = "delivery_seat_health"

    seat: Mapped[str] = mapped_column(ForeignKey("delivery_seat.id"), primary_key=True)
    at: Mapped[datetime]
    report: Mapped[str] = mapped_column(Text)
    """HealthReport as JSON."""


class SeatCodeRow(Base):
    """A one-time enrolment code of a seat, by its hash."""

    __tablename__ = "delivery_seat_code"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    room: Mapped[str] = mapped_column(String(40))
    number: Mapped[int]
    issued_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    kind: Mapped[str | None] = mapped_column(String(16))
    """The one kind of machine that may use it; None for any."""


class SebKeyRow(Base):
    """A Config Key or Browser Exam Key that seats in Safe Exam Browser may prove."""

    __tablename__ = "delivery_seb_key"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """config or browser."""
    note: Mapped[str] = mapped_column(String(200))
    added_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class LeaseRow(Base):
    """A device took a sitting; lease numbers of a sitting only rise."""

    __tablename__ = "delivery_lease"

    sitting: Mapped[str] = mapped_column(ForeignKey("delivery_sitting.id"), primary_key=True)
    lease: Mapped[int] = mapped_column(primary_key=True)
    seat: Mapped[str | None] = mapped_column(String(36))
    """Enrolled seat; None for the step that a reseat makes before the new device signs in."""
    taken_at: Mapped[datetime]


class AnswerEventRow(Base):
    """Every version of every answer that was acknowledged; never updated, never deleted."""

    __tablename__ = "delivery_answer_event"
    __table_args__ = (
        # (sitting, receipt) is unique by the head row, moved in the same transaction; an index more would cost a
        # fifth of the answer.
        Index("ix_delivery_answer_event_record", "record"),
        # Late answers alone: few rows, so that an answer in time costs no more.
        Index(
            "ix_delivery_answer_event_late",
            "sitting",
            sqlite_where=text("outcome = 'late'"),
            postgresql_where=text("outcome = 'late'"),
        ),
    )

    sitting: Mapped[str] = mapped_column(String(36), primary_key=True)
    lease: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    value: Mapped[str] = mapped_column(Text)
    """JSON array of texts."""
    received_at: Mapped[datetime]
    captured_at: Mapped[datetime | None]
    """What the kiosk claims, from a checked beacon; evidence only."""
    outcome: Mapped[str] = mapped_column(String(16))
    receipt: Mapped[int]
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Head of the sitting's receipt chain with this answer."""
    chain: Mapped[str] = mapped_column(String(36))
    record: Mapped[int]
    """The journal record (chain, record) whose root covers this answer's digest."""
    place: Mapped[int]
    """This answer's place among those that the record covers, from 0."""


class AnswerRow(Base):
    """The answer that stands for an item."""

    __tablename__ = "delivery_answer"
    __table_args__ = ({"sqlite_with_rowid": False},)
    """One tree in place of a table and its key's index: a page less written for each answer."""

    sitting: Mapped[str] = mapped_column(String(36), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[str] = mapped_column(Text)
    lease: Mapped[int]
    seq: Mapped[int]


class MarkRow(Base):
    """An item marked for review."""

    __tablename__ = "delivery_mark"

    sitting: Mapped[str] = mapped_column(String(36), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class CheckInRow(Base):
    """An invigilator checked a candidate in, with what was checked."""

    __tablename__ = "delivery_check_in"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sitting: Mapped[str] = mapped_column(ForeignKey("delivery_sitting.id"), index=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(120))
    evidence: Mapped[str] = mapped_column(Text)
    """JSON object of what was checked, as conduct gives it."""


class BellRow(Base):
    """The recorded start of a room in a slot, and the start key wrapped under the centre's storage key."""

    __tablename__ = "delivery_bell"

    slot: Mapped[str] = mapped_column(ForeignKey("delivery_slot.id"), primary_key=True)
    room: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(120))
    wrapped_start_key: Mapped[bytes] = mapped_column(LargeBinary)


class AllowanceRow(Base):
    """Seconds given to one sitting, a room or the whole slot: extra time, delay or credit; never mixed."""

    __tablename__ = "delivery_allowance"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    slot: Mapped[str] = mapped_column(ForeignKey("delivery_slot.id"), index=True)
    room: Mapped[str | None] = mapped_column(String(40))
    sitting: Mapped[str | None] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(8))
    """extra, delay or credit."""
    seconds: Mapped[int]
    withdrawn_at: Mapped[datetime | None]
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(Text)


class PauseRow(Base):
    """A pause of one sitting, a room or the whole slot; `ended_at` None while it is open.

    A halt for a disaster is one too, of a room or the slot: `resumes_at` is its planned continuation.
    """

    __tablename__ = "delivery_pause"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    slot: Mapped[str] = mapped_column(ForeignKey("delivery_slot.id"), index=True)
    room: Mapped[str | None] = mapped_column(String(40))
    sitting: Mapped[str | None] = mapped_column(String(36))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    halt: Mapped[bool] = mapped_column(default=False)
    resumes_at: Mapped[datetime | None]
    actor: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(Text)


class MoveRow(Base):
    """A candidate was reseated."""

    __tablename__ = "delivery_move"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sitting: Mapped[str] = mapped_column(ForeignKey("delivery_sitting.id"), index=True)
    at: Mapped[datetime]
    from_room: Mapped[str] = mapped_column(String(40))
    from_seat: Mapped[int]
    to_room: Mapped[str] = mapped_column(String(40))
    to_seat: Mapped[int]
    actor: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(Text)


class EndingRow(Base):
    """How a paper came in: handed in by the candidate, or collected; with its signed receipt."""

    __tablename__ = "delivery_ending"

    sitting: Mapped[str] = mapped_column(ForeignKey("delivery_sitting.id"), primary_key=True)
    how: Mapped[str] = mapped_column(String(16))
    """handed_in or collected."""
    at: Mapped[datetime]
    count: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    head: Mapped[str] = mapped_column(String(140))
    code: Mapped[str] = mapped_column(String(16), index=True)
    signature: Mapped[bytes] = mapped_column(LargeBinary(64))


class CallRow(Base):
    """A candidate called an invigilator."""

    __tablename__ = "delivery_call"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sitting: Mapped[str] = mapped_column(ForeignKey("delivery_sitting.id"), index=True)
    at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(16))
    number: Mapped[int | None]
    fault: Mapped[str | None] = mapped_column(String(16))
    """What is wrong with the item, in a report of one."""
    item: Mapped[str | None] = mapped_column(String(16))
    """Blinded name of the reported question (papers/item_tags)."""
    text: Mapped[str] = mapped_column(Text)
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str | None] = mapped_column(String(120))


class NoticeRow(Base):
    """Words to one candidate, a room or the whole slot."""

    __tablename__ = "delivery_notice"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    slot: Mapped[str] = mapped_column(ForeignKey("delivery_slot.id"), index=True)
    room: Mapped[str | None] = mapped_column(String(40))
    sitting: Mapped[str | None] = mapped_column(String(36))
    at: Mapped[datetime]
    text: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(120))


class CommandRow(Base):
    """An act of a person that kiosks are told of; `undoes` names the act that this one corrects.

    `target` is the row that the act made (allowance, pause, break, notice), `before` the sitting's state before
    it; both are what an undo needs.
    """

    __tablename__ = "delivery_command"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    slot: Mapped[str] = mapped_column(ForeignKey("delivery_slot.id"), index=True)
    room: Mapped[str | None] = mapped_column(String(40))
    sitting: Mapped[str | None] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(Text)
    target: Mapped[str | None] = mapped_column(String(36))
    before: Mapped[str | None] = mapped_column(String(16))
    undoes: Mapped[str | None] = mapped_column(String(36))
    undone_by: Mapped[str | None] = mapped_column(String(36))


class CommandReachRow(Base):
    """One sitting that a command reaches, and how far it came: sent to a kiosk, seen by it, done there."""

    __tablename__ = "delivery_command_reach"

    command: Mapped[str] = mapped_column(ForeignKey("delivery_command.id"), primary_key=True)
    sitting: Mapped[str] = mapped_column(ForeignKey("delivery_sitting.id"), primary_key=True, index=True)
    sent_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]


class BreakRow(Base):
    """A candidate out of the room with an escort; back when `returned_at` is set. The exam's time goes on."""

    __tablename__ = "delivery_break"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sitting: Mapped[str] = mapped_column(ForeignKey("delivery_sitting.id"), index=True)
    left_at: Mapped[datetime]
    escort: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(120))
    returned_at: Mapped[datetime | None]
    received_by: Mapped[str | None] = mapped_column(String(120))


class HeartbeatRow(Base):
    """The ledger of a sitting's line: each time it came and each time it was lost."""

    __tablename__ = "delivery_heartbeat"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    sitting: Mapped[str] = mapped_column(String(36), index=True)
    seat: Mapped[str] = mapped_column(String(36))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(8))
    """here or lost."""
