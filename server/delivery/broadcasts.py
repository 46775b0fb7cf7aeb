"""What goes to every line of a hall by the clock: signed time, and the question whether a kiosk is there.

In parts with a short rest between them: five thousand frames in one turn of the event loop would hold up every answer
for sixty milliseconds.
"""

import asyncio
from collections.abc import Iterable

from server.clock import Clock
from server.delivery.beacons import Beacons
from server.delivery.following import batched
from server.delivery.lines import Line, Lines
from server.protocol import codec, exam, link

LINES_TOGETHER = 250
"""Lines written to in one turn of the event loop, some three milliseconds."""
REST_S = 0.004
"""Monotonic seconds between two such turns."""


class Broadcasts:
    """The beacons and pings of one hall; its two coroutines run until they are cancelled."""

    def __init__(self, clock: Clock, beacons: Beacons, lines: Lines) -> None:
        self._clock = clock
        self._beacons = beacons
        self._lines = lines

    async def keep_sending_beacons(self) -> None:
        """Send beacons every ten legal seconds; each part of the hall hears the time as it is then."""
        sent = self._clock.legal()
        while True:
            rate = max(self._clock.rate(), 1e-6)
            left = link.BEACON_EVERY_LEGAL_S - (self._clock.legal() - sent).total_seconds()
            await asyncio.sleep(min(1.0, max(left / rate, link.BEACON_LEAST_GAP_S)))
            # Before zero: the legal time was set back after an exam.
            if not 0 <= (self._clock.legal() - sent).total_seconds() < link.BEACON_EVERY_LEGAL_S:
                sent = self._clock.legal()
                for some in batched(tuple(self._lines.by_seat.values()), LINES_TOGETHER):
                    self.send_beacon(some)
                    await asyncio.sleep(REST_S)

    def send_beacon(self, lines: Iterable[Line]) -> None:
        """Send one fresh beacon to these lines in one turn."""
        frame = codec.encode(self._beacons.make())
        for line in lines:
            line.send_frame(frame)

    async def keep_pinging(self) -> None:
        """Ask every line each 20 s whether its kiosk is there; cut those off that were not heard for a minute, or
        have not proved their seat in time."""
        while True:
            await asyncio.sleep(link.PING_EVERY_S)
            for some in batched(tuple(self._lines.all), LINES_TOGETHER):
                self._ping(some)
                await asyncio.sleep(REST_S)

    def _ping(self, lines: Iterable[Line]) -> None:
        now = self._clock.monotonic()
        for line in lines:
            if line.seat is None:
                if now - line.opened_at > link.HELLO_WITHIN_S:
                    line.close(link.CLOSE_SLOW)
                continue
            if now - line.heard_at > 3 * link.PING_EVERY_S:
                line.close(link.CLOSE_SLOW, at_once=True)
                continue
            line.pings += 1
            line.send(exam.Ping(n=line.pings))
