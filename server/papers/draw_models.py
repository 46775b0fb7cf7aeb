"""Rows of the draw: commitments, what was drawn from, and sealed marking sheets.

No route for candidates reads them.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class Commitment(Base):
    """The centre's own secret of one plan, wrapped under the storage key, and its published commitment."""

    __tablename__ = "papers_commitment"

    plan: Mapped[str] = mapped_column(String(36), primary_key=True)
    commitment: Mapped[str] = mapped_column(String(64))
    """Hex SHA-256 of the secret."""
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime]
    revealed_at: Mapped[datetime | None]


class DrawRow(Base):
    """What one set of papers was drawn from: enough, with secret, nonce and bank, to draw it again."""

    __tablename__ = "papers_draw"

    set_id: Mapped[str] = mapped_column(ForeignKey("papers_set.id"), primary_key=True)
    bank: Mapped[str] = mapped_column(String(36))
    bank_root: Mapped[bytes] = mapped_column(LargeBinary(32))
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    list_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    title: Mapped[str] = mapped_column(String(200))
    blueprint: Mapped[bytes] = mapped_column(LargeBinary)
    """Canonical bytes of the blueprint (itembank/blueprint)."""
    places: Mapped[bytes] = mapped_column(LargeBinary)
    """JSON: sitting, room and seat of every place in the draw's order, spares included."""
    versions: Mapped[str] = mapped_column(Text)
    """JSON: item id and version of every item that could be drawn, ascending."""
    enemies: Mapped[str] = mapped_column(Text)
    """JSON: pairs of enemy items of the bank, ascending."""
    exposures: Mapped[str] = mapped_column(Text)
    """JSON: [item, version, papers of earlier draws] where there were any, ascending."""
    solution: Mapped[str] = mapped_column(Text)
    """JSON: [place in the draw's order, items of its hand as places in `versions`] for each paper that the solver
    changed."""
    facts: Mapped[str] = mapped_column(Text)
    """JSON: counts of the draw (papers, spares, largest overlap of neighbours, exposure)."""


class MarkingSheetRow(Base):
    """One sealed marking sheet."""

    __tablename__ = "papers_marking_sheet"

    set_id: Mapped[str] = mapped_column(ForeignKey("papers_set.id"), primary_key=True)
    paper: Mapped[str] = mapped_column(String(36), primary_key=True)
    sitting: Mapped[str] = mapped_column(String(36))
    number: Mapped[int] = mapped_column(Integer)
    nonce: Mapped[bytes] = mapped_column(LargeBinary(12))
    aad: Mapped[bytes] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
