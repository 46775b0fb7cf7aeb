"""Marks of one slot changed by two at once, on a real hall day."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, select

from server.db.engine import Database
from server.errors import Refused
from server.keys.identity import Identity
from server.scoring import decision_service as decisions
from server.scoring import runs, service, store
from server.scoring.decisions import DecisionEvent, DecisionKind, VoidPolicy
from server.scoring.models import MarkingRunRow
from tests.support.clock import FakeClock
from tests.support.hall import HallDay
from tests.support.papers import MARKING_KEY, SLOT


@pytest_asyncio.fixture
async def day(db: Database, tmp_path: Path, clock: FakeClock) -> AsyncIterator[HallDay]:
    """A marked hall day with a voided question that the marks do not hold yet."""
    day = HallDay(db, clock, Identity.open_or_create(tmp_path / "data"))
    await day.whole_day()
    await service.mark_slot(db, day.journal, clock, "staff:chief", SLOT, MARKING_KEY, day.identity)
    async with day.act() as act:
        made = await decisions.propose(
            act,
            SLOT,
            DecisionKind.VOID,
            reason="two right answers",
            policy=VoidPolicy.CREDIT,
            sitting="sitting-0",
            number=1,
        )
    async with day.act("staff:deputy") as act:
        await decisions.decide(act, made, DecisionEvent.CONFIRM)
    yield day


async def test_one_of_two_markings_at_once_stands(day: HallDay, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scoring that another overtakes while it is written is refused, and one run with all its marks is current."""
    stage, first_begun, second_staged, first_done = runs._stage, *(asyncio.Event() for _ in range(3))
    calls = 0

    async def met(*given: Any) -> None:
        nonlocal calls
        calls += 1
        first = calls == 1
        first_begun.set()
        await stage(*given)
        if first:
            await second_staged.wait()
        else:
            second_staged.set()
            await first_done.wait()

    async def again(first: bool) -> object:
        if not first:
            await first_begun.wait()
        try:
            return await service.score_again(day.db, day.journal, day.clock, "staff:chief", SLOT, "twice")
        except Refused as refused:
            return refused.code
        finally:
            if first:
                first_done.set()

    monkeypatch.setattr(runs, "_stage", met)
    told = await asyncio.gather(again(True), again(False))
    async with day.db.reading() as session:
        query = select(func.count()).select_from(MarkingRunRow).where(MarkingRunRow.state == "current")
        assert await session.scalar(query) == 1
        marks, scripts = await store.marks(session, SLOT), await store.scripts(session, SLOT)
    assert told[0] == "marks-moved-on" and not isinstance(told[1], str)
    assert len(marks) == sum(one.items for one in scripts) > 0 and any(one.voided for one in marks)
