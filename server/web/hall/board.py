"""The live board: one watch per slot and process, shared by its sockets; each socket sends at its own
pace.
"""

import asyncio
import contextlib
import logging
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from sqlalchemy.exc import SQLAlchemyError

from server.accounts.roles import Role
from server.accounts.service import Login, login_of
from server.clock import Clock
from server.db.signals import Signals
from server.errors import GongyuanError
from server.protocol.board import Change, Ended, Snapshot, Tick, ToBoard, change, decode_watch, encode
from server.web.guards import requires, same_origin
from server.web.hall.scope import for_reader
from server.web.hall.snapshot import snapshot
from server.web.site import Site

LOOK_AGAIN_S = 1.0
"""The board looks again this often in real seconds even without a signal: a lost one delays, never
changes.
"""
LEAST_GAP_S = 0.25
REST = 4.0
"""After a look the board rests this many times as long as it took: a hall of any size leaves room for
answers.
"""
TICK_S = 2.0
LOGIN_AGAIN_S = 10.0
"""Monotonic seconds after which an open board asks again whether its login still stands."""
SEND_TIMEOUT_S = 10.0
WATCH_TIMEOUT_S = 10.0
REMEMBERED = 600
VIEWERS = (
    Role.CHIEF,
    Role.DEPUTY,
    Role.INVIGILATOR,
    Role.EXAM_OFFICE,
    Role.TECHNICIAN,
    Role.QUALITY,
    Role.SUPERVISOR,
)

_log = logging.getLogger("gongyuan.board")

Look = Callable[[str], Awaitable[Snapshot]]


class SlotWatch:
    """What one slot's board shows, its newest changes, and who waits for more."""

    def __init__(self, slot: str, first: Snapshot) -> None:
        self.slot = slot
        self.epoch = str(uuid.uuid4())
        self.snapshot = msgspec.structs.replace(first, epoch=self.epoch, id=0)
        self.changes: deque[Change] = deque(maxlen=REMEMBERED)
        self.watchers = 0
        self.news = asyncio.Event()
        self.due = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def take(self, fresh: Snapshot) -> None:
        """Number what is different in a fresh look and wake the sockets; nothing when nothing shown
        differs.
        """
        found = change(self.snapshot, msgspec.structs.replace(fresh, epoch=self.epoch, id=self.snapshot.id))
        if found is None:
            return
        self.snapshot = msgspec.structs.replace(fresh, epoch=self.epoch, id=found.id)
        self.changes.append(found)
        news, self.news = self.news, asyncio.Event()
        news.set()

    def since(self, epoch: str | None, last: int | None) -> tuple[ToBoard, ...]:
        """Return what a board that has applied change `last` of `epoch` needs: the changes after it, or a
        snapshot.
        """
        if epoch == self.epoch and last is not None and last <= self.snapshot.id:
            missing = tuple(found for found in self.changes if found.id > last)
            if len(missing) == self.snapshot.id - last:
                return missing
        return (self.snapshot,)


class Boards:
    """All boards of one process. A slot is looked at only while somebody watches it."""

    def __init__(self, look: Look, signals: Signals | None, monotonic: Callable[[], float]) -> None:
        self._look = look
        self._monotonic = monotonic
        self._watches: dict[str, SlotWatch] = {}
        self._opening = asyncio.Lock()
        if signals is not None:
            signals.subscribe(lambda _topic, _key: self.stir())

    @property
    def watched(self) -> tuple[str, ...]:
        """The slots that somebody watches."""
        return tuple(sorted(self._watches))

    def stir(self) -> None:
        """Something changed: every watched slot looks again."""
        for watch in self._watches.values():
            watch.due.set()

    @contextlib.asynccontextmanager
    async def watching(self, slot: str) -> AsyncIterator[SlotWatch]:
        """Give the slot's watch; it is started for the first watcher and ended with the last."""
        async with self._opening:
            watch = self._watches.get(slot)
            if watch is None:
                watch = SlotWatch(slot, await self._look(slot))
                self._watches[slot] = watch
                watch.task = asyncio.create_task(self._go(watch))
            watch.watchers += 1
        try:
            yield watch
        finally:
            watch.watchers -= 1
            if watch.watchers == 0:
                del self._watches[slot]
                if watch.task is not None:
                    watch.task.cancel()

    async def _go(self, watch: SlotWatch) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await watch.due.wait()
            watch.due.clear()
            began = self._monotonic()
            try:
                watch.take(await self._look(watch.slot))
            except (GongyuanError, SQLAlchemyError):
                _log.warning("the board of slot %s could not look", watch.slot, exc_info=True)
            await asyncio.sleep(max(LEAST_GAP_S, REST * (self._monotonic() - began)))


async def serve(
    receive: Callable[[], Awaitable[bytes | str]],
    send: Callable[[bytes], Awaitable[None]],
    boards: Boards,
    clock: Clock,
    reader: Login | None = None,
) -> None:
    """Serve one board until its socket closes: answer its `watch`, then changes as they come and a tick
    at least every 2 real seconds. A reader is told what he may read (`scope.for_reader`), none everything.
    A board that falls too far behind gets a new snapshot; one that does
    not read for 10 s is dropped (TimeoutError).
    """

    async def tell(message: ToBoard) -> None:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await send(encode(message if reader is None else for_reader(reader, message)))

    async with asyncio.timeout(WATCH_TIMEOUT_S):
        data = await receive()
    try:
        wanted = decode_watch(data)
    except msgspec.DecodeError:
        await tell(Ended(code="bad-input"))
        return
    async with contextlib.AsyncExitStack() as stack:
        try:
            watch = await stack.enter_async_context(boards.watching(wanted.slot))
        except GongyuanError as error:
            await tell(Ended(code=error.code))
            return
        epoch, last = wanted.epoch, wanted.since
        while True:
            news = watch.news
            for message in watch.since(epoch, last):
                await tell(message)
            epoch, last = watch.epoch, watch.snapshot.id
            await tell(Tick(id=last, now=clock.legal(), rate=clock.rate()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await news.wait()


def boards_of(socket: WebSocket) -> Boards:  # type: ignore[type-arg]
    """Return the boards of this process, made at the first watch."""
    state = socket.app.state
    if "boards" not in state:
        site: Site = state.site

        async def look(slot: str) -> Snapshot:
            return await snapshot(site, slot)

        state.boards = Boards(look, site.signals, site.clock.monotonic)
    found: Boards = state.boards
    return found


class _LoginEnded(Exception):
    """Who watches has signed out, changed the password or been closed out."""


@websocket("/ws/hall", guards=[same_origin, requires(*VIEWERS)])
async def hall_socket(socket: WebSocket) -> None:  # type: ignore[type-arg]
    """The invigilator board's socket; see `protocol/board`."""
    site: Site = socket.app.state.site
    await socket.accept()
    serving = asyncio.current_task()
    listening: asyncio.Task[None] | None = None

    async def listen() -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await socket.receive_text()
        if serving is not None:
            serving.cancel()

    async def first() -> str:
        nonlocal listening
        text = await socket.receive_text()
        listening = asyncio.create_task(listen())
        return text

    checked = site.clock.monotonic()

    async def send(data: bytes) -> None:
        nonlocal checked
        now = site.clock.monotonic()
        if now - checked >= LOGIN_AGAIN_S:
            checked = now
            async with site.db.reading() as session:
                if await login_of(session, str(socket.auth), now) is None:
                    raise _LoginEnded
        await socket.send_text(data.decode())

    try:
        await serve(first, send, boards_of(socket), site.clock, socket.user)
    except (WebSocketDisconnect, TimeoutError, _LoginEnded):
        pass
    except asyncio.CancelledError:
        if listening is None or not listening.done():
            raise
    finally:
        if listening is not None:
            listening.cancel()
    with contextlib.suppress(Exception):
        await socket.close()


ROUTES = [hall_socket]
