"""Who may call a route: the signed-in account behind a request, and guards by role."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult

from server.accounts.roles import Role
from server.errors import NotPermitted, NotSignedIn

if TYPE_CHECKING:
    from server.web.site import Site

Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]


class LoginMiddleware(AbstractAuthenticationMiddleware):
    """Read the login cookie; `request.user` is the Login, or None for an anonymous request."""

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        from server.accounts.service import login_of

        site: Site = connection.app.state.site
        token = connection.cookies.get(site.login_cookie)
        if not token:
            return AuthenticationResult(user=None, auth=None)
        async with site.db.reading() as session:
            login = await login_of(session, token, site.clock.monotonic())
        return AuthenticationResult(user=login, auth=token if login else None)


def same_origin(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Guard of a websocket: a browser's Origin must name this very host and port, for a socket is opened with the
    cookies of whoever sits there, from any page of the world. A kiosk's agent is no browser and sends none."""
    origin, host = connection.headers.get("origin"), connection.headers.get("host", "")
    if origin is not None and urlsplit(origin).netloc.casefold() != host.casefold():
        raise NotPermitted("foreign-origin")


def of_this_centre(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard of the seats' websocket: `same_origin`, or a page of this centre's other machine. The socket proves its
    seat by the seat's key, which a page of no other address has, and takes no cookie."""
    if connection.headers.get("origin") not in connection.app.state.site.settings.servers:
        same_origin(connection, handler)


def requires(*roles: Role) -> Guard:
    """Make a guard: the caller is signed in and holds at least one of the roles (any account when none is named)."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        if connection.user is None:
            raise NotSignedIn("not-signed-in")
        if roles and not connection.user.roles.intersection(roles):
            raise NotPermitted("not-permitted")

    return guard
