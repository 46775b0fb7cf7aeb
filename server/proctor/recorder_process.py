"""The parent's side of a recorder: starts it, tells it what to record, and starts it again when it ends or falls
silent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from server.protocol.pipe import Frames
from server.protocol.recording import (
    MOST_BYTES,
    CaptionText,
    FromRecorder,
    RecordCamera,
    RunKey,
    StopCamera,
    ToRecorder,
    frame,
)

SILENT_S = 20.0
"""A recorder speaks every two real seconds; one that is silent for so long is stuck."""
STARTING_S = 120.0
"""One that has not spoken yet is still being loaded, which takes long on a busy machine."""
AGAIN_S = 2.0
STOP_S = 10.0
"""How long a recorder may take to bring its pieces to their end."""


class RecorderProcess:
    """Keeps one recorder running while `run` runs; its messages go to `take`, its end to `ended`."""

    def __init__(
        self,
        command: Sequence[str],
        key: RunKey,
        take: Callable[[FromRecorder], Awaitable[None]],
        ended: Callable[[], Awaitable[None]],
    ) -> None:
        self._command, self._key, self._take, self._ended = tuple(command), key, take, ended
        self._process: asyncio.subprocess.Process | None = None
        self._wanted: dict[str, tuple[str, CaptionText]] = {}

    @property
    def pid(self) -> int | None:
        """The process id of the running recorder, or None."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    def want(self, wanted: Mapping[str, tuple[str, CaptionText]]) -> None:
        """Record these cameras (id to room and caption), and no others, from now on."""
        before, self._wanted = self._wanted, dict(wanted)
        for camera in before.keys() - wanted.keys():
            self._send(StopCamera(camera=camera))
        for camera, (room, caption) in wanted.items():
            if before.get(camera) != (room, caption):
                self._send(RecordCamera(camera=camera, room=room, caption=caption))

    async def run(self) -> None:
        """Runs until it is cancelled; the recorder is then asked to end its pieces, and what it says is still taken."""
        while True:
            try:
                await self._once()
            finally:
                await self._kill()
                await self._ended()
            await asyncio.sleep(AGAIN_S)

    async def _once(self) -> None:
        process = self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        self._send(self._key)
        for camera, (room, caption) in self._wanted.items():
            self._send(RecordCamera(camera=camera, room=room, caption=caption))
        frames: Frames[FromRecorder] = Frames(FromRecorder, MOST_BYTES)
        try:
            await self._read(process, frames)
        except asyncio.CancelledError:
            if process.stdin is not None:
                process.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._read(process, frames)
            raise

    async def _read(self, process: asyncio.subprocess.Process, frames: Frames[FromRecorder]) -> None:
        pipe = process.stdout
        if pipe is None:
            raise RuntimeError("the recorder has no pipe")
        patience_s = STARTING_S
        while True:
            try:
                data = await asyncio.wait_for(pipe.read(1 << 16), patience_s)
                patience_s = SILENT_S
            except TimeoutError:
                return
            if not data:
                return
            try:
                for message in frames.receive(data):
                    await self._take(message)
            except (msgspec.DecodeError, ValueError):
                return

    def _send(self, message: ToRecorder) -> None:
        process = self._process
        if process is None or process.returncode is not None or process.stdin is None:
            return
        with contextlib.suppress(ConnectionError, RuntimeError):
            process.stdin.write(frame(message))

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
