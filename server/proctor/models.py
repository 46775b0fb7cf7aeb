"""Tables of proctoring: cameras, seat regions, camera health, anomalies, alerts and what people wrote on
them.
"""

from datetime import datetime

from sqlalchemy import Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class CameraRow(Base):
    """One room camera as it is set up now; `source` has no password in it."""

    __tablename__ = "proctor_camera"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    room: Mapped[str] = mapped_column(String(64), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(Text)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    registered_at: Mapped[datetime]


class SeatRegionRow(Base):
    """One seat on one camera's picture; polygon and head as JSON lists of pixels."""

    __tablename__ = "proctor_seat_region"
    __table_args__ = (UniqueConstraint("camera", "seat"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    camera: Mapped[str] = mapped_column(ForeignKey("proctor_camera.id"))
    seat: Mapped[str] = mapped_column(String(16))
    region: Mapped[str] = mapped_column(Text)
    sureness: Mapped[float] = mapped_column(Float)


class SetupRow(Base):
    """One saved set-up of a camera; never changed, never deleted. `layout` as in a seats file, `references` a
    JSON list of file name, SHA-256, time and light.
    """

    __tablename__ = "proctor_setup"
    __table_args__ = (UniqueConstraint("camera", "version"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    camera: Mapped[str] = mapped_column(ForeignKey("proctor_camera.id"))
    version: Mapped[int] = mapped_column(Integer)
    saved_at: Mapped[datetime]
    saved_by: Mapped[str] = mapped_column(String(120))
    layout: Mapped[str] = mapped_column(Text)
    references: Mapped[str] = mapped_column(Text)


class SeatStateRow(Base):
    """A change of what a camera says of a seat; a row holds until the next one of the same camera and seat."""

    __tablename__ = "proctor_seat_state"
    __table_args__ = (Index(None, "room", "since"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    room: Mapped[str] = mapped_column(String(64))
    camera: Mapped[str] = mapped_column(String(64))
    seat: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    since: Mapped[datetime]


class CameraHealthRow(Base):
    """A change of a camera's health; a row holds until the next one of the same camera. Kept as long as recordings."""

    __tablename__ = "proctor_camera_health"
    __table_args__ = (Index(None, "camera", "at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    camera: Mapped[str] = mapped_column(String(64))
    room: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    faults: Mapped[str] = mapped_column(Text)
    measures: Mapped[str] = mapped_column(Text)


class AnomalyRow(Base):
    """One machine finding. `picture_sha256` is the hash of the picture that was kept, if one was."""

    __tablename__ = "proctor_anomaly"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    alert: Mapped[str] = mapped_column(ForeignKey("proctor_alert.key"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    rule_version: Mapped[int] = mapped_column(Integer)
    room: Mapped[str] = mapped_column(String(64))
    camera: Mapped[str] = mapped_column(String(64))
    seat: Mapped[str | None] = mapped_column(String(16))
    started_at: Mapped[datetime]
    found_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    score: Mapped[float] = mapped_column(Float)
    facts: Mapped[str] = mapped_column(Text)
    picture_sha256: Mapped[str | None] = mapped_column(String(64))
    clip_sha256: Mapped[str | None] = mapped_column(String(64))
    """Hash of the clip around the finding; "" where nothing was recorded then, None while it is not cut yet."""


class AlertRow(Base):
    """Anomalies that are shown as one, and where they stand with people."""

    __tablename__ = "proctor_alert"

    key: Mapped[str] = mapped_column(String(210), primary_key=True)
    room: Mapped[str] = mapped_column(String(64), index=True)
    about: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(32))
    score: Mapped[float] = mapped_column(Float)
    opened_at: Mapped[datetime] = mapped_column(index=True)
    last_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    rings: Mapped[bool]
    state: Mapped[str] = mapped_column(String(16))
    first_by: Mapped[str | None] = mapped_column(String(120))
    decided_by: Mapped[str | None] = mapped_column(String(120))


class AlertNoteRow(Base):
    """What a person did with an alert and wrote; never changed, never deleted."""

    __tablename__ = "proctor_alert_note"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    alert: Mapped[str] = mapped_column(ForeignKey("proctor_alert.key"), index=True)
    at: Mapped[datetime]
    person: Mapped[str] = mapped_column(String(120))
    act: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
