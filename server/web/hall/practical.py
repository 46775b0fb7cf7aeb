"""The examiners' form of a practical subject, over JSON."""

from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from server.accounts.roles import Role
from server.affairs import store as affairs
from server.errors import Refusal
from server.scoring import practical_service, store
from server.scoring.facts import Entry
from server.scoring.points import as_number, points
from server.scoring.practical import FormItem, FormTemplate, practical_score
from server.web.guards import requires
from server.web.hall.bodies import PracticalEntry, PracticalForm
from server.web.site import Site


class LineView(msgspec.Struct, frozen=True):
    """One line of the form; `most` in points."""

    code: str
    title: str
    most: float


class FormView(msgspec.Struct, frozen=True):
    """The form of a practical slot."""

    slot: str
    items: tuple[LineView, ...]
    total: float
    spread: float


class EntryView(msgspec.Struct, frozen=True):
    """The newest entry of one examiner, in points."""

    examiner: str
    version: int
    absent: bool
    scores: dict[str, float]
    total: float


class ScriptView(msgspec.Struct, frozen=True):
    """One candidate of a practical slot; `points` once the examiners agree, else `open` says what is
    missing.
    """

    candidate: str
    ticket: str
    name: str
    entries: tuple[EntryView, ...]
    absent: bool
    points: float | None
    open: str | None


class PracticalView(msgspec.Struct, frozen=True):
    """A practical slot with its form and every enrolled candidate, in order of ticket."""

    slot: str
    form: FormView | None
    candidates: tuple[ScriptView, ...]


class EntryMade(msgspec.Struct, frozen=True):
    """The version that the entry became: 1, or more for a correction."""

    version: int


@post("/api/practical/{slot:str}/form", guards=[requires(Role.EXAM_OFFICE, Role.CHIEF)], status_code=204)
async def make_form(
    slot: FromPath[str],
    data: JSONBody[PracticalForm],
    site: NamedDependency[Site],
    request: Request[Any, Any, Any],
) -> None:
    """Set the form of a practical slot; its lines add up to the subject's total."""
    items = tuple(FormItem(line.code, line.title, points(line.most)) for line in data.items)
    async with site.acting(request.user) as act:
        await practical_service.make_form(act, slot, FormTemplate(items, points(data.spread)))


@post("/api/practical/{slot:str}/{candidate:str}", guards=[requires(Role.EXAMINER)], status_code=201)
async def enter(
    slot: FromPath[str],
    candidate: FromPath[str],
    data: JSONBody[PracticalEntry],
    site: NamedDependency[Site],
    request: Request[Any, Any, Any],
) -> EntryMade:
    """Record the signed-in examiner's sub-scores for one candidate."""
    scores = {code: points(value) for code, value in data.scores.items()}
    async with site.acting(request.user) as act:
        version = await practical_service.enter(
            act, site.pack, slot, candidate, scores=scores, absent=data.absent, reason=data.reason
        )
    return EntryMade(version)


@get(
    "/api/practical/{slot:str}",
    guards=[requires(Role.EXAMINER, Role.EXAM_OFFICE, Role.QUALITY, Role.CHIEF, Role.SUPERVISOR)],
)
async def practical(
    slot: FromPath[str], site: NamedDependency[Site], request: Request[Any, Any, Any]
) -> PracticalView:
    """Return the form and where each candidate stands; an examiner sees the others' entries once his own
    is made.
    """
    async with site.db.reading() as session:
        found = await affairs.slot(session, slot)
        form = await store.form(session, slot)
        entries = await store.entries(session, slot)
        candidates = await affairs.candidates(session, found.plan)
    me = f"staff:{request.user.username}"
    only_examiner = request.user.roles == frozenset({Role.EXAMINER})
    scripts = []
    for candidate in candidates:
        if found.subject not in candidate.subjects:
            continue
        made = tuple(entry for entry in entries if entry.candidate == candidate.id)
        hidden = only_examiner and me not in {entry.examiner for entry in made}
        absent = len(made) > 1 and all(entry.absent for entry in made)
        score = (
            practical_score(form.template, [entry.total for entry in made if not entry.absent])
            if form is not None and not absent
            else None
        )
        scripts.append(
            ScriptView(
                candidate=candidate.id,
                ticket=candidate.ticket,
                name=candidate.name,
                entries=() if hidden else tuple(_entry(entry) for entry in made),
                absent=absent and not hidden,
                points=as_number(score) if isinstance(score, int) and not hidden else None,
                open=score.code if isinstance(score, Refusal) and not hidden else None,
            )
        )
    return PracticalView(slot, None if form is None else _form(slot, form.template), tuple(scripts))


def _form(slot: str, template: FormTemplate) -> FormView:
    return FormView(
        slot,
        tuple(LineView(item.code, item.title, as_number(item.most)) for item in template.items),
        as_number(template.total),
        as_number(template.spread),
    )


def _entry(entry: Entry) -> EntryView:
    return EntryView(
        entry.examiner,
        entry.version,
        entry.absent,
        {code: as_number(value) for code, value in entry.scores.items()},
        as_number(entry.total),
    )


ROUTES = [make_form, enter, practical]
