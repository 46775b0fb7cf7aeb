"""What the launcher of a machine tells the centre: its health, signed with the launcher's own key."""

from typing import Annotated

import msgspec

from server.protocol.ids import Hex32, Hex64

HEALTH_EVERY_S = 60.0
"""Monotonic seconds between two reports; one more goes at once when the browser was started again."""
SILENT_AFTER_S = 200.0
"""Legal seconds after which a machine that has reported counts as silent."""

Count = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Word = Annotated[str, msgspec.Meta(max_length=120)]


class HealthReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one machine stands. `faults` are codes of the check (`kiosk/doctor.py`), at most 20."""

    number: Count
    """Grows with each report of a launcher's key: one that was taken, or overtaken, is refused `health-repeated` with
    the `newest` number, after which the launcher goes on."""
    programme: Word
    """Version of the launcher."""
    browser: Word
    """Name and version as the browser gives them; empty when there is none."""
    running: bool
    """The browser runs now."""
    up_s: Count
    """Monotonic seconds since the launcher started."""
    restarts: Count
    """How often the browser ended and was started again since then."""
    disk_free_mb: Count
    """Free megabytes where the browser's data lies."""
    clock_difference_ms: Annotated[int, msgspec.Meta(ge=-(10**13), le=10**13)] | None
    """The machine's own clock minus legal time; None where the centre did not answer."""
    input_method: Word
    """The Chinese input method that was found; empty when there is none."""
    faults: Annotated[tuple[Word, ...], msgspec.Meta(max_length=20)] = ()


class SignedReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A report as it is sent: the launcher's public key, the HealthReport as JSON text, and the signature over it."""

    key: Hex32
    report: Annotated[str, msgspec.Meta(max_length=4000)]
    signature: Hex64


def health_bytes(report: str) -> bytes:
    """Return what the signature of a report covers."""
    return b"gongyuan/health/1\x00" + report.encode()
