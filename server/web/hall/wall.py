"""The camera wall: one websocket carries the proctoring feed and the newest pictures of what is on the screen."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from litestar import Request, Response, WebSocket, get, websocket
from litestar.exceptions import WebSocketDisconnect

from server.accounts.service import Login, login_of
from server.proctor import setups
from server.proctor.screen import Screen
from server.protocol.wall import (
    OnScreen,
    Seen,
    ToWall,
    WallCameras,
    WallEnded,
    WallEvents,
    WallStart,
    WallTick,
    WallWatch,
    decode_from_wall,
    encode,
    event_for,
    pack_picture,
    snapshot_for,
)
from server.web.candidate.page import shell
from server.web.catalogue import language_of, texts
from server.web.guards import requires, same_origin
from server.web.hall.board import VIEWERS
from server.web.hall.scope import leads, sees_people
from server.web.site import Site

TICK_S = 2.0
LOOK_S = 0.1
"""How often a wall looks for a newer picture, in real seconds; an acknowledgement wakes it at once."""
SEND_TIMEOUT_S = 10.0
WATCH_TIMEOUT_S = 10.0
LOGIN_AGAIN_S = 10.0
_TEXT_FILES = ("board", "cameras", "general", "hall", "proctor")


class Line(Protocol):
    """The socket as the wall's loop needs it."""

    async def receive(self) -> bytes | str:
        """The next message; WebSocketDisconnect when the line is gone."""

    async def send_text(self, data: str) -> None:
        """Send a text frame."""

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""


class _Ended(Exception):
    """Who watches has signed out, or sent what no wall sends."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class WallLine:
    """One wall: its screen, what it knows of the feed, and its two directions.

    `still_signed_in` is asked every 10 real seconds.
    """

    def __init__(
        self, site: Site, line: Line, login: Login, still_signed_in: Callable[[], Awaitable[bool]]
    ) -> None:
        self._site, self._line, self._login = site, line, login
        self._still_signed_in = still_signed_in
        self._room = None if leads(login) else login.scope
        self._screen = Screen()
        self._viewed: set[str] = set()
        self._cameras: frozenset[str] = frozenset()
        self._known = 0
        self._layouts = 0
        self._wake = asyncio.Event()

    async def serve(self) -> None:
        """Serves until the line closes; `_Ended` is told to the wall first."""
        async with asyncio.timeout(WATCH_TIMEOUT_S):
            first = self._decoded(await self._line.receive())
        if not isinstance(first, WallWatch):
            raise _Ended("bad-input")
        await self._start(first)
        listening = asyncio.create_task(self._listen())
        try:
            await self._send_on(listening)
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, _Ended):
                await listening

    async def _start(self, watch: WallWatch) -> None:
        feed = self._site.feed
        self._layouts = self._site.wall.layouts
        cameras = await self._outlines()
        events = feed.since(watch.since) if watch.epoch == feed.epoch and watch.since is not None else None
        self._known = feed.id
        if events is None:
            snapshot = snapshot_for(feed.snapshot(), self._room)
            await self._tell(WallStart(epoch=feed.epoch, snapshot=snapshot, cameras=cameras))
            return
        await self._tell(WallEvents(events=tuple(event_for(event, self._room) for event in events)))
        await self._tell(WallCameras(cameras=cameras))

    async def _outlines(self) -> tuple[Any, ...]:
        async with self._site.db.reading() as session:
            cameras = await setups.on_wall(session)
        mine = tuple(
            msgspec.structs.replace(one, pictures=sees_people(self._login, one.room))
            for one in cameras
            if self._room in (None, one.room)
        )
        self._cameras = frozenset(one.id for one in mine if one.pictures)
        return mine

    async def _listen(self) -> None:
        while True:
            message = self._decoded(await self._line.receive())
            match message:
                case OnScreen():
                    await self._show(message)
                case Seen():
                    self._screen.acknowledge()
                case WallWatch():
                    raise _Ended("bad-input")
            self._wake.set()

    async def _show(self, message: OnScreen) -> None:
        """Takes what is on the screen; every camera's first look on this line is journalled (who saw what)."""
        allowed = tuple(camera for camera in message.cameras if camera in self._cameras)
        unseen = sorted(set(allowed) - self._viewed)
        if unseen:
            async with self._site.acting(self._login) as act:
                await act.record("proctor:wall:viewed", {"cameras": unseen})
            self._viewed |= set(unseen)
        try:
            # Only now: while the journal is written, the other direction may send what is on the screen.
            self._screen.show(allowed, message.width)
        except ValueError as error:
            raise _Ended("bad-input") from error

    async def _send_on(self, listening: "asyncio.Task[None]") -> None:
        monotonic = self._site.clock.monotonic
        ticked = checked = monotonic()
        while not listening.done():
            now = monotonic()
            if now - checked >= LOGIN_AGAIN_S:
                checked = now
                if not await self._still_signed_in():
                    raise _Ended("not-signed-in")
            await self._send_news()
            if now - ticked >= TICK_S:
                ticked = now
                clock = self._site.clock
                await self._tell(WallTick(id=self._known, now=clock.legal(), rate=clock.rate()))
            if not await self._send_picture():
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._wake.wait()
        listening.result()

    async def _send_news(self) -> None:
        feed = self._site.feed
        if feed.id != self._known:
            events = feed.since(self._known)
            if events is None:
                await self._start(WallWatch())
                return
            self._known = feed.id
            await self._tell(WallEvents(events=tuple(event_for(event, self._room) for event in events)))
        if self._site.wall.layouts != self._layouts:
            self._layouts = self._site.wall.layouts
            await self._tell(WallCameras(cameras=await self._outlines()))

    async def _send_picture(self) -> bool:
        """Sends one picture if one is due."""
        seen = self._site.observations
        newest = {
            camera: picture.captured_at
            for camera in self._screen.cameras
            if (picture := seen.newest(camera)) is not None
        }
        now = self._site.clock.monotonic()
        camera = self._screen.next(newest, now)
        if camera is None:
            return False
        made = await self._site.wall.picture(camera, self._screen.width)
        if made is None:
            self._screen.sent(camera, newest[camera], now)
            self._screen.acknowledge()
            return True
        captured_at, jpeg = made
        self._screen.sent(camera, max(captured_at, newest[camera]), now)
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await self._line.send_bytes(pack_picture(camera, captured_at, jpeg))
        return True

    async def _tell(self, message: ToWall) -> None:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await self._line.send_text(encode(message).decode())

    @staticmethod
    def _decoded(data: bytes | str) -> OnScreen | Seen | WallWatch:
        try:
            return decode_from_wall(data)
        except msgspec.DecodeError as error:
            raise _Ended("bad-input") from error


class _Socket:
    """Litestar's socket as a `Line`."""

    def __init__(self, socket: WebSocket) -> None:  # type: ignore[type-arg]
        self._socket = socket

    async def receive(self) -> bytes | str:
        return await self._socket.receive_text()

    async def send_text(self, data: str) -> None:
        await self._socket.send_text(data)

    async def send_bytes(self, data: bytes) -> None:
        await self._socket.send_bytes(data)


@websocket("/ws/wall", guards=[same_origin, requires(*VIEWERS)])
async def wall_socket(socket: WebSocket) -> None:  # type: ignore[type-arg]
    """The camera wall's socket; see `protocol/wall`."""
    site: Site = socket.app.state.site
    login: Login = socket.user
    await socket.accept()

    async def still_signed_in() -> bool:
        async with site.db.reading() as session:
            return await login_of(session, str(socket.auth), site.clock.monotonic()) is not None

    try:
        await WallLine(site, _Socket(socket), login, still_signed_in).serve()
    except _Ended as ended:
        with contextlib.suppress(Exception):
            await socket.send_text(encode(WallEnded(code=ended.code)).decode())
    except (WebSocketDisconnect, TimeoutError):
        pass
    with contextlib.suppress(Exception):
        await socket.close()


@get("/hall/wall", guards=[requires(*VIEWERS)], sync_to_thread=False)
def wall_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Give the camera wall's shell."""
    return shell(request, "wall", "wall-title", theme="hall")


@get("/hall/cameras/texts", guards=[requires(*VIEWERS)], sync_to_thread=False)
def camera_texts(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Give the sentences of the camera pages."""
    return dict(texts(language_of(request), _TEXT_FILES))


ROUTES = [wall_socket, wall_page, camera_texts]
