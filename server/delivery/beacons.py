"""Signed time: the centre's beacons as they are made, and as they come back inside answers."""

from collections import OrderedDict

from server.clock import Clock
from server.delivery.answers import Capture
from server.errors import GongyuanError
from server.keys.identity import Identity
from server.keys.signing import verify
from server.protocol.envelope import beacon_bytes
from server.protocol.exam import Answer, Beacon

_REMEMBERED = 8_192
FRESH_S = 0.05
"""Legal seconds by which the time of a device that comes in may be behind, as after a slow line."""


class Beacons:
    """Makes beacons, and tells a true one from a forged one; its own newest ones without any arithmetic."""

    def __init__(self, clock: Clock, identity: Identity, epoch: int = 1) -> None:
        """`epoch` is this server's fencing epoch: above 1 on a promoted standby."""
        self._epoch = epoch
        self._clock = clock
        self._identity = identity
        self._node = "".join(identity.fingerprint.split())
        self._newest: Beacon | None = None
        self._known: OrderedDict[str, Beacon] = OrderedDict()

    def make(self) -> Beacon:
        """Return a fresh beacon of the legal time now."""
        now, rate = self._clock.legal(), self._clock.rate()
        signature = self._identity.signing.sign(beacon_bytes(now, rate, self._node, self._epoch)).hex()
        beacon = Beacon(now=now, rate=rate, node=self._node, signature=signature, epoch=self._epoch)
        self._remember(beacon)
        self._newest = beacon
        return beacon

    def fresh(self) -> Beacon:
        """Return a beacon for a device that comes in: the newest one while it is younger than `FRESH_S`, since a whole
        hall may come in within seconds."""
        newest = self._newest
        if newest is None or newest.rate != self._clock.rate():
            return self.make()
        age = (self._clock.legal() - newest.now).total_seconds()
        return newest if 0 <= age < FRESH_S else self.make()

    def capture(self, answer: Answer) -> Capture | None:
        """Return when the kiosk says the answer was given, or None when its beacon is missing or not this
        node's.
        """
        beacon = answer.beacon
        if beacon is None or not self._true(beacon):
            return None
        return Capture(beacon.now, answer.elapsed_ms, beacon.rate)

    def _true(self, beacon: Beacon) -> bool:
        if self._known.get(beacon.signature) == beacon:
            return True
        if beacon.node != self._node:
            return False
        try:
            data = beacon_bytes(beacon.now, beacon.rate, beacon.node, beacon.epoch)
            verify(self._identity.signing.public, bytes.fromhex(beacon.signature), data)
        except (GongyuanError, ValueError):
            return False
        self._remember(beacon)
        return True

    def _remember(self, beacon: Beacon) -> None:
        self._known[beacon.signature] = beacon
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
