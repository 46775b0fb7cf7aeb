"""A line between kiosk and centre that a test spoils: bytes stand still, come late and in crumbs, or are cut off."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import urlsplit

Fate = Literal["whole", "stalling", "slow", "cut"]
CRUMB = 400
"""Most bytes that a slow line carries at once."""
LATEST_S = 0.01
LONGEST = 6_000
"""Most bytes that a line carries before it stands still or is cut off."""


class BadLine:
    """Carries bytes to the centre. `fate` holds for connections made from now on; `spoiled` counts those that came
    to a bad end."""

    def __init__(self, fate: Fate, seed: int) -> None:
        self.fate = fate
        self.spoiled = 0
        self._rng = random.Random(seed)
        self._going: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def to(self, address: str) -> AsyncIterator[str]:
        """Listen before a centre's address; give the address that a kiosk takes for the centre's."""
        parts = urlsplit(address)
        assert parts.hostname is not None and parts.port is not None
        self._host, self._port = parts.hostname, parts.port
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        try:
            yield f"{parts.scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in self._going:
                task.cancel()
            await asyncio.gather(*self._going, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._going.add(task)
        fate, left = self.fate, [self._rng.randint(LONGEST // 4, LONGEST)]
        far: asyncio.StreamWriter | None = None
        try:
            far_reader, far = await asyncio.open_connection(self._host, self._port)
            ways = ((reader, far), (far_reader, writer))
            tasks = [asyncio.create_task(self._pipe(*way, fate, left)) for way in ways]
            self._going.update(tasks)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for one in tasks:
                one.cancel()
            self._going.difference_update(tasks)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._going.discard(task)
            for end in (writer, far):
                if end is not None:
                    end.transport.abort()

    async def _pipe(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fate: Fate, left: list[int]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CRUMB if fate == "slow" else 65536):
                if fate == "slow":
                    await asyncio.sleep(self._rng.random() * LATEST_S)
                elif fate != "whole" and len(data) >= left[0]:
                    # Both ways share one measure, so it ends amid a frame of whoever speaks then.
                    writer.write(data[: left[0]])
                    self.spoiled += 1
                    if fate == "cut":
                        await writer.drain()
                        return
                    await asyncio.Event().wait()
                left[0] -= len(data)
                writer.write(data)
                await writer.drain()
