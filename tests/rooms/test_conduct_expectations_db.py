"""Two exams in one room on one day: which of them the cameras judge by."""

from datetime import timedelta
from pathlib import Path

from server.conduct.expectations import room_expectations
from server.delivery import service, store
from server.delivery.facts import Place, SlotTerms
from server.delivery.models import AnswerEventRow, SittingRow
from server.delivery.sitting import State
from server.delivery.timing import Policy
from server.proctor.anomalies import SeatStatus
from tests.support.clock import FakeClock
from tests.support.database import database
from tests.support.delivery import PLAN, SLOT, prepare_scene


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
                found = await room_expectations(session, ("1", "nowhere"), clock.legal())
            assert set(found) == {"1"}
            return [seat.status for seat in found["1"].seats if seat.seat == "1"]

        assert await seen(State.OPENED) == [SeatStatus.ABSENT]
        assert await seen(State.HANDED_IN) == [SeatStatus.NOT_DUE]


async def test_a_room_is_told_of_its_own_seats_and_their_newest_answer(
    tmp_path: Path, clock: FakeClock
) -> None:
    """The facts of a room are those of its sittings alone, each with the time of its last receipt's answer, None where
    there is none."""
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path)
        one = scene.sittings["1", 1]
        now = clock.legal()
        async with db.writing() as session:
            for receipt in (1, 2):
                at = now + timedelta(seconds=receipt)
                session.add(
                    AnswerEventRow(
                        sitting=one, lease=1, seq=receipt, number=1, value='["A"]', received_at=at, captured_at=None,
                        outcome="stored", receipt=receipt, digest=bytes(32), chain="c", record=1, place=receipt,
                    )
                )  # fmt: skip
        async with db.reading() as session:
            facts = await store.room_facts(session, SLOT, ["1"], now)
        assert {fact.sitting for fact in facts} == {
            s for (room, _), s in scene.sittings.items() if room == "1"
        }
        assert {fact.answered_at for fact in facts if fact.sitting == one} == {now + timedelta(seconds=2)}
        assert {fact.answered_at for fact in facts if fact.sitting != one} == {None}
