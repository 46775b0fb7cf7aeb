"""What stands inside each kind of package: closed messages, one tag a kind. All times are aware UTC.

`plan` of a content repeats the plan of the header; a package whose two plans differ is refused.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Subject = Literal["theory", "practical", "review"]
Outcome = Literal["pass", "fail", "absent", "cheat"]
KINDS = ("exam", "correction", "standing", "head", "notice", "objection", "result")


class SlotContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One planned time of one subject. Hand-in limits are minutes from the bell and before the own end."""

    id: str
    subject: Subject
    method: str
    starts_at: Moment
    minutes: int
    hand_in_early: int
    hand_in_late: int
    pass_mark: float
    total: float
    place: str
    policy: int
    latest_entry: int | None = None


class RoomContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One room of the plan."""

    number: str
    name: str
    seats: int


class CandidateContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One confirmed candidate and the subjects he sits."""

    id: str
    ticket: str
    name: str
    id_kind: str
    id_number: str
    subjects: tuple[str, ...]


class SeatingContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One sitting: who sits where in which slot. The registry made the sitting id."""

    sitting: str
    slot: str
    candidate: str
    room: str
    seat: int


class StaffContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One person on duty; `room` is None for duties of the whole hall."""

    id: str
    name: str
    role: str
    room: str | None
    username: str


class ViewerContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An officer who may look at the centre's cameras in this plan; `password` is a PHC string (Argon2id)."""

    username: str
    name: str
    password: str


class StandingContent(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="standing"
):
    """An organisation's right to act, as of a moment; of two the higher serial holds."""

    organisation: str
    status: Literal["good", "suspended", "terminated"]
    serial: int
    as_of: Moment
    case: str | None = None


class ExamContent(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="exam"
):
    """Everything a centre needs for the days of one plan."""

    plan: str
    name: str
    organisation: str
    organisation_name: str
    occupation: str
    occupation_code: str
    level: int
    jurisdiction: str
    slots: tuple[SlotContent, ...]
    rooms: tuple[RoomContent, ...]
    candidates: tuple[CandidateContent, ...]
    seating: tuple[SeatingContent, ...]
    staff: tuple[StaffContent, ...]
    commitment: str
    """Hex SHA-256 that the centre lodged before the nonce was made."""
    nonce: str
    """Hex, the registry's half of the seed."""
    bank_root: str
    """Hex root of the bank version that the papers must be drawn from."""
    standing: StandingContent
    purpose: Literal["live", "rehearsal"] = "live"
    """A rehearsal is drawn from a rehearsal bank under rehearsal keys; nothing of it counts."""
    viewers: tuple[ViewerContent, ...] = ()
    """Officers with the camera page of this plan, and with nothing else at the centre."""


class CorrectedContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One candidate's datum that was corrected, with what stood before and who answers for it. `sha256` are hex."""

    id: str
    candidate: str
    field: Literal["name", "id_number", "ticket", "photo", "subjects"]
    before: str
    after: str
    period: Literal["before", "during", "after"]
    procedure: int
    procedure_sha256: str
    reason: str
    evidence: str
    evidence_sha256: str
    corrects: str | None
    asked_at: Moment
    asked_by: str
    decided_at: Moment
    decided_by: str


class CorrectionContent(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="correction"
):
    """A whole new exam content, with what changed and why, in place of one sent before."""

    plan: str
    corrects: int
    """Number of the exam package or correction that this one replaces."""
    reason: str
    exam: ExamContent
    corrected: tuple[CorrectedContent, ...] = ()
    """All corrections of candidates' data so far, oldest first: a centre that missed one has it from the next."""


class NoticeRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One candidate's scores; None for a subject not sat or not asked for."""

    candidate: str
    ticket: str
    theory: float | None = None
    practical: float | None = None
    review: float | None = None
    result: Outcome


class NoticeContent(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="notice"
):
    """Scores for publication, with the journal head they rest on."""

    plan: str
    rows: tuple[NoticeRow, ...]
    journal_head: str
    counts: dict[str, int]


class HeldRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One candidate whose result waits for an objection or a case."""

    candidate: str
    reason: str


class ResultContent(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="result"
):
    """The results after the full publicity period; the draw's seed and secret are shown with them."""

    plan: str
    rows: tuple[NoticeRow, ...]
    notice_number: int
    journal_head: str
    held: tuple[HeldRow, ...] = ()
    seed: str | None = None
    secret: str | None = None


class ObjectionContent(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="objection"
):
    """One objection that the registry received against a notice; the centre must look into it."""

    plan: str
    objection: str
    candidate: str | None
    received_at: Moment
    text: str


class HeadContent(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="head"
):
    """One signed head over all journal chains of the centre (keys/anchors)."""

    number: int
    at: Moment
    heads: dict[str, str]
    previous: str
    hash: str
    signature: str
    code: str
    plan: str = ""


Content = (
    ExamContent
    | CorrectionContent
    | StandingContent
    | HeadContent
    | NoticeContent
    | ObjectionContent
    | ResultContent
)

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Content)


def encode(content: Content) -> bytes:
    """Return the JSON bytes of a content, the same for equal contents."""
    return _encoder.encode(content)


def decode(data: bytes) -> Content:
    """Read a content; msgspec.DecodeError names the place of what is wrong."""
    content: Content = _decoder.decode(data)
    return content


def kind_of(content: Content) -> str:
    """Return the package kind of a content."""
    return str(type(content).__struct_config__.tag)


def plan_of(content: Content) -> str:
    """Return the plan a content is about, "" for standing and heads."""
    return "" if isinstance(content, StandingContent) else content.plan
