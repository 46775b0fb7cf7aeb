"""Reads for many at once: one thread, one connection, statements of the driver's own form.

A session on an asynchronous engine costs the event loop more than what it reads is worth when a hall comes in: a
dozen trips to the database's thread, and the expression language. Here one trip runs a whole batch. Statements go
past SQLAlchemy; rows come back as lists, and on SQLite all rows of a statement as one, because its driver gives up
the interpreter's lock at every row it steps to and a busy event loop hands it back late.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Engine

from server.db.engine import Database

Read = TypeVar("Read")

_rows: msgspec.json.Decoder[list[list[Any]]] = msgspec.json.Decoder(list[list[Any]])


@dataclass(frozen=True, slots=True)
class Listing:
    """A read of rows by a list of keys.

    `columns` are expressions; those named in `blobs` are bytes and those in `moments` times (aware UTC as read).
    `tail` is the statement behind the columns, with `{keys}` once, where the list of keys stands behind `in`.
    """

    columns: tuple[str, ...]
    tail: str
    blobs: frozenset[str] = frozenset()
    moments: frozenset[str] = frozenset()

    def read(self, connection: Connection, keys: Sequence[str]) -> list[list[Any]]:
        """Return the rows; none are asked for without keys."""
        if not keys:
            return []
        cursor = connection.connection.cursor()
        try:
            if connection.dialect.name == "sqlite":
                parts = [f"hex({one})" if one in self.blobs else one for one in self.columns]
                tail = self.tail.format(keys="(select value from json_each(?))")
                told = f"select json_group_array(json_array({', '.join(parts)})) {tail}"
                cursor.execute(told, (msgspec.json.encode(keys).decode(),))
                (rows,) = cursor.fetchone() or ("[]",)
                return self._converted(_rows.decode(rows))
            tail = self.tail.format(keys="(select unnest(%s::text[]))")
            cursor.execute(f"select {', '.join(self.columns)} {tail}", (list(keys),))
            return [list(row) for row in cursor.fetchall()]
        finally:
            cursor.close()

    def _converted(self, rows: list[list[Any]]) -> list[list[Any]]:
        blobs = [at for at, one in enumerate(self.columns) if one in self.blobs]
        moments = [at for at, one in enumerate(self.columns) if one in self.moments]
        for row in rows:
            for at in blobs:
                row[at] = bytes.fromhex(row[at])
            for at in moments:
                if row[at] is not None:
                    row[at] = datetime.fromisoformat(row[at]).replace(tzinfo=UTC)
        return rows


class Reader:
    """The reading thread of one process; its connection is opened at the first read."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._engine: Engine | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")

    async def read(self, work: Callable[[Connection], Read]) -> Read:
        """Run `work` in one transaction of its own, whose writes would not be kept; errors are the driver's own."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def _run(self, work: Callable[[Connection], Read]) -> Read:
        if self._engine is None:
            self._engine = self._db.reading_engine()
        with self._engine.connect() as connection:
            if self._db.is_sqlite:
                # Begun by hand: the expression language's begin costs more than most batches.
                connection.connection.cursor().execute("begin")
            return work(connection)

    async def close(self) -> None:
        """Close the connection and end the thread; what is asked for before is answered."""
        await asyncio.to_thread(self._thread.shutdown)
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
