"""Rows of sealed papers: what the code that serves candidates may read; the draw's are in `draw_models`."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base

TAG_BYTES = 8


class PaperSet(Base):
    """All papers of one slot from one draw. For readers only the papers of a `current` set exist; a set in
    state `staging` is being written and becomes current by one update."""

    __tablename__ = "papers_set"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    plan: Mapped[str] = mapped_column(String(36))
    slot: Mapped[str] = mapped_column(String(36), index=True)
    state: Mapped[str] = mapped_column(String(16))
    """staging, current or withdrawn (papers/draw_state)."""
    sealed_at: Mapped[datetime | None]


class SealedPaperRow(Base):
    """One sealed paper: ciphertext and what is needed to open it with the start key."""

    __tablename__ = "papers_paper"
    __table_args__ = (
        Index("ix_papers_paper_sitting", "sitting"),
        Index("ix_papers_paper_id", "id"),
        Index("ix_papers_paper_room", "set_id", "room"),
    )

    set_id: Mapped[str] = mapped_column(ForeignKey("papers_set.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """Paper id: made of the seed and the place, so the same draw after a withdrawal names the same paper."""
    sitting: Mapped[str] = mapped_column(String(36))
    """Sitting id, or "spare"."""
    room: Mapped[str] = mapped_column(String(36))
    """Room id or number as in the seating; spares belong to their room."""
    number: Mapped[int] = mapped_column(Integer)
    """Place in the draw's order, from 0."""
    policy: Mapped[int] = mapped_column(Integer)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    nonce: Mapped[bytes] = mapped_column(LargeBinary(12))
    aad: Mapped[bytes] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    tags: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    """Blinded names of its questions, `TAG_BYTES` a number (papers/item_tags)."""
