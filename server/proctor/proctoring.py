"""Everything a centre starts for its cameras: set-up files for workers, the workers, and the watch behind
them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.proctor import service, setups, store
from server.proctor.calibration import load_setup
from server.proctor.capture import SourceConfig
from server.proctor.evidence_store import EvidenceStore
from server.proctor.feed import Feed
from server.proctor.observations import Observations
from server.proctor.seating_watch import SeatingWatch
from server.proctor.supervisor import WorkerSupervisor
from server.proctor.timeline import Timeline
from server.proctor.watch import Expectations, Watch
from server.proctor.worker import WorkerCamera, WorkerConfig
from server.settings import CameraSettings, Settings

# The least number of cameras that a worker is started for; one process is one thread of detection.
GROUP = 8
TIMELINE_S = 2.0

_log = logging.getLogger("gongyuan.proctor")


def groups(cameras: Sequence[WorkerCamera], processors: int) -> list[tuple[WorkerCamera, ...]]:
    """The cameras of each worker: no more workers than processors, and none for less than 8 cameras unless it
    is the only one. Neighbours are spread, so that a worker that ends takes no whole corridor with it.
    """
    count = max(1, min(processors, len(cameras) // GROUP))
    return [tuple(cameras[number::count]) for number in range(count) if cameras]


class Proctoring:
    """The cameras of one centre. `command` is how a worker is started; the path of its configuration is
    added to it.

    `start` once, `stop` once. Without cameras in the settings nothing is started.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        db: Database,
        journal: Journal,
        feed: Feed,
        expectations: Expectations,
        command: Sequence[str],
        evidence: EvidenceStore | None = None,
        detector: str = "yunet",
        options: dict[str, float] | None = None,
    ) -> None:
        self._settings, self._clock, self._db, self._journal = settings, clock, db, journal
        self._command = tuple(command)
        self._detector, self._options = detector, dict(options or {})
        self.watch = Watch(db, journal, clock, feed, expectations, evidence)
        self.observations = Observations(clock.legal)
        self.timeline = Timeline(db, clock.monotonic)
        self.seating = SeatingWatch(self.observations.newest, clock.monotonic)
        self.watch.listeners += [self.observations.take, self.timeline.take]
        self.workers: list[WorkerSupervisor] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Registers the cameras of the settings, recovers what was found before, and starts the workers.

        Raises:
            BadInput: a camera's set-up file cannot be read.
        """
        await self.watch.recover()
        folder = self._settings.folder
        async with self._db.reading() as session:
            saved = await setups.of_all(session)
        named = {camera.id for camera in self._settings.cameras}
        for camera, setup in saved.items():
            if camera in named:
                setups.publish(folder, setup)
        cameras = [_worker_camera(one, folder, one.id in saved) for one in self._settings.cameras]
        async with self._db.writing() as session:
            act = Act(session, self._journal, self._clock.legal(), "server:proctor")
            for one in cameras:
                await _register(act, one)
        if cameras:
            self._tasks.append(asyncio.create_task(self._keep_timeline(), name="proctor timeline"))
            self._tasks.append(asyncio.create_task(self.seating.run(), name="proctor seating"))
        for number, group in enumerate(groups(cameras, os.cpu_count() or 1)):
            path = self._write(number, group)
            worker = WorkerSupervisor((*self._command, str(path)), self.watch.take, self._clock)
            self.workers.append(worker)
            self._tasks.append(asyncio.create_task(worker.run(), name=f"proctor worker {number}"))

    async def stop(self) -> None:
        """Ends the workers and returns when they have ended."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks.clear()
        with contextlib.suppress(SQLAlchemyError):
            await self.timeline.flush(everything=True)

    async def _keep_timeline(self) -> None:
        """Writes how seats changed; a database that refuses costs the plots, never the watch."""
        while True:
            await asyncio.sleep(TIMELINE_S)
            try:
                await self.timeline.flush()
            except SQLAlchemyError:
                _log.warning("seat changes could not be written yet", exc_info=True)

    def _write(self, number: int, cameras: tuple[WorkerCamera, ...]) -> Path:
        """The worker's configuration file; camera addresses may hold passwords, so only the server may read
        it.
        """
        config = WorkerConfig(cameras=cameras, detector=self._detector, options=self._options)
        folder = self._settings.folder / "proctor"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"worker-{number}.json"
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_bytes(msgspec.json.encode(config))
        return path


def _worker_camera(camera: CameraSettings, folder: Path, saved: bool) -> WorkerCamera:
    """What a worker is told of a camera: a set-up that people saved goes before the one of the settings."""
    newer = str(setups.setup_file(folder, camera.id))
    setup = newer if saved else None if camera.layout is None else str(folder / camera.layout)
    at = camera.source
    if camera.kind in ("folder", "file"):
        at = str(folder / at)
    source = SourceConfig(kind=camera.kind, at=at)
    return WorkerCamera(id=camera.id, room=camera.room, source=source, setup=setup, newer=newer)


async def _register(act: Act, camera: WorkerCamera) -> None:
    layout = None if camera.setup is None else load_setup(Path(camera.setup)).layout
    width, height = (0, 0) if layout is None else (layout.width, layout.height)
    shown = without_password(camera.source.at)
    kept = store.Camera(camera.id, camera.room, camera.source.kind, shown, width, height)
    await service.register_camera(act, kept, layout)


def without_password(address: str) -> str:
    """The address without user name and password."""
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
