"""The main job of a registry on a real database: filing, plan, package, notice, result, certificate."""

import argparse
import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from server.affairs import change_service, packaging, roster_service, service, store, taking
from server.affairs.facts import Candidate, StandingStatus
from server.cli import certificate as certificate_command
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import Refused, Tampered
from server.keys.identity import Identity
from server.law.workdays import legal_day
from server.packages.outbox import outgoing
from server.publicity import service as publicity
from server.publicity import store as notices
from server.publicity.objections import ObjectionEvent
from server.registry import case_service, certificate_service, filing_service
from server.registry import store as registry
from server.registry.certificate_form import code, verified
from server.registry.certificates import CertificateState
from server.registry.enforcement import CaseEvent
from server.registry.service import accept_result
from tests.support.registry import (
    ORGANISATION,
    PACK,
    World,
    application,
    notice_content,
    result_content,
    rows,
)

POSTGRES = (
    "test_from_filing_to_certificate",
    "test_serials_have_no_gap_under_concurrency",
    "test_a_second_upload_is_refused",
    "test_a_case_suspends_at_once_and_holds_what_is_under_way",
    "test_a_filed_change_reaches_the_centre_as_a_correction",
)


@pytest_asyncio.fixture
async def world(db: Database, tmp_path: Path) -> World:
    """A registry with one filed organisation."""
    made = World(db, Identity.open_or_create(tmp_path / "registry"))
    await made.filed(Identity.open_or_create(tmp_path / "centre"))
    return made


async def _noticed(world: World) -> tuple[str, tuple[Candidate, ...]]:
    plan = await world.planned()
    candidates = await world.enrolled(plan.id)
    await world.packed(plan.id)
    await world.noticed(plan.id, candidates)
    return plan.id, candidates


async def test_from_filing_to_certificate(world: World, tmp_path: Path) -> None:
    """Two of four candidates pass, and exactly they get consecutive numbers whose signed codes verify."""
    plan, candidates = await _noticed(world)
    world.on("2026-04-30")
    async with world.act() as act:
        upload = await accept_result(act, result_content(plan, candidates), 1, ORGANISATION)
        assert not upload.late
        made = await certificate_service.number_certificates(act, PACK, plan)
        issued = await certificate_service.issue_certificates(act, world.identity, "市鉴定管理中心", plan)
    assert [one.number for one in made] == ["S000011000001263000001", "S000011000001263000002"]
    assert all(one.state is CertificateState.ISSUED for one in issued)
    async with world.db.reading() as session:
        document = (await registry.certificate_row(session, made[0].number)).document.encode()
        counts = await registry.counts(session, plan)
    assert counts.gap() is None
    key = world.identity.signing.public
    assert verified(code(document).encode(), key)["name"] == candidates[0].name
    with pytest.raises(Tampered):
        verified(document.replace("人工智能".encode(), "人工智障".encode()), key)


async def test_serials_have_no_gap_under_concurrency(world: World) -> None:
    """Eight plans numbered at the same time share one run of serials without a gap or a double."""
    plans = []
    for _ in range(8):
        plan = await world.planned()
        candidates = await world.enrolled(plan.id, 5)
        await world.packed(plan.id)
        await world.noticed(plan.id, candidates)
        world.on("2026-04-30")
        async with world.act() as act:
            await accept_result(act, result_content(plan.id, candidates), 1, ORGANISATION)
        plans.append(plan.id)

    async def number(plan: str) -> list[str]:
        async with world.db.writing() as session:
            act = Act(session, Journal(plan), world.now, "staff:organisation")
            return [one.number for one in await certificate_service.number_certificates(act, PACK, plan)]

    found = [one for made in await asyncio.gather(*map(number, plans)) for one in made]
    assert sorted(int(one[-6:]) for one in found) == list(range(1, 25))


async def test_the_command_line_verifies_a_certificate_offline(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`certificate verify` says who holds the certificate, and ends with 1 when one character was changed."""
    plan, candidates = await _noticed(world)
    world.on("2026-04-30")
    async with world.act() as act:
        await accept_result(act, result_content(plan, candidates), 1, ORGANISATION)
        (first, _second) = await certificate_service.number_certificates(act, PACK, plan)
        await certificate_service.issue_certificates(act, world.identity, "市中心", plan)
        document = (await registry.certificate_row(act.session, first.number)).document
    file = tmp_path / "certificate.json"
    words = ["certificate", "verify", str(file), "--registry-key", world.identity.signing.public.hex()]
    file.write_text(document, encoding="utf-8")
    assert _run(words) == 0
    assert candidates[0].name in capsys.readouterr().out
    file.write_text(document.replace(candidates[0].name, candidates[1].name), encoding="utf-8")
    with pytest.raises(Tampered):
        _run(words)


def _run(words: list[str]) -> int:
    parser = argparse.ArgumentParser()
    certificate_command.add(parser.add_subparsers())
    args = parser.parse_args(words)
    return int(args.run(args))


async def test_the_package_reaches_the_centre_whole(world: World, tmp_path: Path) -> None:
    """A centre that takes in the exam content reads back the same slots, seating and draw terms."""
    plan = await world.planned()
    await world.enrolled(plan.id)
    await world.packed(plan.id)
    async with world.db.reading() as session:
        content = await packaging.build_exam(session, plan.id)
        (letter,) = await filing_service.filings(session, ORGANISATION)
        assert content.organisation_name == letter.name  # BJ-E:A1.n1
        slots = await store.slots(session, plan.id)
        seating = await store.seating(session, slots[0].id)
    from tests.support.database import database

    async with database(f"sqlite:///{tmp_path / 'centre.db'}") as centre:
        for _ in range(2):
            async with centre.writing() as session:
                await taking.accept_exam(Act(session, Journal("centre"), world.now, "peer:registry"), content)
        async with centre.reading() as session:
            assert await store.slots(session, plan.id) == slots
            assert await store.seating(session, slots[0].id) == seating
            assert (await store.draw_terms(session, plan.id)).commitment == bytes(range(32))
            assert (await store.standing(session, ORGANISATION)).status is StandingStatus.GOOD


async def test_a_result_before_the_end_of_the_notice_is_refused_with_the_moment(world: World) -> None:
    """A notice published on 22 April blocks the upload until 30 April 00:00 in Shanghai, and names that moment."""
    plan, candidates = await _noticed(world)
    world.on("2026-04-29", hour=23)
    with pytest.raises(Refused) as refused:
        async with world.act() as act:
            await accept_result(act, result_content(plan, candidates), 1, ORGANISATION)
    assert refused.value.code == "result-before-notice-end"
    assert refused.value.facts["allowed_from"] == "2026-04-29T16:00:00+00:00"


async def test_a_late_result_is_kept_and_becomes_a_lead(world: World) -> None:
    """A result uploaded on the eighth day after the notice is stored, marked late, and noted as a lead."""
    plan, candidates = await _noticed(world)
    world.on("2026-05-07")
    async with world.act() as act:
        upload = await accept_result(act, result_content(plan, candidates), 1, ORGANISATION)
        assert upload.late
    async with world.db.reading() as session:
        assert [lead.code for lead in await registry.leads(session)] == ["result-late"]


async def test_a_second_upload_is_refused(world: World) -> None:
    """A row that was uploaded once cannot be uploaded again."""
    plan, candidates = await _noticed(world)
    world.on("2026-04-30")
    async with world.act() as act:
        await accept_result(act, result_content(plan, candidates), 1, ORGANISATION)
    with pytest.raises(Refused) as refused:
        async with world.act() as act:
            await accept_result(act, result_content(plan, candidates), 2, ORGANISATION)
    assert refused.value.code == "result-uploaded-already"


async def test_an_open_objection_holds_its_row(world: World) -> None:
    """A row with an open objection cannot be uploaded, and the rest can once that row is named as held."""
    plan, candidates = await _noticed(world)
    async with world.db.reading() as session:
        notice = await notices.notice(session, plan)
        public = await notices.public_outcomes(session, notice.id)
    async with world.act("public") as act:
        objection = await publicity.raise_objection(act, plan, public[0].id, "成绩有误", "13800000000")
    world.on("2026-04-30")
    with pytest.raises(Refused) as refused:
        async with world.act() as act:
            await accept_result(act, result_content(plan, candidates), 1, ORGANISATION)
    assert refused.value.code == "result-objection-open"
    from server.packages.contents import HeldRow, ResultContent

    part = ResultContent(
        plan=plan,
        rows=rows(candidates)[1:],
        notice_number=1,
        journal_head="head",
        held=(HeldRow(candidate=candidates[0].id, reason=objection.id),),
    )
    async with world.act() as act:
        await accept_result(act, part, 1, ORGANISATION)
        assert (await registry.counts(act.session, plan)).held == 1
        await publicity.answer_objection(act, objection.id, ObjectionEvent.DISMISS, "复查无误")
    rest = ResultContent(plan=plan, rows=rows(candidates)[:1], notice_number=1, journal_head="head")
    async with world.act() as act:
        await accept_result(act, rest, 2, ORGANISATION)
        counts = await registry.counts(act.session, plan)
    assert (counts.uploaded, counts.held, counts.gap()) == (4, 0, None)


async def test_a_notice_that_misses_a_candidate_is_refused(world: World) -> None:
    """Publishing three of four enrolled candidates is refused and the missing one is counted."""
    plan = await world.planned()
    candidates = await world.enrolled(plan.id)
    await world.packed(plan.id)
    with pytest.raises(Refused) as refused:
        async with world.act() as act:
            await publicity.accept_notice(act, notice_content(plan.id, candidates[:3]), 1, ORGANISATION)
    assert refused.value.code == "notice-incomplete"
    assert refused.value.facts["missing"] == 1


async def test_a_case_suspends_at_once_and_holds_what_is_under_way(world: World) -> None:
    """While a case is open no plan is filed, results are still taken in, numbers are held; dismissal releases."""
    plan, candidates = await _noticed(world)
    world.on("2026-04-30")
    async with world.act() as act:
        case = await case_service.open_case(act, PACK, ORGANISATION, "BJ-ordered-5", "举报泄题")
        await accept_result(act, result_content(plan, candidates), 1, ORGANISATION)
        made = await certificate_service.number_certificates(act, PACK, plan)
    assert {one.state for one in made} == {CertificateState.HELD}
    with pytest.raises(Refused) as refused:
        async with world.act() as act:
            await certificate_service.issue_certificates(act, world.identity, "市中心", plan)
    assert (refused.value.code, refused.value.article) == ("organisation-suspended", "BJ-F:4.3.2-1")
    with pytest.raises(Refused):
        await world.planned()
    async with world.act() as act:
        await case_service.decide(act, PACK, case.id, CaseEvent.DISMISS, "查无实据")
        issued = await certificate_service.issue_certificates(act, world.identity, "市中心", plan)
        assert (await store.standing(act.session, ORGANISATION)).status is StandingStatus.GOOD
    assert len(issued) == 2


async def test_an_upheld_case_terminates_and_debars(world: World) -> None:
    """Upholding before the defence has run out is refused; after it the filing ends and five years bar it."""
    async with world.act() as act:
        case = await case_service.open_case(act, PACK, ORGANISATION, "BJ-ordered-1", "材料虚假")
        found = await case_service.find(act, PACK, case.id, "属实", legal_day(world.now))
    assert str(found.defence_until) == "2026-04-02"
    with pytest.raises(Refused) as refused:
        async with world.act() as act:
            await case_service.decide(act, PACK, case.id, CaseEvent.UPHOLD, "责令终止")
    assert refused.value.code == "case-defence-still-open"
    world.on("2026-04-03")
    async with world.act() as act:
        await case_service.decide(act, PACK, case.id, CaseEvent.UPHOLD, "责令终止")
        assert (await store.standing(act.session, ORGANISATION)).status is StandingStatus.TERMINATED
    with pytest.raises(Refused) as refused:
        async with world.act() as act:
            await filing_service.apply(act, PACK, ORGANISATION, application())
    assert refused.value.facts["until"] == "2031-04-03"


async def test_the_letter_waits_for_the_notice(db: Database, tmp_path: Path) -> None:
    """A filing letter on the seventh day of the notice is refused."""
    world = World(db, Identity.open_or_create(tmp_path / "registry"))
    with pytest.raises(Refused) as refused:
        world.on("2026-03-09")
        on = world.on
        world.on = lambda *_a, **_k: on("2026-03-09", 23)  # type: ignore[method-assign]
        world.now = world.now.replace(day=2)
        await world.filed(Identity.open_or_create(tmp_path / "centre"))
    assert refused.value.code == "filing-letter-before-notice-end"


async def test_enrolment_says_why_of_each_row(world: World) -> None:
    """A wrong check digit, a repeated person and a missing commitment are each refused by their own code."""
    from dataclasses import replace

    from tests.support.registry import applicants

    plan = await world.planned()
    good = applicants(2)
    wrong = replace(
        good[1], id_number=good[1].id_number[:-1] + ("1" if good[1].id_number[-1] != "1" else "2")
    )
    async with world.act() as act:
        report = await roster_service.enrol(
            act, plan.id, [good[0], wrong, good[0], replace(good[1], committed=False), good[1]]
        )
    assert [code for _index, code in ((i, r.code) for i, r in report.refused)] == [
        "identity-number-wrong",
        "enrolment-duplicate",
        "enrolment-commitment-missing",
    ]
    assert len(report.accepted) == 2


async def test_late_plan_steps_name_the_needed_date(world: World) -> None:
    """Confirming candidates eleven days before the first exam is refused and names 8 April."""
    plan = await world.planned()
    from tests.support.registry import applicants

    world.on("2026-04-09")
    with pytest.raises(Refused) as refused:
        async with world.act() as act:
            await roster_service.enrol(act, plan.id, applicants(1))
            await roster_service.confirm_candidates(act, PACK, plan.id)
    assert (refused.value.code, refused.value.article) == ("plan-step-late", "BJ-E:12")
    assert refused.value.facts["latest"] == "2026-04-08"


async def test_a_filed_change_reaches_the_centre_as_a_correction(world: World, tmp_path: Path) -> None:
    """Asked three working days before, a change moves the slot only once filed, and a later one is refused."""
    plan = await world.planned()
    await world.enrolled(plan.id)
    await world.packed(plan.id)
    async with world.db.reading() as session:
        (slot,) = await store.slots(session, plan.id)
    later = slot.starts_at + timedelta(days=2)
    world.on("2026-04-15")
    async with world.act() as act:
        change = await change_service.ask_change(act, PACK, plan.id, slot.id, later, slot.place, "停电")
        assert (await store.slot(act.session, slot.id)).starts_at == slot.starts_at
        await change_service.file_change(act, PACK, world.identity, change.id)
        assert (await store.slot(act.session, slot.id)).starts_at == later
        made = await outgoing(act.session, plan.id)
    assert [one.kind for one in made] == ["exam", "correction"]
    world.on("2026-04-20")
    with pytest.raises(Refused) as refused:
        async with world.act() as act:
            await change_service.ask_change(
                act, PACK, plan.id, slot.id, later + timedelta(days=1), slot.place, "停电"
            )
    assert (refused.value.code, refused.value.facts["latest"]) == ("change-late", "2026-04-17")


async def test_package_needs_commitment_first(world: World) -> None:
    """A ready plan without the centre's commitment cannot be packed."""
    from server.affairs.roster_service import RoomDraft
    from tests.support.registry import STAFF

    plan = await world.planned()
    await world.enrolled(plan.id)
    world.on("2026-04-10")
    with pytest.raises(Refused) as refused:
        async with world.act() as act:
            await roster_service.import_arrangement(act, PACK, plan.id, [RoomDraft("1", "一", 30)], STAFF)
            await service.lodge_bank_root(act, ORGANISATION, bytes(32))
            await packaging.pack_exam(act, world.identity, plan.id)
    assert refused.value.code == "package-commitment-missing"
