"""Accounts and logins on real databases."""

import pytest
from sqlalchemy import select, update

from server.accounts import store
from server.accounts.models import AccountRow, LoginRow
from server.accounts.roles import Role
from server.accounts.service import (
    LOGIN_LIFE_S,
    SignInFailures,
    change_password,
    close_account,
    create_account,
    create_first_administrator,
    login_of,
    sign_in,
    sign_out,
)
from server.db.engine import Database
from server.errors import BadInput, GongyuanError, NotSignedIn, Refused
from tests.support.database import act_on

POSTGRES = (
    "test_a_login_is_who_signed_in",
    "test_a_username_is_taken_once",
    "test_the_first_administrator_is_made_once",
)

PASSWORD = "a good password"


async def wang(db: Database, roles: frozenset[Role] = frozenset({Role.CHIEF})) -> None:
    async with act_on(db) as act:
        await create_account(act, "wang", "王主考", PASSWORD, roles, "101")


async def token_of(db: Database, monotonic: float = 1000.0, password: str = PASSWORD) -> str:
    async with act_on(db) as act:
        return await sign_in(act, SignInFailures(), "wang", password, "10.0.0.9", monotonic)


async def test_a_login_is_who_signed_in(db: Database) -> None:
    """The token of a sign-in leads to the account with its roles and scope, until it signs out."""
    await wang(db)
    token = await token_of(db)
    async with db.reading() as session:
        login = await login_of(session, token, 1001.0)
        assert login is not None
        assert (login.username, login.roles, login.scope) == ("wang", frozenset({Role.CHIEF}), "101")
        assert await login_of(session, token + "x", 1001.0) is None
    async with act_on(db) as act:
        await sign_out(act, token)
    async with db.reading() as session:
        assert await login_of(session, token, 1001.0) is None


async def test_a_login_lives_twelve_hours_of_this_boot(db: Database) -> None:
    """A login is valid for less than 12 monotonic hours, never before its own beginning, and not after a reboot."""
    await wang(db)
    token = await token_of(db, 1000.0)
    async with db.reading() as session:
        assert await login_of(session, token, 1000.0 + LOGIN_LIFE_S - 0.1) is not None
        assert await login_of(session, token, 1000.0 + LOGIN_LIFE_S) is None
        assert await login_of(session, token, 999.9) is None
    async with db.writing() as session:
        await session.execute(update(LoginRow).values(boot="another"))
    async with db.reading() as session:
        assert await login_of(session, token, 1001.0) is None


async def test_neither_password_nor_token_is_stored(db: Database) -> None:
    """The tables hold an Argon2id string and a hash, not the password and not the token."""
    await wang(db)
    token = await token_of(db)
    async with db.reading() as session:
        phc = await session.scalar(select(AccountRow.password))
        digest = await session.scalar(select(LoginRow.token_hash))
    assert phc is not None
    assert phc.startswith("$argon2id$v=19$m=65536,t=3")
    assert PASSWORD not in phc
    assert digest is not None
    assert token.encode() not in digest


async def test_wrong_password_and_unknown_name_get_one_answer(db: Database) -> None:
    """A wrong password, an unknown name and a closed account are refused with the same code and no facts."""
    await wang(db)
    failures = SignInFailures()

    async def answer(username: str, password: str) -> GongyuanError:
        with pytest.raises(NotSignedIn) as caught:
            async with act_on(db) as act:
                await sign_in(act, failures, username, password, "a", 1000.0)
        return caught.value

    wrong, unknown = await answer("wang", "a bad password"), await answer("nobody", PASSWORD)
    async with act_on(db) as act:
        await close_account(act, "wang")
    closed = await answer("wang", PASSWORD)
    assert {(one.code, tuple(one.facts)) for one in (wrong, unknown, closed)} == {("sign-in-wrong", ())}


async def test_the_sixth_try_waits_even_with_the_right_password(db: Database) -> None:
    """After five wrong passwords even the right one is refused for 30 s, and accepted afterwards."""
    await wang(db)
    failures = SignInFailures()
    for _ in range(5):
        failures.add("wang", "a", 1000.0)
    with pytest.raises(Refused, match="sign-in-locked"):
        async with act_on(db) as act:
            await sign_in(act, failures, "wang", PASSWORD, "a", 1029.9)
    async with act_on(db) as act:
        assert await sign_in(act, failures, "wang", PASSWORD, "a", 1030.0)
    assert failures.of("wang") == ()


async def test_a_new_password_ends_all_logins(db: Database) -> None:
    """After a change of password the old token is dead and only the new password signs in."""
    await wang(db)
    token = await token_of(db)
    async with act_on(db) as act:
        await change_password(act, "wang", "another good one")
    async with db.reading() as session:
        assert await login_of(session, token, 1001.0) is None
    with pytest.raises(NotSignedIn):
        await token_of(db)
    assert await token_of(db, password="another good one")


async def test_the_first_administrator_is_made_once(db: Database) -> None:
    """A second first administrator is refused, and the last administrator cannot be closed."""
    async with act_on(db) as act:
        await create_first_administrator(act, "admin", "管理员", PASSWORD)
    with pytest.raises(Refused, match="administrator-exists"):
        async with act_on(db) as act:
            await create_first_administrator(act, "admin2", "管理员", PASSWORD)
    with pytest.raises(Refused, match="last-administrator"):
        async with act_on(db) as act:
            await close_account(act, "admin")


@pytest.mark.parametrize(
    ("username", "name", "password", "roles", "code"),
    [
        ("Wang", "王", PASSWORD, {Role.CHIEF}, "username-form"),
        ("w", "王", PASSWORD, {Role.CHIEF}, "username-form"),
        ("wang", " ", PASSWORD, {Role.CHIEF}, "display-name-missing"),
        ("wang", "王", "short", {Role.CHIEF}, "password-short"),
        ("wang", "王", PASSWORD, set(), "roles-missing"),
    ],
)
async def test_bad_accounts_are_refused(
    db: Database, username: str, name: str, password: str, roles: set[Role], code: str
) -> None:
    """An account with a bad name, no display name, a weak password or no role is not made."""
    with pytest.raises(GongyuanError) as caught:
        async with act_on(db) as act:
            await create_account(act, username, name, password, roles)
    assert caught.value.code == code
    async with db.reading() as session:
        assert await store.accounts(session) == ()


async def test_a_username_is_taken_once(db: Database) -> None:
    """A second account of the same name is refused, even after the first was closed."""
    await wang(db)
    async with act_on(db) as act:
        await close_account(act, "wang")
    with pytest.raises(Refused, match="username-taken"):
        await wang(db)


async def test_bad_input_names_the_place(db: Database) -> None:
    """The refusal of a username says which one."""
    with pytest.raises(BadInput) as caught:
        async with act_on(db) as act:
            await create_account(act, "王", "王", PASSWORD, {Role.CHIEF})
    assert caught.value.facts == {"username": "王"}
