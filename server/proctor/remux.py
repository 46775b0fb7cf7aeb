"""Camera packets into Matroska, as they came: no picture is decoded or encoded again.

A stream of JPEG pictures (MJPEG, snapshots) becomes a video of the same JPEGs. Every second of a piece carries its
caption in a text track.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import av
import httpx

from server.proctor.captions import caption_lines
from server.proctor.capture import (
    CAPTURED_AT,
    SILENCE_S,
    Legal,
    MultipartReader,
    SourceConfig,
    captured_at,
    decode,
)
from server.protocol.recording import CaptionText

MILLI = Fraction(1, 1000)
RECORDED_KINDS = ("rtsp", "mjpeg", "snapshot")
"""Sources whose course can be recorded; stored ones are recordings already."""
_TEXT = b"1\n00:00:00,000 --> 00:00:01,000\n-\n\n"


@dataclass(frozen=True, slots=True)
class Form:
    """What a piece needs to know of its pictures: codec, size, and the stream they come from, if it is one."""

    codec: str
    width: int
    height: int
    template: Any = None


@dataclass(frozen=True, slots=True)
class Piece:
    """One packet: its bytes, the seconds of its showing and decoding on the source's own line, and whether pictures can
    be read from here on. `moment` is its capture time where the source tells it."""

    form: Form
    data: bytes
    shown_s: float
    decoded_s: float
    key: bool
    moment: datetime | None = None


def pieces(config: SourceConfig, legal: Legal, ended: Callable[[], bool]) -> Iterator[Piece]:
    """The packets of a live source until it ends; its errors are raised (httpx.HTTPError, av.FFmpegError, OSError,
    ValueError)."""
    if config.kind == "rtsp":
        return _rtsp(config.at, ended)
    if config.kind == "mjpeg":
        return _jpegs(_mjpeg(config.at, legal, ended))
    return _jpegs(_snapshots(config, legal, ended))


def _rtsp(address: str, ended: Callable[[], bool]) -> Iterator[Piece]:
    options = {"rtsp_transport": "tcp", "timeout": str(int(SILENCE_S * 1_000_000))}
    with av.open(address, options=options, timeout=SILENCE_S) as container:
        stream = container.streams.video[0]
        form = Form(stream.codec_context.name, stream.width, stream.height, stream)
        for packet in container.demux(stream):
            if ended():
                return
            if packet.dts is None or packet.time_base is None:
                continue
            shown = packet.dts if packet.pts is None else packet.pts
            yield Piece(
                form,
                bytes(packet),
                float(shown * packet.time_base),
                float(packet.dts * packet.time_base),
                packet.is_keyframe,
            )


def _jpegs(pictures: Iterator[tuple[datetime, bytes]]) -> Iterator[Piece]:
    form: Form | None = None
    first: datetime | None = None
    for moment, jpeg in pictures:
        if form is None:
            picture = decode(jpeg)
            if picture is None:
                continue
            form = Form("mjpeg", picture.shape[1], picture.shape[0])
        first = first or moment
        second = (moment - first).total_seconds()
        yield Piece(form, jpeg, second, second, True, moment)


def _mjpeg(address: str, legal: Legal, ended: Callable[[], bool]) -> Iterator[tuple[datetime, bytes]]:
    with (
        httpx.Client(timeout=SILENCE_S, trust_env=False) as client,
        client.stream("GET", address) as reply,
    ):
        reply.raise_for_status()
        parts = MultipartReader(reply.headers.get("content-type", ""))
        for data in reply.iter_raw():
            for headers, body in parts.receive(data):
                yield captured_at(headers.get(CAPTURED_AT.lower()), legal), body
            if ended():
                return


def _snapshots(
    config: SourceConfig, legal: Legal, ended: Callable[[], bool]
) -> Iterator[tuple[datetime, bytes]]:
    pause = threading.Event()
    with httpx.Client(timeout=SILENCE_S, trust_env=False) as client:
        while not ended():
            reply = client.get(config.at)
            reply.raise_for_status()
            yield captured_at(reply.headers.get(CAPTURED_AT), legal), reply.content
            pause.wait(max(0.05, config.every_s))


def measured(data: bytes) -> tuple[float, str]:
    """Seconds and codec of a Matroska file that may be cut; 0 and "" where nothing can be read of it."""
    last, codec = 0.0, ""
    with contextlib.suppress(av.FFmpegError, IndexError), av.open(io.BytesIO(data), "r") as video:
        stream = video.streams.video[0]
        codec = stream.codec_context.name
        for packet in video.demux(stream):
            if packet.pts is not None and packet.time_base is not None:
                last = max(last, float(packet.pts * packet.time_base))
    return last, codec


class Muxer:
    """Writes pieces of one form into a Matroska file that can only be appended to, beginning with a key picture."""

    def __init__(self, out: Any, form: Form, caption: CaptionText, started_at: datetime) -> None:
        self._caption, self._started = caption, started_at
        self._first: float | None = None
        self._captioned = -1
        self._last_dts = -1
        self.pictures = 0
        self.length = timedelta(0)
        self._texts = av.open(io.BytesIO(_TEXT), format="srt")
        self._file = av.open(out, "w", format="matroska", options={"cluster_time_limit": "2000"})
        if form.template is None:
            stream: Any = self._file.add_stream(form.codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = form.width, form.height, "yuvj420p"
            self._video = stream
        else:
            self._video = self._file.add_stream_from_template(form.template)
        self._text: Any = self._file.add_stream_from_template(self._texts.streams.subtitles[0])

    def put(self, piece: Piece) -> None:
        """Append one packet; packets whose decoding order runs backwards are left out."""
        if self._first is None:
            self._first = piece.decoded_s
        shown = round((piece.shown_s - self._first) * 1000)
        decoded = round((piece.decoded_s - self._first) * 1000)
        if decoded <= self._last_dts:
            decoded = self._last_dts + 1
        shown = max(shown, decoded)
        self._last_dts = decoded
        if shown // 1000 > self._captioned:
            self._captioned = shown // 1000
            lines = caption_lines(self._caption, self._started + timedelta(milliseconds=shown))
            self._mux(self._text, "\n".join(lines).encode(), shown, shown, True, 1000)
        self._mux(self._video, piece.data, shown, decoded, piece.key, None)
        self.pictures += 1
        self.length = max(self.length, timedelta(milliseconds=shown))

    def close(self) -> None:
        """Write what is still held."""
        self._file.close()
        self._texts.close()

    def _mux(
        self, stream: Any, data: bytes, shown: int, decoded: int, key: bool, duration: int | None
    ) -> None:
        packet = av.Packet(data)
        packet.stream = stream
        packet.time_base = MILLI
        packet.pts, packet.dts = shown, decoded
        packet.is_keyframe = key
        if duration is not None:
            packet.duration = duration
        self._file.mux(packet)
