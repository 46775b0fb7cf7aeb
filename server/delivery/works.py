"""What the answer writer is asked to store, and what it says when that is on disk."""

from dataclasses import dataclass
from datetime import datetime

from server.delivery.answers import Timeliness
from server.delivery.facts import Ending
from server.errors import Refusal
from server.protocol.exam import Outcome


@dataclass(frozen=True, slots=True)
class AnswerWork:
    """An answer that was judged in time or late when it was received."""

    sitting: str
    lease: int
    seq: int
    number: int
    value: tuple[str, ...]
    received_at: datetime
    captured_at: datetime | None
    timely: Timeliness


@dataclass(frozen=True, slots=True)
class HandInWork:
    """A hand-in whose time was judged allowed when it was received."""

    sitting: str
    lease: int
    seq: int
    count: int
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MarkWork:
    """A mark for review put on or taken away."""

    sitting: str
    number: int
    on: bool


@dataclass(frozen=True, slots=True)
class OpenedWork:
    """A kiosk reported that its paper opened, with so many items."""

    sitting: str
    items: int


@dataclass(frozen=True, slots=True)
class LineWork:
    """The line of a sitting came (`here`) or was lost."""

    sitting: str
    seat: str
    at: datetime
    here: bool


@dataclass(frozen=True, slots=True)
class LeaseWork:
    """A device at an enrolled seat takes the sitting that is open there."""

    sitting: str
    seat: str
    room: str
    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class ReleaseWork:
    """The keys of these sittings' papers shall go out: they are recorded as opened before."""

    slot: str
    sittings: tuple[str, ...]
    at: datetime


Work = AnswerWork | HandInWork | MarkWork | OpenedWork | LineWork | LeaseWork | ReleaseWork


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer is on disk: what became of it, its receipt number and the chain's head with it."""

    outcome: Outcome
    receipt: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """A work without an answer of its own is on disk."""


@dataclass(frozen=True, slots=True)
class Leased:
    """The device holds this lease, above every earlier one."""

    lease: int


@dataclass(frozen=True, slots=True)
class Released:
    """The sittings, of those asked for, whose opened papers are on disk: their state allowed it, or did before."""

    sittings: frozenset[str]


Written = Stored | Ending | Done | Leased | Released | Refusal
