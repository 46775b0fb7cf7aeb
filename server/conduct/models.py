"""Tables of the exam day's conduct: seals shown, run sheet, incidents, room records, slots closed."""

from datetime import datetime

from sqlalchemy import Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class SealShowingRow(Base):
    """The chief recorded that the seals of a slot's papers were shown whole; once a slot."""

    __tablename__ = "conduct_seal_showing"

    slot: Mapped[str] = mapped_column(String(36), primary_key=True)
    papers: Mapped[int]
    code: Mapped[str] = mapped_column(String(40))
    shown_at: Mapped[datetime]
    shown_by: Mapped[str] = mapped_column(String(120))


class StepRow(Base):
    """One step of the run sheet done; `room` is empty for a step of the hall."""

    __tablename__ = "conduct_step"

    slot: Mapped[str] = mapped_column(String(36), primary_key=True)
    code: Mapped[str] = mapped_column(String(40), primary_key=True)
    room: Mapped[str] = mapped_column(String(20), primary_key=True)
    done_at: Mapped[datetime]
    done_by: Mapped[str] = mapped_column(String(120))
    second: Mapped[str | None] = mapped_column(String(120))
    note: Mapped[str] = mapped_column(Text, default="")


class IncidentRow(Base):
    """What a person recorded; a settled one keeps who settled it, when, and why."""

    __tablename__ = "conduct_incident"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    slot: Mapped[str] = mapped_column(String(36), index=True)
    room: Mapped[str | None] = mapped_column(String(20))
    sitting: Mapped[str | None] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(12))
    note: Mapped[str] = mapped_column(Text)
    alert: Mapped[str | None] = mapped_column(String(200))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str] = mapped_column(String(120))
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[str | None] = mapped_column(String(120))
    settled_note: Mapped[str | None] = mapped_column(Text)
    report_to: Mapped[str] = mapped_column(String(12))
    reported_at: Mapped[datetime | None]
    reported_to_name: Mapped[str | None] = mapped_column(String(120))
    receipt: Mapped[str | None] = mapped_column(String(200))


class RoomRecordRow(Base):
    """One version of a room's record; the body is canonical JSON, never changed. Two names sign it."""

    __tablename__ = "conduct_room_record"
    __table_args__ = (UniqueConstraint("slot", "room", "version"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    slot: Mapped[str] = mapped_column(String(36))
    room: Mapped[str] = mapped_column(String(20))
    version: Mapped[int] = mapped_column(Integer)
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(120))
    code: Mapped[str] = mapped_column(String(40))
    body: Mapped[str] = mapped_column(Text)
    signed_by: Mapped[str | None] = mapped_column(String(120))
    second: Mapped[str | None] = mapped_column(String(120))
    signed_at: Mapped[datetime | None]


class SlotClosureRow(Base):
    """A slot closed with closing counts, or cancelled before the bell; nothing in it changes afterwards."""

    __tablename__ = "conduct_slot_closure"

    slot: Mapped[str] = mapped_column(String(36), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(12))
    closed_at: Mapped[datetime]
    closed_by: Mapped[str] = mapped_column(String(120))
    counts: Mapped[str] = mapped_column(Text, default="{}")
    reason: Mapped[str] = mapped_column(Text, default="")
