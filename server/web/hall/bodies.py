"""What the hall's acts are told: one closed message an act. A reason is what the journal keeps of the why."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Seconds = Annotated[int, msgspec.Meta(gt=0, le=4 * 3600)]


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all bodies share: closed, fields by name."""


class CheckIn(_Body, frozen=True):
    """What was looked at when the candidate was checked in at the door (BJ-E:A5.2-5).

    All four are needed, or `exception` says why one is not and who allowed it.
    """

    ticket: bool
    document: bool
    photo: bool
    signature: bool
    exception: Annotated[str, msgspec.Meta(max_length=500)] = ""
    admitted_late: Annotated[str, msgspec.Meta(max_length=500)] = ""
    """The chief's or deputy's reason for letting one in after the latest entry."""


class Why(_Body, frozen=True):
    """An act that needs nothing but its reason."""

    reason: Reason


class Reseat(_Body, frozen=True):
    """Where a candidate is moved to, and why."""

    room: str
    seat: Annotated[int, msgspec.Meta(gt=0, le=10_000)]
    reason: Reason


class Allowance(_Body, frozen=True):
    """Time given: `extra` is a right, `delay` a late start, `credit` lost time given back; never one for
    another.

    Without `room` and `sitting` it is given to the whole slot.
    """

    kind: Literal["extra", "delay", "credit"]
    seconds: Seconds
    reason: Reason
    room: str | None = None
    sitting: str | None = None


class Halt(_Body, frozen=True):
    """A pause or its end, of the slot, a room or a sitting."""

    reason: Reason
    room: str | None = None
    sitting: str | None = None


class HallHalt(_Body, frozen=True):
    """A halt for a disaster, or the bell that ends it, of the slot or a room."""

    reason: Reason
    room: str | None = None


class Continuation(_Body, frozen=True):
    """When a halted exam shall go on (ISO 8601 with a zone)."""

    starts_at: Annotated[datetime, msgspec.Meta(tz=True)]
    reason: Reason
    room: str | None = None


class Leave(_Body, frozen=True):
    """A candidate goes out with an escort."""

    escort: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    reason: Reason


class Words(_Body, frozen=True):
    """A message shown to candidates."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    room: str | None = None
    sitting: str | None = None


class Bell(_Body, frozen=True):
    """The rooms to ring for; none means every room of the slot that has not had its bell."""

    rooms: tuple[str, ...] = ()


class Tick(_Body, frozen=True):
    """A step of the run sheet done; a hand-over names its other person."""

    room: str | None = None
    second: str | None = None
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


class NewIncident(_Body, frozen=True):
    """What a person saw; `kind` is an IncidentKind, `alert` the camera alert it came from."""

    kind: str
    note: Annotated[str, msgspec.Meta(max_length=2000)]
    room: str | None = None
    sitting: str | None = None
    alert: str | None = None


class Settle(_Body, frozen=True):
    """A second person's word on a finding."""

    event: Literal["confirm", "dismiss"]
    reason: Reason


class Reported(_Body, frozen=True):
    """Who was told of an urgent matter, and the receipt they gave."""

    told: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    receipt: Annotated[str, msgspec.Meta(max_length=200)] = ""


class AlertAct(_Body, frozen=True):
    """What a person makes of a camera alert; an incident that follows from it is recorded on its own."""

    act: Literal["confirm", "dismiss", "note"]
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Sign(_Body, frozen=True):
    """The second name under a room record; the first is the acting account."""

    second: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]


class FormLine(_Body, frozen=True):
    """One line of a practical form; `most` in points."""

    code: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,40}$")]
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    most: float


class PracticalForm(_Body, frozen=True):
    """The form of a practical slot; two examiners' totals may differ by at most `spread` points."""

    items: tuple[FormLine, ...]
    spread: float = 10


class PracticalEntry(_Body, frozen=True):
    """One examiner's sub-scores in points, or that the candidate was absent; a correction says why."""

    scores: dict[str, float] = {}
    absent: bool = False
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class SeatCodes(_Body, frozen=True):
    """Rooms to issue enrolment codes for, none means every room of the slot; the one kind of machine that may use
    them (page, seb, headless), or any."""

    slot: str
    rooms: tuple[str, ...] = ()
    kind: str | None = None
