"""Answers in words from the marking opening to final points, on a real hall day."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import delete, func, select

from server.affairs import store as affairs
from server.db.journal import JournalRecord
from server.errors import NotFound, Refused
from server.keys.identity import Identity
from server.scoring import people_service as people
from server.scoring import people_store, service, store
from server.scoring.facts import MarkingOutcome
from server.scoring.people import AnswerState
from server.scoring.people_models import GuideRow, WrittenRow
from server.scoring.people_store import Marker, Short
from server.scoring.results import subject_standings
from tests.support.clock import FakeClock
from tests.support.database import database
from tests.support.hall import HallDay
from tests.support.papers import MARKING_KEY, PLAN, SLOT
from tests.support.words import ask_for_words


@pytest_asyncio.fixture
async def day(tmp_path: Path, clock: FakeClock) -> AsyncIterator[HallDay]:
    """A marked hall day with one question in words on each paper; zhao and qian mark, sun decides."""
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        day = HallDay(db, clock, Identity.open_or_create(tmp_path / "data"))
        await day.whole_day()
        await ask_for_words(day)
        assert (await mark(day)).pending == 5
        async with day.act("staff:office") as act:
            await people.assign(act, SLOT, "staff:zhao")
            await people.assign(act, SLOT, "staff:qian")
            await people.assign(act, SLOT, "staff:sun", arbiter=True)
        yield day


async def mark(day: HallDay) -> MarkingOutcome:
    return await service.mark_slot(
        day.db, day.journal, day.clock, "staff:chief", SLOT, MARKING_KEY, day.identity
    )


async def marker(day: HallDay, name: str) -> Marker:
    async with day.db.reading() as session:
        return next(one for one in await people_store.markers(session, SLOT) if one.marker == name)


async def waiting(day: HallDay, name: str) -> list[str]:
    """Return the codes that the next answers of each question give to somebody, one a question."""
    own = await marker(day, name)
    codes = []
    async with day.db.reading() as session:
        for one in await people_store.progress(session, SLOT):
            found = await people.next_for(session, own, one.question)
            if found is not None:
                codes.append(found.code)
    return codes


async def give(day: HallDay, name: str, code: str, points: int) -> tuple[AnswerState, int]:
    async with day.act(name) as act:
        return await people.grade(act, code, points)


async def mark_all(day: HallDay, name: str, points: int) -> int:
    """Let somebody mark everything that comes to him; return how many answers."""
    count = 0
    while codes := await waiting(day, name):
        for code in codes:
            await give(day, name, code, points)
            count += 1
    return count


async def test_totals_are_final_only_when_the_last_mark_is_in(day: HallDay) -> None:
    """Until then the result names how many answers wait and the slot counts as not scored; the run that follows
    names the first and holds the mean.
    """
    async with day.db.reading() as session:
        first = await store.current_run(session, SLOT)
        assert await store.scored(session, SLOT) == 2
        standings = await subject_standings(session, await affairs.slot(session, SLOT))
    missing = standings["candidate-0"].open
    assert missing is not None and (missing.code, missing.facts["pending"]) == ("result-marks-pending", 1)
    assert await mark_all(day, "staff:zhao", 300) == 5
    assert await waiting(day, "staff:zhao") == []
    assert await mark_all(day, "staff:qian", 350) == 5
    outcome = await service.score_again(day.db, day.journal, day.clock, "staff:qian", SLOT, "last mark")
    assert first is not None and (outcome.replaced, outcome.pending) == (first.id, 0)
    async with day.db.reading() as session:
        scripts = {one.sitting: one for one in await store.scripts(session, SLOT)}
        assert await store.scored(session, SLOT) == 7
        assert await people_store.left(session, SLOT) == 0
    assert scripts["sitting-0"].points == 900 + 325
    assert (await mark(day)).repeated
    async with day.act() as act:
        one = next(m for m in await store.marks(act.session, SLOT) if m.by_people)
        await people.review(act, SLOT, one.sitting, one.number, "the candidate asked for a re-check")
    async with day.db.reading() as session:
        standings = await subject_standings(session, await affairs.slot(session, SLOT))
    waits = standings["candidate-0"].open
    assert waits is not None and waits.facts["pending"] == 1


async def test_an_arbiters_points_that_no_run_holds_keep_the_result_open(day: HallDay) -> None:
    """Where scoring again was interrupted after a review was decided, results ask for it instead of giving the
    points of before.
    """
    await mark_all(day, "staff:zhao", 300)
    await mark_all(day, "staff:qian", 300)
    await service.score_again(day.db, day.journal, day.clock, "staff:qian", SLOT, "last mark")
    async with day.act() as act:
        one = next(
            m for m in await store.marks(act.session, SLOT) if m.sitting == "sitting-0" and m.by_people
        )
        code = await people.review(act, SLOT, one.sitting, one.number, "the candidate asked for a re-check")
    assert await give(day, "staff:sun", code, 400) == (AnswerState.SETTLED, 0)
    async with day.db.reading() as session:
        standings = await subject_standings(session, await affairs.slot(session, SLOT))
    missing = standings["candidate-0"].open
    assert missing is not None and missing.code == "rescore-needed"
    await service.score_again(day.db, day.journal, day.clock, "staff:chief", SLOT, "interrupted")
    async with day.db.reading() as session:
        standings = await subject_standings(session, await affairs.slot(session, SLOT))
    assert (standings["candidate-0"].open, standings["candidate-0"].outcome.points) == (None, 900 + 400)


async def test_a_difference_beyond_the_spread_goes_to_the_arbiter(day: HallDay) -> None:
    """Marks 1 and 3.5 of 4 settle nothing; the arbiter's 2 counts, and nobody else sees that answer again. Sent to
    review it goes to another arbiter than those who gave it points, and until one is assigned it counts as short of
    an arbiter."""
    (code,) = (await waiting(day, "staff:zhao"))[:1]
    assert await waiting(day, "staff:sun") == []
    assert await give(day, "staff:zhao", code, 100) == (AnswerState.OPEN, 5)
    assert await give(day, "staff:qian", code, 350) == (AnswerState.DISPUTED, 5)
    assert await waiting(day, "staff:sun") == [code]
    assert await give(day, "staff:sun", code, 200) == (AnswerState.SETTLED, 4)
    async with day.db.reading() as session:
        assert (await people_store.written(session, code)).points == 200
    with pytest.raises(Refused, match="answer-marked-already"):
        await give(day, "staff:qian", code, 200)
    async with day.act() as act:
        found = await people_store.written(act.session, code)
        await people.review(act, SLOT, found.sitting, found.number, "the candidate asked for a re-check")
    assert await waiting(day, "staff:sun") == []
    with pytest.raises(Refused, match="arbiter-marked-it"):
        await give(day, "staff:sun", code, 250)
    async with day.act("staff:office") as act:
        # qian, who marked it, is no other arbiter
        await people.assign(act, SLOT, "staff:qian", arbiter=True)
        assert await people_store.short(act.session, SLOT) == Short(of_markers=4, of_arbiters=1)
        await people.assign(act, SLOT, "staff:li", arbiter=True)
        assert (await people_store.short(act.session, SLOT)).of_arbiters == 0
    day.clock.advance(minutes=1)
    assert await waiting(day, "staff:li") == [code]
    assert await give(day, "staff:li", code, 250) == (AnswerState.SETTLED, 4)
    async with day.db.reading() as session:
        assert (await people_store.written(session, code)).points == 250


async def test_a_marker_sees_a_code_and_words_and_nothing_of_the_candidate(day: HallDay) -> None:
    """What a marker is given holds neither name, ticket, sitting nor seat, and a recused marker never gets it."""
    async with day.db.reading() as session:
        own = await marker(day, "staff:zhao")
        question = (await people_store.progress(session, SLOT))[0].question
        found = await people.next_for(session, own, question)
        guide = await people.guide(session, day.identity, SLOT, question)
    assert found is not None and re.fullmatch("[A-Z2-7]{12}", found.code)
    assert re.fullmatch(r"text \d", found.text) and found.most == 400
    assert "model answer" in guide.model and [one.score for one in guide.rubric] == [2.5, 1.5]
    async with day.act("staff:office") as act:
        tickets = [f"T{n:04d}" for n in range(4)]
        await people.assign(act, SLOT, "staff:zhao", recused_tickets=tickets)
        with pytest.raises(NotFound, match="ticket-unknown"):
            await people.assign(act, SLOT, "staff:zhao", recused_tickets=["nobody"])
    assert await mark_all(day, "staff:zhao", 300) == 1
    assert await mark_all(day, "staff:qian", 300) == 5
    (left,) = {c for c in [await _a_recused_code(day)] if c}
    with pytest.raises(Refused, match="marker-recused"):
        await give(day, "staff:zhao", left, 300)


async def test_answers_that_would_share_a_code_all_come_to_the_markers(
    day: HallDay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the first code drawn is the same for every answer, each answer still has a code of its own."""
    async with day.db.writing() as session:
        await session.execute(delete(WrittenRow))
    drawn = people.code_of

    def colliding(identity: Identity, slot: str, sitting: str, number: int, draw: int = 0) -> str:
        return drawn(identity, slot, sitting, number, draw) if draw else "AAAAAAAAAAAA"

    monkeypatch.setattr(people, "code_of", colliding)
    for _ in range(2):
        assert (await mark(day)).repeated
        async with day.db.reading() as session:
            rows = list(await session.scalars(select(WrittenRow)))
        assert len({row.code for row in rows}) == len(rows) == 5


async def test_marks_of_whom_is_recused_later_count_no_more(day: HallDay) -> None:
    """A recusal decided after marking began sends the answers that the recused had marked, settled ones too, to
    another marker; the marks are kept as set aside, and counts close only when the other has marked."""
    assert await mark_all(day, "staff:zhao", 300) == 5
    (settled,) = (await waiting(day, "staff:qian"))[:1]
    assert (await give(day, "staff:qian", settled, 300))[0] is AnswerState.SETTLED
    async with day.act("staff:office") as act:
        await people.assign(act, SLOT, "staff:zhao", recused_tickets=[f"T{n:04d}" for n in range(8)])
    async with day.db.reading() as session:
        again = await people_store.written(session, settled)
        assert (again.state, again.points) == (AnswerState.OPEN, None)
        assert await people_store.short(session, SLOT) == Short(of_markers=5, of_arbiters=0)
        kept = await people_store.kept_grades(session, SLOT)
    assert {(one.marker, one.set_aside_at is None) for one in kept} == {
        ("staff:zhao", False),
        ("staff:qian", True),
    }
    async with day.act("staff:office") as act:
        await people.assign(act, SLOT, "staff:sun")
    assert await mark_all(day, "staff:sun", 200) == 5
    assert await mark_all(day, "staff:qian", 200) == 4
    async with day.db.reading() as session:
        assert await people_store.left(session, SLOT) == 1  # settled: 300 and 200 differ too much


async def test_what_a_recused_arbiter_decided_goes_to_another(day: HallDay) -> None:
    """An answer that its arbiter may not have judged waits for an arbiter again, and marks that agree do not settle an
    answer sent to review when one of their markers is recused."""
    (code, other) = (await waiting(day, "staff:zhao"))[:2]
    for one, points in ((code, 100), (other, 350)):
        await give(day, "staff:zhao", one, points)
        await give(day, "staff:qian", one, 350)
    assert (await give(day, "staff:sun", code, 200))[0] is AnswerState.SETTLED
    async with day.act() as act:
        found = await people_store.written(act.session, other)
        await people.review(act, SLOT, found.sitting, found.number, "a re-check")
    tickets = [f"T{n:04d}" for n in range(8)]
    async with day.act("staff:office") as act:
        await people.assign(act, SLOT, "staff:sun", arbiter=True, recused_tickets=tickets)
        await people.assign(act, SLOT, "staff:zhao", recused_tickets=tickets)
        for one in (code, other):
            assert (await people_store.written(act.session, one)).state is AnswerState.DISPUTED


async def test_an_assignment_is_ended_by_an_act(day: HallDay) -> None:
    """Who is assigned no longer gives no mark, the marks given before stand, and assigned again he goes on."""
    (code, other) = (await waiting(day, "staff:zhao"))[:2]
    await give(day, "staff:zhao", code, 300)
    async with day.act("staff:office") as act:
        await people.end_assignment(act, SLOT, "staff:zhao", "ill")
    with pytest.raises(NotFound, match="assignment-unknown"):
        async with day.act("staff:office") as act:
            await people.end_assignment(act, SLOT, "staff:zhao", "ill")
    with pytest.raises(Refused, match="marker-not-assigned"):
        await give(day, "staff:zhao", other, 300)
    assert (await give(day, "staff:qian", code, 300))[0] is AnswerState.SETTLED
    async with day.act("staff:office") as act:
        await people.assign(act, SLOT, "staff:zhao")
    await give(day, "staff:zhao", other, 300)


async def _a_recused_code(day: HallDay) -> str:
    own = await marker(day, "staff:zhao")
    async with day.db.reading() as session:
        for mark in await store.marks(session, SLOT):
            if mark.by_people and mark.sitting in own.recused:
                found = await people_store.written_at(session, SLOT, mark.sitting, mark.number)
                assert found is not None
                return found.code
    raise AssertionError


async def test_the_rules_of_the_slot_stand_once_marking_began(day: HallDay) -> None:
    """The spread is set before the first mark; points outside the question or by a stranger are refused; each mark
    is journalled.
    """
    async with day.act() as act:
        await people.set_spread(act, SLOT, 50)
    (code,) = (await waiting(day, "staff:zhao"))[:1]
    with pytest.raises(Refused, match="mark-out-of-range"):
        await give(day, "staff:zhao", code, 425)
    with pytest.raises(Refused, match="marker-not-assigned"):
        await give(day, "staff:nobody", code, 100)
    await give(day, "staff:zhao", code, 100)
    await give(day, "staff:zhao", code, 150)
    with pytest.raises(Refused, match="marking-begun"):
        async with day.act() as act:
            await people.set_spread(act, SLOT, 20)
    assert (await give(day, "staff:qian", code, 350))[0] is AnswerState.SETTLED
    async with day.db.reading() as session:
        kept = (
            select(func.count())
            .select_from(JournalRecord)
            .where(JournalRecord.kind == "scoring:answer:marked")
        )
        assert await session.scalar(kept) == 3
        assert (await people_store.written(session, code)).points == 250


async def test_guides_are_sealed_at_rest_and_gone_with_the_notice(day: HallDay) -> None:
    """The database holds no word of rubric or model answer, and after the marks are closed no guide at all until
    the marking is opened again.
    """
    async with day.db.reading() as session:
        question = (await people_store.progress(session, SLOT))[0].question
        sealed = list(await session.scalars(select(GuideRow.sealed)))
    assert sealed and all(one is not None and b"model" not in one and b"names" not in one for one in sealed)
    async with day.act("staff:office") as act:
        await service.close_marks(act, PLAN)
    with pytest.raises(Refused, match="guide-closed"):
        async with day.db.reading() as session:
            await people.guide(session, day.identity, SLOT, question)
    async with day.act() as act:
        await service.reopen_marks(act, SLOT, "objection 3 upheld")
    assert (await mark(day)).repeated
    async with day.db.reading() as session:
        assert await people.guide(session, day.identity, SLOT, question)
