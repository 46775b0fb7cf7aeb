"""The desk's first page: two custodians open a bank for a stated time; what is open, until when; its close."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.response import Redirect, Template

from server.conduct.opening_facts import desk_facts
from server.errors import BadInput, required
from server.itembank import store
from server.itembank.open_bank import held_items, held_versions
from server.keys import ring
from server.keys.desk_opening import DeskState
from server.keys.openings import DESK_LONGEST, desk_window, giver_refusal
from server.keys.ring import KeyKind
from server.web.desk.scope import OPENERS, STAFF, Desk, Http, login_of
from server.web.desk.workplace import Workplace
from server.web.guards import requires
from server.web.pages import page
from server.web.site import Site

Here = NamedDependency[Site]
LONGEST_HOURS = DESK_LONGEST // timedelta(hours=1)


class BeginBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which bank is to be opened, and for how long."""

    bank: Annotated[str, msgspec.Meta(min_length=1, max_length=36)]
    minutes: int


class PassphraseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One custodian's passphrase: `sealed` is hex of encapsulated key ‖ ciphertext (HPKE, see hpke.js)."""

    opening: str
    custodian: str
    sealed: Annotated[str, msgspec.Meta(max_length=8192)]


class OfferView(msgspec.Struct, frozen=True):
    """An opening that waits for passphrases; keys and signature are hex, `node` is the centre's signing key."""

    id: str
    kind: str
    subject: str
    public_key: str
    signature: str
    node: str


class DeskView(msgspec.Struct, frozen=True):
    """Where the desk stands. `left_s`: whole seconds until the end, None while nothing is open."""

    state: str
    bank: str | None
    ends_at: datetime | None
    left_s: int | None
    accepted: tuple[str, ...] = ()


def _view(site: Site, desk: Workplace) -> DeskView:
    opening = desk.opening
    if opening.state is DeskState.OPEN:
        found = opening.opened()
        left = int((found.ends_at - site.clock.legal()).total_seconds())
        return DeskView(opening.state.value, found.bank, found.ends_at, max(0, left), found.custodians)
    if opening.state is DeskState.WAITING:
        return DeskView(opening.state.value, opening.offer.subject, opening.ends_at, None, opening.accepted)
    return DeskView(opening.state.value, None, None, None)


def _offer(site: Site, desk: Workplace) -> OfferView:
    offer = desk.opening.offer
    return OfferView(
        offer.id,
        offer.kind.value,
        offer.subject,
        offer.public_key.hex(),
        offer.signature.hex(),
        site.identity.public.signing.hex(),
    )


@get("/")
async def to_desk() -> Redirect:
    """Lead to the desk: this process has nothing else."""
    return Redirect("/desk")


@get("/desk", guards=[STAFF])
async def desk_page(request: Http, site: Here, desk: Desk) -> Template:
    """Show the state of the desk: the form to open it, the passphrases awaited, or what there is to do."""
    state = desk.opening.state
    now = site.clock.legal()
    tasks: dict[str, int] = {}
    async with site.db.reading() as session:
        known = [key for key in await ring.keys(session) if key.kind is KeyKind.BANK and not key.retired]
        custodians = await ring.custodians(session)
        names = {bank.id: bank.name for bank in await store.banks(session)}
        refusal = desk_window(await desk_facts(session, now), DESK_LONGEST)
        if state is DeskState.OPEN:
            held = held_items(await held_versions(session, desk.bank().id))
            for one in held:
                tasks[one.newest.public.state.value] = tasks.get(one.newest.public.state.value, 0) + 1
    return page(
        request,
        "desk/desk.html",
        desk=_view(site, desk),
        offer=_offer(site, desk) if state is DeskState.WAITING else None,
        banks=[(key.subject, names.get(key.subject, key.subject)) for key in known],
        names=names,
        custodians=custodians,
        refusal=refusal,
        longest=LONGEST_HOURS,
        fingerprint=site.identity.fingerprint,
        tasks=tasks,
    )


@get("/api/desk", guards=[STAFF])
async def desk_state(site: Here, desk: Desk) -> DeskView:
    """Say where the desk stands and how long it stays open."""
    return _view(site, desk)


@post("/api/desk", guards=[OPENERS])
async def begin(request: Http, data: JSONBody[BeginBody], site: Here, desk: Desk) -> OfferView:
    """Ask for an opening of a bank for so many minutes (at most 480); refused during an exam day with the reason."""
    if not 1 <= data.minutes <= LONGEST_HOURS * 60:
        raise BadInput("desk-duration", longest_hours=LONGEST_HOURS)
    async with site.db.reading() as session:
        facts = await desk_facts(session, site.clock.legal())
    await desk.opening.begin(
        data.bank, f"staff:{login_of(request).username}", facts, timedelta(minutes=data.minutes)
    )
    return _offer(site, desk)


@get("/api/desk/offer", guards=[STAFF])
async def offer(site: Here, desk: Desk) -> OfferView:
    """Give what passphrases are encrypted to, for a custodian at another browser; 404 when none is awaited."""
    return _offer(site, desk)


@post("/api/desk/passphrases", guards=[requires()], status_code=200)
async def passphrase(request: Http, data: JSONBody[PassphraseBody], site: Here, desk: Desk) -> DeskView:
    """Take one custodian's encrypted passphrase; with the second one the bank is open."""
    try:
        sealed = bytes.fromhex(data.sealed)
    except ValueError as error:
        raise BadInput("passphrase-form") from error
    async with site.db.reading() as session:
        username = await ring.username_of(session, data.custodian)
    required(giver_refusal(login_of(request).username, username, desk.opening.begun_by))
    await desk.opening.passphrase(data.opening, data.custodian, sealed)
    return _view(site, desk)


@post("/desk/close", guards=[STAFF], status_code=200)
async def close(request: Http, site: Here, desk: Desk) -> Template:
    """Forget the key and let the process end, or give up an opening that still waits for passphrases."""
    was_open = desk.opening.state is DeskState.OPEN
    await desk.close("closed", f"staff:{login_of(request).username}")
    return page(request, "desk/closed.html", was_open=was_open)


ROUTES = [to_desk, desk_page, desk_state, begin, offer, passphrase, close]
