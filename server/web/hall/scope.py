"""Who may act where in the hall: an invigilator with a room in his account acts in that room only."""

from typing import Any, TypeVar

import msgspec
from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.roles import Role
from server.accounts.service import Login
from server.delivery import store as delivery
from server.errors import NotPermitted
from server.law.citing import cites
from server.protocol.board import Change, IncidentView, Snapshot, ToBoard

Told = TypeVar("Told", bound=ToBoard)

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


@cites("BJ-E:A4.4-4", "BJ-E:A3.3-1")
def require_people(login: Login, room: str) -> None:
    """Refuse who does not see people in the room, see `sees_people`: what cameras and people said of somebody there
    is a lead about him, shown to those who may look into it."""
    if not sees_people(login, room):
        raise NotPermitted("findings-not-yours", room=room)


def reads_words(login: Login, room: str) -> bool:
    """Tell whether the account may read what a person wrote about a candidate in a room: who sees people there, and
    the exam office, which keeps the room records that say the same."""
    return Role.EXAM_OFFICE in login.roles or sees_people(login, room)


def for_reader(login: Login, message: Told) -> Told:
    """The board's message with incidents about candidates of other rooms without their words; see `reads_words`."""
    if not isinstance(message, Snapshot | Change) or not message.incidents:
        return message
    rooms = {one.room for one in message.incidents if one.sitting is not None and one.room is not None}
    hidden = {room for room in rooms if not reads_words(login, room)}

    def shown(one: IncidentView) -> IncidentView:
        about_another = one.sitting is not None and one.room in hidden
        return msgspec.structs.replace(one, note="") if about_another else one

    return msgspec.structs.replace(message, incidents=tuple(shown(one) for one in message.incidents))


def watches(login: Login, room: str) -> bool:
    """Tell whether the account is an invigilator's of this room, or a floating one's."""
    return Role.INVIGILATOR in login.roles and login.scope in (None, room)


async def require_sitting(session: AsyncSession, login: Login, sitting: str) -> None:
    """Refuse an account that is bound to another room than the sitting's."""
    if not leads(login) and login.scope is not None:
        require_room(login, (await delivery.sitting(session, sitting)).room)
