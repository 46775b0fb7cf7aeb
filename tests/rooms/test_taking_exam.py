"""A large exam package at a centre: written ahead in small transactions, seen by nobody before it is accepted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import event, func, select

from benchmarks.hall import exam_of
from server.affairs import store, taking
from server.affairs.models import SeatingRow
from server.db.act import Act
from server.db.engine import Database
from server.errors import NotFound
from server.packages.contents import ExamContent
from tests.support.clock import START
from tests.support.database import act_on, database

CANDIDATES = 650


class _Counted:
    """Acts on a database, with the number of rows that each of their transactions wrote."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.rows: list[int] = []
        self.seen: list[int] = []
        self._now = 0
        event.listen(db.engine.sync_engine, "after_cursor_execute", self._count)

    def _count(
        self,
        _connection: object,
        _cursor: object,
        statement: str,
        values: object,
        _context: object,
        many: bool,
    ) -> None:
        if not statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            return
        cursor_rows = max(getattr(_cursor, "rowcount", 1), 1)
        self._now += len(values) if many and isinstance(values, list) else cursor_rows

    @asynccontextmanager
    async def acting(self) -> AsyncIterator[Act]:
        self._now = 0
        async with self._db.reading() as session:
            self.seen.append(len(await store.plans(session)))
        async with act_on(self._db) as act:
            yield act
        self.rows.append(self._now)


async def _take(counted: _Counted, content: ExamContent) -> None:
    ahead = await taking.write_ahead(counted.acting, content)
    async with counted.acting() as act:
        await taking.accept_exam(act, content, ahead)


@pytest.fixture(autouse=True)
def _without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "REST_S", 0.0)


async def test_no_transaction_of_an_import_writes_more_than_a_few_rows(tmp_path: Path) -> None:
    """A package of 650 candidates is taken in by transactions of at most 220 rows each, and no plan shows before
    the last one."""
    async with database(f"sqlite:///{tmp_path / 'centre.db'}") as db:
        counted = _Counted(db)
        content = exam_of("plan", "slot", "", CANDIDATES, START)
        await _take(counted, content)
        assert max(counted.rows) <= taking.ROWS_TOGETHER + 20
        assert set(counted.seen) == {0}
        async with db.reading() as session:
            assert len(await store.plans(session)) == 1
            assert len(await store.candidates(session, "plan")) == CANDIDATES
            assert len(await store.seating(session, "slot")) == CANDIDATES


async def test_a_newer_edition_counts_only_once_it_is_accepted(tmp_path: Path) -> None:
    """A correction written ahead changes neither seating nor candidates before its acceptance; then all of it
    stands, and the edition before goes with the next one."""
    async with database(f"sqlite:///{tmp_path / 'centre.db'}") as db:
        counted = _Counted(db)
        first = exam_of("plan", "slot", "", CANDIDATES, START)
        await _take(counted, first)
        more = exam_of("plan", "slot", "", CANDIDATES + 5, START)
        renamed = msgspec.structs.replace(more.candidates[0], name="改过的名字")
        more = msgspec.structs.replace(more, candidates=(renamed, *more.candidates[1:]))
        ahead = await taking.write_ahead(counted.acting, more)
        async with db.reading() as session:
            assert len(await store.candidates(session, "plan")) == CANDIDATES
            assert len(await store.seating(session, "slot")) == CANDIDATES
            assert (await store.candidate(session, "c0")).name == "考生0"
        async with counted.acting() as act:
            await taking.accept_exam(act, more, ahead)
        async with db.reading() as session:
            assert len(await store.candidates(session, "plan")) == CANDIDATES + 5
            assert len(await store.seating(session, "slot")) == CANDIDATES + 5
            assert (await store.candidate(session, "c0")).name == "改过的名字"
        await _take(counted, first)
        async with db.reading() as session:
            kept = await session.scalar(select(func.count()).select_from(SeatingRow))
        assert kept == 2 * CANDIDATES + 5


async def test_an_import_that_broke_off_is_written_over(tmp_path: Path) -> None:
    """A plan whose import broke off is unknown; the same package sent again is taken in whole."""
    async with database(f"sqlite:///{tmp_path / 'centre.db'}") as db:
        counted = _Counted(db)
        content = exam_of("plan", "slot", "", CANDIDATES, START)
        await taking.write_ahead(counted.acting, content)
        async with db.reading() as session:
            with pytest.raises(NotFound):
                await store.plan(session, "plan")
        await _take(counted, content)
        async with db.reading() as session:
            assert len(await store.seating(session, "slot")) == CANDIDATES


async def test_numbers_change_hands_between_candidates_far_apart(tmp_path: Path) -> None:
    """Tickets that go round more candidates than one transaction writes, the last to a new one, are taken in; so is a
    ticket that goes from one known candidate to a new one."""
    async with database(f"sqlite:///{tmp_path / 'centre.db'}") as db:
        counted = _Counted(db)
        await _take(counted, exam_of("plan", "slot", "", CANDIDATES, START))
        tickets = [f"T{n}" for n in range(CANDIDATES + 2)]
        round_all = (*tickets[1 : CANDIDATES + 1], tickets[0])
        first_to_new = (tickets[CANDIDATES + 1], *round_all[1:], round_all[0])
        for given in (round_all, first_to_new):
            content = exam_of("plan", "slot", "", len(given), START)
            people = zip(content.candidates, given, strict=True)
            await _take(
                counted,
                msgspec.structs.replace(
                    content, candidates=tuple(msgspec.structs.replace(one, ticket=t) for one, t in people)
                ),
            )
            async with db.reading() as session:
                stand = {one.id: one.ticket for one in await store.candidates(session, "plan")}
            assert stand == {f"c{n}": ticket for n, ticket in enumerate(given)}
        assert max(counted.rows) <= taking.ROWS_TOGETHER + 20
