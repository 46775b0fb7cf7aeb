"""Table of what a centre sent on results: the notice and the result package of each plan, row by row."""

from datetime import datetime

from sqlalchemy import Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class SentResultsRow(Base):
    """One notice or result package with its rows; a correction is another one with a higher number."""

    __tablename__ = "publicity_sent"
    __table_args__ = (UniqueConstraint("plan", "kind", "number"),)

    package: Mapped[str] = mapped_column(String(36), primary_key=True)
    plan: Mapped[str] = mapped_column(String(36), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    """notice or result."""
    number: Mapped[int] = mapped_column(Integer)
    rows: Mapped[str] = mapped_column(Text)
    """JSON: the package's rows in order of ticket."""
    held: Mapped[str] = mapped_column(Text)
    """JSON: candidate → reason, for a result package."""
    counts: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(120))
