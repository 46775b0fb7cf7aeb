"""Use cases of accounts: create, close, sign in, sign out, and whose login a request carries.

How long a login lives: 12 hours of the host's monotonic clock from sign-in, and never past a reboot of that
host. The legal clock cannot judge it (the demo's jumps by days), a timer in memory would be lost when a
server process is killed in an exam, and then every invigilator would have to sign in again; the host-wide
monotonic clock has neither fault. Where several hosts serve one database, the balancer keeps a browser on one
host.
"""

import hashlib
import re
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts import store
from server.accounts.lockout import Failure, recent, sign_in_refusal
from server.accounts.models import AccountRow, LoginRow
from server.accounts.roles import Role
from server.accounts.store import Account
from server.clock import boot as host_boot
from server.db.act import Act
from server.errors import BadInput, NotFound, NotSignedIn, Refusal, Refused, required
from server.keys.passwords import HashedPassword, prepared_password, verify_password

LOGIN_LIFE_S = 12 * 3600.0
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")


@dataclass(frozen=True, slots=True)
class Login:
    """Who is behind a request."""

    account: str
    username: str
    display_name: str
    roles: frozenset[Role]
    scope: str | None


@cache
def boot() -> str:
    """Return the identity of this host's running time: one value from boot to boot."""
    # Where the system has none a login ends with the process.
    return host_boot() or f"process-{uuid.uuid4()}"


class SignInFailures:
    """The wrong sign-ins that this process remembers, by username, in monotonic seconds."""

    _MOST_NAMES = 10_000

    def __init__(self) -> None:
        self._of: dict[str, tuple[Failure, ...]] = {}

    def of(self, username: str) -> tuple[Failure, ...]:
        """Return the failures of a name, oldest first."""
        return self._of.get(username, ())

    def add(self, username: str, address: str, now: float) -> None:
        """Remember one failure; the name unused for longest is forgotten when there are too many names."""
        kept = recent(self._of.pop(username, ()), now)
        self._of[username] = (*kept, Failure(address, now))[-200:]
        if len(self._of) > self._MOST_NAMES:
            self._of.pop(next(iter(self._of)))

    def forget(self, username: str) -> None:
        """Forget the failures of a name after it signed in."""
        self._of.pop(username, None)


async def create_account(
    act: Act,
    username: str,
    display_name: str,
    password: str | HashedPassword,
    roles: Iterable[Role],
    scope: str | None = None,
) -> Account:
    """Create an account. Username: 2 to 63 of a-z, 0-9, '.', '_', '-', starting with a letter or digit.

    Refused with `username-taken` or, for the password, `password-short` or `password-repeats-name`. Hashing
    takes a third of a second: a server hashes first (`prepared_password`) and opens the act afterwards.
    """
    held = frozenset(roles)
    if _USERNAME.fullmatch(username) is None:
        raise BadInput("username-form", username=username)
    if not display_name.strip():
        raise BadInput("display-name-missing", username=username)
    if not held:
        raise BadInput("roles-missing", username=username)
    hashed = await _hashed(password, username)
    if await store.account_named(act.session, username) is not None:
        raise Refused(Refusal("username-taken", facts={"username": username}))
    row = AccountRow(
        id=str(uuid.uuid4()),
        username=username,
        display_name=display_name.strip(),
        password=hashed.phc,
        roles=" ".join(sorted(role.value for role in held)),
        scope=scope,
        created_at=act.now,
        closed_at=None,
    )
    act.session.add(row)
    await act.session.flush()
    await act.record(
        "accounts:account:created",
        {"account": row.id, "username": username, "roles": row.roles, "scope": scope},
    )
    return Account(row.id, username, row.display_name, held, scope, False)


async def create_first_administrator(
    act: Act, username: str, display_name: str, password: str | HashedPassword
) -> Account:
    """Create the first administrator; refused when an open administrator account exists."""
    if await store.count_open_with_role(act.session, Role.ADMINISTRATOR) > 0:
        raise Refused(Refusal("administrator-exists"))
    return await create_account(act, username, display_name, password, {Role.ADMINISTRATOR})


async def change_password(act: Act, username: str, password: str | HashedPassword) -> None:
    """Set a new password and end every login of the account."""
    account = await store.account_named(act.session, username)
    if account is None or account.closed:
        raise NotFound("account-unknown", username=username)
    hashed = await _hashed(password, username)
    await act.session.execute(
        update(AccountRow).where(AccountRow.id == account.id).values(password=hashed.phc)
    )
    ended = await store.end_logins(act.session, account.id, act.now)
    await act.record("accounts:password:changed", {"account": account.id, "logins_ended": ended})


async def close_account(act: Act, username: str) -> None:
    """Close an account for good and end its logins; the last open administrator cannot be closed."""
    account = await store.account_named(act.session, username)
    if account is None or account.closed:
        raise NotFound("account-unknown", username=username)
    if (
        Role.ADMINISTRATOR in account.roles
        and await store.count_open_with_role(act.session, Role.ADMINISTRATOR) == 1
    ):
        raise Refused(Refusal("last-administrator", facts={"username": username}))
    await act.session.execute(update(AccountRow).where(AccountRow.id == account.id).values(closed_at=act.now))
    ended = await store.end_logins(act.session, account.id, act.now)
    await act.record("accounts:account:closed", {"account": account.id, "logins_ended": ended})


async def reopen_account(act: Act, username: str, hashed: HashedPassword) -> None:
    """Open a closed account anew with a password; its former logins stay ended. NotFound for one that is not closed."""
    account = await store.account_named(act.session, username)
    if account is None or not account.closed:
        raise NotFound("account-unknown", username=username)
    await act.session.execute(
        update(AccountRow).where(AccountRow.id == account.id).values(closed_at=None, password=hashed.phc)
    )
    await act.record("accounts:account:reopened", {"account": account.id, "username": username})


async def verified(
    session: AsyncSession,
    failures: SignInFailures,
    username: str,
    password: str,
    address: str,
    monotonic: float,
) -> Account:
    """Check a name and a password; an unknown name costs the same work and gets the same answer as a wrong
    password.

    Refused with `sign-in-locked` while waiting is due; NotSignedIn `sign-in-wrong` otherwise. Call it outside
    a write transaction: the check takes about a third of a second.
    """
    required(sign_in_refusal(failures.of(username), address, monotonic))
    found = await store.credentials(session, username)
    right = await verify_password(found.password if found else None, password)
    if found is None or not right:
        failures.add(username, address, monotonic)
        raise NotSignedIn("sign-in-wrong")
    failures.forget(username)
    return found.account


async def confirm_password(
    session: AsyncSession,
    failures: SignInFailures,
    username: str,
    password: str,
    address: str,
    monotonic: float,
) -> None:
    """Ask a signed-in person for the password once more, before what a borrowed browser must not do.

    Refused `sign-in-locked` while waiting is due, `password-wrong` otherwise; a wrong one counts as at sign-in.
    """
    try:
        await verified(session, failures, username, password, address, monotonic)
    except NotSignedIn as error:
        raise Refused(Refusal("password-wrong")) from error


async def begin_login(act: Act, account: Account, address: str, monotonic: float) -> str:
    """Make a login for a verified account; return the token for the cookie (43 characters, shown once)."""
    token = secrets.token_urlsafe(32)
    act.session.add(
        LoginRow(
            token_hash=_token_hash(token),
            account=account.id,
            signed_in_at=act.now,
            boot=boot(),
            monotonic=monotonic,
            address=address,
            ended_at=None,
        )
    )
    await act.session.flush()
    await act.record("accounts:login:began", {"account": account.id, "address": address})
    return token


async def sign_in(
    act: Act, failures: SignInFailures, username: str, password: str, address: str, monotonic: float
) -> str:
    """Check and begin in one act, for tests and tools; pages use `verified` and `begin_login`."""
    account = await verified(act.session, failures, username, password, address, monotonic)
    return await begin_login(act, account, address, monotonic)


async def sign_out(act: Act, token: str) -> None:
    """End the login of this token; an unknown token is no error."""
    digest = _token_hash(token)
    account = await act.session.scalar(
        select(LoginRow.account).where(LoginRow.token_hash == digest, LoginRow.ended_at.is_(None))
    )
    if account is None:
        return
    await act.session.execute(update(LoginRow).where(LoginRow.token_hash == digest).values(ended_at=act.now))
    await act.record("accounts:login:ended", {"account": account})


async def login_of(session: AsyncSession, token: str, monotonic: float) -> Login | None:
    """Return who holds this token now; None when it is unknown, ended, older than 12 hours or of another
    boot."""
    found = await store.stored_login(session, _token_hash(token))
    if found is None or found.boot != boot() or not 0 <= monotonic - found.monotonic < LOGIN_LIFE_S:
        return None
    account = found.account
    return Login(account.id, account.username, account.display_name, account.roles, account.scope)


async def _hashed(password: str | HashedPassword, username: str) -> HashedPassword:
    return password if isinstance(password, HashedPassword) else await prepared_password(password, username)


def _token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
