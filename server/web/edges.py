"""What every request and every answer passes: the headers of an answer, the form of a path, the CSRF token."""

from collections.abc import Sequence
from typing import Any

from litestar import Request
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware.csrf import CSRFMiddleware
from litestar.types import Message, Receive, Scope, Send

from server.errors import NotFound
from server.web.candidate.page import IMPORT_MAP_HASH

LARGEST_BODY = 8 << 20
"""Bytes of a request's body, packages excepted: 5,000 candidates to enrol take under 4 MB."""
_LONGEST_NAME = 200
"""Characters of one name in a path; ids have 36."""

_WORKER = "/static/candidate/worker.js"


def _policy(servers: Sequence[str] = ()) -> str:
    """Return the content security policy; of other servers than its own a page may open the websockets alone."""
    sockets = "".join(f" wss://{server.removeprefix('https://')}" for server in servers)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'sha256-{IMPORT_MAP_HASH}'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "media-src 'self' data:",
            "font-src 'self'",
            f"connect-src 'self'{sockets}",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


HEADERS = {
    "content-security-policy": _policy(),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


async def guard_answer(message: Message, scope: Scope) -> None:
    """Give every answer, errors and files among them, the security headers; only files may be kept by a cache."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    for name, value in HEADERS.items():
        headers[name] = value
    if scope["path"] == "/exam":
        headers["content-security-policy"] = _policy(scope["litestar_app"].state.site.settings.servers)
    if scope["path"] == _WORKER:
        # It keeps the candidate's page, which does not stand in its own folder.
        headers["service-worker-allowed"] = "/exam"
    if not scope["path"].startswith("/static/"):
        headers.setdefault("cache-control", "no-store")


def check_path(request: Request[Any, Any, Any]) -> None:
    """Answer NotFound for a name in the path that nothing can have: too long, or with control characters."""
    for value in request.path_params.values():
        if isinstance(value, str) and (len(value) > _LONGEST_NAME or not value.isprintable()):
            raise NotFound("not-found")


class CsrfMiddleware(CSRFMiddleware):
    """The framework's check, which here also refuses a token that is not ASCII, and replaces a foreign cookie.

    A cookie that this server did not sign (of another server at the same host name, or from before its keys
    were made anew) is replaced when a page is asked for, so that its forms work.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check an act's token; give a page's answer a token."""
        if scope["type"] == ScopeType.HTTP:
            request: Request[Any, Any, Any] = Request(scope, receive=receive)
            held = request.cookies.get(self.config.cookie_name)
            if held is not None and self._decode_csrf_token(held) is None:
                del request.cookies[self.config.cookie_name]
        await super().__call__(scope, receive, send)

    def _decode_csrf_token(self, token: Any) -> str | None:
        return super()._decode_csrf_token(token) if isinstance(token, str) and token.isascii() else None
