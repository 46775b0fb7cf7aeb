"""A real RTSP camera on loopback, for tests: H.264, 640 x 360, ten pictures a second, a key picture every half."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import missing_tool

PYTHON = "/usr/bin/python3"
CAMERA = """
import gi, sys
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
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


@contextmanager
def rtsp_camera(port: str = "0") -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Give the address of a camera and its process; `port` 0 takes a free one."""
    check = "import gi; gi.require_version('GstRtspServer', '1.0')"
    try:
        there = subprocess.run([PYTHON, "-c", check], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        there = False
    if not there:
        missing_tool("the RTSP test server (gir1.2-gst-rtsp-server-1.0, python3-gi)")
    with subprocess.Popen([PYTHON, "-c", CAMERA, port], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            taken = process.stdout.readline().strip()
            yield f"rtsp://127.0.0.1:{taken}/camera", process
        finally:
            process.kill()
