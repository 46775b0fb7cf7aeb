"""Accounts and logins: rows in, facts out."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.models import AccountRow, LoginRow
from server.accounts.roles import Role


@dataclass(frozen=True, slots=True)
class Account:
    """One account without its password."""

    id: str
    username: str
    display_name: str
    roles: frozenset[Role]
    scope: str | None
    closed: bool


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account and the PHC string its password is checked against."""

    account: Account
    password: str


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """One login that was not ended."""

    account: Account
    boot: str
    monotonic: float


def _account(row: AccountRow) -> Account:
    roles = frozenset(Role(value) for value in row.roles.split())
    return Account(row.id, row.username, row.display_name, roles, row.scope, row.closed_at is not None)


async def credentials(session: AsyncSession, username: str) -> Credentials | None:
    """Return the open account of this name with its password string."""
    row = await session.scalar(
        select(AccountRow).where(AccountRow.username == username, AccountRow.closed_at.is_(None))
    )
    return None if row is None else Credentials(_account(row), row.password)


async def account_named(session: AsyncSession, username: str) -> Account | None:
    """Return the account of this name, open or closed."""
    row = await session.scalar(select(AccountRow).where(AccountRow.username == username))
    return None if row is None else _account(row)


async def accounts(session: AsyncSession) -> tuple[Account, ...]:
    """Return all accounts ordered by username."""
    rows = await session.scalars(select(AccountRow).order_by(AccountRow.username))
    return tuple(_account(row) for row in rows)


async def count_open_with_role(session: AsyncSession, role: Role) -> int:
    """Return how many open accounts hold the role."""
    rows = await session.scalars(select(AccountRow.roles).where(AccountRow.closed_at.is_(None)))
    return sum(role.value in roles.split() for roles in rows)


async def stored_login(session: AsyncSession, token_hash: bytes) -> StoredLogin | None:
    """Return the login of this token when neither it nor its account was ended."""
    found = (
        await session.execute(
            select(AccountRow, LoginRow.boot, LoginRow.monotonic)
            .join(LoginRow, LoginRow.account == AccountRow.id)
            .where(
                LoginRow.token_hash == token_hash,
                LoginRow.ended_at.is_(None),
                AccountRow.closed_at.is_(None),
            )
        )
    ).one_or_none()
    if found is None:
        return None
    row, boot, monotonic = found
    return StoredLogin(_account(row), boot, monotonic)


async def end_logins(session: AsyncSession, account: str, now: datetime) -> int:
    """End all logins of an account; return how many were open."""
    open_logins = (LoginRow.account == account) & LoginRow.ended_at.is_(None)
    count = await session.scalar(select(func.count()).select_from(LoginRow).where(open_logins))
    await session.execute(update(LoginRow).where(open_logins).values(ended_at=now))
    return count or 0
