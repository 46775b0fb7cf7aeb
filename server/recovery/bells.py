"""Whether the bells that two people typed from the printed room records may be believed: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from server.errors import BadInput, Refusal

TOLERANCE = timedelta(seconds=10)
"""How far a typed bell may lie from what the kiosks' signed beacons say, inclusive; beacons come every ten seconds."""
_SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Opened:
    """A device opened its paper: the room whose bell it followed, and the time by a beacon that the centre signed."""

    room: str
    at: datetime


def typed_bell(text: str, day: date) -> datetime:
    """Return a bell typed as HH:MM:SS of the planned day, Asia/Shanghai; BadInput `bell-form`."""
    try:
        moment = time.fromisoformat(text.strip().replace("：", ":"))
    except ValueError as error:
        raise BadInput("bell-form", typed=text) from error
    return datetime.combine(day, moment.replace(tzinfo=None), _SHANGHAI)


def bells_refusal(
    first: Mapping[str, datetime], second: Mapping[str, datetime], opened: Iterable[Opened]
) -> Refusal | None:
    """Refuse bells, by room, that two people typed differently or that the kiosks' beacons contradict.

    Rooms with the same bell are judged together: the earliest of their devices opened its paper within ten seconds
    of the bell, for the key is released by it. A device that comes later proves nothing, one that opened earlier
    disproves the bell.
    """
    for room in sorted(first):
        if first[room] != second.get(room):
            return Refusal("bell-typed-differently", facts={"room": room})
    earliest: dict[datetime, tuple[datetime, str]] = {}
    for one in opened:
        bell = first.get(one.room)
        if bell is None:
            return Refusal("bell-of-room-missing", facts={"room": one.room})
        earliest[bell] = min(earliest.get(bell, (one.at, one.room)), (one.at, one.room))
    for room, bell in sorted(first.items()):
        found = earliest.get(bell)
        if found is None:
            return Refusal("bell-without-beacons", facts={"room": room})
        if abs(found[0] - bell) > TOLERANCE:
            told = f"{found[0].astimezone(_SHANGHAI):%H:%M:%S}"
            return Refusal("bell-beacons-differ", facts={"room": found[1], "opened": told})
    return None
