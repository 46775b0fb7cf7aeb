"""One process for a group of cameras: reads pictures, runs the stages, and writes facts to a pipe.

The worker holds no database and no decision: it tells its parent what it sees. A camera that brings no
picture is reported lost; a pipe that nobody reads ends the process. The parent side is `supervisor`.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
from server.proctor.evidence import Picture, RoomSample, SeatReading, SeatState
from server.proctor.pipeline import CameraPipeline
from server.proctor.seats import CameraLayout
from server.proctor.view import View
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
# Findings about a seat are raised some ten seconds after its state changed: until then its pictures are sent.
CHANGED = timedelta(seconds=12)


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
    Pictures that come as JPEG are all sent on; those of video streams, which would have to be encoded, where
    something changed in the last seconds and otherwise every `picture_every_s` of capture time.
    """

    cameras: tuple[WorkerCamera, ...]
    detector: str = "yunet"
    options: dict[str, float] = msgspec.field(default_factory=dict)
    lost_after_s: float = 6.0
    pictures: bool = True
    picture_every_s: float = 5.0


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
    """One camera while it is watched; `heard_at` is when (monotonic) its last picture had been looked at."""

    camera: WorkerCamera
    source: Source
    pipeline: CameraPipeline
    heard_at: float
    trouble: str | None = None
    sent_at: datetime | None = None
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
    alive_at: float = 0.0
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
        if self.clock.monotonic() - self.alive_at >= ALIVE_S:
            self._send(self._alive())
            self.alive_at = self.clock.monotonic()
        if not busy:
            self.wake.wait(min(ALIVE_S, self.config.lost_after_s) / 4)

    def _alive(self) -> WorkerAlive:
        counts = [watched.pipeline.counts for watched in self.watched]
        return WorkerAlive(
            samples=self.samples,
            looks=sum(count.looks for count in counts),
            camera_s=sum(count.seconds for count in counts),
            oldest_s=max((count.oldest_s for count in counts), default=0.0),
        )

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
        view = None if captured is None else captured.view()
        if captured is not None and view is not None:
            watched.trouble = None
            self._sample(watched, captured, view)
            # While this worker looked it could not hear: a camera is not lost because the machine is slow.
            watched.heard_at = self.clock.monotonic()
            return True
        reason = watched.source.trouble()
        if captured is not None:
            reason = "the picture cannot be decoded"
        self._trouble(watched, reason)
        if now - watched.heard_at >= self.config.lost_after_s:
            watched.heard_at = now
            self._send(message_of(watched.pipeline.lost(self.clock.legal())))
        return False

    def _sample(self, watched: _Watched, captured: Captured, view: View) -> None:
        sample = watched.pipeline.process(view, captured.captured_at)
        if sample is None:
            return
        self.samples += 1
        if self.config.pictures and (_is_jpeg(captured.jpeg) or self._worth_a_picture(watched, sample)):
            watched.sent_at = captured.captured_at
            jpeg = captured.jpeg if _is_jpeg(captured.jpeg) else _encode(captured.picture())
            if jpeg:
                self._send(
                    CameraPicture(camera=watched.camera.id, captured_at=captured.captured_at, jpeg=jpeg)
                )
        self._send(message_of(sample))

    def _worth_a_picture(self, watched: _Watched, sample: RoomSample) -> bool:
        """True where the newest picture sent is old, or where this one may show what a finding will be about."""
        sent_at = watched.sent_at
        if sent_at is None or (sample.at - sent_at).total_seconds() >= self.config.picture_every_s:
            return True
        changed = sample.at - CHANGED
        return bool(
            sample.quality.faults
            or sample.stray_faces
            or any(reading.state is SeatState.CROWDED or reading.since >= changed for reading in sample.seats)
        )

    def _trouble(self, watched: _Watched, reason: str | None) -> None:
        if reason is not None and reason != watched.trouble:
            self._send(SourceTrouble(camera=watched.camera.id, code="camera-source-trouble", reason=reason))
        watched.trouble = reason

    def _send(self, message: FromWorker) -> None:
        self.out.write(frame(message))
        self.out.flush()


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


def _encode(picture: Picture | None) -> bytes:
    if picture is None:
        return b""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return np.asarray(data).tobytes() if done else b""
