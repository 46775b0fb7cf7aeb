"""What a live video stream's packets are worth: which are decoded, which pictures are taken, when they were
captured. Nothing here reads a clock or a socket.
"""

from __future__ import annotations

from datetime import datetime, timedelta

# A stream whose key frames are further apart than this many sample intervals is decoded whole.
LONG_GAPS = 2.5
# The camera's clock and the legal one are matched anew where they disagree by more than this.
JUMP = timedelta(seconds=2)


class Sampling:
    """Chooses packets of one stream for about one picture every `every_s` seconds of its own time.

    Until two key frames were seen everything is decoded. Then only key frames are, while they come often
    enough; a stream with long gaps between them is decoded whole from the next key frame on, and one picture
    is taken of it every `every_s`.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._whole = True
        self._started = False
        self._key_s: float | None = None
        self._interval_s: float | None = None
        self._due_s = float("-inf")

    @property
    def whole(self) -> bool:
        """True while every packet is decoded."""
        return self._whole

    @property
    def key_interval_s(self) -> float | None:
        """Seconds between the last two key frames; None before the second."""
        return self._interval_s

    def decodes(self, key: bool, second: float) -> bool:
        """Whether the packet of that time is given to the decoder; packets come in order of decoding."""
        if key:
            self._started = True
            if self._key_s is not None and second > self._key_s:
                self._interval_s = second - self._key_s
                self._whole = self._interval_s > LONG_GAPS * self._every_s
            self._key_s = second
            return True
        return self._whole and self._started

    def takes(self, second: float) -> bool:
        """Whether the decoded picture of that time is a sample: one every `every_s`. Key frames may come a
        little early, because no other picture would come in their place.
        """
        early = 0.0 if self._whole else 0.1 * self._every_s
        if self._due_s - 60 < second < self._due_s - early - 1e-6:
            return False
        self._due_s = second + self._every_s
        return True


class StreamClock:
    """Gives pictures their capture time: the stream's own seconds on the legal clock.

    The packet that came with the least delay ties the two together, so that a late reader or a slow network
    makes no picture younger than it is. A jump of either clock ties them anew.
    """

    def __init__(self) -> None:
        self._offset: datetime | None = None

    def time_of(self, second: float, arrived: datetime) -> datetime:
        """The capture time (UTC) of a picture of that stream time whose packet came at `arrived`."""
        origin = arrived - timedelta(seconds=second)
        if self._offset is None or origin < self._offset or origin - self._offset > JUMP:
            self._offset = origin
        return self._offset + timedelta(seconds=second)
