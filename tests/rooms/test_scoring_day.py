"""Marking, the practical form, results, notice and result package on a real database."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from server.affairs.models import OrganisationRow
from server.conduct import incident_service
from server.conduct.counts import gaps
from server.conduct.incidents import IncidentEvent, IncidentKind
from server.db.engine import Database
from server.delivery.models import AnswerRow
from server.errors import BadInput, Refused, Tampered
from server.keys.identity import Identity
from server.law.loader import load_pack
from server.packages import outbox
from server.packages.contents import NoticeContent, ResultContent
from server.packages.peers import register_peer
from server.publicity import outgoing
from server.scoring import practical_service, service, store
from server.scoring.facts import MarkingOutcome
from server.scoring.models import MarkingRunRow, MarkRow
from server.scoring.practical import FormItem, FormTemplate
from server.scoring.results import counts, results
from tests.support.clock import FakeClock
from tests.support.hall import BELL, PRACTICAL, HallDay
from tests.support.papers import MARKING_KEY, PLAN, SLOT

POSTGRES = (
    "test_marking_twice_changes_nothing",
    "test_an_interrupted_marking_is_taken_up",
    "test_notice_and_result_arrive_at_the_registry_and_counts_close",
    "test_a_wrong_marking_key_leaves_nothing",
)

PACK = load_pack("beijing")
FORM = FormTemplate((FormItem("wire", "接线", 6000), FormItem("mend", "检修", 4000)), 1000)
GOOD, BAD = {"wire": 5000, "mend": 3000}, {"wire": 2000, "mend": 1000}


@pytest.fixture
def day(db: Database, clock: FakeClock, tmp_path: Path) -> HallDay:
    """A hall with nothing in it yet."""
    return HallDay(db, clock, Identity.open_or_create(tmp_path / "data"))


@pytest.fixture
def registry(tmp_path: Path) -> Identity:
    """Keys of the registry."""
    return Identity.open_or_create(tmp_path / "registry")


async def mark(day: HallDay) -> MarkingOutcome:
    return await service.mark_slot(
        day.db, day.journal, day.clock, "staff:chief", SLOT, MARKING_KEY, day.identity
    )


async def enter_all(day: HallDay) -> None:
    """Two examiners score everybody but candidate 7, whom both saw absent; candidate 6 does badly."""
    day.clock.set(BELL + timedelta(days=7, hours=3))
    async with day.act("staff:office") as act:
        await practical_service.make_form(act, PRACTICAL, FORM)
    for examiner in ("staff:zhao", "staff:qian"):
        for number in range(8):
            async with day.act(examiner) as act:
                await practical_service.enter(
                    act,
                    PACK,
                    PRACTICAL,
                    f"candidate-{number}",
                    scores=None if number == 7 else BAD if number == 6 else GOOD,
                    absent=number == 7,
                )


async def scored_day(day: HallDay, registry: Identity) -> None:
    """A whole day, marked, with its practical scored and the registry known."""
    await day.whole_day()
    await mark(day)
    await enter_all(day)
    async with day.act("staff:office") as act:
        await register_peer(
            act,
            "registry",
            "registry",
            registry.public.signing,
            registry.public.receiving,
            None,
            ("staff:one", "staff:two"),
        )


async def test_marks_are_those_of_the_key(day: HallDay) -> None:
    """Who answered everything as the key says has full points, who answered three items has exactly
    theirs.
    """
    await day.whole_day()
    outcome = await mark(day)
    assert (outcome.sittings, outcome.marks, outcome.repeated) == (7, 56, False)
    async with day.db.reading() as session:
        scripts = {script.sitting: script for script in await store.scripts(session, SLOT)}
    assert {scripts[f"sitting-{n}"].points for n in range(5)} == {1000}
    assert "sitting-7" not in scripts
    sheet = await day.sheet("sitting-5")
    wanted = sum(round(entry.score * 100) for entry in sheet.entries if entry.number <= 3)
    assert (scripts["sitting-5"].points, scripts["sitting-5"].answered) == (wanted, 3)


async def test_marking_twice_changes_nothing(day: HallDay) -> None:
    """A second marking finds the same marks, writes nothing, and says so."""
    await day.whole_day()
    first, second = await mark(day), await mark(day)
    assert second == replace(first, repeated=True)
    async with day.db.reading() as session:
        assert await session.scalar(select(func.count()).select_from(MarkRow)) == 56
        assert await session.scalar(select(func.count()).select_from(MarkingRunRow)) == 1


async def test_answers_changed_after_marking_are_noticed(day: HallDay) -> None:
    """An answer changed in the database after marking makes the second marking refuse, and the marks stay."""
    await day.whole_day()
    await mark(day)
    async with day.db.writing() as session:
        await session.execute(update(AnswerRow).where(AnswerRow.sitting == "sitting-1").values(value='["Z"]'))
    with pytest.raises(Refused, match="marks-differ"):
        await mark(day)
    async with day.db.reading() as session:
        assert {s.points for s in await store.scripts(session, SLOT) if s.sitting == "sitting-1"} == {1000}


async def test_marking_needs_a_closed_slot_and_the_right_key(day: HallDay) -> None:
    """An open slot is not marked, and a wrong marking key opens no sheet and leaves no marks."""
    await day.draw()
    with pytest.raises(Refused, match="slot-not-closed"):
        await mark(day)


async def test_a_wrong_marking_key_leaves_nothing(day: HallDay) -> None:
    """A wrong marking key is Tampered, and no mark is written."""
    await day.whole_day()
    with pytest.raises(Tampered):
        await service.mark_slot(day.db, day.journal, day.clock, "staff:chief", SLOT, bytes(32), day.identity)
    async with day.db.reading() as session:
        assert await store.scored(session, SLOT) is None


async def test_an_interrupted_marking_is_taken_up(day: HallDay) -> None:
    """Marks of a marking that broke off are not readable, and the next one replaces them."""
    await day.whole_day()
    async with day.db.writing() as session:
        session.add(
            MarkingRunRow(
                id="broken",
                slot=SLOT,
                state="staging",
                started_at=day.clock.legal(),
                marked_by="staff:chief",
                sittings=7,
                digest=bytes(32),
                base=bytes(32),
            )
        )
    async with day.db.reading() as session:
        assert await store.scored(session, SLOT) is None
    await mark(day)
    async with day.db.reading() as session:
        assert await session.scalar(select(func.count()).select_from(MarkingRunRow)) == 1
        assert await store.scored(session, SLOT) == 7


async def test_the_examiners_form_refuses_what_does_not_fit(day: HallDay) -> None:
    """No score before the day, outside the form, a month after the theory, or corrected without a reason."""
    await day.draw()
    async with day.act("staff:office") as act:
        await practical_service.make_form(act, PRACTICAL, FORM)

    async def enter(**given: object) -> str:
        try:
            async with day.act("staff:zhao") as act:
                await practical_service.enter(act, PACK, PRACTICAL, "candidate-0", **given)
        except (Refused, BadInput) as error:
            return error.code
        return "taken"

    assert await enter(scores=GOOD) == "practical-not-begun"
    day.clock.set(BELL + timedelta(days=7))
    assert await enter(scores={"wire": 6001, "mend": 0}) == "practical-line-out-of-range"
    assert await enter(scores={"wire": 1}) == "practical-line-missing"
    assert await enter(scores=GOOD, absent=True) == "practical-absent-with-scores"
    assert await enter(scores=GOOD) == "taken"
    assert await enter(scores=BAD) == "practical-correction-needs-reason"
    assert await enter(scores=BAD, reason="misread") == "taken"
    day.clock.set(BELL + timedelta(days=32))
    assert await enter(scores=GOOD, reason="later") == "practical-too-late"
    async with day.db.reading() as session:
        (entry,) = await store.entries(session, PRACTICAL)
    assert (entry.version, entry.total) == (2, 3000)
    with pytest.raises(Refused, match="practical-form-in-use"):
        async with day.act("staff:office") as act:
            await practical_service.make_form(act, PRACTICAL, FORM)


async def test_results_name_the_first_that_is_open(day: HallDay) -> None:
    """Without the examiners' scores no results exist, and the refusal names the first ticket and why."""
    await day.whole_day()
    await mark(day)
    with pytest.raises(Refused) as caught:
        async with day.db.reading() as session:
            await results(session, PLAN)
    assert caught.value.facts == {"ticket": "T0000", "why": "practical-form-missing"}


async def test_results_are_the_four_of_the_law(day: HallDay, registry: Identity) -> None:
    """Both subjects passed is a pass, one failed a fail, absent is absent, and a confirmed cheat
    outweighs his marks.
    """
    await day.draw()
    await day.check_in(*range(7))
    await day.ring()
    await day.open(*range(7))
    async with day.act("staff:wang") as act:
        found = await incident_service.record_incident(
            act, SLOT, IncidentKind.CHEATING, "a phone", sitting="sitting-4"
        )
    async with day.act() as act:
        await incident_service.settle_incident(act, found, IncidentEvent.CONFIRM, "seen", chief=True)
    await _finish(day)
    await mark(day)
    await enter_all(day)
    async with day.db.reading() as session:
        rows = await results(session, PLAN)
    assert [row.result for row in rows] == [
        "pass", "pass", "pass", "pass", "cheat", "fail", "fail", "absent",
    ]  # fmt: skip
    assert (rows[0].theory, rows[0].practical, rows[7].theory) == (10.0, 80.0, None)


async def _finish(day: HallDay) -> None:
    from server.conduct import service as conduct
    from server.delivery.sitting import State

    for number in range(7):
        await day.answer_right(number, most=2 if number == 5 else 8)
        await day.end(number, State.COLLECTED)
    async with day.act() as act:
        await conduct.mark_absent(act, "sitting-7", "not there")
        await conduct.close_slot(act, SLOT)


async def test_notice_and_result_arrive_at_the_registry_and_counts_close(
    day: HallDay, registry: Identity, tmp_path: Path
) -> None:
    """The notice carries every candidate, the result all but the held one, and every equation of the plan
    holds.
    """
    await scored_day(day, registry)
    async with day.act("staff:office") as act:
        notice = await outgoing.build_notice(act, day.identity, PLAN)
    with pytest.raises(Refused, match="notice-unchanged"):
        async with day.act("staff:office") as act:
            await outgoing.build_notice(act, day.identity, PLAN)
    async with day.act("staff:office") as act:
        result = await outgoing.build_result(act, day.identity, PLAN, {"candidate-3": "objection 1"})
    async with day.db.reading() as session:
        counted = await outgoing.counts(session, PLAN)
        assert len(await outbox.outgoing(session, PLAN)) == 2
    assert gaps(counted) == ()
    assert (counted.total.published, counted.total.uploaded, counted.total.held) == (8, 7, 1)
    notice_content, result_content = (read(registry, package.bytes) for package in (notice, result))
    assert isinstance(notice_content, NoticeContent) and isinstance(result_content, ResultContent)
    assert notice_content.counts["published"] == len(notice_content.rows) == 8
    assert [row.candidate for row in result_content.held] == ["candidate-3"]
    assert result_content.notice_number == 1 and result_content.secret is not None


def read(registry: Identity, data: bytes) -> object:
    """Open a package as its receiver, without its order."""
    import msgspec

    from server.packages.contents import decode
    from server.packages.envelope import body_info, split
    from server.packages.manifest import CONTENT_FILE

    envelope = split(data)
    plain = registry.receive(envelope.body, body_info(envelope.header_bytes, envelope.signature))
    return decode(msgspec.msgpack.decode(plain, type=dict[str, bytes])[CONTENT_FILE])


async def test_after_the_notice_a_score_changes_only_with_a_cause_and_a_new_notice(
    day: HallDay, registry: Identity
) -> None:
    """The form is closed by the notice; a reopened correction must be published before it can be uploaded."""
    await scored_day(day, registry)
    async with day.act("staff:office") as act:
        await outgoing.build_notice(act, day.identity, PLAN)
    with pytest.raises(Refused, match="practical-closed"):
        async with day.act("staff:zhao") as act:
            await practical_service.enter(act, PACK, PRACTICAL, "candidate-6", scores=GOOD, reason="x")
    async with day.act() as act:
        await practical_service.reopen_form(act, PRACTICAL, "objection 1 upheld")
    for examiner in ("staff:zhao", "staff:qian"):
        async with day.act(examiner) as act:
            await practical_service.enter(act, PACK, PRACTICAL, "candidate-6", scores=GOOD, reason="upheld")
    with pytest.raises(Refused, match="result-changed-since-notice"):
        async with day.act("staff:office") as act:
            await outgoing.build_result(act, day.identity, PLAN)
    async with day.act("staff:office") as act:
        await outgoing.build_notice(act, day.identity, PLAN)
        await outgoing.build_result(act, day.identity, PLAN)
    async with day.db.reading() as session:
        assert [one.number for one in await outbox.outgoing(session, PLAN)] == [1, 2, 1]


async def test_a_result_needs_a_notice(day: HallDay, registry: Identity) -> None:
    """No result package is made of a plan that was never published."""
    await scored_day(day, registry)
    with pytest.raises(Refused, match="result-without-notice"):
        async with day.act("staff:office") as act:
            await outgoing.build_result(act, day.identity, PLAN)


async def test_a_suspended_centre_still_publishes_an_exam_that_was_held(
    day: HallDay, registry: Identity
) -> None:
    """Standing stops neither notice nor result of an exam past its bell."""
    await scored_day(day, registry)
    async with day.db.writing() as session:
        await session.execute(update(OrganisationRow).values(status="suspended"))
    async with day.act("staff:office") as act:
        await outgoing.build_notice(act, day.identity, PLAN)


async def test_counts_before_marking_have_no_gap_but_are_not_complete(day: HallDay) -> None:
    """What is not counted yet is None and opens no equation."""
    await day.whole_day()
    async with day.db.reading() as session:
        counted = await counts(session, PLAN)
    assert [slot.scored for slot in counted.slots] == [None, None]
    assert [gap.code for gap in gaps(counted)] == ["enrolled=present+absent"]
    assert gaps(counted)[0].slot == PRACTICAL
