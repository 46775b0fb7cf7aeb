"""Messages of the registry's staff interface: what is sent out."""

from datetime import date, datetime

import msgspec

from server.affairs.change_service import Change
from server.affairs.facts import Candidate, Plan, Room, Seating, Slot
from server.affairs.plans import Deadline
from server.affairs.spot_check_service import SpotCheck
from server.errors import Fact, Refusal
from server.publicity.objections import Objection
from server.registry.certificates import Certificate
from server.registry.filing_service import Filing
from server.registry.results import Counts
from server.registry.store import Case, Lead
from server.web.catalogue import Language, say


class OccupationView(msgspec.Struct, frozen=True):
    """One filed occupation."""

    code: str
    name: str
    level: int


class VenueView(msgspec.Struct, frozen=True):
    """One filed venue."""

    name: str
    address: str
    seats: int


class FilingView(msgspec.Struct, frozen=True):
    """One filing."""

    id: str
    organisation: str
    name: str
    credit_code: str
    district: str
    address: str
    state: str
    occupations: tuple[OccupationView, ...]
    venues: tuple[VenueView, ...]
    letter_number: str
    valid_until: date | None
    letter_at: datetime | None
    published_at: datetime | None
    centre_signing: str
    centre_receiving: str
    reason: str


class SlotView(msgspec.Struct, frozen=True):
    """One slot."""

    id: str
    subject: str
    method: str
    starts_at: datetime
    minutes: int
    early: int
    late: int
    pass_mark: float
    total: float
    place: str
    entry: int | None


class DeadlineView(msgspec.Struct, frozen=True):
    """One dated step of a plan."""

    event: str
    article: str
    days: int
    latest: date
    done_at: datetime | None
    missed: bool


class ReasonView(msgspec.Struct, frozen=True):
    """Why something cannot be done: code, sentence, article and the facts named."""

    code: str
    text: str
    article: str | None
    facts: dict[str, Fact]


class PlanView(msgspec.Struct, frozen=True):
    """One plan."""

    id: str
    name: str
    organisation: str
    occupation: str
    occupation_code: str
    level: int
    state: str
    site_district: str
    slots: tuple[SlotView, ...] = ()
    deadlines: tuple[DeadlineView, ...] = ()
    blockers: tuple[ReasonView, ...] = ()
    candidates: int = 0
    rooms: tuple[str, ...] = ()
    purpose: str = "live"


class CandidateView(msgspec.Struct, frozen=True):
    """One candidate, without the identity number."""

    id: str
    ticket: str
    name: str
    subjects: tuple[str, ...]
    state: str


class RefusedRow(msgspec.Struct, frozen=True):
    """One row (from 0) that was not accepted."""

    row: int
    reason: ReasonView


class EnrolView(msgspec.Struct, frozen=True):
    """What became of an enrolment list."""

    accepted: tuple[CandidateView, ...]
    refused: tuple[RefusedRow, ...]


class SeatView(msgspec.Struct, frozen=True):
    """One sitting's seat."""

    sitting: str
    slot: str
    candidate: str
    room: str
    seat: int


class ArrangementView(msgspec.Struct, frozen=True):
    """What was imported, and the warnings set aside."""

    rooms: tuple[str, ...]
    sittings: int
    set_aside: tuple[ReasonView, ...]


class PackageView(msgspec.Struct, frozen=True):
    """A package made; its bytes lie in the outbox under this id."""

    id: str
    sha256: str
    size: int


class CertificateView(msgspec.Struct, frozen=True):
    """One certificate, without the holder's identity."""

    number: str
    plan: str
    name: str
    occupation: str
    level: int
    organisation: str
    state: str
    issued_at: datetime | None
    reason: str


class CertificatesView(msgspec.Struct, frozen=True):
    """Certificates touched by one act."""

    certificates: tuple[CertificateView, ...]


class CountsView(msgspec.Struct, frozen=True):
    """Counts of a plan and the first gap, if any."""

    enrolled: int
    published: int
    passed: int
    failed: int
    absent: int
    cheated: int
    uploaded: int
    held: int
    gap: ReasonView | None


class ObjectionView(msgspec.Struct, frozen=True):
    """One objection."""

    id: str
    plan: str
    candidate: str
    text: str
    state: str
    filed_at: datetime
    answer: str


class SpotCheckView(msgspec.Struct, frozen=True):
    """A plan's spot check; secret, nonce and seed are shown once drawn."""

    plan: str
    commitment: str
    secret: str | None
    nonce: str | None
    seed: str | None
    drawn: tuple[str, ...]
    unqualified: tuple[str, ...]
    drawn_at: datetime | None
    reported_at: datetime | None


class CaseView(msgspec.Struct, frozen=True):
    """One enforcement case."""

    id: str
    organisation: str
    violation: str
    article: str
    state: str
    suspicion: str
    opened_at: datetime
    finding: str
    defence_until: date | None
    defence: str
    decision: str
    decided_at: datetime | None


class LeadView(msgspec.Struct, frozen=True):
    """One lead."""

    id: str
    organisation: str
    plan: str | None
    code: str
    article: str
    facts: dict[str, Fact]
    found_at: datetime
    case: str | None


class ChangeView(msgspec.Struct, frozen=True):
    """One change of a slot's time or place: asked, filed or refused."""

    id: str
    plan: str
    slot: str
    starts_at: datetime
    place: str
    reason: str
    state: str
    asked_at: datetime
    answer: str


def change_view(change: Change) -> ChangeView:
    """Return a change as it is shown."""
    return ChangeView(
        change.id,
        change.plan,
        change.slot,
        change.starts_at,
        change.place,
        change.reason,
        change.state,
        change.asked_at,
        change.answer,
    )


def reason(language: Language, refusal: Refusal) -> ReasonView:
    """Return a refusal as it is shown."""
    facts = dict(refusal.facts)
    return ReasonView(refusal.code, say(language, refusal.code, facts), refusal.article, facts)


def filing_view(filing: Filing) -> FilingView:
    """Return a filing as it is shown."""
    return FilingView(
        id=filing.id,
        organisation=filing.organisation,
        name=filing.name,
        credit_code=filing.credit_code,
        district=filing.district,
        address=filing.address,
        state=filing.state,
        occupations=tuple(OccupationView(one.code, one.name, one.level) for one in filing.occupations),
        venues=tuple(VenueView(one.name, one.address, one.seats) for one in filing.venues),
        letter_number=filing.letter_number,
        valid_until=filing.valid_until,
        letter_at=filing.letter_at,
        published_at=filing.published_at,
        centre_signing=filing.centre_signing,
        centre_receiving=filing.centre_receiving,
        reason=filing.reason,
    )


def slot_view(slot: Slot) -> SlotView:
    """Return a slot as it is shown."""
    return SlotView(
        slot.id,
        slot.subject,
        slot.method,
        slot.starts_at,
        slot.minutes,
        slot.early,
        slot.late,
        slot.pass_mark,
        slot.total,
        slot.place,
        slot.entry,
    )


def deadline_view(deadline: Deadline, now: datetime) -> DeadlineView:
    """Return a deadline as it is shown."""
    return DeadlineView(
        deadline.event,
        deadline.article,
        deadline.days,
        deadline.latest,
        deadline.done_at,
        deadline.missed(now),
    )


def plan_view(
    plan: Plan,
    slots: tuple[Slot, ...] = (),
    deadlines: tuple[DeadlineView, ...] = (),
    blockers: tuple[ReasonView, ...] = (),
    candidates: int = 0,
    rooms: tuple[Room, ...] = (),
) -> PlanView:
    """Return a plan as it is shown."""
    return PlanView(
        id=plan.id,
        name=plan.name,
        organisation=plan.organisation,
        occupation=plan.occupation,
        occupation_code=plan.occupation_code,
        level=plan.level,
        state=plan.state,
        site_district=plan.site_district,
        slots=tuple(slot_view(slot) for slot in slots),
        deadlines=deadlines,
        blockers=blockers,
        candidates=candidates,
        rooms=tuple(room.number for room in rooms),
        purpose=plan.purpose,
    )


def candidate_view(candidate: Candidate) -> CandidateView:
    """Return a candidate as staff see it in lists."""
    return CandidateView(candidate.id, candidate.ticket, candidate.name, candidate.subjects, candidate.state)


def seat_view(seat: Seating) -> SeatView:
    """Return a seat as it is shown."""
    return SeatView(seat.sitting, seat.slot, seat.candidate, seat.room, seat.seat)


def certificate_view(certificate: Certificate) -> CertificateView:
    """Return a certificate as it is shown."""
    return CertificateView(
        certificate.number,
        certificate.plan,
        certificate.name,
        certificate.occupation,
        certificate.level,
        certificate.organisation_name,
        certificate.state,
        certificate.issued_at,
        certificate.reason,
    )


def counts_view(counts: Counts, language: Language) -> CountsView:
    """Return counts as they are shown."""
    gap = counts.gap()
    return CountsView(
        counts.enrolled,
        counts.published,
        counts.passed,
        counts.failed,
        counts.absent,
        counts.cheated,
        counts.uploaded,
        counts.held,
        None if gap is None else reason(language, gap),
    )


def objection_view(objection: Objection) -> ObjectionView:
    """Return an objection as staff see it."""
    return ObjectionView(
        objection.id,
        objection.plan,
        objection.candidate,
        objection.text,
        objection.state,
        objection.filed_at,
        objection.answer,
    )


def spot_check_view(check: SpotCheck) -> SpotCheckView:
    """Return a spot check as it is shown."""
    return SpotCheckView(
        check.plan,
        check.commitment,
        check.secret,
        check.nonce,
        check.seed,
        check.drawn,
        check.unqualified,
        check.drawn_at,
        check.reported_at,
    )


def case_view(case: Case) -> CaseView:
    """Return a case as it is shown."""
    return CaseView(
        case.id,
        case.organisation,
        case.violation,
        case.article,
        case.state,
        case.suspicion,
        case.opened_at,
        case.finding,
        case.defence_until,
        case.defence,
        case.decision,
        case.decided_at,
    )


def lead_view(lead: Lead) -> LeadView:
    """Return a lead as it is shown."""
    return LeadView(
        lead.id, lead.organisation, lead.plan, lead.code, lead.article, lead.facts, lead.found_at, lead.case
    )
