"""Many callers, one transaction: what is asked for while one runs is done together by the next.

A hall comes in within seconds. A read of its own for each device costs the event loop a dozen trips to the
database's thread; gathered, a hundred devices cost as many trips as one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

REST_S = 0.02
"""Monotonic seconds between two batches while busy, so that batches form; an idle one begins at once."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class Gathered(Generic[Key, Value]):
    """`work(keys)` is given to it and returns what it found, by key; an answer is never older than its question."""

    def __init__(self, work: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]], most: int) -> None:
        self._work = work
        self._most = most
        self._asked: dict[Key, asyncio.Future[Value | None]] = {}
        self._running: asyncio.Task[None] | None = None

    async def get(self, key: Key) -> Value | None:
        """Return what the work finds for a key, or None; an error of the work is raised in every caller of its
        batch.
        """
        future = self._asked.get(key)
        if future is None:
            future = self._asked[key] = asyncio.get_running_loop().create_future()
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        # Another caller may wait for the same: one that goes away takes nothing from him.
        return await asyncio.shield(future)

    async def _run(self) -> None:
        try:
            while self._asked:
                batch = {key: self._asked.pop(key) for key in list(self._asked)[: self._most]}
                try:
                    found = await self._work(tuple(batch))
                except Exception as error:
                    for future in batch.values():
                        if not future.done():
                            future.set_exception(error)
                            # Whoever asked may be gone.
                            future.exception()
                else:
                    for key, future in batch.items():
                        if not future.done():
                            future.set_result(found.get(key))
                await asyncio.sleep(REST_S)
        finally:
            self._running = None
