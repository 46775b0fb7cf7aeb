"""One headless kiosk: the socket and the timers around a brain; it reconnects by itself until it is
stopped.
"""

import asyncio
import contextlib
import random
import ssl
from collections.abc import Callable

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from kiosk.brain import Brain, Challenged, Dropped, Event, Outdated, PaperReady, Saved
from kiosk.clock import monotonic
from kiosk.notebook import Notebook
from kiosk.vault import SeatKey, open_paper
from server.errors import BadInput, GongyuanError, Unavailable
from server.protocol import exam
from server.protocol.codec import MOST_TO_KIOSK
from server.protocol.ids import SUBPROTOCOL
from server.protocol.link import (
    CLOSE_NOT_PROVED,
    CLOSE_OTHER_SOCKET,
    SILENT_AFTER_S,
    STABLE_AFTER_S,
    reconnect_wait,
)
from server.protocol.paper import Paper

_TICK_S = 0.25


async def enrol(client: httpx.AsyncClient, server: str, code: str, key: SeatKey) -> dict[str, str]:
    """Enrol a machine's key with its one-time code; return seat, room, number, centre and fingerprint.

    BadInput with the centre's code when it refuses, Unavailable when it cannot be reached.
    """
    body = {"code": code, "public_key": key.public.hex(), "kind": "headless"}
    try:
        answer = await client.post(f"{http_address(server)}/api/seats/enrol", json=body)
    except httpx.HTTPError as error:
        raise Unavailable("server-unreachable", server=server, reason=str(error)) from error
    if answer.status_code != 201:
        told = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        raise BadInput(str(told.get("type", "enrolment-failed")), status=answer.status_code)
    enrolled: dict[str, str] = answer.json()
    return enrolled


def http_address(server: str) -> str:
    """Return the https (or http) address of a server named by wss, ws, https or http."""
    scheme, _, rest = server.partition(",")[0].rstrip("/").partition("://")
    return f"{'http' if scheme in ('http', 'ws') else 'https'}://{rest}"


def socket_address(server: str) -> str:
    """Return the address of the candidate's websocket of a server."""
    scheme, _, rest = server.rstrip("/").partition("://")
    return f"{'ws' if scheme in ('http', 'ws') else 'wss'}://{rest}/ws/candidate"


class Agent:
    """A seat on the line. `on_event` hears what the brain tells; `wake` makes it send at once."""

    def __init__(
        self,
        server: str,
        tls: ssl.SSLContext | None,
        seat: str,
        key: SeatKey,
        on_event: Callable[[Event], None],
        rng: random.Random,
        notebook: Notebook | None = None,
    ) -> None:
        """`server` may name several addresses, separated by commas: a centre and its standby. `notebook` is the
        local journal on this machine's disk; None keeps none."""
        self._notebook = notebook
        self.brain = Brain(seat) if notebook is None else Brain(seat, keep=notebook.keep)
        for journal in () if notebook is None else notebook.left():
            self.brain.offer(journal)
        self.paper: Paper | None = None
        self.online = False
        self._addresses = [socket_address(one) for one in server.split(",")]
        self._at = 0
        """Which address is tried; the next one after a line that was lost or refused."""
        self._tls = tls
        self._key = key
        self._on_event = on_event
        self._rng = rng
        self._stopping = False
        self._held_back = asyncio.Event()
        self._held_back.set()
        self._wake = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._heard_at = 0.0
        self._silent_after_s = SILENT_AFTER_S

    async def run(self) -> None:
        """Keep a line to the centre until `stop`; GongyuanError when the seat is not enrolled any more."""
        failures = 0
        while not self._stopping:
            await self._held_back.wait()
            since = monotonic()
            code = None
            try:
                async with connect(
                    self._addresses[self._at],
                    ssl=self._tls,
                    subprotocols=[Subprotocol(SUBPROTOCOL)],
                    compression=None,
                    max_size=MOST_TO_KIOSK,
                    ping_interval=None,
                    open_timeout=20,
                    close_timeout=1,
                ) as socket:
                    code = await self._talk(socket)
            except (OSError, InvalidHandshake, TimeoutError, ConnectionClosed):
                pass
            finally:
                self.online = False
                self._socket = None
                self._at = (self._at + 1) % len(self._addresses)
                self.brain.line_lost()
            if code == CLOSE_NOT_PROVED:
                raise BadInput("seat-not-proved", seat=self.brain.seat)
            if code == CLOSE_OTHER_SOCKET:
                return
            failures = 0 if monotonic() - since > STABLE_AFTER_S else failures + 1
            if not self._stopping:
                await asyncio.sleep(reconnect_wait(failures - 1 if failures else 0, self._rng.random()))

    def wake(self) -> None:
        """Something is to be sent."""
        self._wake.set()

    async def stop(self) -> None:
        """Close the line for good."""
        self._stopping = True
        self._held_back.set()
        await self._hang_up()

    async def lose_line(self) -> None:
        """Drop the line and stay off it until `find_line`."""
        self._held_back.clear()
        await self._hang_up()

    def find_line(self) -> None:
        """Come back on the line."""
        self._held_back.set()

    async def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.transport.abort()

    async def _talk(self, socket: ClientConnection) -> int | None:
        self._socket = socket
        self._heard_at = monotonic()
        sender = asyncio.create_task(self._send(socket))
        try:
            async for frame in socket:
                self._heard_at = monotonic()
                for event in self.brain.receive(frame, self._heard_at):
                    self._take(event)
                self._wake.set()
        except ConnectionClosed:
            pass
        finally:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await sender
        return socket.close_code

    def _take(self, event: Event) -> None:
        match event:
            case Challenged():
                self.brain.prove(self._key.prove(event.nonce, self.brain.seat))
                self.online = True
            case PaperReady():
                try:
                    self.paper = open_paper(event.sealed, event.key)
                except GongyuanError as error:
                    self.brain.call("machine", str(error))
                else:
                    self.brain.opened(len(self.paper.items), monotonic())
            case Outdated():
                if self._socket is not None:
                    self._socket.transport.abort()
            case Saved():
                self._settle(event.answer, event.acknowledged)
            case Dropped():
                self._settle(event.answer, None)
            case exam.JournalKept():
                if self._notebook is not None and not self.brain.offers(event.sitting, event.lease):
                    self._notebook.settle(event.sitting, event.lease, 0)
        self._on_event(event)

    def _settle(self, answer: exam.Answer, told: exam.Acknowledged | None) -> None:
        if self._notebook is not None and self.brain.seated is not None:
            self._notebook.settle(self.brain.seated.sitting, answer.lease, answer.seq, told)

    async def _send(self, socket: ClientConnection) -> None:
        while True:
            self._wake.clear()
            now = monotonic()
            if now - self._heard_at > self._silent_after_s:
                socket.transport.abort()
                return
            for frame in self.brain.data_to_send(now):
                await socket.send(frame, text=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _TICK_S)
