"""The candidate's websocket: takes frames to the hall and brings its frames back; decides nothing.

Frames go out in the turn of whoever queued them, as far as the kiosk takes them without waiting; only for a kiosk
that does not, a task carries on, within a time limit. So thousands of quiet kiosks cost no second task, queue or
timer each, and one that never reads is cut off and holds nobody up.
"""

import asyncio
import contextlib
import types
from collections.abc import Callable, Coroutine, Generator, Sequence
from functools import partial
from typing import Any

from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.types import Send

from server.delivery.lines import Line
from server.delivery.runtime import Hall
from server.protocol.ids import SUBPROTOCOL
from server.protocol.link import CLOSE_SLOW, SEND_WITHIN_S
from server.web.guards import of_this_centre
from server.web.site import Site
from server.web.whole_frames import EXTENSION

Write = Callable[[Sequence[bytes]], bool]


@websocket("/ws/candidate", guards=[of_this_centre])
async def candidate_socket(socket: WebSocket[Any, Any, Any], site: NamedDependency[Site]) -> None:
    """Serve one kiosk until either side closes."""
    await serve(socket, site.hall)


async def serve(socket: WebSocket[Any, Any, Any], hall: Hall) -> None:
    """Carry frames between one accepted socket and the hall."""
    offered = socket.scope.get("subprotocols") or []
    await socket.accept(subprotocols=SUBPROTOCOL if SUBPROTOCOL in offered else None)
    line = hall.attach()
    extensions: dict[str, Any] = socket.scope.get("extensions") or {}
    short_ways = extensions.get(EXTENSION, {})
    write, offer_to = short_ways.get("write"), short_ways.get("take", _nobody)
    outlet = _Outlet(socket.send, write, line)
    receive = socket.receive
    offer_to(partial(hall.take, line))
    try:
        while True:
            event = await receive()
            if event["type"] != "websocket.receive":
                return
            if line.close_code is None:
                frame = event.get("text")
                await hall.receive(line, event.get("bytes") or b"" if frame is None else frame)
    except asyncio.CancelledError:
        if not outlet.cut:
            raise
    finally:
        offer_to(None)
        hall.detach(line)
        outlet.end()


class _Outlet:
    """Sends what stands in a line's queue; made by the task that serves the socket."""

    __slots__ = ("_done", "_line", "_send", "_server", "_task", "_timer", "_write", "cut")

    def __init__(self, send: Send, write: Write | None, line: Line) -> None:
        self._send = send
        self._write = write
        self._line = line
        self._server = asyncio.current_task()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._done = False
        self.cut = False
        """The kiosk did not read and was cut off: the serving task is cancelled for that reason."""
        line.stir = self._stir
        self._stir()

    def _stir(self) -> None:
        if self._task is not None:
            if self._line.close_code == CLOSE_SLOW:
                self._cut()
            return
        frames = self._line.frames
        if self._write is not None and not self._done and frames and self._at_once(self._write):
            return
        while frames and not self._done:
            step = self._next(frames.popleft())
            try:
                waits_for = step.send(None)
            except StopIteration:
                continue
            except Exception:
                # The peer is gone; the receiver sees it too, and the kiosk sends again what was not acknowledged.
                self._done = True
                return
            self._task = asyncio.create_task(self._go_on(step, waits_for))
            self._timer = asyncio.get_running_loop().call_later(SEND_WITHIN_S, self._cut)
            return

    def _at_once(self, write: Write) -> bool:
        """Write what is queued past ASGI's layers; tell whether nothing is left."""
        frames = self._line.frames
        whole = [frame for frame in frames if frame is not None]
        if whole and write(whole):
            for _ in whole:
                frames.popleft()
        return not frames

    def _next(self, frame: bytes | None) -> Coroutine[Any, Any, None]:
        if frame is not None:
            return self._send({"type": "websocket.send", "bytes": None, "text": frame.decode()})  # type: ignore[return-value]
        self._done = True
        code = self._line.close_code or 1000
        return self._send({"type": "websocket.close", "code": code, "reason": ""})  # type: ignore[return-value]

    async def _go_on(self, step: Coroutine[Any, Any, None], waits_for: Any) -> None:
        try:
            await _resumed(step, waits_for)
        except Exception:
            self._done = True
        self._rest()
        self._stir()

    def _rest(self) -> None:
        self._task = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut(self) -> None:
        self._line.close(CLOSE_SLOW, at_once=True)
        if self.cut or self._server is None:
            return
        self.cut = True
        self.end()
        # Without waiting: what the kiosk does not read it does not read behind a close either.
        step = self._next(None)
        with contextlib.suppress(Exception, StopIteration):
            step.send(None)
            step.close()
        self._server.cancel()

    def end(self) -> None:
        """Send nothing more."""
        self._done = True
        self._line.stir = _nothing
        if self._task is not None:
            self._task.cancel()
        self._rest()


@types.coroutine
def _resumed(step: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Carry a coroutine on inside a task, from the future at which it stopped."""
    advance: Callable[[], Any]
    while True:
        try:
            came = yield waits_for
        except BaseException as error:
            advance = partial(step.throw, error)
        else:
            advance = partial(step.send, came)
        try:
            waits_for = advance()
        except StopIteration:
            return


def _nothing() -> None:
    return None


def _nobody(_taker: object) -> None:
    return None
