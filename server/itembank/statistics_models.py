"""Rows of what exams say about item versions."""

from datetime import datetime

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class ExamRow(Base):
    """One slot as one marking run saw it; only the row in state `current` of a slot exists for readers."""

    __tablename__ = "itembank_exam"

    run: Mapped[str] = mapped_column(String(36), primary_key=True)
    bank: Mapped[str] = mapped_column(ForeignKey("itembank_bank.id"), index=True)
    plan: Mapped[str] = mapped_column(String(36))
    slot: Mapped[str] = mapped_column(String(36), index=True)
    state: Mapped[str] = mapped_column(String(12))
    """staging, current or replaced."""
    held_at: Mapped[datetime]
    candidates: Mapped[int]
    reliability: Mapped[float | None] = mapped_column(Float)
    kind: Mapped[str] = mapped_column(String(12))
    sem: Mapped[float | None] = mapped_column(Float)
    final: Mapped[bool] = mapped_column(Boolean)


class StatisticsRow(Base):
    """One question in one exam."""

    __tablename__ = "itembank_statistics"
    __table_args__ = (Index("ix_itembank_statistics_item", "item", "version"),)

    run: Mapped[str] = mapped_column(ForeignKey("itembank_exam.run"), primary_key=True)
    item: Mapped[str] = mapped_column(String(36), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True)
    n: Mapped[int]
    answered: Mapped[int]
    right: Mapped[int]
    p: Mapped[float] = mapped_column(Float)
    mean_share: Mapped[float] = mapped_column(Float)
    discrimination: Mapped[float | None] = mapped_column(Float)
    upper_lower: Mapped[float | None] = mapped_column(Float)
    options: Mapped[bytes | None] = mapped_column(LargeBinary)
    """How often each of the bank's options was chosen, under the node's storage key: the option chosen most is
    mostly the key, so it is shown where the bank is open."""
