"""Pictures into an MP4 film (H.264): for what is shown or handed out with something drawn on it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np

from server.proctor.drawing import lined
from server.proctor.evidence import Picture
from server.proctor.remux import MILLI


class Film:
    """Takes pictures (BGR) in order of their seconds, and writes them to `out`, a seekable file open for writing."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self._file: Any = None
        self._stream: Any = None
        self._last = -1
        self.pictures = 0

    def put(self, picture: Picture, second: float, lines: Sequence[str] = ()) -> None:
        """Append a picture that is shown from `second` on, with lines drawn on a band at its top."""
        drawn = lined(picture, lines) if lines else picture
        height, width = drawn.shape[0] // 2 * 2, drawn.shape[1] // 2 * 2
        if self._file is None:
            self._file = av.open(self._out, "w", format="mp4")
            self._stream = self._file.add_stream("libx264", rate=25)
            self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
            self._stream.codec_context.time_base = MILLI
            self._stream.codec_context.thread_count = 1
            self._stream.options = {"preset": "veryfast", "crf": "23"}
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(drawn[:height, :width]), format="bgr24")
        if (width, height) != (self._stream.width, self._stream.height):
            frame = frame.reformat(self._stream.width, self._stream.height)
        self._last = max(self._last + 1, round(second * 1000))
        frame.pts, frame.time_base = self._last, Fraction(1, 1000)
        self._file.mux(self._stream.encode(frame))
        self.pictures += 1

    def close(self) -> None:
        """Write what is still held."""
        if self._file is not None:
            self._file.mux(self._stream.encode(None))
            self._file.close()
