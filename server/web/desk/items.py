"""The items of the open bank: a searched and filtered list, and one item with its versions and what differs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import urlencode

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template

from server.accounts.roles import Role
from server.errors import BadInput, NotFound
from server.itembank import exposure, review_service, root_service, statistics_store
from server.itembank.blueprint import Band, band_of
from server.itembank.differing import differences
from server.itembank.interchange.sanitising import plain_of
from server.itembank.items import ItemState
from server.itembank.open_bank import HeldVersion, OpenItem
from server.itembank.searching import ItemFilter, distinct_points
from server.itembank.showing import shown
from server.protocol.paper import ItemType
from server.web.desk.scope import READERS, REVIEWERS, WRITERS, Desk, Form, Http, login_of, opened
from server.web.desk.workplace import Workplace
from server.web.pages import page
from server.web.site import Site

Here = NamedDependency[Site]
PAGE = 30
"""Items on one page of a list."""
TYPES: tuple[ItemType, ...] = get_args(ItemType)
BANDS: tuple[Band, ...] = get_args(Band)
_SHORT = 120


@dataclass(frozen=True, slots=True)
class Line:
    """One item in a list."""

    item: str
    version: int
    label: str
    text: str
    type: str
    point: str
    difficulty: float
    band: str
    score: float
    state: str
    writer: str
    reviewer: str | None
    versions: int
    drawable: int | None


def line_of(one: OpenItem) -> Line:
    """Return what a list shows of an item's newest version."""
    public, content = one.held.newest.public, one.full.content
    text = plain_of(content.stem)
    return Line(
        public.item,
        public.version,
        content.label,
        text if len(text) <= _SHORT else text[:_SHORT] + "…",
        public.type,
        public.point,
        public.difficulty,
        band_of(public.difficulty),
        public.score,
        public.state.value,
        one.held.newest.writer,
        one.held.newest.reviewer,
        one.held.versions,
        one.held.drawable,
    )


def filter_of(asked: Mapping[str, str]) -> ItemFilter:
    """Read a list's address; BadInput for a value that none of its fields has."""
    band, state, kind = asked.get("band", ""), asked.get("state", ""), asked.get("type", "")
    if band and band not in BANDS:
        raise BadInput("bad-input", reason="band")
    if kind and kind not in TYPES:
        raise BadInput("bad-input", reason="type")
    if state and state not in set(ItemState):
        raise BadInput("bad-input", reason="state")
    return ItemFilter(
        asked.get("words", "")[:200],
        kind,
        asked.get("point", "")[:200],
        band if band else None,
        ItemState(state) if state else None,
        asked.get("writer", "")[:80],
    )


@get("/desk/items", guards=[READERS, opened])
async def items_page(request: Http, site: Here, desk: Desk) -> Template:
    """List items of the open bank, the asked ones, so many a page; the journal keeps who looked at how many."""
    asked = {name: value for name, value in request.query_params.items() if name != "page" and value}
    sought = filter_of(asked)
    bank = desk.bank()
    async with site.db.reading() as session:
        everything = await bank.items(session)
    found = [one for one in everything if sought.holds(one)]
    found.sort(key=lambda one: (one.held.newest.public.point, one.full.content.label, one.full.item))
    pages = max(1, -(-len(found) // PAGE))
    number = min(max(1, _whole(request.query_params.get("page", "1"))), pages)
    lines = [line_of(one) for one in found[(number - 1) * PAGE : number * PAGE]]
    async with site.acting(login_of(request)) as act:
        await act.record("itembank:items:shown", {"bank": bank.id, "items": [one.item for one in lines]})
    return page(
        request,
        "desk/items.html",
        lines=lines,
        count=len(found),
        total=len(everything),
        number=number,
        pages=pages,
        asked=asked,
        query=urlencode(asked),
        types=TYPES,
        bands=BANDS,
        states=[state.value for state in ItemState],
        points=distinct_points(one.held for one in everything),
        writers=sorted({one.held.newest.writer for one in everything}),
        may_write=_is(request, Role.ITEM_WRITER),
    )


def _is(request: Http, role: Role) -> bool:
    return role in login_of(request).roles


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadInput("bad-input", reason=text[:20]) from error


@get("/desk/items/{item:str}", guards=[READERS, opened])
async def item_page(item: FromPath[str], request: Http, site: Here, desk: Desk) -> Template:
    """Show one version of an item as a candidate sees it, its key, its history, and what differs from `?against=`."""
    bank = desk.bank()
    async with site.db.reading() as session:
        versions = await bank.versions(session, item)
        acts = await review_service.review_acts(session, bank, item)
        enemies = await _enemies(desk, session, item)
        papers = await exposure.exposures(session, bank.id)
        figures = await statistics_store.bank_statistics(session, bank.id)
    by_number = {held.public.version: (held, full) for held, full in versions}
    newest = versions[-1][0]
    number = _whole(request.query_params.get("version", str(newest.public.version)))
    against = _whole(request.query_params.get("against", str(number - 1)))
    if number not in by_number:
        raise NotFound("item-version-unknown", item=item, version=number)
    held, full = by_number[number]
    other = by_number.get(against)
    used = [one for one in figures if (one.item, one.version) == (item, number)]
    async with site.db.reading() as session:
        chosen = [
            await statistics_store.option_counts(
                session, bank.id, item, number, one.part, site.identity.storage_unwrap
            )
            for one in used
        ]
    async with site.acting(login_of(request)) as act:
        await act.record("itembank:item:shown", {"bank": bank.id, "item": item, "version": number})
    return page(
        request,
        "desk/item.html",
        item=item,
        held=held,
        content=full.content,
        entries=shown(full.content),
        band=band_of(held.public.difficulty),
        versions=[(one, _stands(one, newest, versions)) for one, _ in versions],
        newest=newest.public.version,
        against=against if other is not None else None,
        differing=differences(other[1].content, full.content) if other is not None else (),
        acts=acts,
        enemies=enemies,
        papers=papers.get((item, number), 0),
        used=list(zip(used, chosen, strict=True)),
        may_write=_is(request, Role.ITEM_WRITER),
        may_review=_is(request, Role.ITEM_REVIEWER),
        own=not review_service.awaits(held, login_of(request).username)
        and held.public.state is ItemState.SUBMITTED,
    )


def _stands(one: HeldVersion, newest: HeldVersion, versions: Any) -> str:
    """Return a version's state as people see it: an approved one below a newer approved one is `replaced`."""
    number = one.public.version
    if one.public.state is ItemState.APPROVED and any(
        other.public.version > number and other.public.state is ItemState.APPROVED for other, _ in versions
    ):
        return "replaced"
    if one.public.state in (ItemState.DRAFT, ItemState.SUBMITTED) and number < newest.public.version:
        return "replaced"
    return one.public.state.value


async def _enemies(desk: Workplace, session: Any, item: str) -> list[Line]:
    bank = desk.bank()
    pairs = await exposure.enemies(session, bank.id)
    others = {other if one == item else one for one, other in pairs if item in (one, other)}
    return [line_of(one) for one in await bank.items(session) if one.full.item in others]


@post("/desk/items/{item:str}/submit", guards=[WRITERS, opened])
async def submit(item: FromPath[str], request: Http, data: Form, site: Here, desk: Desk) -> Redirect:
    """Give a draft to review."""
    login = login_of(request)
    async with site.acting(login) as act:
        await review_service.submit(
            act, desk.bank().id, [(item, _whole(data.get("version", "")))], login.username
        )
    return Redirect(f"/desk/items/{item}", status_code=303)


@post("/desk/items/{item:str}/retire", guards=[REVIEWERS, opened])
async def retire(item: FromPath[str], request: Http, data: Form, site: Here, desk: Desk) -> Redirect:
    """Retire an item for good, with the reason."""
    login, bank = login_of(request), desk.bank()
    note = data.get("note", "")
    if not note.strip():
        raise BadInput("review-note-missing")
    async with site.acting(login) as act:
        await review_service.retire(act, bank.id, item, login.username, (bank.key, note))
    await root_service.record_root(
        site.db, site.journal, site.clock, f"staff:{login.username}", bank.id, "retire"
    )
    return Redirect(f"/desk/items/{item}", status_code=303)


@post("/desk/items/{item:str}/enemies", guards=[READERS, opened])
async def set_enemies(item: FromPath[str], request: Http, data: Form, site: Here, desk: Desk) -> Redirect:
    """Say which items may not stand on one paper with this one, each by its label or id, one a line."""
    bank = desk.bank()
    async with site.db.reading() as session:
        labels: dict[str, list[str]] = {}
        for one in await bank.items(session):
            labels.setdefault(one.full.content.label, []).append(one.full.item)
    others = []
    for word in (line.strip() for line in data.get("enemies", "").splitlines()):
        if not word:
            continue
        named = labels.get(word, [word])
        if len(named) != 1:
            raise BadInput("label-not-unique", label=word[:100], items=len(named))
        others.append(named[0])
    async with site.acting(login_of(request)) as act:
        await exposure.set_enemies(act, bank.id, item, others)
    return Redirect(f"/desk/items/{item}", status_code=303)


ROUTES = [items_page, item_page, submit, retire, set_enemies]
