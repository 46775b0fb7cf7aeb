"""Tables of custodians, keys and their shares, openings and anchors. No clear key stands in any of them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class CustodianRow(Base):
    """One custodian: public half, and private half under the key that his passphrase gives.

    Who has left keeps his row, without the private half; the same username may come again with a new pair.
    """

    __tablename__ = "keys_custodian"
    __table_args__ = (
        Index(
            "uq_keys_custodian_in_office",
            "username",
            unique=True,
            sqlite_where=text("retired_at IS NULL"),
            postgresql_where=text("retired_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    username: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(120))
    public: Mapped[bytes] = mapped_column(LargeBinary(32))
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))
    passphrase_check: Mapped[bytes] = mapped_column(LargeBinary(32))
    """SHA-256 of the second half of the Argon2id output: tells a wrong passphrase from a changed wrapping."""
    nonce: Mapped[bytes] = mapped_column(LargeBinary(12))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]
    left_as: Mapped[str | None] = mapped_column(String(8))
    """"retired" or "lost"; None while in office."""


class KeyRow(Base):
    """One key: encrypted under a wrapping key that only the custodians' shares give, and its check value."""

    __tablename__ = "keys_key"
    __table_args__ = (UniqueConstraint("kind", "subject", "generation"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(64))
    """Bank id for a bank key, slot id for a start or marking key."""
    generation: Mapped[int]
    purpose: Mapped[str] = mapped_column(String(12))
    """live or rehearsal, for people: what binds it is the encryption of shares and wrapping."""
    check_value: Mapped[bytes] = mapped_column(LargeBinary(32))
    wrapping: Mapped[int]
    """Number of the wrapping in force, from 1; each change of custodians and each rotation makes the next."""
    nonce: Mapped[bytes] = mapped_column(LargeBinary(12))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    wrapped_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class ShareRow(Base):
    """One share of the wrapping key in force of one key, encrypted to its custodian."""

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
    subject: Mapped[str] = mapped_column(String(255), index=True)
    """Slot id; bank id for desk and ceremony; the change in words for custody; username for a passphrase."""
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


class RecoveryCodeRow(Base):
    """A printed recovery code, by its public key; the highest number is in force. Its halves stand on paper alone."""

    __tablename__ = "keys_recovery_code"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    public: Mapped[bytes] = mapped_column(LargeBinary(32))
    made_at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(120))


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
