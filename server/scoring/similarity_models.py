"""Table of the pairs of neighbours whose wrong answers agree beyond chance: leads for people."""

from datetime import datetime

from sqlalchemy import Float, String
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class SimilarRow(Base):
    """One lead of one slot, as the marking found it; `pairs` is how many pairs were compared."""

    __tablename__ = "scoring_similar"

    slot: Mapped[str] = mapped_column(String(36), primary_key=True)
    first: Mapped[str] = mapped_column(String(36), primary_key=True)
    second: Mapped[str] = mapped_column(String(36), primary_key=True)
    both_wrong: Mapped[int]
    same: Mapped[int]
    expected: Mapped[float] = mapped_column(Float)
    p: Mapped[float] = mapped_column(Float)
    adjusted: Mapped[float] = mapped_column(Float)
    pairs: Mapped[int]
    made_at: Mapped[datetime]
