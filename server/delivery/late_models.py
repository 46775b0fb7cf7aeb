"""Rows of what comes after the end or by hand: journal keys, late journals, their merging, replaced papers."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class JournalKeyRow(Base):
    """The public half of a slot's journal recovery key; the private half lies in the custodians' shares."""

    __tablename__ = "delivery_journal_key"

    slot: Mapped[str] = mapped_column(String(36), primary_key=True)
    public: Mapped[bytes] = mapped_column(LargeBinary(32))
    made_at: Mapped[datetime]
    recovery: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The private half, HPKE to the printed recovery code; None when there was no code at the draw."""


class LateJournalRow(Base):
    """A kiosk's sealed journal of one lease, kept for two named people."""

    __tablename__ = "delivery_late_journal"
    __table_args__ = (UniqueConstraint("sitting", "lease", "seat"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sitting: Mapped[str] = mapped_column(ForeignKey("delivery_sitting.id"), index=True)
    lease: Mapped[int]
    seat: Mapped[str] = mapped_column(String(36))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    """The data key, HPKE to the journal recovery key."""
    source: Mapped[str] = mapped_column(String(8))
    """line (offered by the kiosk) or file (carried by hand)."""
    received_at: Mapped[datetime]
    received_from: Mapped[str] = mapped_column(String(120))
    last: Mapped[bytes] = mapped_column(LargeBinary(32))
    """The chain's hash after the newest entry kept."""
    entries: Mapped[int]


class LateEntryRow(Base):
    """One entry of a late journal; what stands in it is known once two custodians have opened it."""

    __tablename__ = "delivery_late_entry"

    journal: Mapped[str] = mapped_column(ForeignKey("delivery_late_journal.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 0, in the order in which the kiosk wrote."""
    seq: Mapped[int]
    iv: Mapped[bytes] = mapped_column(LargeBinary(12))
    data: Mapped[bytes] = mapped_column(LargeBinary)
    signature: Mapped[bytes] = mapped_column(LargeBinary(64))
    opened_at: Mapped[datetime | None]
    fault: Mapped[str | None] = mapped_column(String(40))
    """Why an opened entry holds no answer that can be used."""
    number: Mapped[int | None]
    value: Mapped[str | None] = mapped_column(Text)
    """JSON array of texts."""
    beacon_at: Mapped[datetime | None]
    """Time of the checked beacon in it; None when it has none that this centre signed."""
    captured_at: Mapped[datetime | None]
    """Beacon and monotonic difference: evidence only."""


class LateProposalRow(Base):
    """What one person proposes to do with the late answers of a sitting, until another confirms or returns
    it."""

    __tablename__ = "delivery_late_proposal"
    __table_args__ = (Index("ix_delivery_late_proposal_sitting", "sitting", "state"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sitting: Mapped[str] = mapped_column(ForeignKey("delivery_sitting.id"))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(120))
    decisions: Mapped[str] = mapped_column(Text)
    """JSON: number, lease, seq, accept, reason of each item."""
    state: Mapped[str] = mapped_column(String(16))
    """open, confirmed or returned."""
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[str | None] = mapped_column(String(120))
    note: Mapped[str | None] = mapped_column(Text)


class MergeRow(Base):
    """Late answers of a sitting were judged by two named people; signs the answers as they are now."""

    __tablename__ = "delivery_merge"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sitting: Mapped[str] = mapped_column(ForeignKey("delivery_sitting.id"), index=True)
    number: Mapped[int]
    """Of this sitting, from 1: the newest one's count and digest stand."""
    at: Mapped[datetime]
    first: Mapped[str] = mapped_column(String(120))
    second: Mapped[str] = mapped_column(String(120))
    count: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    head: Mapped[str] = mapped_column(String(140))
    code: Mapped[str] = mapped_column(String(16), index=True)
    signature: Mapped[bytes] = mapped_column(LargeBinary(64))


class MergedAnswerRow(Base):
    """What became of one late answer; an accepted one stands for its item beside the acknowledged one."""

    __tablename__ = "delivery_merged_answer"

    merge: Mapped[str] = mapped_column(ForeignKey("delivery_merge.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sitting: Mapped[str] = mapped_column(String(36), index=True)
    accepted: Mapped[bool]
    value: Mapped[str] = mapped_column(Text)
    lease: Mapped[int]
    seq: Mapped[int]
    captured_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(Text)


class ReplacementRow(Base):
    """A spare paper was given instead of the one before; answers of leases below `lease` belong to that one."""

    __tablename__ = "delivery_replacement"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sitting: Mapped[str] = mapped_column(ForeignKey("delivery_sitting.id"), index=True)
    at: Mapped[datetime]
    before: Mapped[str] = mapped_column(String(36))
    spare: Mapped[str] = mapped_column(String(36), unique=True)
    lease: Mapped[int]
    actor: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(Text)
