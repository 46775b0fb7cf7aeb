"""What delivery knows: frozen facts for its own rules and for conduct, scoring and the board."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial

from server.delivery.sitting import State
from server.delivery.timing import Pause, Phase, Policy, Times, delay_after_bell


@dataclass(frozen=True, slots=True)
class SlotTerms:
    """A prepared slot: names shown to candidates, planned start (aware UTC), filed policy and its version."""

    slot: str
    plan: str
    plan_name: str
    title: str
    starts_at: datetime
    policy: Policy
    version: int


@dataclass(frozen=True, slots=True)
class Place:
    """Who sits where: what `prepare` needs of one seating."""

    sitting: str
    candidate: str
    name: str
    ticket: str
    id_number: str
    room: str
    seat: int


@dataclass(frozen=True, slots=True)
class Extent:
    """What an act reaches: one sitting, a room, or the whole slot when both are None."""

    slot: str
    room: str | None = None
    sitting: str | None = None

    def reaches(self, sitting: str, room: str) -> bool:
        """Tell whether the act reaches this sitting, which follows this room's times."""
        if self.sitting is not None:
            return self.sitting == sitting
        return self.room is None or self.room == room


@dataclass(frozen=True, slots=True)
class Allowance:
    """Time given: `kind` is extra (a right), delay (late start) or credit (lost time given back)."""

    extent: Extent
    kind: str
    length: timedelta
    at: datetime
    """When it was given."""


@dataclass(frozen=True, slots=True)
class Halt:
    """A pause and what it reaches."""

    extent: Extent
    pause: Pause


@dataclass(frozen=True, slots=True)
class SlotTimes:
    """All that moves the deadlines of a slot's sittings."""

    terms: SlotTerms
    bells: dict[str, datetime]
    """Recorded bell by room number."""
    allowances: tuple[Allowance, ...]
    halts: tuple[Halt, ...]
    away: frozenset[str] = frozenset()
    """Sittings whose candidate is out of the room with an escort."""

    @property
    def named(self) -> frozenset[str]:
        """Sittings with an allowance or a halt of their own."""
        extents = [one.extent for one in self.allowances] + [one.extent for one in self.halts]
        return frozenset(extent.sitting for extent in extents if extent.sitting is not None)

    def common(self) -> Callable[[str], Times]:
        """Return the function from a room to the times of its sittings that are not `named`; it reckons each
        room once.
        """
        return cache(partial(self.of, ""))

    def moved_by(self, room: str = "") -> timedelta:
        """Return by how much delays granted before the bell of a room move its planned start, that of the slot for "".
        Delays of single sittings are not among them."""
        return self._delays("", room)[0]

    def of(self, sitting: str, room: str) -> Times:
        """Return the times of one sitting; `room` is the room whose times it follows."""
        given = {"extra": timedelta(), "credit": timedelta()}
        for allowance in self.allowances:
            if allowance.kind in given and allowance.extent.reaches(sitting, room):
                given[allowance.kind] += allowance.length
        bell = self.bells.get(room)
        delay, after = self._delays(sitting, room)
        if bell is not None:
            delay = delay_after_bell(self.terms.starts_at, bell, delay, after)
        pauses = tuple(halt.pause for halt in self.halts if halt.extent.reaches(sitting, room))
        return Times(self.terms.policy, bell, given["extra"], delay, given["credit"], pauses)

    def _delays(self, sitting: str, room: str) -> tuple[timedelta, timedelta]:
        """Return the delays granted before the room's bell, and those granted after it."""
        bell, before, after = self.bells.get(room), timedelta(), timedelta()
        for one in self.allowances:
            if one.kind == "delay" and one.extent.reaches(sitting, room):
                if bell is None or one.at <= bell:
                    before += one.length
                else:
                    after += one.length
        return before, after


@dataclass(frozen=True, slots=True)
class Seat:
    """An enrolled machine; `public_key` is a raw Ed25519 key of 32 bytes."""

    id: str
    room: str
    number: int
    kind: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class SeatCode:
    """A one-time enrolment code, shown once when issued."""

    room: str
    seat: int
    code: str


@dataclass(frozen=True, slots=True)
class Sitting:
    """A sitting as it stands."""

    id: str
    slot: str
    candidate: str
    name: str
    ticket: str
    room: str
    seat: int
    time_room: str
    state: State
    lease: int
    paper: str | None
    """Id of the spare given instead of the drawn paper, or None."""
    items: int | None
    checked_in_at: datetime | None
    opened_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class SittingFact:
    """One line of the board: who, where, state, how far, and where the sitting stands in time.

    `answered` counts items whose acknowledged answer is not empty, of `items` (None until a kiosk reported
    it). `online` is the newest entry of the heartbeat ledger, `heard_at` its time; None when the line never
    came. `end` is the own end (None before the bell and in an open pause). `calls` are the open calls for
    help.
    """

    sitting: str
    slot: str
    candidate: str
    name: str
    ticket: str
    room: str
    seat: int
    state: State
    answered: int
    items: int | None
    online: bool | None
    heard_at: datetime | None
    phase: Phase
    end: datetime | None
    calls: int
    moved: bool
    away_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class RoomFact:
    """What a look at a room has to do with one sitting: where, in which state and phase, since when the candidate is
    out of the room with an escort, and when the newest answer came from there.
    """

    sitting: str
    room: str
    seat: int
    state: State
    phase: Phase
    away_since: datetime | None = None
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a paper came in, with its receipt. `how` is handed_in or collected."""

    sitting: str
    how: str
    at: datetime
    count: int
    digest: str
    head: str
    code: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Move:
    """A candidate's move from seat to seat."""

    sitting: str
    at: datetime
    from_room: str
    from_seat: int
    to_room: str
    to_seat: int
    reason: str


@dataclass(frozen=True, slots=True)
class Break:
    """A candidate out of the room with an escort, [left_at, returned_at); open until `returned_at`."""

    id: str
    sitting: str
    room: str
    seat: int
    left_at: datetime
    escort: str
    reason: str
    returned_at: datetime | None


@dataclass(frozen=True, slots=True)
class Command:
    """An act of a person as kiosks are told of it; `undoes` and `undone_by` name acts that correct."""

    id: str
    slot: str
    room: str | None
    sitting: str | None
    kind: str
    at: datetime
    actor: str
    reason: str
    undoes: str | None
    undone_by: str | None


@dataclass(frozen=True, slots=True)
class CommandReach:
    """How far a command has come: numbers of sittings, and the seats (room, number) where it is not done."""

    command: Command
    reached: int
    sent: int
    seen: int
    done: int
    outstanding: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class CallFact:
    """A candidate's call; open until `answered_at`."""

    id: str
    sitting: str
    room: str
    seat: int
    at: datetime
    reason: str
    number: int | None
    text: str
    answered_at: datetime | None
    fault: str | None = None
    item: str | None = None
    """Blinded name of the reported question: equal where the question is."""
