"""Errors as people and programs see them: problem+json (RFC 9457) for the API, a page for a browser."""

import logging
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.response import Redirect
from sqlalchemy.exc import DataError, DBAPIError

from server.errors import BadInput, GongyuanError, NotFound, NotPermitted, NotSignedIn, Refusal, Refused
from server.law.loader import article_title
from server.web.catalogue import Language, language_of, say
from server.web.pages import page

_log = logging.getLogger("gongyuan.web")
_MEANWHILE = {"23505", "40001", "40P01", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}
"""What a database answers the later of two who do the same at one moment: unique_violation, serialization_failure and
deadlock_detected of PostgreSQL, and SQLite's names of the first. A missing value or reference is a fault of ours."""


def _as_ours(error: Exception) -> GongyuanError | None:
    if isinstance(error, GongyuanError):
        return error
    if isinstance(error, NotAuthorizedException):
        return NotSignedIn("not-signed-in")
    if isinstance(error, PermissionDeniedException):
        return NotPermitted("csrf-failed" if "CSRF" in str(error.detail) else "not-permitted")
    if isinstance(error, msgspec.ValidationError):
        return BadInput("bad-input", reason=str(error))
    if isinstance(error, UnicodeDecodeError | RecursionError):
        # How the JSON reader meets bytes that are no UTF-8, and lists within lists without end.
        return BadInput("body-unreadable")
    if isinstance(error, DataError | OverflowError):
        _log.warning("a value that nothing can hold", exc_info=error)
        return BadInput("value-out-of-range")
    if isinstance(error, DBAPIError) and _meanwhile(error):
        _log.warning("two did the same at once", exc_info=error)
        return Refused(Refusal("changed-meanwhile"))
    if isinstance(error, HTTPException):
        if error.status_code == 404:
            return NotFound("not-found")
        if error.status_code == 405:
            return _with_status(405, "method-not-allowed")
        if error.status_code == 413:
            return _with_status(413, "body-too-large")
        if error.status_code < 500:
            reasons = [str(extra.get("message", extra)) for extra in _extras(error)] or [error.detail]
            return _with_status(error.status_code, "bad-input", "; ".join(reasons))
    return None


def _meanwhile(error: DBAPIError) -> bool:
    told = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return told in _MEANWHILE


def _extras(error: HTTPException) -> list[dict[str, Any]]:
    return (
        [extra for extra in error.extra if isinstance(extra, dict)] if isinstance(error.extra, list) else []
    )


def _with_status(status: int, code: str, reason: str = "") -> GongyuanError:
    problem = BadInput(code, reason=reason)
    problem.status = status
    return problem


def _article_title(language: Language, article: str | None) -> str | None:
    """Return how people call an article; what stands in its place where it is no article's id."""
    if article is None:
        return None
    try:
        name = article_title(article)
    except BadInput:
        return article
    return name.en if language == "en" else name.zh


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """Tell whether a person's browser asks for a page (and not a programme for JSON)."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Turn any exception of a handler into an answer in the user's language; unknown ones say nothing of the inside."""
    ours = _as_ours(error)
    if ours is None:
        _log.exception("unexpected error at %s", request.url.path, exc_info=error)
        ours = GongyuanError("internal-error")
    language = language_of(request)
    title = say(language, ours.code, ours.facts)
    named = _article_title(language, ours.article)
    if wants_page(request):
        if ours.status == 401:
            asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return Redirect(f"/login?next={quote(asked, safe='/')}")
        return page(
            request,
            "problem.html",
            status_code=ours.status,
            title=title,
            code=ours.code,
            article=named,
            status=ours.status,
        )
    body = {
        "type": ours.code,
        "title": title,
        "status": ours.status,
        "article": ours.article,
        "article_title": named,
        "facts": dict(ours.facts),
    }
    return Response(body, status_code=ours.status, media_type="application/problem+json")
