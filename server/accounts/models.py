"""Tables of accounts and logins (a login is a signed-in browser)."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.metadata import Base


class AccountRow(Base):
    """One person who may sign in."""

    __tablename__ = "accounts_account"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(120))
    password: Mapped[str] = mapped_column(Text)
    """Argon2id as a PHC string."""
    roles: Mapped[str] = mapped_column(Text)
    """Role values, sorted, separated by one space."""
    scope: Mapped[str | None] = mapped_column(String(64))
    """Room number or organisation id that the account is limited to; None = no limit."""
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class LoginRow(Base):
    """One signed-in browser. Its age is judged by the monotonic clock of the host that signed it in."""

    __tablename__ = "accounts_login"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    """SHA-256 of the cookie's token; the token itself is nowhere stored."""
    account: Mapped[str] = mapped_column(ForeignKey("accounts_account.id"), index=True)
    signed_in_at: Mapped[datetime]
    """Legal time, for people; no expiry is computed from it."""
    boot: Mapped[str] = mapped_column(String(64))
    monotonic: Mapped[float]
    address: Mapped[str] = mapped_column(String(64))
    ended_at: Mapped[datetime | None]
