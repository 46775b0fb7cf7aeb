"""Tables of marking by people: the answers to be marked, their guides, who marks, and the marks. Points are
hundredths."""

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class GuideRow(Base):
    """What a marker needs for one question: text, model answer and rubric, under the node's storage key; put there
    by the marking opening, emptied by the notice.
    """

    __tablename__ = "scoring_guide"

    slot: Mapped[str] = mapped_column(String(36), primary_key=True)
    item: Mapped[str] = mapped_column(String(80), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    most: Mapped[int]
    spread: Mapped[int]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)


class WrittenRow(Base):
    """One answer in words that people mark, under a code that names no candidate, ticket, room or seat."""

    __tablename__ = "scoring_written"
    __table_args__ = (
        UniqueConstraint("slot", "sitting", "number"),
        Index("ix_scoring_written_question", "slot", "item", "version", "part", "state", "code"),
    )

    code: Mapped[str] = mapped_column(String(16), primary_key=True)
    slot: Mapped[str] = mapped_column(String(36))
    sitting: Mapped[str] = mapped_column(String(36))
    number: Mapped[int]
    item: Mapped[str] = mapped_column(String(80))
    version: Mapped[int]
    part: Mapped[int]
    most: Mapped[int]
    state: Mapped[str] = mapped_column(String(12))
    points: Mapped[int | None]
    """What the marks come to, once settled."""


class MarkerRow(Base):
    """A marker or arbiter assigned to a slot, and the sittings that he is recused from."""

    __tablename__ = "scoring_marker"

    slot: Mapped[str] = mapped_column(String(36), primary_key=True)
    marker: Mapped[str] = mapped_column(String(120), primary_key=True)
    arbiter: Mapped[bool] = mapped_column(Boolean)
    recused: Mapped[str] = mapped_column(Text)
    """JSON array of sittings."""
    assigned_at: Mapped[datetime]
    assigned_by: Mapped[str] = mapped_column(String(120))
    ended_at: Mapped[datetime | None]
    """When the assignment was ended; the marks given before stand."""


class GradeRow(Base):
    """One mark of one person; a correction is a new version, all are kept."""

    __tablename__ = "scoring_grade"

    code: Mapped[str] = mapped_column(ForeignKey("scoring_written.code"), primary_key=True)
    marker: Mapped[str] = mapped_column(String(120), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    arbiter: Mapped[bool] = mapped_column(Boolean)
    points: Mapped[int]
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    set_aside_at: Mapped[datetime | None]
    """When its marker was recused from the candidate: it is kept and counts no more."""
