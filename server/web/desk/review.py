"""The reviewer's queue: what others wrote and gave to review; approved or returned with a note, never one's own."""

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template

from server.errors import BadInput
from server.itembank import review_service, root_service
from server.itembank.items import ItemState
from server.web.desk.items import PAGE, line_of
from server.web.desk.scope import READERS, REVIEWERS, Desk, Form, Http, login_of, opened
from server.web.pages import page
from server.web.site import Site

Here = NamedDependency[Site]


@get("/desk/review", guards=[READERS, opened])
async def queue_page(request: Http, site: Here, desk: Desk) -> Template:
    """Show what waits for this person's review, oldest first, and what of his own waits for others or came back."""
    login, bank = login_of(request), desk.bank()
    async with site.db.reading() as session:
        items = await bank.items(session)
    items = tuple(sorted(items, key=lambda one: (one.held.newest.written_at, one.full.content.label)))
    waiting = [one for one in items if review_service.awaits(one.held.newest, login.username)]
    own = [
        one
        for one in items
        if one.held.newest.writer == login.username
        and one.held.newest.public.state in (ItemState.DRAFT, ItemState.SUBMITTED)
    ]
    shown = [line_of(one) for one in waiting[:PAGE]]
    mine = [line_of(one) for one in own[:PAGE]]
    async with site.acting(login) as act:
        named = [line.item for line in (*shown, *mine)]
        await act.record("itembank:items:shown", {"bank": bank.id, "items": named})
    return page(
        request,
        "desk/review.html",
        waiting=shown,
        waiting_count=len(waiting),
        own=mine,
        own_count=len(own),
        most=review_service.MOST_AT_ONCE,
        may_review="item_reviewer" in login.roles,
    )


@post("/desk/review", guards=[REVIEWERS, opened])
async def approve_many(request: Http, site: Here, desk: Desk) -> Redirect:
    """Approve the ticked versions, all or none."""
    login, bank = login_of(request), desk.bank()
    form = await request.form()
    places = [_place(str(value)) for value in form.getall("place", [])]
    if not places:
        raise BadInput("nothing-ticked")
    async with site.acting(login) as act:
        await review_service.approve(act, bank.id, places, login.username)
    await root_service.record_root(
        site.db, site.journal, site.clock, f"staff:{login.username}", bank.id, "approve"
    )
    return Redirect("/desk/review", status_code=303)


@post("/desk/items/{item:str}/review", guards=[REVIEWERS, opened])
async def decide(item: FromPath[str], request: Http, data: Form, site: Here, desk: Desk) -> Redirect:
    """Approve one version, or return it with a note; refused for one's own."""
    login, bank = login_of(request), desk.bank()
    place = _place(f"{item}/{data.get('version', '')}")
    verdict = data.get("verdict", "")
    if verdict not in ("approve", "return"):
        raise BadInput("bad-input", reason="verdict")
    async with site.acting(login) as act:
        if verdict == "approve":
            await review_service.approve(act, bank.id, [place], login.username)
        else:
            await review_service.send_back(
                act, bank.id, bank.key, place, login.username, data.get("note", "")
            )
    if verdict == "approve":
        await root_service.record_root(
            site.db, site.journal, site.clock, f"staff:{login.username}", bank.id, "approve"
        )
    return Redirect("/desk/review", status_code=303)


def _place(text: str) -> tuple[str, int]:
    item, _, version = text.rpartition("/")
    if not item or not version.isdecimal() or len(version) > 9:
        raise BadInput("bad-input", reason="version")
    return item, int(version)


ROUTES = [queue_page, approve_many, decide]
