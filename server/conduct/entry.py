"""Latest entry: a body's own rule, filed with the slot; no text sets one, so without it nobody is barred."""

from datetime import datetime, timedelta

from server.errors import Refusal


def may_enter(minutes: int | None, bell: datetime | None, admitted: str, now: datetime) -> Refusal | None:
    """Say whether a candidate may still be checked in at `now`: before bell + `minutes`, exclusive.

    `admitted` is the chief's reason for letting one in later; it is enough, since the bar is the body's own.
    Facts: `closed` (ISO, UTC) and `minutes`.
    """
    if minutes is None or bell is None or admitted.strip():
        return None
    closed = bell + timedelta(minutes=minutes)
    if now < closed:
        return None
    return Refusal("entry-closed", None, {"closed": closed.isoformat(), "minutes": minutes})
