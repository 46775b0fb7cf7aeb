"""How both ends keep the line: the waits they share, and the close codes.

Waits that keep a socket or process are monotonic seconds; intervals that a rule names are legal seconds.
"""

BEACON_EVERY_LEGAL_S = 10.0
"""Legal seconds between two beacons."""
BEACON_LEAST_GAP_S = 0.25
"""Monotonic seconds that lie between two beacons at least, however fast a demonstration's clock runs."""
GRACE_LEGAL_S = 30.0
"""Legal seconds after the own end in which an answer that was on its way is taken."""
BEACON_OLDEST_LEGAL_S = 30.0
"""An answer received after the end counts only with a beacon younger than this at the end."""

PING_EVERY_S = 20.0
"""Monotonic seconds between two pings."""
SILENT_AFTER_S = 30.0
"""A kiosk that has heard nothing for this long gives its line up and opens a new one: beacons come every ten seconds,
and what lies between may hold a connection open without carrying anything."""
SEND_WITHIN_S = 15.0
"""A kiosk that does not take a frame for this long is cut off, so that it cannot hold up a broadcast."""
HELLO_WITHIN_S = 20.0
"""A socket that has not proved its seat by then is closed."""
QUEUE_FRAMES = 512
"""Frames waiting for one kiosk; when it is full the kiosk is cut off and comes back."""

CLOSE_NOT_PROVED = 4401
"""The seat did not prove itself: enrol it again."""
CLOSE_REFUSED = 4400
"""The frames sent were not of the protocol."""
CLOSE_OTHER_SOCKET = 4409
"""The same seat has opened a newer socket."""
CLOSE_SLOW = 4408
"""The kiosk did not read, or did not prove its seat in time; come back."""
CLOSE_STOPPING = 1012
"""The server is stopping; come back after the back-off."""

RECONNECT_FIRST_S = 0.5
RECONNECT_MOST_S = 6.0
"""So that a hall is back within ten seconds of a restart that took as long."""
STABLE_AFTER_S = 30.0
"""The back-off starts from the first step again only after a socket has held for this long."""


def reconnect_wait(failures: int, chance: float) -> float:
    """Return monotonic seconds to wait before the next try: full jitter under a doubling bound.

    `failures` counts from 0; `chance` is a fresh random number in [0, 1).
    """
    bound: float = min(RECONNECT_MOST_S, RECONNECT_FIRST_S * 2.0 ** min(failures, 10))
    return bound * (0.25 + 0.75 * chance)
