"""Tables of published results and of objections to them (registry)."""

from datetime import date, datetime

from sqlalchemy import Date, Float, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class NoticeRow(Base):
    """One published notice of a plan; a corrected one has a higher number and starts its own period."""

    __tablename__ = "publicity_notice"
    __table_args__ = (UniqueConstraint("plan", "number"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"))
    number: Mapped[int] = mapped_column(Integer)
    sender: Mapped[str] = mapped_column(String(200))
    published_at: Mapped[datetime]
    first_day: Mapped[date] = mapped_column(Date)
    last_day: Mapped[date] = mapped_column(Date)
    journal_head: Mapped[str] = mapped_column(Text)
    counts: Mapped[str] = mapped_column(Text)


class OutcomeRow(Base):
    """One candidate's result in one notice; its id is what the public names in an objection."""

    __tablename__ = "publicity_outcome"
    __table_args__ = (UniqueConstraint("notice", "candidate"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    notice: Mapped[str] = mapped_column(ForeignKey("publicity_notice.id"))
    candidate: Mapped[str] = mapped_column(ForeignKey("affairs_candidate.id"))
    ticket: Mapped[str] = mapped_column(String(40))
    theory: Mapped[float | None] = mapped_column(Float)
    practical: Mapped[float | None] = mapped_column(Float)
    review: Mapped[float | None] = mapped_column(Float)
    result: Mapped[str] = mapped_column(String(10))


class ReceivedObjectionRow(Base):
    """At the centre: one objection that the registry passed on; the exam office looks into it."""

    __tablename__ = "publicity_received_objection"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"), index=True)
    candidate: Mapped[str | None] = mapped_column(String(36))
    text: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime]


class ObjectionRow(Base):
    """One objection to one candidate's published result."""

    __tablename__ = "publicity_objection"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"), index=True)
    notice: Mapped[str] = mapped_column(ForeignKey("publicity_notice.id"))
    candidate: Mapped[str] = mapped_column(ForeignKey("affairs_candidate.id"))
    text: Mapped[str] = mapped_column(Text)
    contact: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(12))
    filed_at: Mapped[datetime]
    answer: Mapped[str] = mapped_column(Text, default="")
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str] = mapped_column(String(120), default="")
