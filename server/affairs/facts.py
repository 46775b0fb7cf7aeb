"""What is known of a plan and of those who take part in it: frozen facts, the same on registry and centre."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal

from server.law.workdays import legal_day

Subject = Literal["theory", "practical", "review"]

SUBJECT_ORDER: tuple[Subject, ...] = ("theory", "practical", "review")


class StandingStatus(StrEnum):
    """An organisation's right to act, as the authority last stated it."""

    GOOD = "good"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest standing received: `serial` rises with each; `case` names the enforcement case behind it."""

    organisation: str
    status: StandingStatus
    serial: int
    as_of: datetime
    case: str | None


@dataclass(frozen=True, slots=True)
class Scope:
    """What a filing letter covers: occupations as (code, level), and venues by their filed names."""

    occupations: frozenset[tuple[str, int]]
    venues: frozenset[str]


@dataclass(frozen=True, slots=True)
class Organisation:
    """An evaluation organisation by the name in its filing letter; on a centre the scope is empty."""

    id: str
    name: str
    jurisdiction: str
    scope: Scope
    centre: str | None
    standing: Standing


@dataclass(frozen=True, slots=True)
class Plan:
    """One batch plan. `state` is a PlanState value; times are aware UTC and None until the act was done."""

    id: str
    organisation: str
    name: str
    short_name: str
    occupation: str
    occupation_code: str
    level: int
    jurisdiction: str
    state: str
    site_district: str
    contact: str
    statement: str
    created_at: datetime
    filed_at: datetime | None
    accepted_at: datetime | None
    confirmed_at: datetime | None
    candidates_confirmed_at: datetime | None
    imported_at: datetime | None
    packed_at: datetime | None
    purpose: str = "live"
    """live, or rehearsal: nothing of it counts, and no key made for the one opens papers of the other."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One subject of a plan at one planned time.

    `early` and `late` are whole minutes: hand-in is allowed in [bell + early, own end − late). `starts_at` is
    aware UTC. `policy` is the version of the hand-in and duration rules that was filed.
    """

    id: str
    plan: str
    subject: Subject
    method: str
    starts_at: datetime
    minutes: int
    early: int
    late: int
    pass_mark: float
    total: float
    place: str
    policy: int
    entry: int | None = None
    """Minutes after the bell from which nobody is checked in any more; None: no bar."""

    @property
    def ends_at(self) -> datetime:
        """Planned end, exclusive, aware UTC."""
        return self.starts_at + timedelta(minutes=self.minutes)

    @property
    def day(self) -> date:
        """The legal day (Asia/Shanghai) on which the slot starts."""
        return legal_day(self.starts_at)


@dataclass(frozen=True, slots=True)
class Room:
    """One exam room of a plan; `number` is unique in the plan, seats are numbered 1 to `seats`."""

    id: str
    plan: str
    number: str
    name: str
    seats: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """One enrolled person; `ticket` is unique in the plan. `state` is an EnrolmentState value."""

    id: str
    plan: str
    ticket: str
    name: str
    id_kind: str
    id_number: str
    subjects: tuple[str, ...]
    state: str


@dataclass(frozen=True, slots=True)
class Seating:
    """One candidate's seat in one slot; the sitting's id was made at the import; `room` is the room's
    number.
    """

    sitting: str
    slot: str
    candidate: str
    room: str
    seat: int


@dataclass(frozen=True, slots=True)
class Staff:
    """One person on duty in a plan; `room` is a room number or None for the whole site."""

    id: str
    plan: str
    name: str
    role: str
    room: str | None
    username: str


@dataclass(frozen=True, slots=True)
class DrawTerms:
    """What binds the draw: centre's commitment, registry's nonce made after it, bank's Merkle root; 32
    bytes each.
    """

    commitment: bytes
    nonce: bytes
    bank_root: bytes
