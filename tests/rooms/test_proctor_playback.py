"""Recordings read back: the picture of a moment, a clip, a film with its caption, and who is masked in a picture."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from server.errors import NotFound
from server.proctor.drawing import captioned
from server.proctor.masking import masked
from server.proctor.playback import clip, film, picture_at
from server.proctor.recording_store import Segment
from server.proctor.remux import Form, Muxer, Piece
from server.proctor.seats import CameraLayout, region_at
from server.protocol.recording import CaptionText

START = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
CAPTION = CaptionText(point="朝阳考点", method="机考", room="第1考场", layout="30座")
RATE, EACH_S = 5, 4


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def recorded(number: int) -> bytes:
    """Four seconds of H.264, a key picture each second; each picture is three levels brighter than the last."""
    source, out = io.BytesIO(), io.BytesIO()
    with av.open(source, "w", format="mpegts") as video:
        stream = video.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"g": str(RATE), "tune": "zerolatency", "crf": "10"}
        for index in range(EACH_S * RATE):
            planes = np.full((270, 320), 128, np.uint8)
            planes[:180] = 30 + 3 * (number * EACH_S * RATE + index)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            video.mux(stream.encode(frame))
        video.mux(stream.encode(None))
    source.seek(0)
    with av.open(source) as video:
        stream = video.streams.video[0]
        muxer = Muxer(out, Form("h264", 320, 180, stream), CAPTION, after(number * EACH_S))
        for packet in video.demux(stream):
            if packet.dts is not None and packet.pts is not None and packet.time_base is not None:
                shown, decoded = float(packet.pts * packet.time_base), float(packet.dts * packet.time_base)
                muxer.put(Piece(Form("h264", 320, 180), bytes(packet), shown, decoded, packet.is_keyframe))
        muxer.close()
    return out.getvalue()


def step_of(picture: np.ndarray) -> int:
    """Which picture it is, counted from the first of all pieces, by its brightness."""
    return round((float(picture[100:].mean()) * 219 / 255 + 16 - 30) / 3)


@pytest.fixture(scope="module")
def pieces() -> dict[str, bytes]:
    return {str(number): recorded(number) for number in range(3)}


@pytest.fixture
def segments() -> list[Segment]:
    return [
        Segment(
            id=str(number),
            camera="c1",
            room="1",
            slot="s",
            path="",
            started_at=after(number * EACH_S),
            ended_at=after((number + 1) * EACH_S),
            number=number + 1,
            size=1,
            sha256="",
            chain="",
            codec="h264",
            complete=True,
            caption=CAPTION,
            erased_at=None,
        )
        for number in range(3)
    ]


def test_a_moment_shows_its_own_picture(segments: list[Segment], pieces: dict[str, bytes]) -> None:
    """At each fifth of a second of three pieces the picture of that very moment is shown; before the first piece and
    long after the last there is none."""
    for step in (0, 1, 7, 19, 20, 33, 59):
        shown = picture_at(segments, after(step / RATE), lambda one: pieces[one.id])
        assert step_of(shown.picture) == step
        assert abs((shown.moment - after(step / RATE)).total_seconds()) < 0.01
    for wrong in (after(-1), after(60)):
        with pytest.raises(NotFound, match="recording-none"):
            picture_at(segments, wrong, lambda one: pieces[one.id])


def test_a_clip_is_cut_without_decoding(segments: list[Segment], pieces: dict[str, bytes]) -> None:
    """A clip over the border of two pieces begins at the key picture before its start, ends before its end, holds
    the pictures and captions of all seconds between, and leaves out a piece that has only just begun."""
    data = clip(segments, after(2.5), after(6.5), lambda one: pieces[one.id])
    with av.open(io.BytesIO(data)) as video:
        steps = [step_of(f.to_ndarray(format="bgr24")) for f in video.decode(video.streams.video[0])]
    assert steps == list(range(10, 33))
    with av.open(io.BytesIO(data)) as video:
        texts = [bytes(p).decode() for p in video.demux(video.streams.subtitles[0]) if p.size]
    begun = [*segments[:2], replace(segments[2], ended_at=None)]
    late = clip(begun, after(6), after(9), lambda one: b"" if one.id == "2" else pieces[one.id])
    with av.open(io.BytesIO(late)) as video:
        assert sum(1 for _ in video.decode(video.streams.video[0])) == 2 * RATE
    assert [text[:24] for text in texts] == [f"朝阳考点　2026-03-14 09:00:0{n}" for n in range(2, 7)]


def test_a_film_has_its_caption_drawn(
    segments: list[Segment], pieces: dict[str, bytes], tmp_path: Path
) -> None:
    """A film holds only pictures of its time, each with white letters on a dark band that differ from second to
    second."""
    path = tmp_path / "film.mp4"
    with path.open("wb") as out:
        count = film(segments, after(3), after(5), lambda one: pieces[one.id], out)
    with av.open(str(path)) as video:
        pictures = [f.to_ndarray(format="bgr24") for f in video.decode(video.streams.video[0])]
    assert count == len(pictures) == 2 * RATE
    assert all(int(picture[:12].max()) > 200 and int(picture[60:].max()) < 120 for picture in pictures)
    assert np.abs(pictures[0][:20].astype(int) - pictures[5][:20].astype(int)).max() > 80


def test_captions_and_masks_on_a_picture() -> None:
    """Of three heads only that of the seat concerned stays as it was, a face between the seats is masked, and with
    nobody's seat concerned the face between them is the one that stays."""
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 255, (360, 640, 3), dtype=np.uint8)
    layout = CameraLayout("c", "1", 640, 360, tuple(region_at(str(n), 120 * n, 150, 40) for n in (1, 2, 4)))
    stray = (340.0, 130.0, 380.0, 170.0)

    def same(out: np.ndarray, x: int, y: int) -> bool:
        return bool((out[y - 8 : y + 8, x - 8 : x + 8] == picture[y - 8 : y + 8, x - 8 : x + 8]).all())

    own = masked(picture, layout, "2", [stray])
    assert [same(own, x, 150) for x in (120, 240, 480, 360)] == [False, True, False, False]
    nobody = masked(picture, layout, "", [stray, (100.0, 130.0, 140.0, 170.0)])
    assert [same(nobody, x, 150) for x in (120, 240, 480, 360)] == [False, False, False, True]
    drawn = captioned(picture, CAPTION, START, layout)
    assert (drawn[200:] == picture[200:]).all()
    assert not (drawn[:40] == picture[:40]).all()
    assert cv2.imencode(".jpg", drawn)[0]
