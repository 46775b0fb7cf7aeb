"""Reads recordings back: the picture of a moment, a clip without re-encoding, a film with its caption drawn.

Everything here blocks and belongs into a thread.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import av
import numpy as np

from server.errors import NotFound
from server.proctor.drawing import captioned
from server.proctor.evidence import Picture
from server.proctor.recording_store import Segment
from server.proctor.remux import Form, Muxer, Piece
from server.proctor.seats import CameraLayout
from server.proctor.transcoding import Film
from server.protocol.recording import CaptionText

Reader = Callable[[Segment], bytes]
"""Gives the Matroska bytes of a piece."""
Change = Callable[[Picture], Picture]
NEAR = timedelta(seconds=15)
"""A moment without a picture shows the last one before it, up to so much older: cameras may send key pictures only
every ten seconds."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A recorded picture, undrawn, with its own moment and caption."""

    picture: Picture
    moment: datetime
    caption: CaptionText


def picture_at(segments: Sequence[Segment], moment: datetime, read: Reader) -> Shown:
    """The last picture at or before a moment. NotFound `recording-none` where there is none nearer than 15 s."""
    camera = segments[0].camera if segments else ""
    for segment in sorted(segments, key=lambda one: one.started_at, reverse=True):
        if segment.started_at > moment or segment.erased_at is not None:
            continue
        wanted = (moment - segment.started_at).total_seconds()
        found: tuple[float, Any] | None = None
        for second, picture in _pictures(read(segment), wanted):
            if second > wanted + 1e-6 and found is not None:
                break
            if second <= wanted + 0.5:
                found = (second, picture)
        if found is None:
            continue
        at = segment.started_at + timedelta(seconds=found[0])
        if moment - at > NEAR:
            break
        pixels = np.asarray(found[1].to_ndarray(format="bgr24"), dtype=np.uint8)
        return Shown(pixels, at, segment.caption)
    raise NotFound("recording-none", camera=camera)


def _pictures(data: bytes, near_s: float) -> Iterator[tuple[float, Any]]:
    """Decoded pictures from the key picture before a second on."""
    try:
        with av.open(io.BytesIO(data), "r") as video:
            stream = video.streams.video[0]
            stream.codec_context.thread_count = 1
            if near_s > 0:
                video.seek(int(near_s * 1_000_000))
            for picture in video.decode(stream):
                yield float(picture.time or 0.0), picture
    except (av.FFmpegError, IndexError):
        return


def clip(segments: Sequence[Segment], start: datetime, end: datetime, read: Reader) -> bytes:
    """The recording of [start, end) as Matroska with its caption track, undecoded: it begins at the key picture at or
    before the start. NotFound `recording-none` where nothing was recorded then, or the form of the pictures changed
    before anything of it was."""
    out = io.BytesIO()
    muxer: Muxer | None = None
    form: tuple[str, int, int] | None = None
    offset = 0.0
    for segment in _touching(segments, start, end):
        data = read(segment)
        if not _readable(data):
            continue
        with av.open(io.BytesIO(data), "r") as video:
            stream = video.streams.video[0]
            shape = (stream.codec_context.name, stream.width, stream.height)
            if form not in (None, shape):
                break
            if muxer is None:
                begins = _key_before(data, (start - segment.started_at).total_seconds())
                first = segment.started_at + timedelta(seconds=begins)
                muxer, form = Muxer(out, Form(*shape, stream), segment.caption, first), shape
            offset = (segment.started_at - first).total_seconds()
            for packet in video.demux(stream):
                if packet.dts is None or packet.time_base is None or packet.pts is None:
                    continue
                decoded = float(packet.dts * packet.time_base) + offset
                shown = float(packet.pts * packet.time_base) + offset
                if shown < -1e-6 or segment.started_at + timedelta(seconds=shown - offset) >= end:
                    continue
                muxer.put(Piece(Form(*shape), bytes(packet), shown, decoded, packet.is_keyframe))
    if muxer is None:
        raise NotFound("recording-none", camera=segments[0].camera if segments else "")
    muxer.close()
    return out.getvalue()


def film(
    segments: Sequence[Segment],
    start: datetime,
    end: datetime,
    read: Reader,
    out: Any,
    layout: CameraLayout | None = None,
    change: Change | None = None,
) -> int:
    """Writes the recording of [start, end) as MP4 (H.264) with caption and seat numbers drawn; returns how many
    pictures. `change` alters each picture before, as a mask does. NotFound `recording-none` where nothing was recorded
    then."""
    made = Film(out)
    for segment in _touching(segments, start, end):
        wanted = (start - segment.started_at).total_seconds()
        for second, picture in _pictures(read(segment), max(0.0, wanted)):
            moment = segment.started_at + timedelta(seconds=second)
            if moment < start:
                continue
            if moment >= end:
                break
            pixels = np.asarray(picture.to_ndarray(format="bgr24"), dtype=np.uint8)
            drawn = captioned(pixels if change is None else change(pixels), segment.caption, moment, layout)
            made.put(drawn, (moment - start).total_seconds())
    if not made.pictures:
        raise NotFound("recording-none", camera=segments[0].camera if segments else "")
    made.close()
    return made.pictures


def _touching(segments: Sequence[Segment], start: datetime, end: datetime) -> list[Segment]:
    return [
        one
        for one in sorted(segments, key=lambda one: one.started_at)
        if one.erased_at is None and one.started_at < end and (one.ended_at is None or one.ended_at > start)
    ]


def _readable(data: bytes) -> bool:
    """False for a piece that has just begun, or was cut before its first picture was on the disk."""
    try:
        with av.open(io.BytesIO(data), "r") as video:
            return any(packet.size for packet in video.demux(video.streams.video[0]))
    except (av.FFmpegError, IndexError):
        return False


def _key_before(data: bytes, second: float) -> float:
    """The second of the last key picture at or before a second; that of the first where there is none."""
    found = 0.0
    with av.open(io.BytesIO(data), "r") as video:
        for packet in video.demux(video.streams.video[0]):
            if packet.pts is None or packet.time_base is None or not packet.is_keyframe:
                continue
            at = float(packet.pts * packet.time_base)
            if at > second:
                break
            found = at
    return found
