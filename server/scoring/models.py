"""Tables of scoring: marking runs with their marks, practical forms and the examiners' entries. Points are
hundredths."""

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class MarkingRunRow(Base):
    """One marking of one slot; only the run in state `current` exists for readers. A later run names the one
    that it replaced, which stays as it was.
    """

    __tablename__ = "scoring_run"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    slot: Mapped[str] = mapped_column(String(36), index=True)
    state: Mapped[str] = mapped_column(String(12))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    marked_by: Mapped[str] = mapped_column(String(120))
    sittings: Mapped[int]
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Over the marks as they count."""
    base: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Over what the answers are and earn by the marking sheets alone: equal in all runs of a slot."""
    replaces: Mapped[str | None] = mapped_column(String(36))
    cause: Mapped[str] = mapped_column(Text, default="")
    voids: Mapped[str] = mapped_column(Text, default="[]")
    """JSON array of the decisions applied, by id, ascending."""
    closed_at: Mapped[datetime | None]
    """Set by the notice: from then on the marks change only after they are reopened with a reason."""


class ScriptRow(Base):
    """One sitting's whole: the sum of its marks."""

    __tablename__ = "scoring_script"

    run: Mapped[str] = mapped_column(ForeignKey("scoring_run.id"), primary_key=True)
    sitting: Mapped[str] = mapped_column(String(36), primary_key=True)
    paper: Mapped[str] = mapped_column(String(36))
    points: Mapped[int]
    most: Mapped[int]
    answered: Mapped[int]
    correct: Mapped[int]
    items: Mapped[int]
    pending: Mapped[int]


class MarkRow(Base):
    """What one answer earned."""

    __tablename__ = "scoring_mark"

    run: Mapped[str] = mapped_column(ForeignKey("scoring_run.id"), primary_key=True)
    sitting: Mapped[str] = mapped_column(String(36), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    item: Mapped[str] = mapped_column(String(80), index=True)
    version: Mapped[int]
    answered: Mapped[bool] = mapped_column(Boolean)
    correct: Mapped[bool] = mapped_column(Boolean)
    points: Mapped[int]
    most: Mapped[int]
    part: Mapped[int]
    earned: Mapped[int | None]
    by_people: Mapped[bool] = mapped_column(Boolean)
    voided: Mapped[bool] = mapped_column(Boolean)


class FormRow(Base):
    """The examiners' form of one practical slot; fixed once the first entry is made, closed by the notice."""

    __tablename__ = "scoring_form"

    slot: Mapped[str] = mapped_column(String(36), primary_key=True)
    items: Mapped[str] = mapped_column(Text)
    spread: Mapped[int]
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(120))
    closed_at: Mapped[datetime | None]


class EntryRow(Base):
    """One examiner's entry for one candidate; a correction is a new version with its reason, all are kept."""

    __tablename__ = "scoring_entry"
    __table_args__ = (UniqueConstraint("slot", "candidate", "examiner", "version"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    slot: Mapped[str] = mapped_column(String(36), index=True)
    candidate: Mapped[str] = mapped_column(String(36))
    examiner: Mapped[str] = mapped_column(String(120))
    version: Mapped[int]
    absent: Mapped[bool] = mapped_column(Boolean)
    scores: Mapped[str] = mapped_column(Text)
    total: Mapped[int]
    reason: Mapped[str] = mapped_column(Text, default="")
    entered_at: Mapped[datetime]
