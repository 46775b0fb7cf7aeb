"""The only place of the kiosk that reads a clock, and only the monotonic one: legal time comes from the
centre.
"""

import time


def monotonic() -> float:
    """Return monotonic seconds."""
    return time.monotonic()
