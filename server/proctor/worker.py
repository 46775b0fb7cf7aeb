"""One process for a group of cameras: reads pictures, runs the stages, and writes facts to a pipe.

The worker holds no database and no decision: it tells its parent what it sees. A camera that brings no
picture is reported lost; a pipe that nobody reads ends the process. The parent side is `supervisor`.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import cv2
import msgspec
import numpy as np

from server.clock import Clock
from server.errors import BadInput, GongyuanError
from server.proctor.calibration import CameraSetup, load_setup
from server.proctor.capture import Captured, Source, SourceConfig, open_source
from server.proctor.detection import FaceDetector, create_detector
from server.proctor.detectors import yunet
from server.proctor.evidence import Picture, RoomSample, SeatReading
from server.proctor.pipeline import CameraPipeline
from server.proctor.seats import CameraLayout
from server.protocol.proctoring import (
    VERSION,
    CameraPicture,
    CameraSample,
    FromWorker,
    SeatLine,
    SourceTrouble,
    WorkerAlive,
    WorkerReady,
    frame,
)

ALIVE_S = 2.0
# How often a saved set-up is looked for, in real seconds.
RENEW_S = 1.0
JPEG_QUALITY = 80
# Watching must not slow the exam: workers run behind the server.
NICENESS = 5


class WorkerCamera(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One camera of a worker; `setup` is the path of its TOML file, None where seats are not known yet.

    `newer` is where a set-up saved later appears or is replaced: the running worker takes it up.
    """

    id: str
    room: str
    source: SourceConfig
    setup: str | None = None
    newer: str | None = None


class WorkerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a worker is told: its cameras, the detector, and after how many real seconds a camera is lost.

    Without `width` in `options` each camera is looked at as large as its smallest expected face needs.
    """

    cameras: tuple[WorkerCamera, ...]
    detector: str = "yunet"
    options: dict[str, float] = msgspec.field(default_factory=dict)
    lost_after_s: float = 6.0
    pictures: bool = True


def read_config(path: str) -> WorkerConfig:
    """Reads the JSON file. BadInput (`worker-config-wrong`) names the place of what is wrong."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=WorkerConfig)
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput("worker-config-wrong", path=path, reason=str(error)) from error


def run(config_path: str, out: BinaryIO, clock: Clock) -> None:
    """Watches until the pipe is closed by its reader. Errors of the set-up are raised before anything is
    written.
    """
    config = read_config(config_path)
    cv2.setNumThreads(1)
    detectors = _Detectors(config)
    watched = [_watch(camera, detectors, clock) for camera in config.cameras]
    os.nice(NICENESS)
    try:
        _Loop(config, watched, config.detector, out, clock, detectors).run()
    except BrokenPipeError:
        # Nobody reads any more; what is left in the buffer must not be complained about at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
    except KeyboardInterrupt:
        return


class _Detectors:
    """One detector for each size of input that the cameras of this worker need."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._made: dict[float, FaceDetector] = {}

    def suited(self, layout: CameraLayout) -> FaceDetector:
        """The detector for the faces of a layout."""
        options = dict(self._config.options)
        if self._config.detector == yunet.KEY:
            options.setdefault("width", yunet.width_for(layout))
        width = options.get("width", 0.0)
        if width not in self._made:
            self._made[width] = create_detector(self._config.detector, options)
        return self._made[width]


@dataclass(slots=True)
class _Watched:
    """One camera while it is watched; `heard_at` is the monotonic time of its last picture."""

    camera: WorkerCamera
    source: Source
    pipeline: CameraPipeline
    heard_at: float
    trouble: str | None = None
    stamp: tuple[int, int] | None = None


def _watch(camera: WorkerCamera, detectors: _Detectors, clock: Clock) -> _Watched:
    stamp = _stamp(camera.newer)
    pipeline = _pipeline(camera, camera.setup, detectors)
    source = open_source(camera.source, clock.legal)
    return _Watched(camera, source, pipeline, clock.monotonic(), stamp=stamp)


def _pipeline(camera: WorkerCamera, path: str | None, detectors: _Detectors) -> CameraPipeline:
    """The stages of a camera with the set-up of that file; without seats where there is none."""
    if path is None:
        setup = CameraSetup(CameraLayout(camera.id, camera.room, 1280, 720, ()), ())
    else:
        setup = load_setup(Path(path))
        if (setup.layout.camera_id, setup.layout.room_id) != (camera.id, camera.room):
            raise BadInput("seats-other-camera", path=path, camera=camera.id, room=camera.room)
    return CameraPipeline(setup.layout, setup.references, detectors.suited(setup.layout))


def _stamp(path: str | None) -> tuple[int, int] | None:
    """What tells one file at a path from another: time of change and inode; None where there is none."""
    try:
        found = Path(path).stat() if path is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_ino)


@dataclass(slots=True)
class _Loop:
    """The worker's only loop; it waits for a source to have something, or for its next sign of life."""

    config: WorkerConfig
    watched: list[_Watched]
    detector: str
    out: BinaryIO
    clock: Clock
    detectors: _Detectors
    wake: threading.Event = field(default_factory=threading.Event)
    samples: int = 0
    spoke_at: float = 0.0
    renewed_at: float = 0.0

    def run(self) -> None:
        try:
            self._send(
                WorkerReady(
                    version=VERSION,
                    detector=self.detector,
                    cameras=tuple(watched.camera.id for watched in self.watched),
                )
            )
            for watched in self.watched:
                watched.source.start(self.wake.set)
            while True:
                self._turn()
        finally:
            for watched in self.watched:
                watched.source.stop()

    def _turn(self) -> None:
        self.wake.clear()
        busy = False
        for watched in self.watched:
            busy = self._look(watched) or busy
        self._renew()
        if self.clock.monotonic() - self.spoke_at >= ALIVE_S:
            self._send(WorkerAlive(samples=self.samples))
        if not busy:
            self.wake.wait(min(ALIVE_S, self.config.lost_after_s) / 4)

    def _renew(self) -> None:
        """Takes up set-ups that were saved since; one that cannot be read is told and the old one stays."""
        now = self.clock.monotonic()
        if now - self.renewed_at < RENEW_S:
            return
        self.renewed_at = now
        for watched in self.watched:
            stamp = _stamp(watched.camera.newer)
            if stamp in (None, watched.stamp):
                continue
            watched.stamp = stamp
            try:
                watched.pipeline = _pipeline(watched.camera, watched.camera.newer, self.detectors)
            except GongyuanError as error:
                self._trouble(watched, str(error))

    def _look(self, watched: _Watched) -> bool:
        """Takes one picture of one camera if there is one; tells its troubles and its loss."""
        now = self.clock.monotonic()
        try:
            captured = watched.source.take()
        except GongyuanError as error:
            self._trouble(watched, str(error))
            captured = None
        picture = None if captured is None else captured.picture()
        if captured is not None and picture is not None:
            watched.heard_at, watched.trouble = now, None
            self._sample(watched, captured, picture)
            return True
        reason = watched.source.trouble()
        if captured is not None:
            reason = "the picture cannot be decoded"
        self._trouble(watched, reason)
        if now - watched.heard_at >= self.config.lost_after_s:
            watched.heard_at = now
            self._send(message_of(watched.pipeline.lost(self.clock.legal())))
        return False

    def _sample(self, watched: _Watched, captured: Captured, picture: Picture) -> None:
        sample = watched.pipeline.process(picture, captured.captured_at)
        if sample is None:
            return
        self.samples += 1
        if self.config.pictures:
            jpeg = captured.jpeg if _is_jpeg(captured.jpeg) else _encode(picture)
            if jpeg:
                self._send(
                    CameraPicture(camera=watched.camera.id, captured_at=captured.captured_at, jpeg=jpeg)
                )
        self._send(message_of(sample))

    def _trouble(self, watched: _Watched, reason: str | None) -> None:
        if reason is not None and reason != watched.trouble:
            self._send(SourceTrouble(camera=watched.camera.id, code="camera-source-trouble", reason=reason))
        watched.trouble = reason

    def _send(self, message: FromWorker) -> None:
        self.out.write(frame(message))
        self.out.flush()
        self.spoke_at = self.clock.monotonic()


def message_of(sample: RoomSample) -> CameraSample:
    """The message of a sample; `supervisor.sample_of` is its inverse."""
    width, height = (0, 0) if sample.frame is None else (sample.frame.width, sample.frame.height)
    return CameraSample(
        camera=sample.quality.camera_id,
        room=sample.quality.room_id,
        captured_at=sample.quality.at,
        width=width,
        height=height,
        faults=tuple(sorted(fault.value for fault in sample.quality.faults)),
        measures=dict(sample.quality.measures),
        seats=tuple(_seat_line(reading) for reading in sample.seats),
        faces=sample.faces,
        stray_faces=sample.stray_faces,
        detector=sample.detector,
        looked=sample.looked,
    )


def _seat_line(reading: SeatReading) -> SeatLine:
    evidence = reading.evidence
    return SeatLine(
        seat=reading.seat,
        state=reading.state.value,
        since=reading.since,
        structure=None if evidence is None else evidence.structure,
        visible=None if evidence is None else evidence.visible,
        motion=None if evidence is None else evidence.motion,
        faces=None if evidence is None else evidence.faces,
        face_score=None if evidence is None else evidence.face_score,
    )


def _is_jpeg(data: bytes | None) -> bool:
    return data is not None and data[:2] == b"\xff\xd8"


def _encode(picture: Picture) -> bytes:
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return np.asarray(data).tobytes() if done else b""
