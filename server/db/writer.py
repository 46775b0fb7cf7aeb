"""Group commit: one thread, one synchronous connection, one transaction a batch.

The writer knows nothing of what it writes: `store(connection, items)` is given to it and returns one result
an item. An item's callback runs on the event loop, after the transaction that stored it is committed (with
fsync), never before. A batch that fails is rolled back and each of its items is told so (`None`): nobody is
acknowledged by mistake and the sender sends again. Commits follow at once when idle, and at least `gap_s`
apart while busy, so that batches form; the queue is bounded and refuses when full.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from server.clock import Clock

Item = TypeVar("Item")
Result = TypeVar("Result")

QUEUE_LIMIT = 20_000
BATCH_LIMIT = 1_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WriterFigures:
    """Counts since start: items stored, batches committed, batches that failed, items refused for a full
    queue.
    """

    stored: int
    batches: int
    failed: int
    refused: int
    waiting: int


class Writer(Generic[Item, Result]):
    """The answer writer's machinery; make it on the event loop that shall run the callbacks."""

    def __init__(
        self,
        engine: Engine,
        store: Callable[[Connection, Sequence[Item]], Sequence[Result]],
        clock: Clock,
        *,
        gap_s: float = 0.005,
        limit: int = QUEUE_LIMIT,
        committed: Callable[[], None] | None = None,
    ) -> None:
        """`committed` runs in the writer's thread after each commit, before anybody is told of it: a standby may
        be waited for there. It must not raise."""
        self._committed = committed
        self._engine = engine
        self._store = store
        self._clock = clock
        self._gap_s = gap_s
        self._limit = limit
        self._waiting: deque[tuple[Item, Callable[[Result | None], None]]] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stored = self._batches = self._failed = self._refused = 0

    def start(self) -> None:
        """Start the thread; call on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="answer-writer", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Write what is waiting, then end the thread and close its engine's connections."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        self._engine.dispose()

    def offer(self, item: Item, done: Callable[[Result | None], None]) -> bool:
        """Queue an item; False when the queue is full or the writer stops: nothing is stored then, say
        retry.
        """
        if len(self._waiting) >= self._limit or self._stopping.is_set():
            self._refused += 1
            return False
        self._waiting.append((item, done))
        if not self._wake.is_set():
            self._wake.set()
        return True

    async def write(self, item: Item) -> Result | None:
        """Queue an item and wait for its result; None when it was not stored."""
        future: asyncio.Future[Result | None] = asyncio.get_running_loop().create_future()

        def done(result: Result | None) -> None:
            if not future.done():
                future.set_result(result)

        return await future if self.offer(item, done) else None

    def figures(self) -> WriterFigures:
        """Return the counts since start."""
        return WriterFigures(self._stored, self._batches, self._failed, self._refused, len(self._waiting))

    def _run(self) -> None:
        last_commit = self._clock.monotonic() - self._gap_s
        connection: Connection | None = None
        while True:
            self._wake.wait()
            rest = last_commit + self._gap_s - self._clock.monotonic()
            if rest > 0 and not self._stopping.is_set():
                self._stopping.wait(rest)
            self._wake.clear()
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_LIMIT))]
            if self._waiting:
                self._wake.set()
            if batch:
                connection = self._commit(connection, batch)
                last_commit = self._clock.monotonic()
            elif self._stopping.is_set():
                break
            if self._stopping.is_set():
                self._wake.set()
        if connection is not None:
            connection.close()

    def _commit(
        self, connection: Connection | None, batch: list[tuple[Item, Callable[[Result | None], None]]]
    ) -> Connection | None:
        items = [item for item, _ in batch]
        results: Sequence[Result | None]
        try:
            connection = connection or self._engine.connect()
            results = self._in_transaction(connection, items)
        except Exception as error:
            self._failed += 1
            log.error("a batch of %d was not stored: %s", len(batch), error)
            connection = self._usable(connection)
            if self._of_the_database(error) and not _of_the_data(error):
                results = [None] * len(batch)
            else:
                # One bad item must not hold up the rest of the hall: each is tried in a transaction of its
                # own.
                results = [self._alone(connection, item) for item in items]
        self._deliver(batch, results)
        return connection

    def _of_the_database(self, error: Exception) -> bool:
        driver: Any = self._engine.dialect.loaded_dbapi
        return isinstance(error, SQLAlchemyError | driver.Error)

    def _in_transaction(self, connection: Connection, items: list[Item]) -> Sequence[Result]:
        try:
            with connection.begin():
                results = self._store(connection, items)
        except Exception:
            _roll_back(connection)
            raise
        self._stored += len(items)
        self._batches += 1
        if self._committed is not None:
            self._committed()
        return results

    def _alone(self, connection: Connection | None, item: Item) -> Result | None:
        if connection is None:
            return None
        try:
            return self._in_transaction(connection, [item])[0]
        except Exception as error:
            log.error("an item was not stored: %s", error)
            return None

    def _usable(self, connection: Connection | None) -> Connection | None:
        """Return the connection when it can begin again, otherwise close it so that the next batch makes
        one.
        """
        if connection is None:
            return None
        if connection.invalidated or connection.closed or connection.in_transaction():
            connection.invalidate()
            connection.close()
            return None
        return connection

    def _deliver(
        self, batch: list[tuple[Item, Callable[[Result | None], None]]], results: Sequence[Result | None]
    ) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return

        def tell() -> None:
            for (_, done), result in zip(batch, results, strict=True):
                done(result)

        try:
            loop.call_soon_threadsafe(tell)
        except RuntimeError:
            # The loop closed meanwhile: what is stored is stored, the kiosks ask again.
            log.warning("results of %d items had no loop to be told on", len(batch))


def _roll_back(connection: Connection) -> None:
    """End what a failed COMMIT left open: SQLAlchemy deems the transaction over, SQLite keeps it for another
    try.
    """
    if connection.closed or connection.invalidated:
        return
    try:
        connection.connection.rollback()
    except Exception:
        connection.invalidate()


def _of_the_data(error: Exception) -> bool:
    """Tell whether an error lies in the items (constraint, type, size) and not in disk, lock or line."""
    if isinstance(error, SQLAlchemyError) and not isinstance(error, DBAPIError):
        return True
    return any(kind.__name__ in ("IntegrityError", "DataError") for kind in type(error).__mro__)
