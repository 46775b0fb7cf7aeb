"""The room record: what one room's invigilators sign at the end, with the journal head as a 16-character
code.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from server.conduct.incidents import VOIDING, IncidentKind, IncidentState
from server.law.citing import cites


@dataclass(frozen=True, slots=True)
class Seated:
    """One sitting as the record needs it; `end` is handed_in, collected, voided, absent or open."""

    sitting: str
    ticket: str
    name: str
    room: str
    seat: int
    end: str
    opened: bool


@dataclass(frozen=True, slots=True)
class Move:
    """A change of seat with its reason; rooms by number."""

    ticket: str
    from_room: str
    from_seat: int
    to_room: str
    to_seat: int
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class OutOfSeat:
    """A candidate out of the room with an escort, [left_at, returned_at); None: he did not come back."""

    ticket: str
    escort: str
    left_at: datetime
    returned_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """A stretch of the course that a camera of the room did not record, [from_at, to_at); None: it lasts."""

    camera: str
    from_at: datetime
    to_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Noted:
    """An incident as the record lists it."""

    kind: IncidentKind
    state: IncidentState
    ticket: str | None
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class RoomRecord:
    """One room in one slot: counts, the people behind them by ticket, what happened, and the journal's
    code.
    """

    slot: str
    room: str
    made_at: datetime
    enrolled: int
    present: int
    absent: int
    handed_in: int
    collected: int
    voided: int
    open: int
    absentees: tuple[str, ...]
    cheats: tuple[str, ...]
    moves: tuple[Move, ...]
    incidents: tuple[Noted, ...]
    code: str
    breaks: tuple[OutOfSeat, ...] = ()
    unrecorded: tuple[Unrecorded, ...] = ()

    @property
    def closed(self) -> bool:
        """True when no sitting of the room is open and the counts agree."""
        return (
            self.open == 0
            and self.enrolled == self.present + self.absent
            and self.present == self.handed_in + self.collected + self.voided
        )


@cites("BJ-E:A5.2-9", "BJ-E:A5.2-12", "BJ-E:A4.2-1", "BJ-E:22")
def room_record(
    slot: str,
    room: str,
    seated: Iterable[Seated],
    moves: Iterable[Move],
    incidents: Iterable[Noted],
    code: str,
    now: datetime,
    breaks: Iterable[OutOfSeat] = (),
    unrecorded: Iterable[Unrecorded] = (),
) -> RoomRecord:
    """Count one room. Each sitting is counted in the room it ended in; moves into and out of it are
    listed.
    """
    here = sorted((s for s in seated if s.room == room), key=lambda s: s.seat)
    noted = tuple(sorted(incidents, key=lambda i: i.at))
    ends = [s.end for s in here]
    return RoomRecord(
        slot=slot,
        room=room,
        made_at=now,
        enrolled=len(here),
        present=sum(1 for s in here if s.opened),
        absent=ends.count("absent"),
        handed_in=ends.count("handed_in"),
        collected=ends.count("collected"),
        voided=ends.count("voided"),
        open=ends.count("open"),
        absentees=tuple(s.ticket for s in here if s.end == "absent"),
        cheats=tuple(
            sorted(
                {
                    i.ticket
                    for i in noted
                    if i.ticket is not None and i.kind in VOIDING and i.state is IncidentState.CONFIRMED
                }
            )
        ),
        moves=tuple(sorted((m for m in moves if room in (m.from_room, m.to_room)), key=lambda m: m.at)),
        incidents=noted,
        code=code,
        breaks=tuple(sorted(breaks, key=lambda b: b.left_at)),
        unrecorded=tuple(sorted(unrecorded, key=lambda u: (u.from_at, u.camera))),
    )
