"""Two exams in one room on one day: which of them the cameras judge by."""

from datetime import timedelta
from pathlib import Path

from server.conduct.expectations import room_expectation
from server.delivery import service
from server.delivery.facts import Place, SlotTerms
from server.delivery.models import SittingRow
from server.delivery.sitting import State
from server.delivery.timing import Policy
from server.proctor.anomalies import SeatStatus
from tests.support.clock import FakeClock
from tests.support.database import database
from tests.support.delivery import PLAN, prepare_scene


async def test_an_exam_that_is_over_does_not_judge_the_next(tmp_path: Path, clock: FakeClock) -> None:
    """While the first exam is written the room is judged by it, though the next begins within the hour; once it is
    over, an absentee's seat of the first is not absent any more: the next one's candidate may sit there."""
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path)
        clock.advance(minutes=30)
        await scene.check_in(("1", 2))
        await scene.ring()
        clock.advance(minutes=30)
        terms = SlotTerms("next", PLAN, "", "", clock.legal() + timedelta(minutes=50), Policy(90, 30, 15), 1)
        async with scene.acting() as act:
            await service.prepare_sittings(act, terms, [Place("n1", "cand-n1", "甲", "T9", "9", "1", 1)])

        async def seen(second: State) -> list[SeatStatus]:
            async with db.writing() as session:
                for place, state in ((("1", 1), State.ABSENT), (("1", 2), second)):
                    row = await session.get(SittingRow, scene.sittings[place])
                    assert row is not None
                    row.state = state.value
            async with db.reading() as session:
                found = await room_expectation(session, "1", clock.legal())
            assert found is not None
            return [seat.status for seat in found.seats if seat.seat == "1"]

        assert await seen(State.OPENED) == [SeatStatus.ABSENT]
        assert await seen(State.HANDED_IN) == [SeatStatus.NOT_DUE]
