"""Custodians, the ceremony and the openings. Passphrases arrive here only as ciphertext for an opening's child."""

from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Template

from server.accounts.roles import Role
from server.accounts.service import Login
from server.affairs import store as affairs
from server.conduct.opening_facts import desk_facts, opening_facts
from server.errors import BadInput, Fact, NotFound, Refusal, Refused, required
from server.itembank import store as bank_store
from server.itembank.blueprint import read_blueprint
from server.keys import ring, service
from server.keys.changes import Change, change_of, change_refusal, words_of
from server.keys.custody import left
from server.keys.openings import OpeningFacts, OpeningKind, OpeningState, giver_refusal
from server.keys.openings_launcher import OpeningOffer, OpeningProgress
from server.web.guards import requires
from server.web.hall.draws import tried
from server.web.pages import page
from server.web.site import Site

LONGEST_WAIT_S = 30.0
_OPENERS = requires(Role.CHIEF, Role.DEPUTY, Role.EXAM_OFFICE, Role.CUSTODIAN)
_CEREMONY = requires(Role.ADMINISTRATOR, Role.EXAM_OFFICE, Role.CUSTODIAN)
_SEEING = requires(
    Role.ADMINISTRATOR, Role.CHIEF, Role.DEPUTY, Role.EXAM_OFFICE, Role.CUSTODIAN, Role.SUPERVISOR
)


class OpeningBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be opened. A draw names its bank and gives the blueprint as TOML text."""

    kind: Literal["draw", "start", "marking", "journal"]
    slot: str
    bank: str | None = None
    blueprint: Annotated[str, msgspec.Meta(max_length=200_000)] | None = None


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A custodian to be made."""

    username: Annotated[str, msgspec.Meta(min_length=1, max_length=63)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


class CeremonyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Custodians to be made, and the bank to make a key for; either may be left out."""

    custodians: Annotated[tuple[Person, ...], msgspec.Meta(max_length=50)] = ()
    bank: str = ""
    purpose: Literal["live", "rehearsal"] = "live"


class ChangeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of custodians; nobody in it means that keys are only wrapped anew."""

    added: Annotated[tuple[Person, ...], msgspec.Meta(max_length=20)] = ()
    retired: Annotated[tuple[str, ...], msgspec.Meta(max_length=20)] = ()
    lost: Annotated[tuple[str, ...], msgspec.Meta(max_length=20)] = ()


class OwnPassphraseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose passphrase is to be changed."""

    custodian: str


class PassphraseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One custodian's passphrase: `sealed` is hex of encapsulated key ‖ ciphertext (HPKE, see hpke.js)."""

    custodian: str
    sealed: Annotated[str, msgspec.Meta(max_length=8192)]
    new: bool = False
    """A passphrase to hold from now on: of someone added, or the new one of one's own."""


class OfferView(msgspec.Struct, frozen=True):
    """An opening that waits for passphrases; keys and signature are hex, `node` is the centre's signing key."""

    id: str
    kind: str
    subject: str
    public_key: str
    signature: str
    node: str
    people: tuple[tuple[str, str], ...]
    """(username, name) of those who set a passphrase; the custodians who open are not named."""


class ProgressView(msgspec.Struct, frozen=True):
    """Where an opening stands."""

    id: str
    accepted: tuple[str, ...]
    done: bool
    outcome: dict[str, Fact] | None
    failed: str | None
    needed: int


class CustodianView(msgspec.Struct, frozen=True):
    """One custodian."""

    id: str
    username: str
    name: str


class OpeningView(msgspec.Struct, frozen=True):
    """One opening as recorded."""

    id: str
    kind: str
    plan: str | None
    subject: str
    state: str
    actor: str
    custodians: tuple[str, ...]
    intended_at: datetime
    closed_at: datetime | None
    outcome: dict[str, Any] | None


def _offer(offer: OpeningOffer, site: Site) -> OfferView:
    return OfferView(
        offer.id,
        offer.kind.value,
        offer.subject,
        offer.public_key.hex(),
        offer.signature.hex(),
        site.identity.public.signing.hex(),
        offer.people,
    )


def _progress(progress: OpeningProgress) -> ProgressView:
    outcome = dict(progress.outcome) if progress.outcome is not None else None
    return ProgressView(
        progress.id, progress.accepted, progress.done, outcome, progress.failed, progress.needed
    )


def _opening(opening: service.Opening) -> OpeningView:
    return OpeningView(
        opening.id,
        opening.kind.value,
        opening.plan,
        opening.subject,
        opening.state.value,
        opening.actor,
        opening.custodians,
        opening.intended_at,
        opening.closed_at,
        dict(opening.outcome) if opening.outcome is not None else None,
    )


def _wait(request: Request[Any, Any, Any]) -> float:
    try:
        wait = float(request.query_params.get("wait", "0"))
    except ValueError as error:
        raise BadInput("bad-input", reason="wait") from error
    if not isfinite(wait):
        raise BadInput("bad-input", reason="wait")
    return min(max(wait, 0.0), LONGEST_WAIT_S)


@get("/api/custodians", guards=[_SEEING])
async def list_custodians(site: NamedDependency[Site]) -> tuple[CustodianView, ...]:
    """List the active custodians."""
    async with site.db.reading() as session:
        found = await ring.custodians(session)
    return tuple(CustodianView(one.id, one.username, one.name) for one in found)


@post("/api/ceremony", guards=[_CEREMONY])
async def begin_ceremony(
    request: Request[Login, Any, Any], data: JSONBody[CeremonyBody], site: NamedDependency[Site]
) -> OfferView:
    """Begin a ceremony; each new custodian then sends a passphrase to the opening's address."""
    people = tuple((person.username, person.name) for person in data.custodians)
    offer = await site.launcher.begin(
        OpeningKind.CEREMONY,
        "",
        data.bank,
        f"staff:{request.user.username}",
        OpeningFacts(),
        {"bank": data.bank, "purpose": data.purpose},
        people,
    )
    return _offer(offer, site)


@post("/api/custody/changes", guards=[_CEREMONY])
async def begin_change(
    request: Request[Login, Any, Any], data: JSONBody[ChangeBody], site: NamedDependency[Site]
) -> OfferView:
    """Begin a change of custodians, or a rotation when nobody is named; refused when too few would remain."""
    change = Change(tuple(one.username for one in data.added), data.retired, data.lost)
    async with site.db.reading() as session:
        in_office = [one.username for one in await ring.custodians(session)]
    required(change_refusal(in_office, change))
    people = tuple((one.username, one.name) for one in data.added)
    return await _begin_custody(request, site, OpeningKind.CUSTODY, words_of(change), people)


@post("/api/custody/drill", guards=[_CEREMONY])
async def begin_drill(request: Request[Login, Any, Any], site: NamedDependency[Site]) -> OfferView:
    """Begin a rehearsed recovery: two custodians prove that every key opens; nothing is opened by it."""
    return await _begin_custody(request, site, OpeningKind.DRILL, "", ())


@post("/api/custody/passphrase", guards=[_CEREMONY])
async def begin_own_passphrase(
    request: Request[Login, Any, Any], data: JSONBody[OwnPassphraseBody], site: NamedDependency[Site]
) -> OfferView:
    """Begin the change of one custodian's own passphrase: his old one and the new one are then sent."""
    async with site.db.reading() as session:
        who = (await ring.wrapped_custodian(session, data.custodian)).custodian
    people = ((who.username, who.name),)
    return await _begin_custody(request, site, OpeningKind.PASSPHRASE, who.username, people)


async def _begin_custody(
    request: Request[Login, Any, Any],
    site: Site,
    kind: OpeningKind,
    subject: str,
    people: tuple[tuple[str, str], ...],
) -> OfferView:
    async with site.db.reading() as session:
        facts = await desk_facts(session, site.clock.legal())
    actor = f"staff:{request.user.username}"
    return _offer(await site.launcher.begin(kind, "", subject, actor, facts, None, people), site)


async def _require_fillable(site: Site, bank: str, blueprint: str, slot: str) -> None:
    """Refuse a draw whose blueprint the bank cannot fill for the seating of the slot; a bank without items is
    judged by the draw itself."""
    read_blueprint(blueprint.encode())
    async with site.db.reading() as session:
        known = any(one.id == bank for one in await bank_store.banks(session))
    if known:
        required((await tried(site, bank, blueprint, 1, slot)).refusal)


@post("/api/openings", guards=[_OPENERS])
async def begin_opening(
    request: Request[Login, Any, Any], data: JSONBody[OpeningBody], site: NamedDependency[Site]
) -> OfferView:
    """Begin a draw, start or marking opening of a slot; refused outside its window with the reason."""
    launcher = site.launcher
    async with site.db.reading() as session:
        slot = await affairs.slot(session, data.slot)
        facts = await opening_facts(session, data.slot, data.kind)
        plan = await affairs.plan(session, slot.plan)
        key = await ring.active_key(session, ring.KeyKind.BANK, data.bank or "")
    parameters = {"purpose": plan.purpose}
    if data.kind == "draw":
        if not data.bank or not data.blueprint:
            raise BadInput("draw-parameters", needed="bank, blueprint")
        parameters |= {"bank": data.bank, "blueprint": data.blueprint}
        if key is not None and key.purpose.value != plan.purpose:
            raise Refused(Refusal("purpose-differs", facts={"bank": data.bank, "plan": plan.name}))
        if not facts.papers_drawn:  # short cells are told before two custodians give their passphrases
            await _require_fillable(site, data.bank, data.blueprint, slot.id)
    offer = await launcher.begin(
        data.kind, slot.plan, slot.id, f"staff:{request.user.username}", facts, parameters
    )
    return _offer(offer, site)


@get("/api/openings", guards=[_SEEING])
async def list_openings(
    request: Request[Login, Any, Any], site: NamedDependency[Site]
) -> tuple[OpeningView, ...]:
    """List the openings, of one plan with `?plan=`, oldest first."""
    async with site.db.reading() as session:
        found = await service.openings(session, request.query_params.get("plan"))
    return tuple(_opening(one) for one in found)


@get("/api/openings/{opening:str}", guards=[_SEEING])
async def opening_progress(
    request: Request[Login, Any, Any], opening: FromPath[str], site: NamedDependency[Site]
) -> ProgressView:
    """Say where an opening stands; with `?wait=` up to 30 seconds for its end."""
    return _progress(await site.launcher.finished(opening, _wait(request)))


@get("/api/openings/{opening:str}/offer", guards=[_SEEING])
async def opening_offer(opening: FromPath[str], site: NamedDependency[Site]) -> OfferView:
    """Give the offer of an opening that waits, for a custodian at another browser."""
    return _offer(site.launcher.offer(opening), site)


@post("/api/openings/{opening:str}/passphrases", guards=[requires()], status_code=200)
async def give_passphrase(
    request: Request[Login, Any, Any],
    opening: FromPath[str],
    data: JSONBody[PassphraseBody],
    site: NamedDependency[Site],
) -> ProgressView:
    """Pass one sealed passphrase on to the child; `?wait=` waits for the act after the last one needed."""
    try:
        sealed = bytes.fromhex(data.sealed)
    except ValueError as error:
        raise BadInput("passphrase-form") from error
    async with site.db.reading() as session:
        username = await ring.username_of(session, data.custodian)
    required(giver_refusal(request.user.username, username, site.launcher.begun_by(opening)))
    await site.launcher.passphrase(opening, data.custodian, sealed, data.new)
    progress = site.launcher.progress(opening)
    waiting = _wait(request)
    if waiting and len(progress.accepted) >= progress.needed:
        progress = await site.launcher.finished(opening, waiting)
    return _progress(progress)


@post("/api/openings/{opening:str}/abort", guards=[_OPENERS], status_code=204)
async def abort_opening(opening: FromPath[str], site: NamedDependency[Site]) -> None:
    """End an opening that still waits for passphrases."""
    await site.launcher.abort(opening)


@get("/custody", guards=[_SEEING])
async def custody_page(request: Request[Login, Any, Any], site: NamedDependency[Site]) -> Template:
    """Show custodians, slots and openings; the page's script encrypts passphrases before they leave the browser."""
    async with site.db.reading() as session:
        people = await ring.custodians(session)
        gone = await left(session)
        keys = await ring.keys(session)
        recorded = await service.openings(session)
        starts = {(one.subject, one.state) for one in recorded if one.kind is OpeningKind.START}
        slots = []
        for plan in await affairs.plans(session):
            for slot in await affairs.slots(session, plan.id):
                slots.append((plan, slot))
    return page(
        request,
        "custody/custody.html",
        custodians=people,
        left=gone,
        keys=keys,
        openings=tuple(reversed(recorded))[:20],
        slots=slots,
        forgotten={
            slot
            for slot, state in starts
            if state is OpeningState.FORGOTTEN and (slot, OpeningState.DONE) not in starts
        },
        fingerprint=site.identity.fingerprint,
    )


@get("/custody/openings/{opening:str}", guards=[_SEEING])
async def opening_page(
    request: Request[Login, Any, Any], opening: FromPath[str], site: NamedDependency[Site]
) -> Template:
    """Show one opening and, while it waits, the field for each custodian's passphrase."""
    async with site.db.reading() as session:
        recorded = await service.opening(session, opening)
        people = await ring.custodians(session)
    change = change_of(recorded.subject) if recorded.kind is OpeningKind.CUSTODY else Change()
    try:
        offer: OfferView | None = _offer(site.launcher.offer(opening), site)
    except NotFound:
        offer = None
    return page(
        request,
        "custody/opening.html",
        opening=recorded,
        offer=offer,
        custodians=tuple(one for one in people if one.username not in change.lost),
        change=change,
        fingerprint=site.identity.fingerprint,
    )


ROUTES: list[Any] = [
    list_custodians,
    begin_ceremony,
    begin_change,
    begin_drill,
    begin_own_passphrase,
    begin_opening,
    list_openings,
    opening_progress,
    opening_offer,
    give_passphrase,
    abort_opening,
    custody_page,
    opening_page,
]
