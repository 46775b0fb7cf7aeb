"""Messages of the registry's staff interface: what is sent in. Closed: an unknown field is an error."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Subject = Literal["theory", "practical", "review"]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
Hex32 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class OccupationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One occupation at one level applied for."""

    code: Line
    name: Line
    level: Annotated[int, msgspec.Meta(ge=1, le=5)]


class VenueBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One exam site."""

    name: Line
    address: Line
    seats: Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class FilingStaffBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One person named in an application."""

    name: Line
    role: Line


class ApplicationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An application for filing. `answers` are the pack's criteria, `barred` bars with their last day."""

    name: Line
    credit_code: Annotated[str, msgspec.Meta(pattern="^[0-9A-Z]{18}$")]
    district: Line
    address: Line
    representative: Line
    occupations: Annotated[tuple[OccupationBody, ...], msgspec.Meta(min_length=1)]
    venues: Annotated[tuple[VenueBody, ...], msgspec.Meta(min_length=1)]
    answers: dict[str, bool | int]
    materials: frozenset[str]
    staff: tuple[FilingStaffBody, ...] = ()
    barred: dict[str, date] = {}


class SlotBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One slot of a plan; the hand-in limits are minutes and default to the pack's."""

    subject: Subject
    method: Line
    starts_at: Moment
    minutes: Annotated[int, msgspec.Meta(ge=1, le=600)]
    pass_mark: Annotated[float, msgspec.Meta(ge=0, le=100_000)]
    total: Annotated[float, msgspec.Meta(ge=0, le=100_000)]
    place: Line
    early: Annotated[int, msgspec.Meta(ge=0, le=600)] | None = None
    late: Annotated[int, msgspec.Meta(ge=0, le=600)] | None = None
    entry: Annotated[int, msgspec.Meta(ge=0, le=600)] | None = None
    """Latest entry in minutes after the bell; left out: no bar."""


class PlanBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch plan."""

    short_name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    occupation: Line
    occupation_code: Line
    level: Annotated[int, msgspec.Meta(ge=1, le=5)]
    site_district: Line
    contact: Line
    statement: Line
    slots: Annotated[tuple[SlotBody, ...], msgspec.Meta(min_length=1, max_length=60)]
    purpose: Literal["live", "rehearsal"] = "live"


class ProofBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A proof of a condition, under the pack's code; see `affairs.enrolment.Proof`."""

    code: Annotated[str, msgspec.Meta(max_length=40)]
    reference: Annotated[str, msgspec.Meta(max_length=80)] = ""
    dated: date | None = None
    checked: bool = False
    certified: bool = False


class CandidateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One person to be enrolled; no subjects means all of the plan's."""

    name: Annotated[str, msgspec.Meta(max_length=80)]
    id_kind: Annotated[str, msgspec.Meta(max_length=20)]
    id_number: Annotated[str, msgspec.Meta(max_length=40)]
    condition: Annotated[str, msgspec.Meta(max_length=200)]
    committed: bool
    subjects: tuple[Subject, ...] = ()
    proofs: Annotated[tuple[ProofBody, ...], msgspec.Meta(max_length=10)] = ()


class EnrolBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People to be enrolled, at most 5,000 at once."""

    candidates: Annotated[tuple[CandidateBody, ...], msgspec.Meta(min_length=1, max_length=5000)]


class RoomBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One room."""

    number: Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
    name: Line
    seats: Annotated[int, msgspec.Meta(ge=1, le=2000)]


class StaffBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One person on duty; `recused` are tickets."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    role: Line
    username: Annotated[str, msgspec.Meta(min_length=2, max_length=63)]
    room: str | None = None
    recused: tuple[str, ...] = ()


class ArrangementBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rooms and staff of a plan; the reason sets aside what the rules want only in principle."""

    rooms: Annotated[tuple[RoomBody, ...], msgspec.Meta(min_length=1, max_length=500)]
    staff: Annotated[tuple[StaffBody, ...], msgspec.Meta(min_length=1, max_length=5000)]
    override_reason: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class ChangeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A slot's new time or place, with the force majeure behind it."""

    slot: str
    starts_at: Moment
    place: Line
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class CommitmentBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The centre's commitment for the draw, hex SHA-256."""

    commitment: Hex32


class BankRootBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The Merkle root of the item bank, hex."""

    root: Hex32


class ReasonBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A written reason."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class TextBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A written text: finding, defence."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=20000)]


class AnswerBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to an objection."""

    outcome: Literal["uphold", "dismiss"]
    answer: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
