"""The markers' desk: one question's answers one after the other, each under a code that names nobody.

Mounted by `marking serve` alone, a process of its own: the process that serves candidates has no route that
returns an answer, a rubric or a question's text.
"""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect, Template

from server.accounts.roles import Role
from server.affairs import store as affairs
from server.errors import NotFound, NotPermitted
from server.scoring import people_service, people_store, service
from server.scoring.decisions import Question
from server.scoring.people_store import Marker, Progress
from server.scoring.points import as_number, as_text, points
from server.web.guards import requires
from server.web.pages import page
from server.web.site import Site

Here = NamedDependency[Site]
Http = Request[Any, Any, Any]
MARKER = requires(Role.MARKER)


class AnswerView(msgspec.Struct, frozen=True):
    """One answer to mark; `most` in points."""

    code: str
    text: str
    most: float


class NextView(msgspec.Struct, frozen=True):
    """The next answer of a question, None when there is none for this marker; `settled` of `answers` are done."""

    answer: AnswerView | None
    settled: int
    answers: int


class GradeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A marker's points for an answer, in halves, and a note for the records."""

    points: float
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Graded(msgspec.Struct, frozen=True):
    """What the marks of the answer come to so far, and how many answers of the slot are left."""

    state: str
    left: int


@get("/", guards=[requires()], sync_to_thread=False)
def front() -> Redirect:
    """Lead to the markers' page."""
    return Redirect("/marking")


@get("/marking", guards=[MARKER])
async def overview(request: Http, site: Here) -> Template:
    """Show the questions that the signed-in marker is assigned to, with their progress."""
    found = []
    async with site.db.reading() as session:
        for assigned in await people_store.assignments(session, _me(request)):
            slot = await affairs.slot(session, assigned.slot)
            plan = await affairs.plan(session, slot.plan)
            progress = await people_store.progress(session, assigned.slot)
            short = await people_store.short(session, assigned.slot)
            found.append((assigned, plan.name, slot, progress, short))
    return page(request, "marker/overview.html", assignments=found, points_text=as_text)


@get("/marking/{slot:str}/{item:str}/{version:int}/{part:int}", guards=[MARKER])
async def question_page(
    slot: FromPath[str],
    item: FromPath[str],
    version: FromPath[int],
    part: FromPath[int],
    request: Http,
    site: Here,
) -> Template:
    """Show one question with its guide and the place of the answers, which the page's script brings."""
    question = Question(item, version, part)
    async with site.db.reading() as session:
        assigned = await _assigned(session, request, slot)
        progress = await _progress(session, slot, question)
        guide = await people_service.guide(session, site.identity, slot, question)
    return page(
        request,
        "marker/question.html",
        assigned=assigned,
        question=question,
        progress=progress,
        guide=guide,
        most=as_number(progress.most),
        spread=as_text(progress.spread),
    )


@get("/api/marking/{slot:str}/{item:str}/{version:int}/{part:int}/next", guards=[MARKER])
async def next_answer(
    slot: FromPath[str],
    item: FromPath[str],
    version: FromPath[int],
    part: FromPath[int],
    request: Http,
    site: Here,
) -> NextView:
    """Give the next answer of a question to the signed-in marker."""
    question = Question(item, version, part)
    async with site.db.reading() as session:
        assigned = await _assigned(session, request, slot)
        progress = await _progress(session, slot, question)
        found = None if progress.voided else await people_service.next_for(session, assigned, question)
    view = None if found is None else AnswerView(found.code, found.text, as_number(found.most))
    return NextView(view, progress.settled, progress.answers)


@post("/api/marking/answers/{code:str}", guards=[MARKER], status_code=200)
async def grade(code: FromPath[str], data: JSONBody[GradeBody], request: Http, site: Here) -> Graded:
    """Record the signed-in marker's points; the last mark of a slot scores it again with all of them."""
    async with site.acting(request.user) as act:
        slot = (await people_store.written(act.session, code)).slot
        state, left = await people_service.grade(act, code, points(data.points), data.note)
    if left == 0:
        await service.score_again(site.db, site.journal, site.clock, _me(request), slot, service.PEOPLE_DONE)
    return Graded(state.value, left)


@get("/marking/texts", guards=[MARKER], sync_to_thread=False)
def marking_texts(request: Http) -> Response[dict[str, str]]:
    """Give the sentences of the markers' page."""
    from server.web.catalogue import language_of, texts

    return Response(dict(texts(language_of(request), ("marker", "marks", "general"))))


def _me(request: Http) -> str:
    return f"staff:{request.user.username}"


async def _assigned(session: Any, request: Http, slot: str) -> Marker:
    me = _me(request)
    for one in await people_store.markers(session, slot):
        if one.marker == me:
            return one
    raise NotPermitted("marker-not-assigned")


async def _progress(session: Any, slot: str, question: Question) -> Progress:
    for one in await people_store.progress(session, slot):
        if one.question == question:
            return one
    raise NotFound("question-unknown", item=question.item, version=question.version)


ROUTES = [front, overview, question_page, next_answer, grade, marking_texts]
