"""Tables of peers and of packages sent and received."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class PeerRow(Base):
    """One node that packages are exchanged with; a change of keys is a new row, the old one stays."""

    __tablename__ = "packages_peer"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """registry or centre."""
    name: Mapped[str] = mapped_column(String(120), index=True)
    """On a registry the organisation's id; on a centre the registry's name."""
    signing: Mapped[bytes] = mapped_column(LargeBinary(32))
    receiving: Mapped[bytes] = mapped_column(LargeBinary(32))
    fingerprint: Mapped[str] = mapped_column(String(79), unique=True)
    tls_spki: Mapped[str | None] = mapped_column(String(64))
    url: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    proposed_by: Mapped[str] = mapped_column(String(120))
    proposed_at: Mapped[datetime]
    confirmed_by: Mapped[str | None] = mapped_column(String(120))
    confirmed_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class OutgoingRow(Base):
    """One package made here; kept as sent."""

    __tablename__ = "packages_outgoing"
    __table_args__ = (UniqueConstraint("peer", "kind", "plan", "number"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    peer: Mapped[str] = mapped_column(ForeignKey("packages_peer.id"))
    kind: Mapped[str] = mapped_column(String(16))
    plan: Mapped[str] = mapped_column(String(64), index=True)
    number: Mapped[int]
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    data: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(Text)


class IncomingRow(Base):
    """One package accepted here; kept as it came, as evidence."""

    __tablename__ = "packages_incoming"
    __table_args__ = (UniqueConstraint("peer", "kind", "plan", "number"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    peer: Mapped[str] = mapped_column(ForeignKey("packages_peer.id"))
    kind: Mapped[str] = mapped_column(String(16))
    plan: Mapped[str] = mapped_column(String(64), index=True)
    number: Mapped[int]
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    data: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime]
