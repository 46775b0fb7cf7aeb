"""Engines and sessions: SQLite (WAL, synchronous FULL) or PostgreSQL behind one door."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from server.errors import Unavailable

BUSY_TIMEOUT_MS = 10_000
SHIPPING_MARKER = "shipping"
"""A file of this name beside the database: its log goes to a standby, and who ships it alone folds it."""
CHECKPOINT_PAGES = 16_000
"""Pages in SQLite's log from which whoever commits folds it into the database file."""
WRITER_CHECKPOINT_PAGES = 256_000
"""The same for all of a centre's serving process, which leaves it to `db/checkpoint`: a quarter of a gigabyte, in case
that fails."""
PAGE_BYTES = 1_024
"""Of a new SQLite file. An answer changes three or four scattered pages, and its commit writes each of them whole: a
fourth of SQLite's usual page is a fourth of what the disk, the log and a standby have to take."""
LEAST_SQLITE = (3, 35, 0)  # RETURNING and UPSERT as used by the stores


def _on_connect(
    connection: Any, _record: Any, shipping: Path | None = None, pages: int = CHECKPOINT_PAGES
) -> None:
    connection.isolation_level = None  # SQLAlchemy emits BEGIN itself, see _on_begin
    cursor = connection.cursor()
    for pragma in (
        f"page_size={PAGE_BYTES}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"wal_autocheckpoint={0 if shipping is not None and shipping.exists() else pages}",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get("begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


def _prepare_sqlite(engine: Engine, pages: int = CHECKPOINT_PAGES) -> None:
    named = engine.url.database
    shipping = None if named in (None, "", ":memory:") else Path(named).with_name(SHIPPING_MARKER)
    event.listen(engine, "connect", partial(_on_connect, shipping=shipping, pages=pages))
    event.listen(engine, "begin", _on_begin)


def run(connection: Connection, statement: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """Run a statement of the driver's own form inside the connection's transaction, past SQLAlchemy, and return
    its first row, or None. `?` stands for the driver's placeholder. Errors are the driver's own.

    For what is done some thousand times a second: SQLAlchemy's part is six times the statement's.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement if is_sqlite else statement.replace("?", "%s"), values)
        row: tuple[Any, ...] | None = cursor.fetchone() if cursor.description else None
        return row
    finally:
        cursor.close()


class Database:
    """One database of one server process.

    `reading()` gives a session for reads; `writing()` one whose transaction takes the write lock at its start
    (BEGIN IMMEDIATE on SQLite), commits at a clean exit and rolls back at an exception.
    """

    def __init__(self, url: str, *, checkpoint_pages: int = CHECKPOINT_PAGES) -> None:
        """On SQLite a commit of `reading()` or `writing()` folds the log from so many pages on."""
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if sqlite3.sqlite_version_info < LEAST_SQLITE:
                raise Unavailable("sqlite-too-old", version=sqlite3.sqlite_version)
            self._async_url = self.url.set(drivername="sqlite+aiosqlite")
            self._sync_url = self.url.set(drivername="sqlite")
        else:
            self._async_url = self._sync_url = self.url.set(drivername="postgresql+psycopg")
        # A connection past the pool's size is opened and closed for one use, which costs more than the use.
        pool = {} if self.url.database in (None, "", ":memory:") else {"pool_size": 15, "max_overflow": 5}
        self.engine: AsyncEngine = create_async_engine(self._async_url, **pool)
        if self.is_sqlite:
            _prepare_sqlite(self.engine.sync_engine, checkpoint_pages)
        self._read = async_sessionmaker(self.engine, expire_on_commit=False)
        writing = self.engine.execution_options(begin="IMMEDIATE") if self.is_sqlite else self.engine
        self._write = async_sessionmaker(writing, expire_on_commit=False)
        self._one_writer = asyncio.Lock()

    def sync_engine(self, *, checkpoint_pages: int = CHECKPOINT_PAGES) -> Engine:
        """Make a synchronous engine of its own: for the answer writer's thread, children and migrations.

        On SQLite a commit folds the log from so many pages on.
        """
        engine = create_engine(self._sync_url)
        if self.is_sqlite:
            _prepare_sqlite(engine, checkpoint_pages)
            return engine.execution_options(begin="IMMEDIATE")
        return engine

    def reading_engine(self) -> Engine:
        """Make a synchronous engine with one connection for the reading thread (`db/reader.py`)."""
        if not self.is_sqlite:
            return create_engine(self._sync_url, pool_size=1, max_overflow=0, pool_pre_ping=True)
        engine = create_engine(self._sync_url)
        _prepare_sqlite(engine)
        return engine

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a synchronous connection that only reads, for those who compare what several statements find: all of
        them see the database as it stood at the first, whatever is committed meanwhile, and nobody waits for them."""
        engine = create_engine(self._sync_url)
        if self.is_sqlite:
            _prepare_sqlite(engine)
        else:
            engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Give a session for reads; nothing written in it is kept."""
        async with self._read() as session:
            yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """Give a session for one short transaction (under 20 ms on SQLite); commit at a clean exit."""
        if not self.is_sqlite:
            async with self._write() as session, session.begin():
                yield session
            return
        async with self._one_writer, self._write() as session, session.begin():
            yield session

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
