"""How a bank stands without an opening: what it covers, how its items did in exams, its roots. No text of any item.

These pages are served by the desk and by the centre alike; the centre's say how the desk is opened.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.affairs.facts import Plan
from server.errors import GongyuanError
from server.itembank import exposure, root_service, statistics_store, store
from server.itembank.blueprint import Band, band_of, point_code
from server.itembank.items import ItemState
from server.itembank.open_bank import HeldItem, held_items, held_versions
from server.itembank.statistics import Accumulated, ItemStatistics
from server.keys import service as keys
from server.keys.desk_opening import DeskState
from server.keys.openings import OpeningKind
from server.web.desk.items import BANDS, TYPES
from server.web.desk.scope import STAFF, Http, desk_of
from server.web.desk.workplace import Workplace
from server.web.pages import page
from server.web.site import Site

Here = NamedDependency[Site]


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One knowledge point and type: per band how many items may be drawn, and how many are on their way."""

    point: str
    name: str
    type: str
    drawable: Mapping[Band, int]
    coming: Mapping[Band, int]


def coverage_rows(held: Iterable[HeldItem]) -> tuple[CoverageRow, ...]:
    """Count items by point, type and band: drawable ones, and drafts and submitted ones that are not drawable yet."""
    names: dict[str, str] = {}
    counts: dict[tuple[str, str], tuple[dict[Band, int], dict[Band, int]]] = {}
    for one in held:
        public = one.drawn or one.newest.public
        if public.state is ItemState.RETIRED:
            continue
        code = point_code(public.point)
        names.setdefault(code, public.point)
        drawable, coming = counts.setdefault((code, public.type), (_none(), _none()))
        (coming if one.drawn is None else drawable)[band_of(public.difficulty)] += 1
    order: dict[str, int] = {kind: place for place, kind in enumerate(TYPES)}
    return tuple(
        CoverageRow(code, names[code], kind, *counts[code, kind])
        for code, kind in sorted(counts, key=lambda key: (_natural(key[0]), order.get(key[1], 99)))
    )


def _none() -> dict[Band, int]:
    return dict.fromkeys(BANDS, 0)


def _natural(code: str) -> tuple[tuple[int, int, str], ...]:
    """Return a code's sorting key: 1.2 before 1.10."""
    parts = code.replace("-", ".").split(".")
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


@dataclass(frozen=True, slots=True)
class UsedItem:
    """How one item version did in its exams, beside what was expected of it."""

    item: str
    version: int
    part: int
    label: str
    type: str
    point: str
    expected: float | None
    papers: int
    n: int
    measured: float
    discrimination: float | None
    upper_lower: float | None


async def used_items(
    desk: Workplace | None, session: AsyncSession, bank_id: str, slot: str
) -> list[UsedItem]:
    """Return how a bank's items did in one slot, or in all exams where none is named, the least discriminating first.

    Labels are given only where the bank is open in this process.
    """
    public = {
        (one.public.item, one.public.version): one.public for one in await held_versions(session, bank_id)
    }
    papers = await exposure.exposures(session, bank_id)
    labels: dict[str, str] = {}
    if desk is not None and desk.opening.state is DeskState.OPEN and desk.bank().id == bank_id:
        labels = {one.full.item: one.full.content.label for one in await desk.bank().items(session)}
    found: Sequence[Accumulated | ItemStatistics] = (
        await statistics_store.slot_statistics(session, slot)
        if slot
        else await statistics_store.bank_statistics(session, bank_id)
    )
    lines = [
        UsedItem(
            one.item,
            one.version,
            one.part,
            labels.get(one.item, ""),
            public[one.item, one.version].type,
            public[one.item, one.version].point,
            public[one.item, one.version].difficulty,
            papers.get((one.item, one.version), 0),
            one.n,
            one.mean_share,
            one.discrimination,
            one.upper_lower,
        )
        for one in found
        if (one.item, one.version) in public
    ]
    return sorted(lines, key=lambda one: (one.discrimination is None, one.discrimination or 0.0, one.item))


@get("/bank", guards=[STAFF])
async def banks_page(request: Http, site: Here) -> Template:
    """List the banks with what may be drawn of each, and the last openings of the desk."""
    async with site.db.reading() as session:
        banks = [
            (bank, held_items(await held_versions(session, bank.id))) for bank in await store.banks(session)
        ]
        openings = [one for one in await keys.openings(session) if one.kind is OpeningKind.DESK]
    return page(
        request,
        "desk/banks.html",
        banks=[(bank, len(held), sum(one.drawable is not None for one in held)) for bank, held in banks],
        openings=openings[::-1][:10],
        at_desk=desk_of(request) is not None,
    )


@get("/bank/{bank:str}", guards=[STAFF])
async def standing_page(bank: FromPath[str], request: Http, site: Here) -> Template:
    """Show coverage, the roots one after the other and the plans that were filed with them, and a slot's statistics."""
    slot = request.query_params.get("slot", "")
    async with site.db.reading() as session:
        found = await store.bank(session, bank)
        held = held_items(await held_versions(session, bank))
        root = await store.bank_root(session, bank)
        roots = await root_service.roots(session, bank)
        enemies = await exposure.enemies(session, bank)
        plans = await affairs.plans(session)
        filed = [one for plan in plans if (one := await _filed(session, plan, root)) is not None]
        exams = await statistics_store.exams(session, bank)
        names = {plan.id: plan.name for plan in plans}
        used = await used_items(desk_of(request), session, bank, slot)
    return page(
        request,
        "desk/standing.html",
        bank=found,
        rows=coverage_rows(held),
        bands=BANDS,
        states=_states(held),
        root=root,
        roots=roots,
        plans=filed,
        enemies=len(enemies),
        exams=[(one, names.get(one.plan, "")) for one in reversed(exams)],
        slot=slot,
        used=used,
        at_desk=desk_of(request) is not None,
    )


def _states(held: Iterable[HeldItem]) -> dict[str, int]:
    counts = {state.value: 0 for state in ItemState}
    for one in held:
        counts[one.newest.public.state.value] += 1
    return counts


async def _filed(session: AsyncSession, plan: Plan, root: bytes) -> dict[str, Any] | None:
    """Return the root that a plan was filed with and whether it is the bank's root now; None without one."""
    try:
        terms = await affairs.draw_terms(session, plan.id)
    except GongyuanError:
        return None
    return {"name": plan.name, "root": terms.bank_root, "now": terms.bank_root == root}


ROUTES = [banks_page, standing_page]
