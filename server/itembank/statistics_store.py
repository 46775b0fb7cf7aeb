"""Statistics of item versions: kept whole for a slot, read per exam and over all exams."""

import json
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.engine import Database
from server.itembank.statistics import Accumulated, Exam, ItemStatistics, accumulated
from server.itembank.statistics_models import ExamRow, StatisticsRow

CHUNK = 200
"""Rows written in one transaction."""
Question = tuple[str, int, int]
"""Item, version, part."""
Options = Mapping[str, int]
"""The bank's label (A, B, …; T, F) → how often it was chosen."""
Wrap = Callable[[bytes, bytes], bytes]
"""(text, associated data) → bytes: `Identity.storage_wrap` or `storage_unwrap`."""

_FIGURES = (
    StatisticsRow.item,
    StatisticsRow.version,
    StatisticsRow.part,
    StatisticsRow.n,
    StatisticsRow.answered,
    StatisticsRow.right,
    StatisticsRow.p,
    StatisticsRow.mean_share,
    StatisticsRow.discrimination,
    StatisticsRow.upper_lower,
)


def sealed_options(slot: str, question: Question, options: Options, wrap: Wrap) -> bytes:
    """Return the option counts of a question in a slot under the storage key."""
    return wrap(json.dumps(dict(sorted(options.items()))).encode(), _aad(slot, question))


async def keep(
    db: Database, exam: Exam, figures: Sequence[ItemStatistics], options: Mapping[Question, bytes]
) -> None:
    """Keep the figures of a slot's marking run in the place of the run before it.

    Option counts that are not given (scoring again reads no answers) are those of the run before.
    """
    async with db.writing() as session:
        left = select(ExamRow.run).where(ExamRow.slot == exam.slot, ExamRow.state == "staging")
        await session.execute(delete(StatisticsRow).where(StatisticsRow.run.in_(left)))
        await session.execute(delete(ExamRow).where(ExamRow.slot == exam.slot, ExamRow.state == "staging"))
        before = await session.execute(
            select(StatisticsRow.item, StatisticsRow.version, StatisticsRow.part, StatisticsRow.options)
            .join(ExamRow, ExamRow.run == StatisticsRow.run)
            .where(ExamRow.slot == exam.slot, ExamRow.state == "current")
        )
        known = {(row[0], row[1], row[2]): row[3] for row in before}
        session.add(
            ExamRow(
                run=exam.run,
                bank=exam.bank,
                plan=exam.plan,
                slot=exam.slot,
                state="staging",
                held_at=exam.held_at,
                candidates=exam.candidates,
                reliability=exam.reliability,
                kind=exam.kind,
                sem=exam.sem,
                final=exam.final,
            )
        )
    for start in range(0, len(figures), CHUNK):
        async with db.writing() as session:
            await session.execute(
                insert(StatisticsRow),
                [_row(exam.run, one, {**known, **options}) for one in figures[start : start + CHUNK]],
            )
    async with db.writing() as session:
        await session.execute(
            update(ExamRow)
            .where(ExamRow.slot == exam.slot, ExamRow.state == "current")
            .values(state="replaced")
        )
        await session.execute(update(ExamRow).where(ExamRow.run == exam.run).values(state="current"))


async def exam_of(session: AsyncSession, slot: str) -> Exam | None:
    """Return the exam whose figures stand for a slot, or None before marking."""
    row = await session.scalar(select(ExamRow).where(ExamRow.slot == slot, ExamRow.state == "current"))
    return None if row is None else _exam(row)


async def exams(session: AsyncSession, bank: str) -> tuple[Exam, ...]:
    """Return every exam of a bank whose figures stand, oldest first."""
    rows = await session.scalars(
        select(ExamRow)
        .where(ExamRow.bank == bank, ExamRow.state == "current")
        .order_by(ExamRow.held_at, ExamRow.slot)
    )
    return tuple(_exam(row) for row in rows)


async def slot_statistics(session: AsyncSession, slot: str) -> tuple[ItemStatistics, ...]:
    """Return the figures of every question of one slot, ordered by item, version and part."""
    query = _current().where(ExamRow.slot == slot)
    return tuple(ItemStatistics(*found) for found in await session.execute(query))


async def bank_statistics(session: AsyncSession, bank: str) -> tuple[Accumulated, ...]:
    """Return the figures of every question of a bank over all its exams; readable without an opening."""
    query = _current().where(ExamRow.bank == bank, ExamRow.final.is_(True))
    return accumulated(ItemStatistics(*found) for found in await session.execute(query))


async def option_counts(
    session: AsyncSession, bank: str, item: str, version: int, part: int, unwrap: Wrap
) -> dict[str, int]:
    """Return how often each of the bank's options of a question was chosen over all exams; for the desk alone,
    where the bank is open.
    """
    rows = await session.execute(
        select(ExamRow.slot, StatisticsRow.options)
        .join(ExamRow, ExamRow.run == StatisticsRow.run)
        .where(
            ExamRow.bank == bank,
            ExamRow.state == "current",
            StatisticsRow.item == item,
            StatisticsRow.version == version,
            StatisticsRow.part == part,
            StatisticsRow.options.is_not(None),
        )
    )
    counts: dict[str, int] = {}
    for slot, sealed in rows:
        for label, count in json.loads(unwrap(sealed, _aad(slot, (item, version, part)))).items():
            counts[label] = counts.get(label, 0) + count
    return dict(sorted(counts.items()))


def _current() -> Select[tuple[str, int, int, int, int, int, float, float, float | None, float | None]]:
    return (
        select(*_FIGURES)
        .join(ExamRow, ExamRow.run == StatisticsRow.run)
        .where(ExamRow.state == "current")
        .order_by(StatisticsRow.item, StatisticsRow.version, StatisticsRow.part)
    )


def _exam(row: ExamRow) -> Exam:
    return Exam(
        row.run,
        row.bank,
        row.plan,
        row.slot,
        row.held_at,
        row.candidates,
        row.reliability,
        row.kind,
        row.sem,
        row.final,
    )


def _row(run: str, one: ItemStatistics, options: Mapping[Question, bytes | None]) -> dict[str, object]:
    return {
        "run": run,
        "item": one.item,
        "version": one.version,
        "part": one.part,
        "n": one.n,
        "answered": one.answered,
        "right": one.right,
        "p": one.p,
        "mean_share": one.mean_share,
        "discrimination": one.discrimination,
        "upper_lower": one.upper_lower,
        "options": options.get((one.item, one.version, one.part)),
    }


def _aad(slot: str, question: Question) -> bytes:
    return json.dumps(["gongyuan/options/1", slot, *question]).encode()
