"""Something changed: hints between the processes of one server, sent only after the change is committed.

A signal is a topic and a key (an id); who hears it reads the database. PostgreSQL carries it by NOTIFY inside
the transaction (one own LISTEN connection a process). On SQLite one process serves; other processes of the
same data folder (children, commands) reach it by a datagram to `<data>/signals.sock`. A lost signal may
delay, never change, what is shown: listeners also look again by themselves.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from server.db.engine import Database

CHANNEL = "gongyuan"
_SOCKET = "signals.sock"
_PENDING = "gongyuan-signals"

Listener = Callable[[str, str], None]

log = logging.getLogger(__name__)
_local: "WeakKeyDictionary[Any, Signals]" = WeakKeyDictionary()


class Signals:
    """The signals of one process. Listeners run on the event loop, must not block and must not raise."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._listeners: list[Listener] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None
        self._path = _socket_folder(db)

    async def start(self) -> None:
        """Begin to hear: bind the socket in the data folder, or LISTEN."""
        self._loop = asyncio.get_running_loop()
        _local[self._db.engine.sync_engine.pool] = self
        if self._db.is_sqlite:
            if self._path is not None:
                self._bind(self._path)
        else:
            connected = asyncio.Event()
            self._task = asyncio.create_task(self._listen(connected))
            await asyncio.wait_for(connected.wait(), 30)

    async def stop(self) -> None:
        """Stop hearing."""
        _local.pop(self._db.engine.sync_engine.pool, None)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._socket is not None:
            if self._loop is not None:
                self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            if self._path is not None:
                (self._path / _SOCKET).unlink(missing_ok=True)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener(topic, key)` for each signal; return the function that ends it."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def tell(self, topic: str, key: str) -> None:
        """Tell this process's own listeners; safe from any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._dispatch, topic, key)

    def _dispatch(self, topic: str, key: str) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(topic, key)
            except Exception:
                log.exception("a listener failed on %s %s", topic, key)

    def _bind(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            # A socket's address holds 107 bytes; the way through the open folder is always short enough.
            address = f"/proc/self/fd/{descriptor}/{_SOCKET}"
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.stat(address).st_mode):  # noqa: PTH116
                    os.unlink(address)  # noqa: PTH108
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._socket.bind(address)
            os.chmod(address, 0o600)  # noqa: PTH101
        finally:
            os.close(descriptor)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def _read(self) -> None:
        if self._socket is None:
            return
        with contextlib.suppress(BlockingIOError):
            while True:
                heard = _decoded(self._socket.recv(4096).decode("utf-8", "replace"))
                if heard is not None:
                    self._dispatch(*heard)

    async def _listen(self, connected: asyncio.Event) -> None:
        dsn = self._db.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    connected.set()
                    async for notification in connection.notifies():
                        heard = _decoded(notification.payload)
                        if heard is not None:
                            self._dispatch(*heard)
            except psycopg.Error as error:
                log.warning("the line for signals broke, trying again: %s", error)
            await asyncio.sleep(1.0)


async def announce(session: AsyncSession, topic: str, key: str) -> None:
    """Announce a change made in this session's transaction; heard after its commit, not at all after a
    rollback.
    """
    await session.run_sync(announce_sync, topic, key)


def announce_sync(session: Session, topic: str, key: str) -> None:
    """The same for a synchronous session."""
    bind = session.get_bind()
    if bind.dialect.name == "postgresql":
        session.execute(
            text("SELECT pg_notify(:channel, :payload)"),
            {"channel": CHANNEL, "payload": _encoded(topic, key)},
        )
        return
    pending: list[tuple[str, str]] | None = session.info.get(_PENDING)
    if pending is None:
        pending = session.info[_PENDING] = []
        event.listen(session, "after_commit", _flush)
        event.listen(session, "after_rollback", _forget)
    if (topic, key) not in pending:
        pending.append((topic, key))


def notify(connection: Connection, changes: Sequence[tuple[str, str]]) -> None:
    """Announce changes made in this connection's transaction to the processes of a PostgreSQL server, this one
    among them; nothing on SQLite, where the one process that writes answers tells itself after the commit.
    """
    if changes and connection.dialect.name == "postgresql":
        payloads = [_encoded(topic, key) for topic, key in changes]
        connection.exec_driver_sql(
            "select pg_notify(%s, told) from unnest(%s::text[]) as told", (CHANNEL, payloads)
        )


def _flush(session: Session) -> None:
    pending: list[tuple[str, str]] = session.info.get(_PENDING, [])
    told, pending[:] = tuple(pending), []
    bind = session.get_bind()
    here = _local.get(bind.engine.pool)
    for topic, key in told:
        if here is not None:
            here.tell(topic, key)
        else:
            _datagram(bind.engine.url.database, topic, key)


def _forget(session: Session) -> None:
    session.info.get(_PENDING, [])[:] = []


def _datagram(database: str | None, topic: str, key: str) -> None:
    if not database or database == ":memory:":
        return
    try:
        descriptor = os.open(Path(database).resolve().parent, os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)
            # No server is listening, or its queue is full: the change is on disk and will be read.
            with contextlib.suppress(OSError):
                line.sendto(_encoded(topic, key).encode(), f"/proc/self/fd/{descriptor}/{_SOCKET}")
    finally:
        os.close(descriptor)


def _socket_folder(db: Database) -> Path | None:
    name = db.url.database
    if not db.is_sqlite or not name or name == ":memory:":
        return None
    return Path(name).resolve().parent


def _encoded(topic: str, key: str) -> str:
    return json.dumps([topic, key], ensure_ascii=False)


def _decoded(payload: str) -> tuple[str, str] | None:
    try:
        topic, key = json.loads(payload)
    except (ValueError, TypeError):
        return None
    return (topic, key) if isinstance(topic, str) and isinstance(key, str) else None
