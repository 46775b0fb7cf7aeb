"""Serves a drawn hall as cameras do, on loopback: MJPEG streams and snapshots that carry their capture time.

Pictures are drawn on a grid of legal time, one every `every_legal_s`; a stream sends each new one once. A
camera that is scripted as lost sends nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import cv2
import numpy as np

from server.proctor.capture import CAPTURED_AT
from server.proctor.evidence import CameraFault
from server.proctor.simulation import HallDrawing

BOUNDARY = "picture"
JPEG_QUALITY = 92
LOOK_AGAIN_S = 0.02


class HallServer:
    """An HTTP server for one drawn hall. `legal` gives the legal time; `port` 0 takes a free one.

    Addresses: `/rooms/<room>/stream.mjpg` and `/rooms/<room>/snapshot.jpg`.
    """

    def __init__(
        self,
        hall: HallDrawing,
        legal: Callable[[], datetime],
        every_legal_s: float = 30.0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        if every_legal_s <= 0:
            raise ValueError("the interval between pictures is positive")
        self._hall, self._legal, self._every = hall, legal, every_legal_s
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[datetime, bytes]] = {}
        self._server = ThreadingHTTPServer((host, port), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="drawn hall", daemon=True)

    @property
    def url(self) -> str:
        """The address of the server, without a path."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def stream(self, room: str) -> str:
        """The address of a room's MJPEG stream."""
        return f"{self.url}/rooms/{room}/stream.mjpg"

    def snapshot(self, room: str) -> str:
        """The address of a room's newest picture."""
        return f"{self.url}/rooms/{room}/snapshot.jpg"

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Ends all streams and closes the port."""
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def ended(self) -> threading.Event:
        """Set once the server is to end."""
        return self._ended

    def knows(self, room: str) -> bool:
        """True for a room of the hall."""
        return room in self._hall.rooms

    def newest(self, room: str) -> tuple[datetime, bytes] | None:
        """Capture time and JPEG of the newest picture on the grid; None while the camera is lost."""
        seconds = self._legal().timestamp() // self._every * self._every
        at = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
        failure = self._hall.failure(room, at)
        if failure is not None and failure.fault is CameraFault.LOST:
            return None
        with self._lock:
            kept = self._kept.get(room)
            if kept is None or kept[0] != at:
                done, data = cv2.imencode(
                    ".jpg", self._hall.picture(room, at), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
                )
                if not done:
                    raise RuntimeError("the picture could not be encoded")
                kept = (at, np.asarray(data).tobytes())
                self._kept[room] = kept
            return kept


def _handler(server: HallServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = [unquote(part) for part in self.path.split("/")]
            if len(parts) != 4 or parts[1] != "rooms" or not server.knows(parts[2]):
                self.send_error(404)
            elif parts[3] == "snapshot.jpg":
                self._snapshot(parts[2])
            elif parts[3] == "stream.mjpg":
                self._stream(parts[2])
            else:
                self.send_error(404)

        def _snapshot(self, room: str) -> None:
            newest = server.newest(room)
            if newest is None:
                self.send_error(503)
                return
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(newest[1])))
            self.send_header(CAPTURED_AT, newest[0].isoformat())
            self.end_headers()
            self.wfile.write(newest[1])

        def _stream(self, room: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            sent: datetime | None = None
            while not server.ended.is_set():
                newest = server.newest(room)
                if newest is None or newest[0] == sent:
                    server.ended.wait(LOOK_AGAIN_S)
                    continue
                sent, jpeg = newest
                head = (
                    f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n"
                    f"{CAPTURED_AT}: {sent.isoformat()}\r\n\r\n"
                )
                try:
                    self.wfile.write(head.encode("ascii") + jpeg + b"\r\n")
                except OSError:
                    return

        def log_message(self, format: str, *args: object) -> None:
            """Cameras do not write to the terminal."""

    return Handler
