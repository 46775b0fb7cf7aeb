"""The candidate's websocket: takes frames to the hall and brings its frames back; decides nothing.

One task a socket sends from the line's bounded queue, each frame within a time limit, so that a kiosk that
does not read is cut off and holds nobody up.
"""

import asyncio
import contextlib
import logging
from typing import Any

from litestar import WebSocket, websocket
from litestar.di import NamedDependency

from server.delivery.lines import Line
from server.delivery.runtime import Hall
from server.protocol.ids import SUBPROTOCOL
from server.protocol.link import CLOSE_SLOW, SEND_WITHIN_S
from server.web.site import Site

log = logging.getLogger(__name__)


@websocket("/ws/candidate")
async def candidate_socket(socket: WebSocket[Any, Any, Any], site: NamedDependency[Site]) -> None:
    """Serve one kiosk until either side closes."""
    await serve(socket, site.hall)


async def serve(socket: WebSocket[Any, Any, Any], hall: Hall) -> None:
    """Carry frames between one accepted socket and the hall."""
    offered = socket.scope.get("subprotocols") or []
    await socket.accept(subprotocols=SUBPROTOCOL if SUBPROTOCOL in offered else None)
    line = hall.attach()
    receiver = asyncio.create_task(_receive(socket, hall, line))
    sender = asyncio.create_task(_send(socket, line))
    try:
        await asyncio.wait({receiver, sender}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hall.detach(line)
        for task in (receiver, sender):
            task.cancel()
        for result in await asyncio.gather(receiver, sender, return_exceptions=True):
            if isinstance(result, Exception):
                log.error("a kiosk's socket ended with an error", exc_info=result)


async def _receive(socket: WebSocket[Any, Any, Any], hall: Hall, line: Line) -> None:
    while True:
        event = await socket.receive()
        if event["type"] != "websocket.receive":
            return
        frame = event.get("text")
        await hall.receive(line, event.get("bytes") or b"" if frame is None else frame)
        if line.close_code is not None:
            # The sender closes after what is queued; nothing more is read from this kiosk.
            await asyncio.sleep(SEND_WITHIN_S)
            return


async def _send(socket: WebSocket[Any, Any, Any], line: Line) -> None:
    while True:
        frame = await line.frames.get()
        try:
            if frame is None:
                await asyncio.wait_for(socket.close(line.close_code or 1000), SEND_WITHIN_S)
                return
            await asyncio.wait_for(socket.send_data(frame, mode="text", encoding="utf-8"), SEND_WITHIN_S)
        except TimeoutError:
            line.close(CLOSE_SLOW, at_once=True)
            with contextlib.suppress(Exception):
                await asyncio.wait_for(socket.close(CLOSE_SLOW), 1.0)
            return
        except Exception:
            # The peer is gone; the receiver sees it too, and the kiosk sends again what was not acknowledged.
            return
