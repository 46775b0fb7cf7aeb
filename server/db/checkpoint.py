"""SQLite's log folded into the database file by a thread of its own, not by who commits.

A commit that also folds the log makes everybody in its batch wait for thousands of scattered pages. Here they are
written beside the commits (PASSIVE: it waits for nobody, and nobody waits for it); a few short passes then catch up
with what was committed meanwhile, until one finds the log whole and the next commit begins it anew. Where a standby
is configured its shipper folds the log, and this stands still.

How long the log is is not looked up in its index: to open and close that file beside SQLite ends SQLite's locks on
it (POSIX). The rows that were stored tell enough.
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from server.db.engine import SHIPPING_MARKER, Database

LOOK_S = 0.05
"""Seconds between two looks at how much was stored."""
ITEMS = 16_000
"""Items stored from which the log is folded: one to four pages each."""
LATEST_S = 30.0
"""Seconds after which fewer are folded too."""
PASSES = 8
"""Passes in a row at most: while commits follow one another closely the log may never be found whole."""

log = logging.getLogger(__name__)


class Checkpointer:
    """Folds the log of one process's SQLite file; on PostgreSQL, and in memory, it does nothing."""

    def __init__(self, db: Database, stored: Callable[[], int]) -> None:
        """`stored` returns how many items the process's writer has stored so far."""
        named = db.url.database if db.is_sqlite else None
        self._file = None if named in (None, "", ":memory:") else Path(str(named))
        self._stored = stored
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        if self._file is not None:
            self._thread = threading.Thread(
                target=self._run, args=(self._file,), name="checkpointer", daemon=True
            )
            self._thread.start()

    async def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _run(self, file: Path) -> None:
        shipping, seen, whole, looks = file.with_name(SHIPPING_MARKER), self._stored(), True, 0
        while not self._stopping.wait(LOOK_S):
            stored, looks = self._stored(), looks + 1
            least = ITEMS if whole and looks * LOOK_S < LATEST_S else 1
            if stored - seen < least or shipping.exists():
                continue
            seen, looks = stored, 0
            try:
                whole = fold(file)
            except sqlite3.Error as error:
                log.warning("the database's log was not folded: %s", error)


def fold(file: Path) -> bool:
    """Copy a database's log into it while others write; tell whether all of the log was in it at the end."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        # As the commits: the log is on disk before it is copied, the copy before the log begins anew.
        connection.execute("pragma synchronous=full")
        for _ in range(PASSES):
            busy, frames, folded = connection.execute("pragma wal_checkpoint(passive)").fetchone()
            if not busy and frames == folded:
                return True
    return False
