"""Errata, voided questions and scoring again, on a real hall day."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec import structs
from sqlalchemy import select, text, update

from server.db.engine import Database
from server.delivery.models import NoticeRow
from server.errors import BadInput, NotFound, Refused
from server.itembank import statistics_store
from server.itembank import store as itembank
from server.itembank.statistics_models import StatisticsRow
from server.keys.identity import Identity
from server.packages.peers import register_peer
from server.papers import draw_store
from server.papers.draw_models import MarkingSheetRow
from server.papers.marking_sheet import MarkingSheet, sheet_bytes
from server.papers.sheet_seal import seal_sheet, unseal_sheet
from server.publicity import outgoing
from server.scoring import decision_service as decisions
from server.scoring import practical_service, service, similarity_service, store
from server.scoring.decisions import DecisionEvent, DecisionKind, Question, VoidPolicy
from server.scoring.facts import MarkingOutcome
from server.scoring.models import MarkingRunRow
from server.scoring.practical import FormItem, FormTemplate
from server.scoring.results import subject_standings
from server.scoring.similarity import Pair
from tests.support.clock import FakeClock
from tests.support.database import database, postgres_url_with_tables
from tests.support.hall import BELL, PRACTICAL, HallDay
from tests.support.papers import MARKING_KEY, PLAN, SLOT


@pytest_asyncio.fixture
async def day(tmp_path: Path, clock: FakeClock) -> AsyncIterator[HallDay]:
    """A hall with nothing in it yet."""
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        yield HallDay(db, clock, Identity.open_or_create(tmp_path / "data"))


async def mark(day: HallDay) -> MarkingOutcome:
    return await service.mark_slot(
        day.db, day.journal, day.clock, "staff:chief", SLOT, MARKING_KEY, day.identity
    )


async def again(day: HallDay) -> MarkingOutcome:
    return await service.score_again(day.db, day.journal, day.clock, "staff:chief", SLOT, "test")


async def void(day: HallDay, policy: VoidPolicy = VoidPolicy.CREDIT, **named: object) -> str:
    """Propose a void as the chief and confirm it as the deputy."""
    async with day.act() as act:
        made = await decisions.propose(
            act, SLOT, DecisionKind.VOID, reason="two right answers", policy=policy, **named
        )
    async with day.act("staff:deputy") as act:
        await decisions.decide(act, made, DecisionEvent.CONFIRM)
    return made


async def points_of(day: HallDay) -> dict[str, int]:
    async with day.db.reading() as session:
        return {s.sitting: s.points for s in await store.scripts(session, SLOT)}


async def test_an_erratum_reaches_the_candidates_when_another_person_confirms(day: HallDay) -> None:
    """Nothing is shown at the proposal, nobody confirms his own, and then the words stand in every kiosk's messages."""
    await day.draw()
    await day.check_in(0)
    await day.ring()

    async def shown() -> list[str]:
        async with day.db.reading() as session:
            return list(await session.scalars(select(NoticeRow.text)))

    async with day.act() as act:
        made = await decisions.propose(
            act, SLOT, DecisionKind.ERRATUM, reason="misprint", text="电压应为 220 V"
        )
    with pytest.raises(Refused, match="decision-second-person"):
        async with day.act() as act:
            await decisions.decide(act, made, DecisionEvent.CONFIRM)
    assert await shown() == []
    async with day.act("staff:deputy") as act:
        await decisions.decide(act, made, DecisionEvent.CONFIRM)
    assert await shown() == ["电压应为 220 V"]
    with pytest.raises(BadInput, match="erratum-needs-text"):
        async with day.act() as act:
            await decisions.propose(act, SLOT, DecisionKind.ERRATUM, reason="misprint")


async def test_a_void_named_by_its_place_is_resolved_at_the_marking(day: HallDay) -> None:
    """A void of question 5 of sitting-5, made before marking, counts for everybody who had that item; who
    left it empty has its points.
    """
    await day.whole_day()
    sheet = await day.sheet("sitting-5")
    faulty = next(entry for entry in sheet.entries if entry.number == 5)
    made = await void(day, sitting="sitting-5", number=5)
    await mark(day)
    async with day.db.reading() as session:
        found = [m for m in await store.marks(session, SLOT) if m.item == faulty.item]
        (decided,) = await decisions.decisions(session, SLOT)
    assert decided.id == made and decided.question == Question(faulty.item, faulty.version)
    assert found and all(m.voided and m.points == m.most for m in found)
    wanted = sum(round(e.score * 100) for e in sheet.entries if e.number <= 3 or e.number == 5)
    assert (await points_of(day))["sitting-5"] == wanted


async def test_a_void_of_a_place_on_a_case_is_of_that_sub_item_alone(day: HallDay) -> None:
    """A void of question 5 of a paper, where a case's second sub-item stands, leaves the other sub-items' marks."""
    await day.whole_day()
    async with day.db.reading() as session:
        sealed = await draw_store.sealed_marking_sheets(session, SLOT)
    async with day.db.writing() as session:
        for one in sealed:  # questions 4 and 5 become the sub-items of one case
            sheet = unseal_sheet(MARKING_KEY, one)
            parts = {4: 1, 5: 2}
            entries = tuple(
                structs.replace(e, item="case-1", version=1, part=parts[e.number]) if e.number in parts else e
                for e in sheet.entries
            )
            data = sheet_bytes(MarkingSheet(sheet.paper, sheet.sitting, entries))
            made = seal_sheet(MARKING_KEY, PLAN, SLOT, sheet.paper, sheet.sitting, data)
            await session.execute(
                update(MarkingSheetRow)
                .where(MarkingSheetRow.paper == sheet.paper)
                .values(nonce=made.nonce, aad=made.aad, ciphertext=made.ciphertext)
            )
    await void(day, sitting="sitting-5", number=5)
    await mark(day)
    async with day.db.reading() as session:
        marks = [m for m in await store.marks(session, SLOT) if m.item == "case-1"]
    assert {(m.number, m.voided) for m in marks} == {(4, False), (5, True)}


async def test_a_void_of_a_place_that_no_paper_has_keeps_the_results_open(day: HallDay) -> None:
    """Question 99 of a paper of eight voids nothing: results are refused until the decision is revoked."""
    await day.whole_day()
    made = await void(day, sitting="sitting-1", number=99)
    await mark(day)
    async with day.db.reading() as session:
        missing = await decisions.unapplied(session, SLOT)
    assert missing is not None and (missing.code, missing.facts["number"]) == ("void-place-unknown", 99)
    async with day.act() as act:
        await decisions.decide(act, made, DecisionEvent.REVOKE, "a slip")
    async with day.act("staff:deputy") as act:
        await decisions.decide(act, made, DecisionEvent.CONFIRM)
    await again(day)
    async with day.db.reading() as session:
        assert await decisions.unapplied(session, SLOT) is None


async def test_scoring_again_is_a_new_run_that_names_the_old_one(day: HallDay) -> None:
    """The old run stays readable as replaced, the new one names it, and a revoked void gives the first points back."""
    await day.whole_day()
    first = await mark(day)
    before = await points_of(day)
    async with day.db.reading() as session:
        at = await store.mark_at(session, SLOT, "sitting-5", 5)
    assert at is not None
    made = await void(day, VoidPolicy.SCALE, question=Question(at.item, at.version))
    async with day.db.reading() as session:
        standings = await subject_standings(session, await _slot(session))
    blocked = standings["candidate-0"].open
    assert blocked is not None and blocked.code == "rescore-needed"
    second = await again(day)
    assert (second.replaced, second.repeated) == (first.run, False)
    assert (await again(day)).repeated
    scaled = await points_of(day)
    sheet = await day.sheet("sitting-5")
    total = sum(round(e.score * 100) for e in sheet.entries)
    earned = sum(round(e.score * 100) for e in sheet.entries if e.number <= 3)
    assert scaled["sitting-5"] == round(earned * total / (total - at.most))
    assert scaled["sitting-0"] == before["sitting-0"] == 1000
    async with day.act() as act:
        await decisions.decide(act, made, DecisionEvent.REVOKE, "it was right after all")
    async with day.act("staff:quality") as act:
        await decisions.decide(act, made, DecisionEvent.CONFIRM)
    await again(day)
    assert await points_of(day) == before
    async with day.db.reading() as session:
        states = [row.state for row in await session.scalars(select(MarkingRunRow))]
        assert sorted(states) == ["current", "replaced", "replaced"]
        assert await store.scored(session, SLOT) == 7


async def _slot(session: object) -> object:
    from server.affairs import store as affairs

    return await affairs.slot(session, SLOT)  # type: ignore[arg-type]


async def test_one_slot_has_one_policy_and_real_questions(day: HallDay) -> None:
    """A second void by another policy is refused, and so is a question that nobody had."""
    await day.whole_day()
    await mark(day)
    await void(day, sitting="sitting-5", number=5)
    with pytest.raises(Refused, match="void-policy-differs"):
        await void(day, VoidPolicy.SCALE, sitting="sitting-5", number=6)
    with pytest.raises(NotFound, match="question-unknown"):
        await void(day, question=Question("nobody-had-it", 1))


async def test_after_the_notice_marks_change_only_when_reopened_and_noticed_again(
    day: HallDay, tmp_path: Path
) -> None:
    """A void after the notice is refused; reopened with its cause it counts, the old notice cannot be
    uploaded, a new one can.
    """
    await day.whole_day()
    await mark(day)
    day.clock.set(BELL + timedelta(days=7, hours=3))
    form = FormTemplate((FormItem("wire", "接线", 10000),), 1000)
    async with day.act("staff:office") as act:
        await practical_service.make_form(act, PRACTICAL, form)
    from server.law.loader import load_pack

    pack = load_pack("beijing")
    for examiner in ("staff:zhao", "staff:qian"):
        for number in range(8):
            async with day.act(examiner) as act:
                await practical_service.enter(
                    act, pack, PRACTICAL, f"candidate-{number}", scores={"wire": 7000}
                )
    registry = Identity.open_or_create(tmp_path / "registry")
    public = registry.public
    async with day.act("staff:office") as act:
        await register_peer(
            act, "registry", "registry", public.signing, public.receiving, None, ("staff:one", "staff:two")
        )
    async with day.act("staff:office") as act:
        await outgoing.build_notice(act, day.identity, PLAN)
    with pytest.raises(Refused, match="marks-closed"):
        await void(day, sitting="sitting-5", number=5)
    async with day.act() as act:
        await service.reopen_marks(act, SLOT, "objection 7 upheld")
    await void(day, sitting="sitting-5", number=5)
    with pytest.raises(Refused, match="result-open"):
        async with day.act("staff:office") as act:
            await outgoing.build_result(act, day.identity, PLAN)
    await again(day)
    with pytest.raises(Refused, match="result-changed-since-notice"):
        async with day.act("staff:office") as act:
            await outgoing.build_result(act, day.identity, PLAN)
    async with day.act("staff:office") as act:
        await outgoing.build_notice(act, day.identity, PLAN)
        await outgoing.build_result(act, day.identity, PLAN)
    with pytest.raises(Refused, match="marks-closed"):
        await void(day, sitting="sitting-5", number=6)


async def test_statistics_of_a_marking_go_to_the_bank(day: HallDay) -> None:
    """Each question of the marked papers has its figures in the bank, a voided one none after scoring again, and
    option counts stay under the storage key by the bank's own labels.
    """
    await day.whole_day()
    await mark(day)
    async with day.db.reading() as session:
        bank = (await itembank.banks(session))[0].id
        found = {(s.item, s.version): s for s in await statistics_store.bank_statistics(session, bank)}
        marks = await store.marks(session, SLOT)
        (exam,) = await statistics_store.exams(session, bank)
        at = await store.mark_at(session, SLOT, "sitting-0", 1)
    assert {(m.item, m.version) for m in marks} == set(found)
    assert sum(one.n for one in found.values()) == len(marks) == 56
    assert sum(one.right for one in found.values()) == sum(m.correct for m in marks)
    assert (exam.candidates, exam.final) == (7, True)
    assert at is not None
    sheet = await day.sheet("sitting-0")
    chosen = next(entry for entry in sheet.entries if entry.order)
    wanted = {chosen.order[ord(label) - ord("A")] for label in chosen.key}
    async with day.db.reading() as session:
        counts = await statistics_store.option_counts(
            session, bank, chosen.item, chosen.version, 0, day.identity.storage_unwrap
        )
        sealed = await session.scalar(select(StatisticsRow.options).where(StatisticsRow.item == chosen.item))
    assert wanted <= set(counts) and min(counts.values()) >= 1
    assert sealed is not None and b'"' not in sealed[:1]
    await void(day, question=Question(chosen.item, chosen.version))
    await again(day)
    async with day.db.reading() as session:
        after = await statistics_store.bank_statistics(session, bank)
        kept = next(e for e in sheet.entries if e.order and e.item != chosen.item)
        still = await statistics_store.option_counts(
            session, bank, kept.item, kept.version, 0, day.identity.storage_unwrap
        )
    assert {(s.item, s.version) for s in after} == set(found) - {(chosen.item, chosen.version)}
    assert still


async def test_neighbours_wrong_alike_are_kept_as_leads_with_their_seats(day: HallDay) -> None:
    """Leads name tickets, seats and their distance, stand in place of an earlier marking's, and change no point."""
    await day.whole_day()
    await mark(day)
    before = await points_of(day)
    pair = Pair("sitting-0", "sitting-1", 12, 11, 4.5, 1e-5, 1e-4)
    async with day.act() as act:
        assert await similarity_service.similar(act.session, SLOT) == ()
        await similarity_service.keep_similar(act, SLOT, [pair], 6)
        await similarity_service.keep_similar(act, SLOT, [pair], 6)
    async with day.db.reading() as session:
        (found,) = await similarity_service.similar(session, SLOT)
    assert (found.first_ticket, found.second_ticket, found.apart, found.pairs) == ("T0000", "T0001", 1, 6)
    assert await points_of(day) == before


@pytest.mark.postgres
async def test_of_two_who_confirm_at_once_one_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    """On PostgreSQL a second confirmation waits for the first one's end and is then refused: the decision has been
    confirmed once, by the first."""
    with postgres_url_with_tables() as url:
        async with database(url) as db:
            day = HallDay(db, clock, Identity.open_or_create(tmp_path / "data"))
            await day.draw()
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

            async def confirm(actor: str) -> None:
                async with day.act(actor) as act:
                    await decisions.decide(act, made, DecisionEvent.CONFIRM)

            async with day.act("staff:deputy") as act:
                await decisions.decide(act, made, DecisionEvent.CONFIRM)
                second = asyncio.create_task(confirm("staff:office"))
                while not second.done() and not await waiters(db):
                    await asyncio.sleep(0.01)
            with pytest.raises(Refused, match="decision-not-now"):
                await second
            async with db.reading() as session:
                [found] = await decisions.decisions(session, SLOT)
    assert found.confirmed_by == "staff:deputy"


async def waiters(db: Database) -> int:
    """Return how many transactions of this database wait for another one's lock."""
    asked = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with db.reading() as session:
        return int(await session.scalar(text(asked)) or 0)
