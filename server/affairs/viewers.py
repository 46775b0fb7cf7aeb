"""Officers who look at a centre's cameras from afar: a pass made at the registry, an account made at the centre.

The account holds the role remote_officer and is bound to one plan; it opens nothing but the camera page.
"""

import re
import secrets

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts import service as accounts
from server.accounts import store as account_store
from server.accounts.models import AccountRow
from server.accounts.roles import Role
from server.affairs.models import PlanRow
from server.affairs.viewer_models import ViewerRow
from server.db.act import Act
from server.errors import NotFound, Refusal, Refused
from server.keys.passwords import HashedPassword
from server.law.citing import cites
from server.packages.contents import ExamContent, ViewerContent

_TAKEN_BACK = ""
"""Stands for the password of an account that a package closed: no password matches it, and a person who closes an
account leaves its password."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def fresh_password() -> str:
    """Return a new random password of 16 letters and digits that are not mistaken for each other, in fours."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def username_at_centre(officer: str, plan: str) -> str:
    """Return the name of an officer's account at the centre of a plan."""
    short = re.sub(r"[^a-z0-9]", "", plan.casefold())[:8]
    return f"remote-{officer[:40]}-{short}"


@cites("BJ-E:22", "SC:5.2")
async def make_pass(act: Act, plan: str, officer: str, name: str, password: HashedPassword) -> str:
    """Keep an officer's pass for a plan, in place of an earlier one; return the account's name at the centre.

    Refused `viewer-name-taken` where a long username makes it the name of another's pass.
    It works there once an exam package or correction made after it has arrived.
    """
    if await act.session.get(PlanRow, plan) is None:
        raise NotFound("plan-unknown", plan=plan)
    username = username_at_centre(officer, plan)
    row = await act.session.get(ViewerRow, username)
    if row is None:
        row = ViewerRow(username=username, plan=plan, officer=officer)
        act.session.add(row)
    elif (row.plan, row.officer) != (plan, officer):
        raise Refused(Refusal("viewer-name-taken", None, {"username": username}))
    row.name, row.password, row.made_at = name, password.phc, act.now
    await act.session.flush()
    await act.record("affairs:viewer:pass-made", {"plan": plan, "username": username, "officer": officer})
    return username


async def viewers(session: AsyncSession, plan: str) -> tuple[ViewerContent, ...]:
    """Return the passes of a plan as its package carries them, in order of name; without those of officers whose own
    account is closed, which so end at the centre with the next package."""
    closed = select(AccountRow.username).where(AccountRow.closed_at.is_not(None))
    rows = await session.scalars(
        select(ViewerRow)
        .where(ViewerRow.plan == plan, ViewerRow.officer.not_in(closed))
        .order_by(ViewerRow.username)
    )
    return tuple(ViewerContent(username=row.username, name=row.name, password=row.password) for row in rows)


async def take_viewers(act: Act, content: ExamContent) -> None:
    """Make the accounts that a package names, renew their passwords, and close those that it names no more.

    One that a package closed is opened again by a package that names it; one that a person closed stays closed. An
    account of that name which is not a remote officer of the plan is left as it is.
    """
    named = {one.username: one for one in content.viewers}
    rows = await act.session.scalars(
        select(AccountRow).where(AccountRow.scope == content.plan, AccountRow.closed_at.is_(None))
    )
    for row in rows:
        if row.roles == Role.REMOTE_OFFICER.value and row.username not in named:
            await accounts.close_account(act, row.username)
            row.password = _TAKEN_BACK
    for username, one in named.items():
        found = await account_store.account_named(act.session, username)
        password = HashedPassword(one.password)
        if found is None:
            roles = {Role.REMOTE_OFFICER}
            await accounts.create_account(act, username, one.name, password, roles, content.plan)
        elif (found.roles, found.scope) == (frozenset({Role.REMOTE_OFFICER}), content.plan):
            kept = await act.session.scalar(select(AccountRow.password).where(AccountRow.id == found.id))
            if found.closed and kept == _TAKEN_BACK:
                await accounts.reopen_account(act, username, password)
            elif not found.closed and kept != one.password:
                await accounts.change_password(act, username, password)
