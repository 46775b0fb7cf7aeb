"""Tables of the authority: filings, results, certificates, cases and leads."""

from datetime import date, datetime

from sqlalchemy import Boolean, Date, Float, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class FilingRow(Base):
    """One application of an organisation and what became of it. JSON columns hold what the pack's
    codes name.
    """

    __tablename__ = "registry_filing"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    organisation: Mapped[str] = mapped_column(String(36), index=True)
    name: Mapped[str] = mapped_column(String(200))
    credit_code: Mapped[str] = mapped_column(String(18))
    kind: Mapped[str] = mapped_column(String(24))
    district: Mapped[str] = mapped_column(String(60))
    address: Mapped[str] = mapped_column(String(300))
    representative: Mapped[str] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(16), index=True)
    occupations: Mapped[str] = mapped_column(Text)
    """[[code, name, level], …]"""
    venues: Mapped[str] = mapped_column(Text)
    """[[name, address, theory seats], …]"""
    staff: Mapped[str] = mapped_column(Text)
    """[[name, role], …]"""
    answers: Mapped[str] = mapped_column(Text)
    materials: Mapped[str] = mapped_column(Text)
    applied_at: Mapped[datetime]
    recommended_at: Mapped[datetime | None]
    evaluated_at: Mapped[datetime | None]
    noticed_at: Mapped[datetime | None]
    letter_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(Text, default="")
    letter_number: Mapped[str] = mapped_column(String(60), default="")
    valid_until: Mapped[date | None] = mapped_column(Date)
    body_kind: Mapped[str] = mapped_column(String(1), default="")
    body_ministry: Mapped[str] = mapped_column(String(4), default="")
    body_province: Mapped[str] = mapped_column(String(2), default="")
    body_serial: Mapped[str] = mapped_column(String(6), default="")
    centre_signing: Mapped[str] = mapped_column(String(64), default="")
    centre_receiving: Mapped[str] = mapped_column(String(64), default="")
    debarred_until: Mapped[date | None] = mapped_column(Date)


class ResultRow(Base):
    """One uploaded result of a candidate."""

    __tablename__ = "registry_result"

    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"), primary_key=True)
    candidate: Mapped[str] = mapped_column(ForeignKey("affairs_candidate.id"), primary_key=True)
    ticket: Mapped[str] = mapped_column(String(40))
    theory: Mapped[float | None] = mapped_column(Float)
    practical: Mapped[float | None] = mapped_column(Float)
    review: Mapped[float | None] = mapped_column(Float)
    result: Mapped[str] = mapped_column(String(10))
    upload: Mapped[str] = mapped_column(ForeignKey("registry_upload.id"))


class UploadRow(Base):
    """One result package as taken in."""

    __tablename__ = "registry_upload"
    __table_args__ = (UniqueConstraint("plan", "number"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"))
    number: Mapped[int] = mapped_column(Integer)
    notice_number: Mapped[int] = mapped_column(Integer)
    uploaded_at: Mapped[datetime]
    late: Mapped[bool] = mapped_column(Boolean)
    journal_head: Mapped[str] = mapped_column(Text)


class HeldRow(Base):
    """A noticed candidate whose result is held back, with the objection or case behind it."""

    __tablename__ = "registry_held"

    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"), primary_key=True)
    candidate: Mapped[str] = mapped_column(ForeignKey("affairs_candidate.id"), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)


class CertificateRow(Base):
    """One certificate; its number is never used again. Never deleted."""

    __tablename__ = "registry_certificate"
    __table_args__ = (UniqueConstraint("plan", "candidate"),)

    number: Mapped[str] = mapped_column(String(40), primary_key=True)
    plan: Mapped[str] = mapped_column(ForeignKey("affairs_plan.id"))
    candidate: Mapped[str] = mapped_column(ForeignKey("affairs_candidate.id"))
    notice: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(80))
    id_digest: Mapped[str] = mapped_column(String(64))
    occupation: Mapped[str] = mapped_column(String(120))
    occupation_code: Mapped[str] = mapped_column(String(20))
    level: Mapped[int]
    organisation: Mapped[str] = mapped_column(ForeignKey("affairs_organisation.id"), index=True)
    organisation_name: Mapped[str] = mapped_column(String(200))
    theory: Mapped[float | None] = mapped_column(Float)
    practical: Mapped[float | None] = mapped_column(Float)
    review: Mapped[float | None] = mapped_column(Float)
    state: Mapped[str] = mapped_column(String(12), index=True)
    numbered_at: Mapped[datetime]
    issued_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(Text, default="")
    case: Mapped[str | None] = mapped_column(String(36))
    document: Mapped[str] = mapped_column(Text, default="")
    """Signed certificate as JSON; empty until issued."""


class FormerDocumentRow(Base):
    """A signed certificate that a corrected one has replaced; the number stays. Never deleted."""

    __tablename__ = "registry_former_document"

    correction: Mapped[str] = mapped_column(String(36), primary_key=True)
    number: Mapped[str] = mapped_column(ForeignKey("registry_certificate.number"), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    document: Mapped[str] = mapped_column(Text)
    replaced_at: Mapped[datetime]


class SerialRow(Base):
    """The last serial given in one body, year and level; its row is the lock that keeps serials
    without gaps.
    """

    __tablename__ = "registry_serial"

    body: Mapped[str] = mapped_column(String(20), primary_key=True)
    year: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    level: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    last: Mapped[int] = mapped_column(Integer)


class CaseRow(Base):
    """One enforcement case against an organisation."""

    __tablename__ = "registry_case"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("affairs_organisation.id"), index=True)
    violation: Mapped[str] = mapped_column(String(40))
    article: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(12), index=True)
    suspicion: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime]
    opened_by: Mapped[str] = mapped_column(String(120))
    finding: Mapped[str] = mapped_column(Text, default="")
    received_on: Mapped[date | None] = mapped_column(Date)
    defence_until: Mapped[date | None] = mapped_column(Date)
    defence: Mapped[str] = mapped_column(Text, default="")
    defended_at: Mapped[datetime | None]
    decision: Mapped[str] = mapped_column(Text, default="")
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str] = mapped_column(String(120), default="")


class LeadRow(Base):
    """Something the software noticed: a lead with its clause, never a finding."""

    __tablename__ = "registry_lead"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    organisation: Mapped[str] = mapped_column(String(36), index=True)
    plan: Mapped[str | None] = mapped_column(String(36))
    code: Mapped[str] = mapped_column(String(60))
    article: Mapped[str] = mapped_column(String(40))
    facts: Mapped[str] = mapped_column(Text)
    found_at: Mapped[datetime]
    case: Mapped[str | None] = mapped_column(String(36))


class HeadRow(Base):
    """A centre's signed journal head as it arrived; never changed, never deleted."""

    __tablename__ = "registry_head"
    __table_args__ = (UniqueConstraint("centre", "number"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    centre: Mapped[str] = mapped_column(String(36), index=True)
    """Id of the peer that sent it."""
    number: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    heads: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(String(128))
    code: Mapped[str] = mapped_column(String(16))
