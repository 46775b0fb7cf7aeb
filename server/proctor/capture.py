"""Reads pictures from cameras and files. The time of a picture is the time it was captured, never when it
was read.

A live source runs in its own thread and keeps the newest picture only: a slow reader sees fewer pictures,
never old ones. A stored source (folder, video file) gives every sample once and then ends.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import httpx
import msgspec
import numpy as np

from server.errors import BadInput
from server.proctor.evidence import Picture
from server.proctor.stream import Sampling, StreamClock
from server.proctor.view import PixelsView, PlanesView, View

CAPTURED_AT = "X-Captured-At"
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
PLANAR = ("yuv420p", "yuvj420p")
# A stream without a byte, and a connection without an answer, are given up after this many real seconds.
SILENCE_S = 5.0
RETRY_FIRST_S, RETRY_MOST_S = 0.5, 8.0
MOST_PICTURE_BYTES = 16 * 1024 * 1024

Legal = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Captured:
    """One picture as it came: JPEG bytes, BGR pixels or a decoded video picture, and its capture time (UTC)."""

    captured_at: datetime
    jpeg: bytes | None
    pixels: Picture | None
    frame: av.VideoFrame | None = None

    def picture(self) -> Picture | None:
        """The pixels, uint8 (H, W, 3) BGR; None where the bytes are no picture."""
        if self.pixels is not None:
            return self.pixels
        if self.frame is not None:
            return np.asarray(self.frame.to_ndarray(format="bgr24"), dtype=np.uint8)
        return decode(self.jpeg or b"")

    def view(self) -> View | None:
        """The picture as the stages read it, without converting what they do not need; None where it is none."""
        if self.frame is not None and self.frame.format.name in PLANAR:
            return _planes(self.frame)
        picture = self.picture()
        return None if picture is None else PixelsView(picture)


class SourceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a camera's pictures come from.

    `kind` is rtsp, mjpeg, snapshot, folder or file (a video); `at` the URL or path. `every_s` is the
    interval of snapshots in real seconds and of samples from a stream or stored source in its own seconds. `starts_at`
    (UTC) dates the first picture of a stored source; pictures of a folder may instead carry their time in
    the name, as 20261123T010203Z.
    """

    kind: str
    at: str
    every_s: float = 1.0
    starts_at: datetime | None = None


class Source(Protocol):
    """A live camera: start once, take the newest picture when there is one, stop once."""

    def start(self, wake: Callable[[], None]) -> None:
        """Begins reading; `wake` is called from the source's thread whenever something new is there."""

    def take(self) -> Captured | None:
        """The newest picture not yet taken, or None."""

    def trouble(self) -> str | None:
        """Why the source has no pictures at the moment, or None."""

    def stop(self) -> None:
        """Ends reading; returns when the thread has ended or can no longer deliver."""


def decode(data: bytes) -> Picture | None:
    """The BGR pixels of an encoded picture; None where it is none."""
    if not data:
        return None
    pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if pixels is None else np.asarray(pixels, dtype=np.uint8)


def _planes(frame: av.VideoFrame) -> View:
    planes: Any = frame.planes
    luma, blue, red = (
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        for plane in planes
    )
    full = frame.format.name == "yuvj420p" or frame.color_range == av.video.reformatter.ColorRange.JPEG
    return PlanesView(luma, blue, red, full)


def open_source(config: SourceConfig, legal: Legal) -> Source:
    """The live source of a camera. BadInput (`source-unknown`) for a kind that is none."""
    match config.kind:
        case "rtsp":
            return RtspSource(config.at, legal, config.every_s)
        case "mjpeg":
            return MjpegSource(config.at, legal)
        case "snapshot":
            return SnapshotSource(config.at, config.every_s, legal)
        case "folder" | "file":
            return StoredSource(config)
        case _:
            raise BadInput("source-unknown", kind=config.kind)


def stored_pictures(config: SourceConfig) -> Iterator[Captured]:
    """Every sample of a folder or video file, in order of capture.

    Raises:
        BadInput: the path cannot be read (`source-unreadable`) or the kind is not a stored one
        (`source-unknown`).
    """
    if config.kind == "folder":
        return _folder(config)
    if config.kind == "file":
        return _video(config)
    raise BadInput("source-unknown", kind=config.kind)


def captured_at(header: str | None, legal: Legal) -> datetime:
    """The time of the header X-Captured-At (ISO 8601 with zone) as UTC; without a good one, the legal time
    now.
    """
    if header:
        try:
            moment = datetime.fromisoformat(header.strip())
        except ValueError:
            return legal()
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    return legal()


class _LiveSource(ABC):
    """A thread that fills a slot for one picture; a camera that fails is tried again after growing waits."""

    def __init__(self, address: str, legal: Legal) -> None:
        self.address = address
        self._legal = legal
        self._lock = threading.Lock()
        self._newest: Captured | None = None
        self._trouble: str | None = None
        self._came = False
        self._wake: Callable[[], None] = lambda: None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._thread = threading.Thread(target=self._run, name=f"camera {self.address}", daemon=True)
        self._thread.start()

    def take(self) -> Captured | None:
        with self._lock:
            newest, self._newest = self._newest, None
        return newest

    def trouble(self) -> str | None:
        return self._trouble

    def stop(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(SILENCE_S)

    def _put(self, captured: Captured) -> None:
        with self._lock:
            self._newest = captured
        self._trouble, self._came = None, True
        self._wake()

    def _run(self) -> None:
        wait = RETRY_FIRST_S
        while not self._ended.is_set():
            self._came = False
            try:
                self._read()
                self._trouble = "the stream ended"
            except (httpx.HTTPError, av.FFmpegError, OSError, ValueError, IndexError) as error:
                self._trouble = f"{type(error).__name__}: {error}"[:200]
            # A camera that gave pictures is tried again soon, however it broke.
            wait = RETRY_FIRST_S if self._came else min(RETRY_MOST_S, wait * 2)
            self._wake()
            self._ended.wait(wait)

    @abstractmethod
    def _read(self) -> None:
        """Read the stream until it ends; errors are kept as the source's trouble."""


class MjpegSource(_LiveSource):
    """A multipart/x-mixed-replace stream of JPEG pictures over HTTP; parts are kept whole and undecoded."""

    def _read(self) -> None:
        with (
            httpx.Client(timeout=SILENCE_S, trust_env=False) as client,
            client.stream("GET", self.address) as reply,
        ):
            reply.raise_for_status()
            parts = MultipartReader(reply.headers.get("content-type", ""))
            for data in reply.iter_raw():
                for headers, body in parts.receive(data):
                    self._put(
                        Captured(captured_at(headers.get(CAPTURED_AT.lower()), self._legal), body, None)
                    )
                if self._ended.is_set():
                    return


class SnapshotSource(_LiveSource):
    """A URL that gives one picture at each request, asked every `every_s` real seconds."""

    def __init__(self, address: str, every_s: float, legal: Legal) -> None:
        super().__init__(address, legal)
        self._every_s = max(0.05, every_s)

    def _read(self) -> None:
        with httpx.Client(timeout=SILENCE_S, trust_env=False) as client:
            while not self._ended.is_set():
                reply = client.get(self.address)
                reply.raise_for_status()
                moment = captured_at(reply.headers.get(CAPTURED_AT), self._legal)
                self._put(Captured(moment, reply.content, None))
                self._ended.wait(self._every_s)


class RtspSource(_LiveSource):
    """An RTSP camera over TCP, about one picture every `every_s` seconds of the stream.

    Only key frames are decoded while they come often enough, otherwise the whole stream is.
    """

    def __init__(self, address: str, legal: Legal, every_s: float = 1.0) -> None:
        super().__init__(address, legal)
        self._every_s = every_s

    def _read(self) -> None:
        # The stream is described by the camera: a long look at it would only delay the first picture.
        options = {
            "rtsp_transport": "tcp",
            "timeout": str(int(SILENCE_S * 1_000_000)),
            "analyzeduration": "500000",
            "fpsprobesize": "0",
        }
        with av.open(self.address, options=options, timeout=SILENCE_S) as container:
            stream = container.streams.video[0]
            decoder = stream.codec_context
            decoder.thread_count = 1
            # Without this a stream with reordered pictures gives each of them one key frame late.
            decoder.flags |= av.codec.context.Flags.low_delay
            keys = _key_decoder(decoder)
            sampling, clock = Sampling(self._every_s), StreamClock()
            base, arrived, second = float(stream.time_base or 0), self._legal(), 0.0
            for packet in container.demux(stream):
                if self._ended.is_set():
                    return
                if packet.pts is not None:
                    second = packet.pts * base
                if not sampling.decodes(packet.is_keyframe, second):
                    continue
                arrived = self._legal()
                for picture in decoder.decode(packet) if sampling.whole else keys.decode(packet):
                    shown = second if picture.pts is None else picture.pts * base
                    if isinstance(picture, av.VideoFrame) and sampling.takes(shown):
                        self._put(Captured(clock.time_of(shown, arrived), None, None, picture))


def _key_decoder(of: av.VideoCodecContext) -> av.VideoCodecContext:
    """A second decoder of the same stream for key frames alone. It leaves out the smoothing of block edges, a twelfth
    of the work: the faint edges that stay are in no later picture, because none is built on this one.
    """
    made = av.CodecContext.create(of.name, "r")
    if not isinstance(made, av.VideoCodecContext):
        raise ValueError("the stream is no video")
    made.extradata, made.thread_count = of.extradata, 1
    made.flags |= av.codec.context.Flags.low_delay
    made.options = {"skip_loop_filter": "all"}
    return made


class StoredSource:
    """A stored source played as a live one, as fast as it is taken: the same path for reviews."""

    def __init__(self, config: SourceConfig) -> None:
        self._pictures = stored_pictures(config)

    def start(self, wake: Callable[[], None]) -> None:
        wake()

    def take(self) -> Captured | None:
        return next(self._pictures, None)

    def trouble(self) -> str | None:
        return None

    def stop(self) -> None:
        self._pictures = iter(())


class MultipartReader:
    """Takes the bytes of a multipart stream as they come and gives whole parts; it does no reading itself.

    A part with Content-Length is cut by it, one without by the next boundary. Raises ValueError where the
    type names no boundary or a part is over 16 MiB.
    """

    def __init__(self, content_type: str) -> None:
        boundary = ""
        for field in content_type.split(";")[1:]:
            name, _, value = field.strip().partition("=")
            if name.lower() == "boundary":
                boundary = value.strip('"').removeprefix("--")
        if not boundary:
            raise ValueError("the stream names no boundary")
        self._mark = b"--" + boundary.encode("latin-1")
        self._held = bytearray()

    def receive(self, data: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
        """The parts completed by `data`: headers with lower-case names, and the body."""
        self._held += data
        while (part := self._next()) is not None:
            yield part
        if len(self._held) > MOST_PICTURE_BYTES:
            raise ValueError("a part of the stream is too long")

    def _next(self) -> tuple[dict[str, str], bytes] | None:
        start = self._held.find(self._mark)
        if start < 0:
            return None
        head_end = self._held.find(b"\r\n\r\n", start)
        if head_end < 0:
            return None
        lines = self._held[start + len(self._mark) : head_end].decode("latin-1").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, c, v in (line.partition(":") for line in lines) if c}
        body = head_end + 4
        stated = headers.get("content-length", "")
        if stated.isdigit():
            end = after = body + int(stated)
            if len(self._held) < end:
                return None
        else:
            after = self._held.find(b"\r\n" + self._mark, body)
            if after < 0:
                return None
            end, after = after, after + 2
        picture = bytes(self._held[body:end])
        del self._held[:after]
        return headers, picture


def _folder(config: SourceConfig) -> Iterator[Captured]:
    folder = Path(config.at)
    if not folder.is_dir():
        raise BadInput("source-unreadable", at=config.at)
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
    start = config.starts_at or datetime(1970, 1, 1, tzinfo=UTC)
    for index, file in enumerate(files):
        moment = _named_time(file.stem) or start + timedelta(seconds=index * config.every_s)
        yield Captured(moment, file.read_bytes(), None)


def _named_time(stem: str) -> datetime | None:
    """The UTC time that a file name ends with, as 20261123T010203Z or with a fraction after a dot."""
    tail = stem.rsplit("_", 1)[-1]
    for form in ("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S.%fZ"):
        try:
            return datetime.strptime(tail, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _video(config: SourceConfig) -> Iterator[Captured]:
    start = config.starts_at or datetime(1970, 1, 1, tzinfo=UTC)
    try:
        with av.open(config.at) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            due = -1.0
            for picture in container.decode(stream):
                second = float(picture.time or 0.0)
                if second + 1e-6 < due:
                    continue
                due = second + config.every_s
                pixels = np.asarray(picture.to_ndarray(format="bgr24"), dtype=np.uint8)
                yield Captured(start + timedelta(seconds=second), None, pixels)
    except (OSError, av.FFmpegError, IndexError) as error:
        raise BadInput("source-unreadable", at=config.at, reason=str(error)) from error
