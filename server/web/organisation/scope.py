"""Whose data may this login touch? An organisation's account is bound to one organisation, officers see all."""

from typing import Any

from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.roles import Role
from server.accounts.service import Login
from server.affairs import store as affairs
from server.affairs.facts import Plan
from server.errors import NotPermitted

OFFICERS = frozenset({Role.CITY_OFFICER, Role.DISTRICT_OFFICER, Role.SUPERVISOR})

Http = Request[Any, Any, Any]


def login_of(request: Http) -> Login:
    """Return the login behind a guarded request."""
    login: Login = request.user
    return login


def own_organisation(login: Login) -> str:
    """Return the organisation an account is bound to; NotPermitted when it is bound to none."""
    if login.scope is None:
        raise NotPermitted("account-without-organisation", username=login.username)
    return login.scope


def require_organisation(login: Login, organisation: str) -> None:
    """Refuse an organisation's account for another organisation; officers pass."""
    if OFFICERS.isdisjoint(login.roles) and login.scope != organisation:
        raise NotPermitted("organisation-not-yours", organisation=organisation)


async def own_plan(session: AsyncSession, login: Login, plan: str) -> Plan:
    """Return a plan of the login's organisation (any plan for officers)."""
    found = await affairs.plan(session, plan)
    require_organisation(login, found.organisation)
    return found
