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

from server.accounts.roles import Role
from server.affairs import store as affairs
from server.affairs.facts import Plan
from server.errors import GongyuanError
from server.itembank import exposure, root_service, standing_store, statistics_store, store
from server.itembank.blueprint import Band, point_code
from server.itembank.standing_store import Count
from server.itembank.statistics import Accumulated, ItemStatistics
from server.keys import service as keys
from server.keys.desk_opening import DeskState
from server.keys.openings import OpeningKind
from server.web.desk.items import BANDS, TYPES
from server.web.desk.scope import STAFF, Http, desk_of, login_of
from server.web.desk.workplace import Workplace
from server.web.pages import page
from server.web.site import Site

Here = NamedDependency[Site]
MOST_USED = 200
"""Lines of the statistics on a page; the exam's own pages and files have them all."""


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One knowledge point and type: per band how many items may be drawn, and how many are on their way."""

    point: str
    name: str
    type: str
    drawable: Mapping[Band, int]
    coming: Mapping[Band, int]


def coverage_rows(drawn: Iterable[Count], coming: Iterable[Count]) -> tuple[CoverageRow, ...]:
    """Gather counts by point and type: what may be drawn, and what is on its way."""
    names: dict[str, str] = {}
    found: dict[tuple[str, str], tuple[dict[Band, int], dict[Band, int]]] = {}
    for place, counts in enumerate((drawn, coming)):
        for one in counts:
            code = point_code(one.point)
            names.setdefault(code, one.point)
            found.setdefault((code, one.type), (_none(), _none()))[place][one.band] += one.items
    order: dict[str, int] = {kind: place for place, kind in enumerate(TYPES)}
    return tuple(
        CoverageRow(code, names[code], kind, *found[code, kind])
        for code, kind in sorted(found, key=lambda key: (_natural(key[0]), order.get(key[1], 99)))
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
) -> tuple[list[UsedItem], int]:
    """Return how a bank's items did in one slot, or in all exams where none is named, the least discriminating first:
    MOST_USED of them, and how many there are.

    Labels are given only where the bank is open in the process of this desk.
    """
    found: Sequence[Accumulated | ItemStatistics] = (
        await statistics_store.slot_statistics(session, slot)
        if slot
        else await statistics_store.bank_statistics(session, bank_id)
    )
    if not found:
        return [], 0
    papers = await exposure.exposures(session, bank_id)
    labels: dict[str, str] = {}
    if desk is not None and desk.opening.state is DeskState.OPEN and desk.bank().id == bank_id:
        labels = {one.full.item: one.full.content.label for one in await desk.bank().items(session)}
    worst = sorted(found, key=lambda one: (one.discrimination is None, one.discrimination or 0.0, one.item))
    public = await standing_store.expected(session, bank_id, {one.item for one in worst[:MOST_USED]})
    return [
        UsedItem(
            one.item,
            one.version,
            one.part,
            labels.get(one.item, ""),
            *public[one.item, one.version],
            papers.get((one.item, one.version), 0),
            one.n,
            one.mean_share,
            one.discrimination,
            one.upper_lower,
        )
        for one in worst[:MOST_USED]
        if (one.item, one.version) in public
    ], len(found)


@get("/bank", guards=[STAFF])
async def banks_page(request: Http, site: Here) -> Template:
    """List the banks with what may be drawn of each, and the last openings of the desk."""
    async with site.db.reading() as session:
        banks = []
        for bank in await store.banks(session):
            held = sum((await standing_store.states(session, bank.id)).values())
            drawn = sum(one.items for one in await standing_store.counts(session, bank.id, drawn=True))
            banks.append((bank, held, drawn))
        openings = [one for one in await keys.openings(session) if one.kind is OpeningKind.DESK]
    return page(
        request,
        "desk/banks.html",
        banks=banks,
        openings=openings[::-1][:10],
        at_desk=desk_of(request) is not None,
    )


@get("/bank/{bank:str}", guards=[STAFF])
async def standing_page(bank: FromPath[str], request: Http, site: Here) -> Template:
    """Show coverage, the roots one after the other and the plans that were filed with them, and a slot's statistics."""
    slot = request.query_params.get("slot", "")
    # Labels lie under the bank key with the texts: they are for those who may read items.
    reads = not login_of(request).roles.isdisjoint({Role.ITEM_WRITER, Role.ITEM_REVIEWER})
    async with site.db.reading() as session:
        found = await store.bank(session, bank)
        rows = coverage_rows(
            await standing_store.counts(session, bank, drawn=True),
            await standing_store.counts(session, bank, drawn=False),
        )
        states = await standing_store.states(session, bank)
        roots = await root_service.roots(session, bank)
        root = roots[0].root if roots else await store.bank_root(session, bank)
        enemies = await exposure.enemies(session, bank)
        plans = await affairs.plans(session)
        filed = [one for plan in plans if (one := await _filed(session, plan, root)) is not None]
        exams = await statistics_store.exams(session, bank)
        names = {plan.id: plan.name for plan in plans}
        used, used_count = await used_items(desk_of(request) if reads else None, session, bank, slot)
    return page(
        request,
        "desk/standing.html",
        bank=found,
        rows=rows,
        bands=BANDS,
        states=states,
        root=root,
        roots=roots,
        plans=filed,
        enemies=len(enemies),
        exams=[(one, names.get(one.plan, "")) for one in reversed(exams)],
        slot=slot,
        used=used,
        used_count=used_count,
        checks=not login_of(request).roles.isdisjoint({Role.CHIEF, Role.CUSTODIAN, Role.EXAM_OFFICE}),
        at_desk=desk_of(request) is not None,
    )


async def _filed(session: AsyncSession, plan: Plan, root: bytes) -> dict[str, Any] | None:
    """Return the root that a plan was filed with and whether it is the bank's root now; None without one."""
    try:
        terms = await affairs.draw_terms(session, plan.id)
    except GongyuanError:
        return None
    return {"name": plan.name, "root": terms.bank_root, "now": terms.bank_root == root}


ROUTES = [banks_page, standing_page]
