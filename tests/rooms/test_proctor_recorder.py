"""The recorder process over real RTSP: pieces without a gap, captions, a pulled camera, a killed recorder."""

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import msgspec

from server.proctor.capture import SourceConfig
from server.proctor.recorder import RecordedCamera, RecorderConfig
from server.proctor.segment_file import read_segment
from server.protocol.pipe import Frames
from server.protocol.recording import (
    MOST_BYTES,
    CaptionText,
    FromRecorder,
    RecordCamera,
    RecorderTrouble,
    RunKey,
    SegmentClosed,
    SegmentOpened,
    frame,
)
from tests.support.rtsp import rtsp_camera

KEY = bytes(range(32))
CAPTION = CaptionText(point="朝阳考点", method="机考", room="第1考场", layout="30座")
CHILD = (
    "import sys; from server.clock import SystemClock; from server.proctor.recorder import run;"
    "run(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer, SystemClock())"
)


def unwrap(wrapped: bytes, aad: bytes) -> bytes:
    return wrapped


def recorder(folder: Path, address: str, segment_s: float = 1.0) -> "subprocess.Popen[bytes]":
    source = SourceConfig(kind="rtsp", at=address)
    cameras = (RecordedCamera(id="c1", source=source),)
    config = RecorderConfig(folder=str(folder), cameras=cameras, segment_s=segment_s, flush_s=0.2)
    path = folder / "recorder.json"
    path.write_bytes(msgspec.json.encode(config))
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdin is not None
    process.stdin.write(frame(RunKey(key=KEY, wrapped=KEY)))
    process.stdin.write(frame(RecordCamera(camera="c1", room="1", caption=CAPTION)))
    return process


def told(process: "subprocess.Popen[bytes]") -> Iterator[FromRecorder]:
    frames: Frames[FromRecorder] = Frames(FromRecorder, MOST_BYTES)
    assert process.stdout is not None
    while data := process.stdout.read(1 << 16):
        yield from frames.receive(data)


def test_the_course_of_a_real_camera_is_recorded(tmp_path: Path) -> None:
    """Pieces of an RTSP camera follow each other without a gap, hold its own undecoded H.264 and a caption for each
    second, close when the camera is pulled, and a killed recorder's last piece is read to its last chunk."""
    with rtsp_camera() as (address, camera):
        process = recorder(tmp_path, address)
        opened: list[SegmentOpened] = []
        closed: list[SegmentClosed] = []
        messages = told(process)
        for message in messages:
            if isinstance(message, RecorderTrouble):
                # A camera that a busy machine keeps from sending for seconds has a true gap: begun anew after it.
                opened.clear()
                closed.clear()
            elif isinstance(message, SegmentOpened):
                opened.append(message)
            elif isinstance(message, SegmentClosed):
                closed.append(message)
            if len(opened) == 4:
                break
        assert [(one.started_at) for one in opened[1:4]] == [one.ended_at for one in closed[:3]]
        total = 0
        for head, tail in zip(opened[:3], closed, strict=False):
            data, on_disk = read_segment(tmp_path / head.path, unwrap, tail.sha256)
            assert (on_disk.size, on_disk.complete, tail.codec) == (tail.size, True, "h264")
            with av.open(io.BytesIO(data)) as video:
                packets = [p for p in video.demux(video.streams.video[0]) if p.size]
                assert packets[0].is_keyframe
                assert len(packets) == tail.pictures
                total += len(packets)
            with av.open(io.BytesIO(data)) as video:
                texts = [bytes(p).decode() for p in video.demux(video.streams.subtitles[0]) if p.size]
                assert all(
                    text.startswith("朝阳考点") and text.endswith("机考　第1考场　30座") for text in texts
                )
        # A piece ends at a key picture only, and every fifth is one: how many a piece holds is the machine's affair.
        assert total >= 15
        camera.kill()
        assert any(isinstance(message, RecorderTrouble) for message in messages)
        process.kill()
        process.wait()
    with rtsp_camera() as (address, _):
        # A piece that is still growing whenever this test comes to look.
        process = recorder(tmp_path, address, segment_s=600.0)
        first = next(message for message in told(process) if isinstance(message, SegmentOpened))
        path = tmp_path / first.path
        grown = path.stat().st_size
        while path.stat().st_size < grown + 20_000:
            assert process.poll() is None
        process.kill()
        process.wait()
    data, on_disk = read_segment(path, unwrap)
    with av.open(io.BytesIO(data)) as video:
        assert sum(1 for _ in video.decode(video.streams.video[0])) >= 1
