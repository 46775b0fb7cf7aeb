"""Use cases of a filing on the registry: apply, recommend, evaluate, notice, letter, publication, refusal."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs.facts import Scope
from server.affairs.service import put_organisation
from server.db.act import Act
from server.errors import BadInput, NotFound, Refusal, Refused, required
from server.law.pack import Pack
from server.law.workdays import legal_day
from server.packages.peers import register_peer
from server.registry import filing as rules
from server.registry.certificates import BodyCode
from server.registry.filing import FilingEvent, FilingState, Statement
from server.registry.models import FilingRow

_CLOSED = (FilingState.REFUSED, FilingState.WITHDRAWN, FilingState.TERMINATED)


@dataclass(frozen=True, slots=True)
class Occupation:
    """One occupation at one level (5 lowest to 1 highest)."""

    code: str
    name: str
    level: int


@dataclass(frozen=True, slots=True)
class Venue:
    """One exam site as filed; `seats` counts its theory seats."""

    name: str
    address: str
    seats: int


@dataclass(frozen=True, slots=True)
class Application:
    """What an organisation applies with."""

    name: str
    credit_code: str
    district: str
    address: str
    representative: str
    occupations: tuple[Occupation, ...]
    venues: tuple[Venue, ...]
    staff: tuple[tuple[str, str], ...]
    statement: Statement


@dataclass(frozen=True, slots=True)
class Letter:
    """What the filing letter states: its number, the body's code, and the keys of its centre (hex, 32
    bytes each).

    `second` names the other person who compared the keys with the letter; `valid_until` is inclusive.
    """

    number: str
    valid_until: date | None
    body: BodyCode
    second: str
    centre_signing: str
    centre_receiving: str
    centre_tls: str | None = None


@dataclass(frozen=True, slots=True)
class Filing:
    """One filing with everything the public directory and the officers need."""

    id: str
    organisation: str
    name: str
    credit_code: str
    district: str
    address: str
    state: FilingState
    occupations: tuple[Occupation, ...]
    venues: tuple[Venue, ...]
    staff: tuple[tuple[str, str], ...]
    applied_at: datetime
    noticed_at: datetime | None
    letter_at: datetime | None
    published_at: datetime | None
    letter_number: str
    valid_until: date | None
    body: BodyCode
    centre_signing: str
    centre_receiving: str
    reason: str


async def filings(session: AsyncSession, organisation: str | None = None) -> tuple[Filing, ...]:
    """Return all filings, or those of one organisation, newest application first."""
    query = select(FilingRow).order_by(FilingRow.applied_at.desc(), FilingRow.id)
    if organisation is not None:
        query = query.where(FilingRow.organisation == organisation)
    return tuple(_fact(row) for row in await session.scalars(query))


async def filing(session: AsyncSession, filing: str) -> Filing:
    """Return one filing."""
    return _fact(await _row(session, filing))


async def standing_filing(session: AsyncSession, organisation: str) -> Filing:
    """Return the filing that is in force; NotFound when the organisation has none."""
    for found in await filings(session, organisation):
        if found.state in (FilingState.FILED, FilingState.PUBLISHED):
            return found
    raise NotFound("organisation-not-filed", organisation=organisation)


async def apply(act: Act, pack: Pack, organisation: str, application: Application) -> Filing:
    """Take in an application; refused with the first shortcoming, while another is open, or while
    debarred.
    """
    kind = pack.header.default_kind
    for earlier in await act.session.scalars(
        select(FilingRow).where(FilingRow.credit_code == application.credit_code)
    ):
        if earlier.state not in _CLOSED:
            raise Refused(Refusal("filing-open-already", None, {"filing": earlier.id}))
        if earlier.debarred_until is not None and legal_day(act.now) <= earlier.debarred_until:
            facts = {"bar": "debarred", "until": earlier.debarred_until.isoformat()}
            raise Refused(Refusal("filing-barred", "BJ-F:4.4.4", facts))
    found = rules.shortcomings(pack, kind, application.statement, legal_day(act.now))
    required(found[0] if found else None)
    if not application.occupations or not application.venues:
        raise BadInput("filing-scope-missing")
    row = FilingRow(
        id=str(uuid.uuid4()),
        organisation=organisation,
        name=application.name,
        credit_code=application.credit_code,
        kind=kind,
        district=application.district,
        address=application.address,
        representative=application.representative,
        state=FilingState.APPLIED,
        occupations=_text([(one.code, one.name, one.level) for one in application.occupations]),
        venues=_text([(one.name, one.address, one.seats) for one in application.venues]),
        staff=_text(application.staff),
        answers=_text(dict(application.statement.answers)),
        materials=_text(sorted(application.statement.materials)),
        applied_at=act.now,
        reason="",
        letter_number="",
        body_kind="",
        body_ministry="",
        body_province="",
        body_serial="",
        centre_signing="",
        centre_receiving="",
    )
    act.session.add(row)
    await act.session.flush()
    await act.record("registry:filing:applied", {"filing": row.id, "organisation": organisation})
    return _fact(row)


async def recommend(act: Act, filing: str, district: str | None = None) -> Filing:
    """The district of registration recommends an application to the city; `district` is the officer's own."""
    required(rules.at_desk((await _row(act.session, filing)).district, district))
    row = await _moved(act, filing, FilingEvent.RECOMMEND)
    row.recommended_at = act.now
    return await _done(act, row, "registry:filing:recommended")


async def evaluate(act: Act, filing: str) -> Filing:
    """The city records that its evaluation (body, items, venue, credit, interview) was passed."""
    row = await _moved(act, filing, FilingEvent.EVALUATE)
    row.evaluated_at = act.now
    return await _done(act, row, "registry:filing:evaluated")


async def publish_notice(act: Act, filing: str) -> Filing:
    """The city publishes its intention; the notice period starts with this stamp."""
    row = await _moved(act, filing, FilingEvent.NOTICE)
    row.noticed_at = act.now
    return await _done(act, row, "registry:filing:noticed")


async def issue_letter(act: Act, pack: Pack, filing: str, letter: Letter) -> Filing:
    """Issue the filing letter after the whole notice period; the organisation may act from now on.

    The body's code must fit the pack's pattern; the centre's keys stand in the letter.
    """
    row = await _moved(act, filing, FilingEvent.ISSUE_LETTER)
    if row.noticed_at is None:
        raise Refused(Refusal("filing-step-out-of-order", "BJ-F:2.5.4", {"state": row.state}))
    required(rules.may_issue_letter(pack, row.noticed_at, act.now))
    _check_body(pack, letter.body, legal_day(act.now))
    for key in (letter.centre_signing, letter.centre_receiving):
        if len(key) != 64 or any(digit not in "0123456789abcdef" for digit in key):
            raise BadInput("filing-key-form")
    row.letter_at = act.now
    row.letter_number = letter.number
    row.valid_until = letter.valid_until
    row.body_kind, row.body_ministry = letter.body.kind, letter.body.ministry
    row.body_province, row.body_serial = letter.body.province, letter.body.body
    row.centre_signing, row.centre_receiving = letter.centre_signing, letter.centre_receiving
    fact = _fact(row)
    scope = Scope(
        frozenset((one.code, one.level) for one in fact.occupations),
        frozenset(one.name for one in fact.venues),
    )
    peer = await register_peer(
        act,
        "centre",
        row.organisation,
        bytes.fromhex(letter.centre_signing),
        bytes.fromhex(letter.centre_receiving),
        letter.centre_tls,
        (act.actor, f"letter:{letter.second}"),
    )
    await put_organisation(act, row.organisation, row.name, pack.jurisdiction, scope, peer.name)
    return await _done(
        act, row, "registry:filing:filed", {"letter": letter.number, "centre": letter.centre_signing}
    )


async def publish(act: Act, filing: str) -> Filing:
    """Put a filed organisation into the public directory."""
    row = await _moved(act, filing, FilingEvent.PUBLISH)
    row.published_at = act.now
    return await _done(act, row, "registry:filing:published")


async def refuse(act: Act, filing: str, reason: str) -> Filing:
    """Refuse an application in writing, with the reason."""
    if not reason.strip():
        raise BadInput("reason-missing")
    row = await _moved(act, filing, FilingEvent.REFUSE)
    row.reason = reason
    row.ended_at = act.now
    return await _done(act, row, "registry:filing:refused", {"reason": reason})


async def withdraw(act: Act, filing: str) -> Filing:
    """The organisation withdraws its application."""
    row = await _moved(act, filing, FilingEvent.WITHDRAW)
    row.ended_at = act.now
    return await _done(act, row, "registry:filing:withdrawn")


async def terminate(act: Act, pack: Pack, organisation: str, kind: str, reason: str) -> Filing:
    """End the filing in force: `kind` is a termination of the pack, which sets how long the body is
    debarred.
    """
    found = await standing_filing(act.session, organisation)
    row = await _moved(act, found.id, FilingEvent.TERMINATE)
    row.ended_at = act.now
    row.reason = reason
    row.debarred_until = rules.debarred_until(pack, kind, legal_day(act.now))
    return await _done(
        act,
        row,
        "registry:filing:terminated",
        {"kind": kind, "debarred_until": row.debarred_until.isoformat()},
    )


def _check_body(pack: Pack, body: BodyCode, day: date) -> None:
    given = {
        "kind": body.kind,
        "ministry": body.ministry,
        "province": body.province,
        "body": body.body,
    }
    for part in pack.certificate_on(day).parts:
        if part.given_by == "authority" and not part.accepts(given.get(part.code, "")):
            raise BadInput("filing-body-code-wrong", part=part.code, given=given.get(part.code))


async def _row(session: AsyncSession, filing: str, *, lock: bool = False) -> FilingRow:
    row = await session.get(FilingRow, filing, with_for_update=lock or None)
    if row is None:
        raise NotFound("filing-unknown", filing=filing)
    return row


async def _moved(act: Act, filing: str, event: FilingEvent) -> FilingRow:
    row = await _row(act.session, filing, lock=True)
    outcome = rules.step(FilingState(row.state), event)
    if isinstance(outcome, Refusal):
        raise Refused(outcome)
    row.state = outcome
    return row


async def _done(act: Act, row: FilingRow, kind: str, facts: Mapping[str, str] | None = None) -> Filing:
    await act.session.flush()
    await act.record(kind, {"filing": row.id, "organisation": row.organisation, **(facts or {})})
    return _fact(row)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _fact(row: FilingRow) -> Filing:
    occupations = msgspec.json.decode(row.occupations, type=list[tuple[str, str, int]])
    venues = msgspec.json.decode(row.venues, type=list[tuple[str, str, int]])
    return Filing(
        id=row.id,
        organisation=row.organisation,
        name=row.name,
        credit_code=row.credit_code,
        district=row.district,
        address=row.address,
        state=FilingState(row.state),
        occupations=tuple(Occupation(*one) for one in occupations),
        venues=tuple(Venue(*one) for one in venues),
        staff=msgspec.json.decode(row.staff, type=tuple[tuple[str, str], ...]),
        applied_at=row.applied_at,
        noticed_at=row.noticed_at,
        letter_at=row.letter_at,
        published_at=row.published_at,
        letter_number=row.letter_number,
        valid_until=row.valid_until,
        body=BodyCode(row.body_kind, row.body_ministry, row.body_province, row.body_serial),
        centre_signing=row.centre_signing,
        centre_receiving=row.centre_receiving,
        reason=row.reason,
    )
