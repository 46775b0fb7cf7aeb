"""Who may act where in the hall: an invigilator with a room in his account acts in that room only."""

from typing import Any

from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.roles import Role
from server.accounts.service import Login
from server.delivery import store as delivery
from server.errors import NotPermitted
from server.law.citing import cites

LEADING = frozenset({Role.CHIEF, Role.DEPUTY})
"""Roles that act in every room."""
LOOKING = LEADING | {Role.QUALITY, Role.SUPERVISOR}
"""Roles that may look at every camera."""


def login_of(request: Request[Any, Any, Any]) -> Login:
    """Return the login behind a guarded request."""
    login: Login = request.user
    return login


def leads(login: Login) -> bool:
    """Tell whether the account belongs to the chief or the deputy."""
    return not LEADING.isdisjoint(login.roles)


@cites("BJ-E:A4.4-4", "BJ-E:A3.3-1")
def require_room(login: Login, room: str | None) -> None:
    """Refuse an account that is bound to another room, or to a room where the act is for the whole hall.

    An invigilator bound to no room is a floating one, who stands in wherever one is missing.
    """
    if leads(login) or login.scope is None:
        return
    if room != login.scope:
        raise NotPermitted("room-not-yours", room=room or "", own=login.scope)


@cites("BJ-E:A4.4-4", "BJ-E:A3.3-1")
def sees_people(login: Login, room: str) -> bool:
    """Tell whether the account may see people in a room's pictures: who leads, who supervises, and the invigilator of
    the room. Everybody else has the cameras' health and the seats' states."""
    if not LOOKING.isdisjoint(login.roles):
        return True
    return watches(login, room)


def watches(login: Login, room: str) -> bool:
    """Tell whether the account is an invigilator's of this room, or a floating one's."""
    return Role.INVIGILATOR in login.roles and login.scope in (None, room)


async def require_sitting(session: AsyncSession, login: Login, sitting: str) -> None:
    """Refuse an account that is bound to another room than the sitting's."""
    if not leads(login) and login.scope is not None:
        require_room(login, (await delivery.sitting(session, sitting)).room)
