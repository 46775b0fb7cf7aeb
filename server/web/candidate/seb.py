"""The door for seats in Safe Exam Browser: every HTTP request of theirs proves the browser's settings.

A seat enrolled in that browser holds a cookie that names it; a request with the cookie is answered only with the
right headers. Who throws the cookie away gains nothing: the seat's websocket opens only with a token that such a
request was given.
"""

import hmac
from collections.abc import Mapping
from typing import Any

from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.signals import Signals
from server.delivery.seb_keys import SEB_KEYS, SebKeys, seb_keys, socket_token
from server.errors import NotPermitted
from server.keys.identity import Identity
from server.protocol.seb import BROWSER_KEY_HEADER, CONFIG_KEY_HEADER, sent_for

LINE_EVERY_S = 300.0
"""Monotonic seconds between two journal lines about refusals at one seat."""
LOOK_AGAIN_S = 60.0
"""Monotonic seconds after which the keys are read again, should a signal be lost."""


class SebDoor:
    """The checks, and what they need of a centre; one in each process that serves seats."""

    def __init__(
        self, db: Database, journal: Journal, clock: Clock, identity: Identity, signals: Signals, tag: str
    ) -> None:
        self.cookie_name = f"gongyuan-seat-{tag}"
        self._db = db
        self._journal = journal
        self._clock = clock
        self._identity = identity
        self._secret = bytes.fromhex(identity.secret_for("seb-cookie"))
        self._keys: SebKeys | None = None
        self._told = 0
        """How often the keys were said to have changed: what was read before the last time is not remembered."""
        self._read_at = 0.0
        self._lines: dict[str, float] = {}
        signals.subscribe(self._on_signal)

    def cookie(self, seat: str) -> str:
        """Return the value of a seat's cookie."""
        return f"{seat}.{hmac.digest(self._secret, seat.encode(), 'sha256').hex()}"

    def seat_of(self, cookie: str | None) -> str | None:
        """Return the seat that a cookie of this centre names, or None."""
        seat = (cookie or "").rpartition(".")[0]
        right = seat and hmac.compare_digest(self.cookie(seat).encode(), (cookie or "").encode())
        return seat if right else None

    def token(self, seat: str, nonce: bytes) -> str:
        """Return the token of a seat's socket with this challenge."""
        return socket_token(self._identity, seat, nonce)

    async def require(self, scope: Scope, seat: str, *, claimed: bool) -> None:
        """NotPermitted `seb-keys-none`, `seb-header-missing`, `seb-config-other` or `seb-browser-other`.

        The refusal stands in the journal: at most once in five minutes a seat, and once for all seats that are only
        `claimed`, so that nobody fills the journal with made-up names.
        """
        keys = await self._current()
        headers = Request[Any, Any, Any](scope).headers
        code = _fault(address(scope), headers, keys)
        if code is not None:
            await self._note(
                "" if claimed else seat, {"seat": seat, "reason": code, "path": scope["path"][:200]}
            )
            raise NotPermitted(code)

    async def _current(self) -> SebKeys:
        now = self._clock.monotonic()
        if self._keys is None or now - self._read_at > LOOK_AGAIN_S:
            self._read_at, told = now, self._told
            async with self._db.reading() as session:
                keys = await seb_keys(session)
            if told == self._told:
                self._keys = keys
            return keys
        return self._keys

    def _on_signal(self, topic: str, _key: str) -> None:
        if topic == SEB_KEYS:
            self._keys = None
            self._told += 1

    async def _note(self, source: str, facts: Mapping[str, str]) -> None:
        now = self._clock.monotonic()
        last = self._lines.get(source)
        if last is not None and now - last < LINE_EVERY_S:
            return
        self._lines[source] = now
        async with self._db.writing() as session:
            act = Act(session, self._journal, self._clock.legal(), "kiosk:seb")
            await act.record("delivery:seat:seb-refused", facts)


class SebMiddleware:
    """Ask every HTTP request that names a seat in Safe Exam Browser for that browser's headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or raise NotPermitted."""
        if scope["type"] == ScopeType.HTTP:
            door: SebDoor | None = scope["litestar_app"].state.site.seb_door
            if door is not None:
                cookies = Request[Any, Any, Any](scope).cookies
                seat = door.seat_of(cookies.get(door.cookie_name))
                if seat is not None:
                    await door.require(scope, seat, claimed=False)
        await self._app(scope, receive, send)


def address(scope: Scope) -> str:
    """Return the absolute address as the browser asked for it: its own Host, path and query, byte for byte."""
    headers = dict(scope["headers"])
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string", b"")
    asked = headers.get(b"host", b"") + path + (b"?" + query if query else b"")
    return f"{scope['scheme']}://{asked.decode('latin-1')}"


def _fault(asked: str, headers: Mapping[str, str], keys: SebKeys) -> str | None:
    if not keys.config:
        return "seb-keys-none"
    config = headers.get(CONFIG_KEY_HEADER, "")
    if not config:
        return "seb-header-missing"
    if not sent_for(config, asked, keys.config):
        return "seb-config-other"
    if keys.browser and not sent_for(headers.get(BROWSER_KEY_HEADER, ""), asked, keys.browser):
        return "seb-browser-other"
    return None
