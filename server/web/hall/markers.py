"""Who marks answers in words and how far they are, for chief and office. No route here returns an answer's text."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from server.accounts import store as accounts
from server.accounts.roles import Role
from server.affairs import store as affairs
from server.errors import NotFound, Refusal, Refused
from server.scoring import people_service, people_store
from server.scoring.people_store import Marker, Progress, Short
from server.scoring.points import as_text
from server.web.guards import requires
from server.web.sheets import csv_file
from server.web.site import Site

Here = NamedDependency[Site]
Http = Request[Any, Any, Any]
_COLUMNS = (
    "code",
    "item",
    "version",
    "part",
    "marker",
    "arbiter",
    "correction",
    "points",
    "at",
    "note",
    "set_aside_at",
)
READERS = requires(Role.CHIEF, Role.DEPUTY, Role.EXAM_OFFICE, Role.QUALITY, Role.SUPERVISOR)


class Assigned(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Somebody to mark a slot, or to decide where two differ; `recused` are tickets separated by spaces."""

    username: Annotated[str, msgspec.Meta(min_length=1, max_length=63)]
    role: Literal["marker", "arbiter"] = "marker"
    recused: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class Ended(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why somebody marks a slot no longer."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far two markers may differ, in per cent of each question's most."""

    percent: int


class Review(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A settled answer that an arbiter is to look at again."""

    sitting: str
    number: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class MarkingView(msgspec.Struct, frozen=True):
    """How far the marking by people of a slot is, who does it, and how many answers need somebody else."""

    questions: tuple[Progress, ...]
    markers: tuple[Marker, ...]
    short: Short


@get("/api/slots/{slot:str}/marking", guards=[READERS])
async def marking(slot: FromPath[str], site: Here) -> MarkingView:
    """Return how far the marking by people of a slot is."""
    async with site.db.reading() as session:
        await affairs.slot(session, slot)
        return MarkingView(
            await people_store.progress(session, slot),
            await people_store.markers(session, slot),
            await people_store.short(session, slot),
        )


@get("/api/slots/{slot:str}/marking.csv", guards=[READERS])
async def marking_csv(slot: FromPath[str], site: Here) -> Response[bytes]:
    """Give every mark of people for the batch's file, by codes (UTF-8 with a byte-order mark)."""
    async with site.db.reading() as session:
        await affairs.slot(session, slot)
        kept = await people_store.kept_grades(session, slot)
    rows = (
        (
            one.code,
            one.item,
            one.version,
            one.part,
            one.marker,
            int(one.arbiter),
            one.correction,
            as_text(one.points),
            one.at.isoformat(),
            # A note that begins like a formula is shown as text by spreadsheets.
            f"'{one.note}" if one.note[:1] in ("=", "+", "-", "@") else one.note,
            one.set_aside_at.isoformat() if one.set_aside_at else "",
        )
        for one in kept
    )
    return csv_file("marking.csv", _COLUMNS, rows)


@post("/api/slots/{slot:str}/markers", guards=[requires(Role.EXAM_OFFICE, Role.CHIEF)], status_code=204)
async def assign(slot: FromPath[str], data: JSONBody[Assigned], site: Here, request: Http) -> None:
    """Assign an account with the role of a marker to a slot."""
    async with site.acting(request.user) as act:
        account = await accounts.account_named(act.session, data.username)
        if account is None:
            raise NotFound("marker-unknown", username=data.username)
        if Role.MARKER not in account.roles:
            raise Refused(Refusal("marker-role-needed", "BJ-E:24", {"username": data.username}))
        await people_service.assign(
            act,
            slot,
            f"staff:{data.username}",
            arbiter=data.role == "arbiter",
            recused_tickets=data.recused.split(),
        )


@post(
    "/api/slots/{slot:str}/markers/{username:str}/end",
    guards=[requires(Role.EXAM_OFFICE, Role.CHIEF)],
    status_code=204,
)
async def end(
    slot: FromPath[str], username: FromPath[str], data: JSONBody[Ended], site: Here, request: Http
) -> None:
    """End somebody's assignment to a slot with the reason; the marks given so far stand."""
    async with site.acting(request.user) as act:
        await people_service.end_assignment(act, slot, f"staff:{username}", data.reason)


@post("/api/slots/{slot:str}/spread", guards=[requires(Role.CHIEF)], status_code=204)
async def spread(slot: FromPath[str], data: JSONBody[Spread], site: Here, request: Http) -> None:
    """Set how far two markers may differ, before the first mark."""
    async with site.acting(request.user) as act:
        await people_service.set_spread(act, slot, data.percent)


@post("/api/slots/{slot:str}/review", guards=[requires(Role.CHIEF)], status_code=204)
async def review(slot: FromPath[str], data: JSONBody[Review], site: Here, request: Http) -> None:
    """Send a settled answer to an arbiter again, with the reason."""
    async with site.acting(request.user) as act:
        await people_service.review(act, slot, data.sitting, data.number, data.reason)


ROUTES = [marking, marking_csv, assign, end, spread, review]
