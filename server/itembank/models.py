"""Rows of the item bank: what is public of each version, and its ciphertext."""

from datetime import datetime

from sqlalchemy import Float, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class BankRow(Base):
    """One item bank of one organisation."""

    __tablename__ = "itembank_bank"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]


class BatchRow(Base):
    """One import. Versions of a batch in state `staging` do not exist for readers."""

    __tablename__ = "itembank_batch"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    bank: Mapped[str] = mapped_column(ForeignKey("itembank_bank.id"), index=True)
    state: Mapped[str] = mapped_column(String(16))
    """staging or done."""
    source: Mapped[str] = mapped_column(String(200))
    """File name as given."""
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    counts: Mapped[str] = mapped_column(Text)
    """JSON: rows by status."""
    started_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class VersionRow(Base):
    """One item version: the public columns, and the text and key under the bank key."""

    __tablename__ = "itembank_version"
    __table_args__ = (
        UniqueConstraint("batch", "item", "version"),
        Index("ix_itembank_version_item", "bank", "item", "version"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    bank: Mapped[str] = mapped_column(ForeignKey("itembank_bank.id"))
    batch: Mapped[str] = mapped_column(ForeignKey("itembank_batch.id"))
    item: Mapped[str] = mapped_column(String(36))
    version: Mapped[int] = mapped_column(Integer)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    type: Mapped[str] = mapped_column(String(16))
    point: Mapped[str] = mapped_column(String(200))
    difficulty: Mapped[float] = mapped_column(Float)
    score: Mapped[float] = mapped_column(Float)
    state: Mapped[str] = mapped_column(String(16))
    writer: Mapped[str] = mapped_column(String(80))
    reviewer: Mapped[str | None] = mapped_column(String(80))
    nonce: Mapped[bytes] = mapped_column(LargeBinary(12))
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)


class EnemyRow(Base):
    """Two items that may never stand in one paper; `item` < `other`. Ids only, no text: readable without
    an opening."""

    __tablename__ = "itembank_enemy"

    bank: Mapped[str] = mapped_column(ForeignKey("itembank_bank.id"), primary_key=True)
    item: Mapped[str] = mapped_column(String(36), primary_key=True)
    other: Mapped[str] = mapped_column(String(36), primary_key=True)


class BankDrawRow(Base):
    """One draw from a bank; its exposure counts while it is `counted`."""

    __tablename__ = "itembank_draw"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """The set of papers that was drawn."""
    bank: Mapped[str] = mapped_column(ForeignKey("itembank_bank.id"), index=True)
    state: Mapped[str] = mapped_column(String(16))
    """staging: being written; counted; withdrawn before the bell: nobody saw its papers."""
    drawn_at: Mapped[datetime]


class ExposureRow(Base):
    """On how many papers of one draw one item version stands."""

    __tablename__ = "itembank_exposure"

    draw: Mapped[str] = mapped_column(ForeignKey("itembank_draw.id"), primary_key=True)
    item: Mapped[str] = mapped_column(String(36), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    papers: Mapped[int] = mapped_column(Integer)
