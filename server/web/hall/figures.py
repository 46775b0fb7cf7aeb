"""Item statistics of a marked slot and of a bank over all its exams: JSON, CSV and a page."""

from collections.abc import Iterable
from dataclasses import astuple, fields
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from server.accounts.roles import Role
from server.affairs import store as affairs
from server.errors import Refusal, Refused
from server.itembank import statistics_store
from server.itembank import store as itembank
from server.itembank.statistics import Accumulated, Exam, ItemStatistics
from server.scoring import store
from server.scoring.points import as_number, mean
from server.scoring.similarity_service import Similar, similar
from server.web.guards import requires
from server.web.pages import page
from server.web.sheets import csv_file
from server.web.site import Site

Here = NamedDependency[Site]
READERS = requires(Role.CHIEF, Role.DEPUTY, Role.EXAM_OFFICE, Role.QUALITY, Role.SUPERVISOR)

LEADS = (Role.QUALITY, Role.SUPERVISOR)
"""Who looks at what neighbours share: people of quality and supervision, apart from who ran the day."""
WEAK = 0.2
"""Below this a discrimination asks for a look at the question (Ebel & Frisbie, Essentials of Educational
Measurement, 5th ed. 1991, ch. 13: under 0.20 poor)."""
BARS = 20


class StatisticsView(msgspec.Struct, frozen=True):
    """Classical statistics of a marked slot; `exam` is None before marking."""

    exam: Exam | None
    items: tuple[ItemStatistics, ...]


class BankStatistics(msgspec.Struct, frozen=True):
    """Every exam of a bank, oldest first, and each question over all of them."""

    exams: tuple[Exam, ...]
    items: tuple[Accumulated, ...]


@get("/api/slots/{slot:str}/statistics", guards=[READERS])
async def statistics(slot: FromPath[str], site: Here) -> StatisticsView:
    """Return the item statistics of a marked slot; empty before marking."""
    async with site.db.reading() as session:
        await affairs.slot(session, slot)
        return StatisticsView(
            await statistics_store.exam_of(session, slot),
            await statistics_store.slot_statistics(session, slot),
        )


@get("/api/slots/{slot:str}/statistics.csv", guards=[READERS])
async def statistics_csv(slot: FromPath[str], site: Here) -> Response[bytes]:
    """Give the item statistics of a marked slot as CSV (UTF-8 with a byte-order mark)."""
    async with site.db.reading() as session:
        await affairs.slot(session, slot)
        return _csv(ItemStatistics, await statistics_store.slot_statistics(session, slot))


@get("/api/banks/{bank:str}/statistics", guards=[READERS])
async def bank_statistics(bank: FromPath[str], site: Here) -> BankStatistics:
    """Return the statistics of every question of a bank over all its exams."""
    async with site.db.reading() as session:
        await itembank.bank(session, bank)
        return BankStatistics(
            await statistics_store.exams(session, bank), await statistics_store.bank_statistics(session, bank)
        )


@get("/api/banks/{bank:str}/statistics.csv", guards=[READERS])
async def bank_statistics_csv(bank: FromPath[str], site: Here) -> Response[bytes]:
    """Give the statistics of every question of a bank over all its exams as CSV (UTF-8 with a byte-order mark)."""
    async with site.db.reading() as session:
        await itembank.bank(session, bank)
        return _csv(Accumulated, await statistics_store.bank_statistics(session, bank))


@get("/api/slots/{slot:str}/similarity", guards=[requires(*LEADS)])
async def similarity(slot: FromPath[str], site: Here) -> tuple[Similar, ...]:
    """Return the pairs of neighbours whose wrong answers agree beyond chance, the least likely first: leads."""
    async with site.db.reading() as session:
        await affairs.slot(session, slot)
        return await similar(session, slot)


@get("/results/{slot:str}", guards=[READERS])
async def figures_page(slot: FromPath[str], request: Request[Any, Any, Any], site: Here) -> Template:
    """Show a marked slot's totals and its questions by difficulty and discrimination."""
    async with site.db.reading() as session:
        found = await affairs.slot(session, slot)
        plan = await affairs.plan(session, found.plan)
        exam = await statistics_store.exam_of(session, slot)
        items = await statistics_store.slot_statistics(session, slot)
        scripts = await store.scripts(session, slot)
        pairs = await similar(session, slot) if request.user.roles.intersection(LEADS) else None
    if exam is None:
        raise Refused(Refusal("result-not-marked", "BJ-E:24"))
    totals = [script.points for script in scripts if not script.pending]
    return page(
        request,
        "hall/figures.html",
        plan=plan.name,
        slot=found,
        exam=exam,
        items=items,
        pairs=pairs,
        weak=WEAK,
        bars=_bars(totals, max((script.most for script in scripts), default=0)),
        people=len(totals),
        mean=as_number(mean(totals)) if totals else None,
        sem=None if exam.sem is None else as_number(round(exam.sem)),
    )


def _bars(totals: Iterable[int], most: int) -> tuple[int, ...]:
    """Count totals in equal bins from 0 to the most; a total at an inner edge belongs to the bin above."""
    counts = [0] * BARS
    for total in totals:
        counts[min(total * BARS // most, BARS - 1) if most else 0] += 1
    return tuple(counts)


def _csv(kind: type[ItemStatistics] | type[Accumulated], rows: Iterable[Any]) -> Response[bytes]:
    shown = (
        ["" if v is None else f"{v:.4f}" if isinstance(v, float) else v for v in astuple(r)] for r in rows
    )
    return csv_file("statistics.csv", [field.name for field in fields(kind)], shown)


ROUTES = [statistics, statistics_csv, bank_statistics, bank_statistics_csv, similarity, figures_page]
