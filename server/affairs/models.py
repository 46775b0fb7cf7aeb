"""Tables of exam affairs; the registry writes them first, a centre copies them from the exam package."""

from datetime import datetime

from sqlalchemy import Boolean, Float, ForeignKey, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base

ARRIVING = "arriving"
"""State of a candidate, and edition of a plan, whose package is not accepted yet: no reader finds them."""


class OrganisationRow(Base):
    """An evaluation organisation and its newest standing."""

    __tablename__ = "affairs_organisation"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    jurisdiction: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(20), default="good")
    standing_serial: Mapped[int] = mapped_column(Integer, default=0)
    standing_as_of: Mapped[datetime]
    standing_case: Mapped[str | None] = mapped_column(String(36))
    bank_root: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    scope: Mapped[str] = mapped_column(Text, default='{"occupations":[],"venues":[]}')
    centre: Mapped[str | None] = mapped_column(String(200))
    """The packages peer of the organisation's centre, once its keys stand in the filing letter."""


class PlanRow(Base):
    """One batch plan."""

    __tablename__ = "affairs_plan"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("affairs_organisation.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    short_name: Mapped[str] = mapped_column(String(80))
    occupation: Mapped[str] = mapped_column(String(120))
    occupation_code: Mapped[str] = mapped_column(String(20))
    level: Mapped[int]
    jurisdiction: Mapped[str] = mapped_column(String(40))
    purpose: Mapped[str] = mapped_column(String(12), default="live")
    """live or rehearsal: which keys may open its papers."""
    state: Mapped[str] = mapped_column(String(24), index=True)
    site_district: Mapped[str] = mapped_column(String(60), default="")
    contact: Mapped[str] = mapped_column(String(200), default="")
    statement: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    filed_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    candidates_confirmed_at: Mapped[datetime | None]
    imported_at: Mapped[datetime | None]
    packed_at: Mapped[datetime | None]
    commitment: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    committed_at: Mapped[datetime | None]
    nonce: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    bank_root: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    draw_seed: Mapped[str | None] = mapped_column(String(64))
    draw_secret: Mapped[str | None] = mapped_column(String(64))
    edition: Mapped[str] = mapped_column(String(16), default="")
    """The rooms, staff and seating that count; ARRIVING at a centre until the plan's first package is accepted."""


class SlotRow(Base):
    """One subject of a plan at one planned time."""

    __tablename__ = "affairs_slot"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"), index=True)
    subject: Mapped[str] = mapped_column(String(12))
    method: Mapped[str] = mapped_column(String(20))
    starts_at: Mapped[datetime]
    minutes: Mapped[int]
    early: Mapped[int]
    late: Mapped[int]
    pass_mark: Mapped[float] = mapped_column(Float)
    total: Mapped[float] = mapped_column(Float)
    place: Mapped[str] = mapped_column(String(200))
    policy: Mapped[int]
    entry: Mapped[int | None]


class RoomRow(Base):
    """One exam room of a plan."""

    __tablename__ = "affairs_room"
    __table_args__ = (UniqueConstraint("plan", "edition", "number"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"))
    number: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(120))
    seats: Mapped[int]
    edition: Mapped[str] = mapped_column(String(16), default="")


class CandidateRow(Base):
    """One person enrolled in a plan."""

    __tablename__ = "affairs_candidate"
    __table_args__ = (UniqueConstraint("plan", "ticket"), UniqueConstraint("plan", "id_kind", "id_number"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"))
    ticket: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(80))
    id_kind: Mapped[str] = mapped_column(String(20))
    id_number: Mapped[str] = mapped_column(String(40))
    subjects: Mapped[str] = mapped_column(String(60))
    state: Mapped[str] = mapped_column(String(20), default="enrolled")
    condition: Mapped[str] = mapped_column(String(200), default="")
    committed: Mapped[bool] = mapped_column(Boolean, default=False)
    proofs: Mapped[str] = mapped_column(Text, default="[]")
    """What was shown for the condition, as JSON; on the registry only."""
    enrolled_at: Mapped[datetime]


class SeatingRow(Base):
    """One candidate's seat in one slot; its key is the sitting's id, in the plan's edition."""

    __tablename__ = "affairs_seating"
    __table_args__ = (
        UniqueConstraint("slot", "edition", "room", "seat"),
        UniqueConstraint("slot", "edition", "candidate"),
    )

    sitting: Mapped[str] = mapped_column(String(36), primary_key=True)
    slot: Mapped[str] = mapped_column(ForeignKey("affairs_slot.id"))
    candidate: Mapped[str] = mapped_column(ForeignKey("affairs_candidate.id"))
    room: Mapped[str] = mapped_column(String(20))
    seat: Mapped[int]
    edition: Mapped[str] = mapped_column(String(16), primary_key=True, default="")


class StaffRow(Base):
    """One person on duty in a plan."""

    __tablename__ = "affairs_staff"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(24))
    room: Mapped[str | None] = mapped_column(String(20))
    username: Mapped[str] = mapped_column(String(80))
    edition: Mapped[str] = mapped_column(String(16), primary_key=True, default="")


class ChangeRow(Base):
    """One change of a slot's time or place, asked for because of force majeure; in force once filed."""

    __tablename__ = "affairs_change"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"), index=True)
    slot: Mapped[str] = mapped_column(ForeignKey("affairs_slot.id"))
    starts_at: Mapped[datetime]
    place: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10))
    asked_at: Mapped[datetime]
    asked_by: Mapped[str] = mapped_column(String(120))
    answer: Mapped[str] = mapped_column(Text, default="")
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str] = mapped_column(String(120), default="")


class ProcedureRow(Base):
    """One version of an organisation's procedure for correcting candidates' data; never changed, never deleted."""

    __tablename__ = "affairs_procedure"
    __table_args__ = (UniqueConstraint("organisation", "version"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("affairs_organisation.id"))
    version: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Over the text in UTF-8."""
    rules: Mapped[str] = mapped_column(Text)
    """{period: {"fields": […], "asker": …, "proof": …, "approver": …}}"""
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str] = mapped_column(String(120))


class CorrectionRow(Base):
    """One correction of a candidate's data: a fact of its own with what stood before; never deleted.

    A centre holds those that came with correction packages, approved.
    """

    __tablename__ = "affairs_correction"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"), index=True)
    candidate: Mapped[str] = mapped_column(ForeignKey("affairs_candidate.id"), index=True)
    field: Mapped[str] = mapped_column(String(12))
    before: Mapped[str] = mapped_column(Text)
    after: Mapped[str] = mapped_column(Text)
    period: Mapped[str] = mapped_column(String(8))
    procedure: Mapped[int]
    """Version of the organisation's procedure that it was asked under."""
    procedure_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    reason: Mapped[str] = mapped_column(Text)
    evidence: Mapped[str] = mapped_column(Text)
    evidence_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    corrects: Mapped[str | None] = mapped_column(String(36))
    """The earlier correction of the same field that this one replaces; None: the enrolment itself."""
    state: Mapped[str] = mapped_column(String(10), index=True)
    asked_at: Mapped[datetime]
    asked_by: Mapped[str] = mapped_column(String(120))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str] = mapped_column(String(120), default="")
    answer: Mapped[str] = mapped_column(Text, default="")


class YearlyRow(Base):
    """One version of what an organisation lodged for a year: its overall plan or its notice; never changed."""

    __tablename__ = "affairs_yearly"
    __table_args__ = (UniqueConstraint("organisation", "code", "year", "version"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("affairs_organisation.id"))
    code: Mapped[str] = mapped_column(String(40))
    year: Mapped[int]
    version: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    late: Mapped[bool] = mapped_column(Boolean)
    lodged_at: Mapped[datetime]
    lodged_by: Mapped[str] = mapped_column(String(120))


class SpotCheckRow(Base):
    """One district's spot check of a plan: drawn by commitment and nonce, its result by candidate id."""

    __tablename__ = "affairs_spot_check"

    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"), primary_key=True)
    commitment: Mapped[bytes] = mapped_column(LargeBinary(32))
    secret: Mapped[bytes] = mapped_column(LargeBinary(32))
    nonce: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    seed: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    drawn: Mapped[str] = mapped_column(Text, default="[]")
    unqualified: Mapped[str] = mapped_column(Text, default="[]")
    committed_by: Mapped[str] = mapped_column(String(120))
    committed_at: Mapped[datetime]
    drawn_at: Mapped[datetime | None]
    reported_at: Mapped[datetime | None]
