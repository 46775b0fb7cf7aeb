"""Late answers on a page of their own: journals taken and opened, each item judged by two people."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Template

from server.accounts.roles import Role
from server.accounts.service import Login
from server.conduct import late_answers, spare_papers
from server.delivery import late_journals, late_service
from server.delivery import store as delivery
from server.delivery.handin import wall_clock
from server.delivery.late_journals import LateJournal
from server.delivery.late_service import Merge, Proposal
from server.delivery.merging import Decision, LateItem, sitting_refusal
from server.errors import GongyuanError
from server.protocol.journal import read_file
from server.web.catalogue import Language, language_of, say
from server.web.guards import requires
from server.web.hall import bodies
from server.web.hall.acts import CHIEF, FLOOR, LEAD
from server.web.hall.board import VIEWERS
from server.web.hall.scope import leads, login_of, require_sitting, watches
from server.web.pages import page
from server.web.site import Site

Http = Request[Any, Any, Any]
Here = NamedDependency[Site]
_CARRIERS = requires(Role.TECHNICIAN, Role.CHIEF, Role.DEPUTY)


class LateDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is proposed for one item; it names the answer by (lease, seq)."""

    number: int
    lease: int
    seq: int
    accept: bool
    reason: Annotated[str, msgspec.Meta(max_length=500)]


class LateDecisions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One decision for each item that waits."""

    decisions: Annotated[tuple[LateDecision, ...], msgspec.Meta(max_length=1_000)]


class TakenView(msgspec.Struct, frozen=True):
    """One journal of a file: how many of its entries are kept now, or why it was not taken (code and words)."""

    sitting: str
    lease: int
    kept: int | None
    code: str | None = None
    title: str | None = None


class ItemView(msgspec.Struct, frozen=True):
    """One item: what stands, what came late, its evidence (Shanghai time of day), and why it cannot be merged."""

    number: int
    lease: int
    seq: int
    source: str
    stands: tuple[str, ...] | None
    value: tuple[str, ...]
    captured: str | None
    beacon: str | None
    offline_from: str | None
    offline_to: str | None
    open: bool
    refusal: str | None


class ProposalView(msgspec.Struct, frozen=True):
    """Who proposed what."""

    actor: str
    at: datetime
    decisions: tuple[LateDecision, ...]


class MergedView(msgspec.Struct, frozen=True):
    """A merge: who, what, and the code of the answers as they are now."""

    first: str
    second: str
    at: datetime
    accepted: tuple[int, ...]
    refused: tuple[int, ...]
    count: int
    code: str


class LateSittingView(msgspec.Struct, frozen=True):
    """One sitting to which answers came late: `count` items, of which `waits` are to be judged. `items` and the
    proposal's decisions are given to those alone who judge them."""

    sitting: str
    ticket: str
    name: str
    room: str
    seat: int
    state: str
    count: int
    waits: int
    items: tuple[ItemView, ...]
    proposal: ProposalView | None
    merges: tuple[MergedView, ...]
    refusal: str | None
    """Why nothing of it can be merged, as a sentence; None when it can."""


class JournalView(msgspec.Struct, frozen=True):
    """One kept journal."""

    id: str
    sitting: str
    room: str
    seat: int
    lease: int
    source: str
    received_at: datetime
    entries: int
    opened: int
    faults: int


class LateView(msgspec.Struct, frozen=True):
    """Everything that came late in a slot."""

    slot: str
    journals: tuple[JournalView, ...]
    sittings: tuple[LateSittingView, ...]


class SpareGiven(msgspec.Struct, frozen=True):
    """The spare paper that was given."""

    paper: str


@post("/api/hall/journals", guards=[_CARRIERS], status_code=200)
async def take_journals(site: Here, request: Http) -> list[TakenView]:
    """Take a journal file: each journal is kept, a part at a time, or refused by itself, and journalled either way."""
    language, taken = language_of(request), []
    for journal in (await asyncio.to_thread(read_file, await request.body())).journals:
        head, kept = journal.head, 0
        try:
            for first in late_answers.parts_of(journal):
                async with site.acting(login_of(request)) as act:
                    kept = await late_answers.keep_journal(act, journal, first)
            taken.append(TakenView(head.sitting, head.lease, kept))
        except GongyuanError as error:
            async with site.acting(login_of(request)) as act:
                await late_answers.journal_refused(act, journal, error)
            title = say(language, error.code, error.facts)
            taken.append(TakenView(head.sitting, head.lease, None, error.code, title))
    return taken


@get("/api/hall/slots/{slot:str}/late", guards=[requires(*VIEWERS)])
async def late(slot: FromPath[str], site: Here, request: Http) -> LateView:
    """Return what came late in a slot; answers themselves only to those who judge them."""
    return await _late(site, slot, language_of(request), login_of(request))


@post("/api/hall/sittings/{sitting:str}/late/proposal", guards=[LEAD], status_code=204)
async def propose(sitting: FromPath[str], data: JSONBody[LateDecisions], site: Here, request: Http) -> None:
    """Propose what becomes of each late answer."""
    decisions = tuple(
        Decision(one.number, one.lease, one.seq, one.accept, one.reason) for one in data.decisions
    )
    async with site.acting(login_of(request)) as act:
        await late_answers.propose(act, sitting, decisions)


@post("/api/hall/sittings/{sitting:str}/late/return", guards=[FLOOR], status_code=204)
async def return_proposal(
    sitting: FromPath[str], data: JSONBody[bodies.Why], site: Here, request: Http
) -> None:
    """Return a proposal, so that another can be made."""
    login = login_of(request)
    async with site.acting(login) as act:
        await require_sitting(act.session, login, sitting)
        await late_answers.return_proposal(act, sitting, data.reason)


@post("/api/hall/sittings/{sitting:str}/late/confirm", guards=[FLOOR], status_code=200)
async def confirm(sitting: FromPath[str], site: Here, request: Http) -> MergedView:
    """Carry a proposal out as its second person; an invigilator in his own room only."""
    login = login_of(request)
    async with site.acting(login) as act:
        await require_sitting(act.session, login, sitting)
        return _merged(await late_answers.confirm(act, site.identity, sitting))


@post("/api/hall/sittings/{sitting:str}/spare", guards=[CHIEF])
async def give_spare(
    sitting: FromPath[str], data: JSONBody[bodies.Why], site: Here, request: Http
) -> SpareGiven:
    """Give a spare in place of a spoiled paper."""
    async with site.acting(login_of(request)) as act:
        return SpareGiven((await spare_papers.replace_paper(act, sitting, data.reason)).spare)


@get("/hall/late/{slot:str}", guards=[requires(*VIEWERS)])
async def late_page(slot: FromPath[str], site: Here, request: Http) -> Template:
    """Show what came late in a slot, with the forms to judge it."""
    login = login_of(request)
    found = await _late(site, slot, language_of(request), login)
    roles = login.roles
    return page(
        request,
        "hall/late.html",
        late=found,
        may_carry=not roles.isdisjoint({Role.TECHNICIAN, Role.CHIEF, Role.DEPUTY}),
        may_lead=not roles.isdisjoint({Role.CHIEF, Role.DEPUTY}),
        may_open=not roles.isdisjoint({Role.CHIEF, Role.DEPUTY, Role.EXAM_OFFICE, Role.CUSTODIAN}),
        waiting=sum(1 for one in found.journals if one.opened < one.entries),
        me=f"staff:{login.username}",
    )


def judges(login: Login, room: str, proposal: Proposal | None) -> bool:
    """Who sees late answers themselves: chief and deputy, and an invigilator of the room while a proposal waits for its
    second person, who must know what he confirms."""
    return leads(login) or (proposal is not None and watches(login, room))


async def _late(site: Site, slot: str, language: Language, login: Login) -> LateView:
    async with site.db.reading() as session:
        await delivery.slot_row(session, slot)
        journals = await late_journals.journals(session, slot)
        sittings = []
        for key in await late_service.late_sittings(session, slot):
            one = await delivery.sitting(session, key)
            undecided = {(i.late.lease, i.late.seq) for i in await late_service.undecided(session, key)}
            found = await late_service.items(session, key)
            proposal = await late_service.proposal(session, key)
            clear = judges(login, one.room, proposal)
            refusal = sitting_refusal(one.state)
            sittings.append(
                LateSittingView(
                    key,
                    one.ticket,
                    one.name,
                    one.room,
                    one.seat,
                    one.state.value,
                    len(found),
                    sum((item.late.lease, item.late.seq) in undecided for item in found),
                    tuple(_item(item, undecided, language) for item in found) if clear else (),
                    _proposal(proposal, clear=clear),
                    tuple(_merged(merge) for merge in await late_service.merges_of(session, key)),
                    None if refusal is None else say(language, refusal.code, refusal.facts),
                )
            )
    return LateView(slot, tuple(_journal(journal) for journal in journals), tuple(sittings))


def _journal(one: LateJournal) -> JournalView:
    return JournalView(
        one.id,
        one.sitting,
        one.room,
        one.number,
        one.lease,
        one.source,
        one.received_at,
        one.entries,
        one.opened,
        one.faults,
    )


def _item(item: LateItem, undecided: set[tuple[int, int]], language: Language) -> ItemView:
    late, away = item.late, item.absence
    return ItemView(
        number=late.number,
        lease=late.lease,
        seq=late.seq,
        source=late.source,
        stands=None if item.stands is None else item.stands.value,
        value=late.value,
        captured=_clock(late.captured_at),
        beacon=_clock(late.beacon_at),
        offline_from=_clock(away.start) if away else None,
        offline_to=_clock(away.end) if away else None,
        open=(late.lease, late.seq) in undecided,
        refusal=None if item.refusal is None else say(language, item.refusal.code, item.refusal.facts),
    )


def _clock(moment: datetime | None) -> str | None:
    return None if moment is None else wall_clock(moment)


def _proposal(found: Proposal | None, *, clear: bool) -> ProposalView | None:
    if found is None:
        return None
    decisions = tuple(LateDecision(d.number, d.lease, d.seq, d.accept, d.reason) for d in found.decisions)
    return ProposalView(found.actor, found.at, decisions if clear else ())


def _merged(merge: Merge) -> MergedView:
    return MergedView(
        merge.first, merge.second, merge.at, merge.accepted, merge.refused, merge.count, merge.code
    )


ROUTES = [take_journals, late, propose, return_proposal, confirm, give_spare, late_page]
