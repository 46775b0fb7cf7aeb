"""A real RTSP camera on loopback: read by key frames, frozen and pulled."""

import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from server.proctor.capture import RtspSource
from tests.conftest import missing_tool

START = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
PYTHON = "/usr/bin/python3"
CAMERA = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=10/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=5 ! rtph264pay name=pay0 pt=96 )"
)
factory.set_shared(True)
server.get_mount_points().add_factory("/camera", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""


@pytest.fixture
def camera() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    check = "import gi; gi.require_version('GstRtspServer', '1.0')"
    try:
        there = subprocess.run([PYTHON, "-c", check], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        there = False
    if not there:
        missing_tool("the RTSP test server (gir1.2-gst-rtsp-server-1.0, python3-gi)")
    with subprocess.Popen([PYTHON, "-c", CAMERA], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        yield f"rtsp://127.0.0.1:{port}/camera", process
        process.kill()


def test_key_frames_come_and_a_pulled_camera_is_trouble(camera: tuple[str, subprocess.Popen[str]]) -> None:
    """Key frames of an H.264 stream come whole over RTSP, and when the camera is pulled the source says so."""
    address, process = camera
    ticks = iter(range(100_000))
    news = threading.Event()
    source = RtspSource(address, lambda: START + timedelta(seconds=next(ticks)))
    source.start(news.set)
    taken = []
    while len(taken) < 3:
        assert news.wait(30), source.trouble()
        news.clear()
        captured = source.take()
        if captured is not None:
            taken.append(captured)
    shapes = {picture.shape for picture in (c.picture() for c in taken) if picture is not None}
    assert shapes == {(360, 640, 3)}
    assert [c.captured_at for c in taken] == sorted({c.captured_at for c in taken})
    process.kill()
    while source.trouble() is None:
        assert news.wait(30)
        news.clear()
    source.stop()
