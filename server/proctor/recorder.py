"""One process that records a group of cameras: packets in, encrypted pieces out, facts to a pipe.

It runs beside the worker that watches, with a connection of its own: a detector that is stuck or started again cuts no
recording, and the recorded stream may be the camera's full one. It holds the key of its run only, not the centre's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import av
import httpx
import msgspec

from server.clock import Clock
from server.errors import BadInput
from server.proctor.capture import RETRY_FIRST_S, RETRY_MOST_S, SourceConfig
from server.proctor.remux import Form, Muxer, Piece, pieces
from server.proctor.segment_file import SegmentHeader, SegmentWriter
from server.protocol.pipe import Frames
from server.protocol.recording import (
    MOST_BYTES,
    CaptionText,
    FromRecorder,
    RecordCamera,
    RecorderAlive,
    RecorderTrouble,
    RunKey,
    SegmentClosed,
    SegmentOpened,
    StopCamera,
    ToRecorder,
    frame,
)

ALIVE_S = 2.0
SEGMENT_S = 60.0
"""A piece ends at the first key picture after so many real seconds."""
FLUSH_S = 4.0
"""What a power failure can cost: what came in so many real seconds, or half a megabyte."""
NICENESS = 4
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


class RecordedCamera(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One camera that this recorder may be asked to record."""

    id: str
    source: SourceConfig


class RecorderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a recorder is told at its start. `reserve` bytes of the disk are never used for recordings."""

    folder: str
    cameras: tuple[RecordedCamera, ...]
    reserve: int = 0
    segment_s: float = SEGMENT_S
    flush_s: float = FLUSH_S


def run(config_path: str, commands: BinaryIO, out: BinaryIO, clock: Clock) -> None:
    """Records until the pipe of commands is closed. BadInput `recorder-config-wrong` for an unreadable file."""
    try:
        config = msgspec.json.decode(Path(config_path).read_bytes(), type=RecorderConfig)
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput("recorder-config-wrong", path=config_path, reason=str(error)) from error
    os.nice(NICENESS)
    try:
        _Recorder(config, out, clock).run(commands)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
    except KeyboardInterrupt:
        return


class _Recorder:
    """Takes commands, starts and ends one thread a camera, and gives a sign of life."""

    def __init__(self, config: RecorderConfig, out: BinaryIO, clock: Clock) -> None:
        self.config, self.clock = config, clock
        self.key: RunKey | None = None
        self._out, self._lock = out, threading.Lock()
        self._sources = {camera.id: camera.source for camera in config.cameras}
        self._running: dict[str, _CameraThread] = {}
        self._over = threading.Event()

    def run(self, commands: BinaryIO) -> None:
        alive = threading.Thread(target=self._live, daemon=True)
        alive.start()
        frames: Frames[ToRecorder] = Frames(ToRecorder, MOST_BYTES)
        try:
            while data := os.read(commands.fileno(), 1 << 16):
                for message in frames.receive(data):
                    self._obey(message)
        finally:
            self._over.set()
            for one in self._running.values():
                one.end()
            for one in self._running.values():
                one.join()

    def _obey(self, message: ToRecorder) -> None:
        match message:
            case RunKey():
                self.key = message
            case RecordCamera():
                running = self._running.get(message.camera)
                if running is not None:
                    running.caption = message.caption
                elif message.camera in self._sources and self.key is not None:
                    made = _CameraThread(self, message, self._sources[message.camera])
                    self._running[message.camera] = made
                    made.start()
            case StopCamera():
                ended = self._running.pop(message.camera, None)
                if ended is not None:
                    ended.end()
                    ended.join()

    def _live(self) -> None:
        while not self._over.wait(ALIVE_S):
            going = tuple(sorted(name for name, one in list(self._running.items()) if one.recording))
            try:
                self.send(RecorderAlive(recording=going))
            except OSError:
                return

    def send(self, message: FromRecorder) -> None:
        """Tell the centre; a centre that is gone closes the pieces itself when it is back."""
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._out.write(frame(message))
            self._out.flush()


@dataclass(slots=True)
class _Open:
    """The piece that is being written."""

    segment: str
    form: Form
    caption: CaptionText
    started_at: datetime
    begun: float
    flushed: float
    writer: SegmentWriter
    muxer: Muxer


class _CameraThread(threading.Thread):
    """Records one camera; a source that fails is tried again after growing waits."""

    def __init__(self, recorder: _Recorder, asked: RecordCamera, source: SourceConfig) -> None:
        super().__init__(name=f"recording {asked.camera}", daemon=True)
        self._recorder, self._config, self._clock = recorder, recorder.config, recorder.clock
        self._camera, self._room, self.caption = asked.camera, asked.room, asked.caption
        self._source = source
        self._ended = threading.Event()
        self._open: _Open | None = None
        self._told: str | None = None

    @property
    def recording(self) -> bool:
        """True while a piece is being written."""
        return self._open is not None

    def end(self) -> None:
        """Ask the thread to end; what it writes is brought to its end."""
        self._ended.set()

    def run(self) -> None:
        wait = RETRY_FIRST_S
        while not self._ended.is_set():
            code, reason = "camera-source-trouble", "the stream ended"
            try:
                for piece in pieces(self._source, self._clock.legal, self._ended.is_set):
                    self._take(piece)
                    wait = RETRY_FIRST_S
            except _DiskFull as error:
                code, reason = "recording-disk", str(error)
            except (httpx.HTTPError, av.FFmpegError, OSError, ValueError) as error:
                reason = f"{type(error).__name__}: {error}"[:200]
                if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
                    code = "recording-disk"
            self._close()
            if not self._ended.is_set():
                self._tell(code, reason)
            self._ended.wait(wait)
            wait = min(RETRY_MOST_S, wait * 2)

    def _take(self, piece: Piece) -> None:
        now = self._clock.monotonic()
        held = self._open
        if piece.key and (
            held is None
            or held.form != piece.form
            or held.caption != self.caption
            or now - held.begun >= self._config.segment_s
        ):
            moment = piece.moment or self._clock.legal()
            self._close(moment)
            held = self._begin(piece, moment, now)
        if held is None:
            return
        held.muxer.put(piece)
        if now - held.flushed >= self._config.flush_s:
            held.writer.flush()
            held.flushed = now

    def _begin(self, piece: Piece, moment: datetime, now: float) -> _Open:
        folder = Path(self._config.folder)
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < self._config.reserve:
            raise _DiskFull(f"{free // 2**20} MiB free")
        key = self._recorder.key
        assert key is not None
        segment = str(uuid.uuid4())
        path = f"{_folder_name(self._camera)}/{moment:%Y%m%d}/{segment}.gyseg"
        header = SegmentHeader(segment=segment, camera=self._camera, wrapped=key.wrapped)
        try:
            writer = SegmentWriter(folder / path, header, key.key)
        except OSError as error:
            raise _DiskFull(str(error)) from error
        caption = self.caption
        self._recorder.send(
            SegmentOpened(segment=segment, camera=self._camera, path=path, started_at=moment, caption=caption)
        )
        self._told = None
        muxer = Muxer(writer, piece.form, caption, moment)
        self._open = _Open(segment, piece.form, caption, moment, now, now, writer, muxer)
        return self._open

    def _close(self, until: datetime | None = None) -> None:
        """Bring the open piece to its end; `until` is when the next one begins, where it follows at once."""
        held, self._open = self._open, None
        if held is None:
            return
        try:
            held.muxer.close()
            written = held.writer.close()
        except (OSError, av.FFmpegError) as error:
            # What is on the disk stays readable; the centre closes it as cut when it finds it.
            self._tell("recording-disk", str(error))
            return
        self._recorder.send(
            SegmentClosed(
                segment=held.segment,
                camera=self._camera,
                ended_at=until or held.started_at + held.muxer.length,
                size=written.size,
                sha256=written.sha256,
                pictures=held.muxer.pictures,
                codec=held.form.codec,
            )
        )

    def _tell(self, code: str, reason: str) -> None:
        if reason != self._told:
            self._recorder.send(RecorderTrouble(camera=self._camera, code=code, reason=reason))
        self._told = reason


class _DiskFull(Exception):
    """The disk has no room left for recordings."""


def _folder_name(camera: str) -> str:
    """A camera's id as a folder: other characters than letters, digits, `-`, `_` and `.` become `_`."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in camera).strip(".") or "_"
