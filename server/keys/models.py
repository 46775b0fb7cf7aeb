"""Tables of custodians, keys and their shares, openings and anchors. No clear key stands in any of them."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class CustodianRow(Base):
    """One custodian: public half, and private half under the key that his passphrase gives."""

    __tablename__ = "keys_custodian"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    public: Mapped[bytes] = mapped_column(LargeBinary(32))
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))
    passphrase_check: Mapped[bytes] = mapped_column(LargeBinary(32))
    """SHA-256 of the second half of the Argon2id output: tells a wrong passphrase from a changed wrapping."""
    nonce: Mapped[bytes] = mapped_column(LargeBinary(12))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class KeyRow(Base):
    """One bank, start or marking key, known only by its check value."""

    __tablename__ = "keys_key"
    __table_args__ = (UniqueConstraint("kind", "subject", "generation"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(64))
    """Bank id for a bank key, slot id for a start or marking key."""
    generation: Mapped[int]
    check_value: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class ShareRow(Base):
    """One share of one key, encrypted to its custodian."""

    __tablename__ = "keys_share"

    key: Mapped[str] = mapped_column(ForeignKey("keys_key.id"), primary_key=True)
    custodian: Mapped[str] = mapped_column(ForeignKey("keys_custodian.id"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class OpeningRow(Base):
    """One opening, from its intention to its outcome."""

    __tablename__ = "keys_opening"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    plan: Mapped[str | None] = mapped_column(String(64), index=True)
    subject: Mapped[str] = mapped_column(String(64), index=True)
    """Slot id; bank id for desk and ceremony."""
    state: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(120))
    custodians: Mapped[str] = mapped_column(Text, default="")
    """Usernames of the custodians whose passphrases opened it, separated by one space."""
    intended_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    """Desk only: when the stated time is over."""
    closed_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Text)
    """JSON of the outcome, or of the refusal that ended it."""


class AnchorRow(Base):
    """One signed head over all journal chains."""

    __tablename__ = "keys_anchor"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    heads: Mapped[str] = mapped_column(Text)
    """Canonical JSON: chain id to "seq:hash"."""
    previous: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    signature: Mapped[bytes] = mapped_column(LargeBinary(64))
    code: Mapped[str] = mapped_column(String(16))
