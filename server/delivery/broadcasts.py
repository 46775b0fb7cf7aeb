"""What goes to every line of a hall by the clock: signed time, and the question whether a kiosk is there.

In small parts spread over a share of the time between two rounds: five thousand frames at once, and the pongs that
answer them, held up every answer of the next two seconds.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable

from server.clock import Clock
from server.delivery.beacons import Beacons
from server.delivery.following import batched
from server.delivery.lines import Line, Lines
from server.protocol import codec, exam, link

LINES_TOGETHER = 50
"""Lines written to in one turn of the event loop, less than a millisecond."""
SPREAD = 0.5
"""Share of the time between two rounds over which a round is spread at most."""
REST_MOST_S = 0.1
"""Longest rest between two parts, so that a small hall hears all at once."""


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
                await self._spread(
                    self._lines.by_seat.values(), link.BEACON_EVERY_LEGAL_S / rate, self.send_beacon
                )

    def send_beacon(self, lines: Iterable[Line]) -> None:
        """Send one fresh beacon to these lines in one turn."""
        frame = codec.encode(self._beacons.make())
        for line in lines:
            line.send_frame(frame)

    async def keep_pinging(self) -> None:
        """Ask every line each 20 s whether its kiosk is there; cut those off that were not heard for a minute, or
        have not proved their seat in time."""
        spent = 0.0
        while True:
            await asyncio.sleep(link.PING_EVERY_S - spent)
            begin = self._clock.monotonic()
            await self._spread(self._lines.all, link.PING_EVERY_S, self._ping)
            spent = min(link.PING_EVERY_S, self._clock.monotonic() - begin)

    async def _spread(
        self, lines: Collection[Line], every_s: float, tell: Callable[[Iterable[Line]], None]
    ) -> None:
        """Tell all lines, part by part, within a share of the monotonic seconds until the next round."""
        rest = min(REST_MOST_S, SPREAD * every_s * LINES_TOGETHER / max(1, len(lines)))
        for some in batched(tuple(lines), LINES_TOGETHER):
            tell(some)
            await asyncio.sleep(rest)

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
