"""Marks of a slot after the marking: decisions about faulty questions, scoring again, and the page of them."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Template

from server.accounts.roles import Role
from server.affairs import store as affairs
from server.affairs.facts import Slot
from server.errors import Refusal
from server.scoring import decision_service, people_store, service, store
from server.scoring.decision_service import Decision
from server.scoring.decisions import DecisionEvent, DecisionKind, DecisionState, Question, VoidPolicy
from server.scoring.facts import MarkingOutcome
from server.scoring.people_store import Marker, Progress, Short
from server.scoring.points import as_text
from server.scoring.results import has_papers
from server.web.guards import requires
from server.web.hall import figures, markers
from server.web.hall.bodies import Why
from server.web.pages import page
from server.web.site import Site

Here = NamedDependency[Site]
Http = Request[Any, Any, Any]
CHIEF = requires(Role.CHIEF)
DECIDERS = requires(Role.CHIEF, Role.DEPUTY, Role.EXAM_OFFICE, Role.QUALITY)
READERS = requires(Role.CHIEF, Role.DEPUTY, Role.EXAM_OFFICE, Role.QUALITY, Role.SUPERVISOR)


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A faulty question: an erratum with the words for the candidates, or a void with its policy.

    Named by the number on one sitting's paper, or by item and version once the slot is marked. `text` is
    shown to every candidate of the slot when another person confirms.
    """

    kind: Literal["erratum", "void"]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    text: Annotated[str, msgspec.Meta(max_length=decision_service.LONGEST_TEXT)] = ""
    policy: Literal["credit", "scale"] | None = None
    sitting: str | None = None
    number: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    item: Annotated[str, msgspec.Meta(max_length=80)] | None = None
    version: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    part: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a person does with a decision; a revocation says why."""

    event: Literal["confirm", "withdraw", "revoke", "keep"]
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Proposed(msgspec.Struct, frozen=True):
    """The decision that waits for a second person."""

    id: str


class Settled(msgspec.Struct, frozen=True):
    """The decision after the act, and what scoring again did where the slot was marked already."""

    decision: Decision
    scored: MarkingOutcome | None


class SlotMarks(msgspec.Struct, frozen=True):
    """Where the marks of one slot stand; `open` says what keeps them from being final."""

    slot: Slot
    plan: str
    run: str | None
    replaces: str | None
    cause: str
    closed: bool
    sittings: int
    final: int
    open: Refusal | None
    decisions: tuple[Decision, ...]
    questions: tuple[Progress, ...]
    markers: tuple[Marker, ...]
    short: Short


@get("/api/slots/{slot:str}/decisions", guards=[READERS])
async def slot_decisions(slot: FromPath[str], site: Here) -> tuple[Decision, ...]:
    """Return every decision about a question of the slot, oldest first."""
    async with site.db.reading() as session:
        return await decision_service.decisions(session, slot)


@post("/api/slots/{slot:str}/decisions", guards=[CHIEF])
async def propose(slot: FromPath[str], data: JSONBody[Fault], site: Here, request: Http) -> Proposed:
    """Propose an erratum or a void; in force, and shown, once another person confirms it."""
    question = None
    if data.item is not None:
        question = Question(data.item, data.version or 1, data.part)
    async with site.acting(request.user) as act:
        await affairs.slot(act.session, slot)
        made = await decision_service.propose(
            act,
            slot,
            DecisionKind(data.kind),
            reason=data.reason,
            text=data.text,
            policy=VoidPolicy(data.policy) if data.policy else None,
            question=question,
            sitting=data.sitting,
            number=data.number,
        )
    return Proposed(made)


@post("/api/decisions/{decision:str}", guards=[DECIDERS], status_code=200)
async def settle(decision: FromPath[str], data: JSONBody[Word], site: Here, request: Http) -> Settled:
    """Confirm, withdraw, revoke or keep a decision; a void that takes or loses force scores the slot again."""
    async with site.acting(request.user) as act:
        settled = await decision_service.decide(act, decision, DecisionEvent(data.event), data.reason)
        marked = await store.current_run(act.session, settled.slot) is not None
    scored = None
    if (
        marked
        and settled.kind is DecisionKind.VOID
        and data.event == "confirm"
        and settled.state in (DecisionState.STANDING, DecisionState.REVOKED)
    ):
        scored = await _again(site, request, settled.slot, settled.reason)
    return Settled(settled, scored)


@post("/api/slots/{slot:str}/rescore", guards=[CHIEF], status_code=200)
async def rescore(slot: FromPath[str], data: JSONBody[Why], site: Here, request: Http) -> MarkingOutcome:
    """Score a marked slot again under the decisions in force, where that was interrupted."""
    return await _again(site, request, slot, data.reason)


@post("/api/slots/{slot:str}/marks/reopen", guards=[CHIEF], status_code=204)
async def reopen_marks(slot: FromPath[str], data: JSONBody[Why], site: Here, request: Http) -> None:
    """Open the marks of a published slot for a correction with its cause."""
    async with site.acting(request.user) as act:
        await service.reopen_marks(act, slot, data.reason)


@get("/results", guards=[READERS])
async def results_page(request: Http, site: Here) -> Template:
    """Show where the marks of every slot stand, the decisions about questions, and their forms."""
    found = []
    async with site.db.reading() as session:
        for plan in await affairs.plans(session):
            for slot in await affairs.slots(session, plan.id):
                if not has_papers(slot):
                    continue
                run = await store.current_run(session, slot.id)
                found.append(
                    SlotMarks(
                        slot,
                        plan.name,
                        run.id if run else None,
                        run.replaces if run else None,
                        run.cause if run else "",
                        run is not None and run.closed_at is not None,
                        run.sittings if run else 0,
                        await store.scored(session, slot.id) or 0,
                        await people_store.unapplied(session, slot.id),
                        await decision_service.decisions(session, slot.id),
                        await people_store.progress(session, slot.id),
                        await people_store.markers(session, slot.id),
                        await people_store.short(session, slot.id),
                    )
                )
    me = f"staff:{request.user.username}"
    return page(request, "hall/results.html", slots=found, me=me, points_text=as_text)


async def _again(site: Site, request: Http, slot: str, cause: str) -> MarkingOutcome:
    return await service.score_again(
        site.db, site.journal, site.clock, f"staff:{request.user.username}", slot, cause
    )


ROUTES = [
    slot_decisions,
    propose,
    settle,
    rescore,
    reopen_marks,
    results_page,
    *figures.ROUTES,
    *markers.ROUTES,
]
