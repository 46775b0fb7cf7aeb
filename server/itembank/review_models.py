"""Rows of the desk: what people did to a version, the bank's roots one after the other, saved mappings."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class ReviewRow(Base):
    """One act on one item version. A note may speak of the text, so it lies under the bank key."""

    __tablename__ = "itembank_review"
    __table_args__ = (Index("ix_itembank_review_item", "bank", "item", "version"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    bank: Mapped[str] = mapped_column(ForeignKey("itembank_bank.id"))
    item: Mapped[str] = mapped_column(String(36))
    version: Mapped[int] = mapped_column(Integer)
    act: Mapped[str] = mapped_column(String(16))
    """written, submit, approve, return or retire."""
    person: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]
    nonce: Mapped[bytes | None] = mapped_column(LargeBinary(12))
    note: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Ciphertext under the bank key; None where nothing was said."""


class RootRow(Base):
    """One root of a bank, from its moment until the next."""

    __tablename__ = "itembank_root"
    __table_args__ = (Index("ix_itembank_root_bank", "bank", "id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    bank: Mapped[str] = mapped_column(ForeignKey("itembank_bank.id"))
    root: Mapped[bytes] = mapped_column(LargeBinary(32))
    items: Mapped[int] = mapped_column(Integer)
    """Items that may be drawn."""
    cause: Mapped[str] = mapped_column(String(16))
    """import, approve or retire."""
    at: Mapped[datetime]


class MappingRow(Base):
    """A saved mapping of a file's columns; it holds column names and defaults, no text of an item."""

    __tablename__ = "itembank_mapping"

    bank: Mapped[str] = mapped_column(ForeignKey("itembank_bank.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    body: Mapped[str] = mapped_column(Text)
    """TOML as `read_mapping` reads it."""
    saved_by: Mapped[str] = mapped_column(String(80))
    saved_at: Mapped[datetime]
