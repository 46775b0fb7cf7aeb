"""The parent's side of a camera worker: starts it, reads its facts, and starts it again when it ends or
falls silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from server.clock import Clock
from server.proctor.evidence import (
    CameraFault,
    Frame,
    Quality,
    RoomSample,
    SeatEvidence,
    SeatReading,
    SeatState,
)
from server.protocol.pipe import Frames
from server.protocol.proctoring import MOST_BYTES, CameraSample, FromWorker, SeatLine

# A worker speaks at least every two real seconds; one that is silent for this long is stuck.
SILENT_S = 20.0
# One that has not spoken yet is still being loaded: on a busy machine that alone takes its priority many seconds.
STARTING_S = 120.0
RESTARTS, RESTARTS_WITHIN_S = 5, 60.0
WAIT_FIRST_S, WAIT_SPENT_S = 0.5, 30.0
# Watching must not slow the exam: workers run behind the server, from their first moment on.
NICENESS = 10
CHUNK = 1 << 16


class WorkerSupervisor:
    """Keeps one worker process, of lower priority, running while `run` runs; its messages go to `take` one by one.

    After more than 5 restarts within 60 real seconds it waits 30 before the next. Nothing is queued: while
    `take` is busy the worker's pipe fills, and the worker then skips to its cameras' newest pictures.
    """

    def __init__(
        self, command: Sequence[str], take: Callable[[FromWorker], Awaitable[None]], clock: Clock
    ) -> None:
        self._command = tuple(command)
        self._take = take
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._starts: deque[float] = deque(maxlen=RESTARTS)
        self.last_end = ""

    @property
    def pid(self) -> int | None:
        """The process id of the running worker, or None."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    async def run(self) -> None:
        """Runs until it is cancelled; the worker is ended then."""
        while True:
            self._starts.append(self._clock.monotonic())
            try:
                await self._once()
            finally:
                await self._end()
            await asyncio.sleep(self._wait_s())

    def _wait_s(self) -> float:
        spent = len(self._starts) == RESTARTS
        recent = spent and self._clock.monotonic() - self._starts[0] < RESTARTS_WITHIN_S
        return WAIT_SPENT_S if recent else WAIT_FIRST_S

    async def _once(self) -> None:
        """Starts the worker and hands on its messages until it ends, falls silent or speaks nonsense."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
        with contextlib.suppress(ProcessLookupError):
            behind = min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
            os.setpriority(os.PRIO_PROCESS, self._process.pid, behind)
        pipe = self._process.stdout
        if pipe is None:
            raise RuntimeError("the worker has no pipe")
        reader: Frames[FromWorker] = Frames(FromWorker, MOST_BYTES)
        patience_s = STARTING_S
        while True:
            try:
                data = await asyncio.wait_for(pipe.read(CHUNK), patience_s)
                patience_s = SILENT_S
            except TimeoutError:
                self.last_end = "silent"
                return
            if not data:
                self.last_end = "ended"
                return
            try:
                for message in reader.receive(data):
                    await self._take(message)
            except (msgspec.DecodeError, ValueError) as error:
                self.last_end = f"unreadable: {error}"
                return

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def sample_of(message: CameraSample) -> RoomSample:
    """The facts of a sample message. ValueError where a state, fault or time in it is none."""
    quality = Quality(
        camera_id=message.camera,
        room_id=message.room,
        at=message.captured_at,
        faults=frozenset(CameraFault(fault) for fault in message.faults),
        measures=message.measures,
    )
    frame = None
    if message.width and message.height:
        frame = Frame(message.camera, message.room, message.captured_at, message.width, message.height)
    return RoomSample(
        quality=quality,
        frame=frame,
        seats=tuple(_reading(line, message) for line in message.seats),
        faces=message.faces,
        stray_faces=message.stray_faces,
        detector=message.detector,
        looked=message.looked,
    )


def _reading(line: SeatLine, message: CameraSample) -> SeatReading:
    evidence = None
    if line.visible is not None:
        evidence = SeatEvidence(
            seat=line.seat,
            structure=line.structure,
            visible=line.visible,
            motion=line.motion,
            faces=line.faces,
            face_score=line.face_score or 0.0,
        )
    return SeatReading(line.seat, SeatState(line.state), line.since, message.captured_at, evidence)
