"""Who may do what at the desk, and that the bank must be open for it."""

from typing import Annotated, Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.handlers import BaseRouteHandler
from litestar.params import Body

from server.accounts.roles import Role
from server.accounts.service import Login
from server.web.desk.workplace import Workplace
from server.web.guards import requires

Http = Request[Any, Any, Any]
Desk = NamedDependency[Workplace]
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]

STAFF = requires(
    Role.ITEM_WRITER, Role.ITEM_REVIEWER, Role.EXAM_OFFICE, Role.CUSTODIAN, Role.CHIEF, Role.SUPERVISOR
)
OPENERS = requires(Role.EXAM_OFFICE, Role.CUSTODIAN, Role.CHIEF)
READERS = requires(Role.ITEM_WRITER, Role.ITEM_REVIEWER)
WRITERS = requires(Role.ITEM_WRITER)
REVIEWERS = requires(Role.ITEM_REVIEWER)
EXPORTERS = requires(Role.EXAM_OFFICE)
"""Items in clear leave the desk only with somebody of the exam office (and both custodians)."""


def opened(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Guard: a bank is open in this process; Refused `desk-closed`."""
    desk: Workplace = connection.app.state["desk"]
    desk.bank()


def desk_of(request: Http) -> Workplace | None:
    """Return the desk where this process is one; None in a centre's."""
    found: Workplace | None = request.app.state.get("desk")
    return found


def login_of(request: Http) -> Login:
    """Return the login behind a guarded request."""
    login: Login = request.user
    return login
