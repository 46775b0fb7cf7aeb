"""Tables of recordings: the pieces of every camera's course, and what of it is on none."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class SegmentRow(Base):
    """One piece of a camera's recording. While it grows `ended_at`, `sha256` and `chain` are None.

    `number` counts a camera's pieces from 1 in the order they were closed; `chain` binds each to all before it.
    """

    __tablename__ = "proctor_segment"
    __table_args__ = (Index(None, "camera", "started_at"), UniqueConstraint("camera", "number"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    camera: Mapped[str] = mapped_column(String(64))
    room: Mapped[str] = mapped_column(String(64))
    slot: Mapped[str | None] = mapped_column(String(36), index=True)
    path: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    number: Mapped[int | None] = mapped_column(Integer)
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str | None] = mapped_column(String(64))
    chain: Mapped[str | None] = mapped_column(String(64))
    codec: Mapped[str] = mapped_column(String(16), default="")
    complete: Mapped[bool] = mapped_column(default=False)
    """False where the end was cut off by a power failure or a killed process."""
    caption: Mapped[str] = mapped_column(Text)
    erased_at: Mapped[datetime | None]
    """When its bytes were erased at the end of their term; the row stays."""


class GapRow(Base):
    """A stretch of a course that one camera did not record; `ended_at` None while it lasts."""

    __tablename__ = "proctor_recording_gap"
    __table_args__ = (Index(None, "camera", "started_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    camera: Mapped[str] = mapped_column(String(64))
    room: Mapped[str] = mapped_column(String(64))
    slot: Mapped[str | None] = mapped_column(String(36), index=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    code: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(Text)
