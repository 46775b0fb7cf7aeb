"""Corrections of candidates' data on the registry and at the centre, through the use cases themselves."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from server.accounts.roles import Role
from server.affairs import packaging, roster_service, store, taking
from server.affairs.correction_store import corrections, standing
from server.affairs.corrections import POSSIBLE, Approver, Correction, Field, Period, PeriodRule
from server.affairs.enrolment import EnrolmentEvent
from server.delivery.correction_service import follow_corrections
from server.delivery.models import SittingRow
from server.delivery.service import credential, prepare
from server.errors import Refused
from server.keys.identity import Identity
from server.packages.contents import CorrectionContent, ExamContent
from server.packages.outbox import outgoing, outgoing_bytes, receive
from server.packages.peers import register_peer
from server.registry import certificate_service, correction_service, service
from server.registry.certificate_form import verified
from server.registry.correction_service import Asked
from server.registry.models import FormerDocumentRow
from server.registry.store import certificate_row, results
from tests.support.clock import START, FakeClock
from tests.support.database import act_on, database
from tests.support.registry import ORGANISATION, PACK, World, applicants, identity_number, result_content
from tests.support.web import running

PROOF = hashlib.sha256(b"a scanned document").digest()
RULES = {
    period: PeriodRule(
        POSSIBLE[period],
        "考生本人",
        "身份证原件",
        Approver.AUTHORITY if period is Period.DURING else Approver.ORGANISATION,
    )
    for period in Period
}
TEXT = "考前、考中、考后发现考生信息有误的，按本办法办理。"


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A registry on SQLite with a filed organisation that has recorded its procedure."""
    identity = Identity.open_or_create(tmp_path / "registry-keys")
    async with database(f"sqlite:///{tmp_path / 'registry.db'}") as db:
        made = World(db, identity)
        centre = Identity.open_or_create(tmp_path / "centre-keys")
        await made.filed(centre)
        async with made.act("staff:zhang") as act:
            await correction_service.record_procedure(act, ORGANISATION, TEXT, dict(RULES))
        yield made


def wish(candidate: str, field: Field, value: str) -> Asked:
    return Asked(candidate, field, value, "录入有误", "身份证扫描件", PROOF)


async def corrected(
    world: World,
    plan: str,
    asked: Asked,
    *,
    authority: bool = False,
    people: tuple[str, str] = ("zhang", "wang"),
) -> Correction:
    """Ask as one person and approve as another."""
    async with world.act(f"staff:{people[0]}") as act:
        made = await correction_service.ask(act, plan, asked, authority)
    async with world.act(f"staff:{people[1]}") as act:
        return await correction_service.approve(act, world.identity, "市中心", made.id, authority)


async def refused(work: Any) -> str:
    with pytest.raises(Refused) as caught:
        await work
    return caught.value.code


async def test_a_correction_is_a_fact_that_names_the_one_before(world: World) -> None:
    """Two corrections of a name stand side by side with what each replaced, the procedure's version and its hash."""
    plan = await world.planned()
    people = await world.enrolled(plan.id)
    first = await corrected(world, plan.id, wish(people[0].id, Field.NAME, "张叁"))
    second = await corrected(world, plan.id, wish(people[0].id, Field.NAME, "张参"))
    assert [first.before, first.after, second.before, second.after] == [
        people[0].name,
        "张叁",
        "张叁",
        "张参",
    ]
    assert (first.corrects, second.corrects) == (None, first.id)
    assert (first.procedure, first.procedure_sha256) == (1, hashlib.sha256(TEXT.encode()).digest())
    async with world.db.reading() as session:
        assert (await store.candidate(session, people[0].id)).name == "张参"
        assert {one.id for one in await corrections(session, plan.id)} == {first.id, second.id}


async def test_what_the_procedure_and_the_enrolment_refuse(world: World) -> None:
    """One person cannot ask and approve; a number that is unsound or another's, and a subject of a seated candidate,
    are refused; a wish overtaken by another correction is not approved."""
    plan = await world.planned()
    people = await world.enrolled(plan.id)
    one, other = people[0], people[1]
    async with world.act("staff:zhang") as act:
        ask = correction_service.ask
        for field, value, code in (
            (Field.ID_NUMBER, "110101199001011234", "identity-number-wrong"),
            (Field.ID_NUMBER, other.id_number, "enrolment-duplicate"),
            (Field.TICKET, other.ticket, "correction-ticket-taken"),
            (Field.PHOTO, "face.jpg", "correction-photo-form"),
            (Field.SUBJECTS, "swimming", "enrolment-subject-not-in-plan"),
        ):
            assert await refused(ask(act, plan.id, wish(one.id, field, value), by_authority=False)) == code
        made = await ask(act, plan.id, wish(one.id, Field.NAME, "李四"), by_authority=False)
        approve = correction_service.approve
        same = approve(act, world.identity, "市中心", made.id, by_authority=False)
        assert await refused(same) == "correction-same-person"
    await corrected(world, plan.id, wish(one.id, Field.NAME, "王五"))
    async with world.act("staff:wang") as act:
        late = approve(act, world.identity, "市中心", made.id, by_authority=False)
        assert await refused(late) == "correction-overtaken"
    await world.packed(plan.id)
    async with world.act("staff:zhang") as act:
        seated = ask(act, plan.id, wish(one.id, Field.SUBJECTS, "theory,practical"), by_authority=False)
        assert await refused(seated) in ("correction-subject-seated", "enrolment-subject-not-in-plan")


async def test_a_correction_reaches_a_prepared_hall(world: World, tmp_path: Path) -> None:
    """After the package a corrected number goes to the centre as a correction package with its evidence, and a
    prepared sitting opens with the new number only."""
    plan = await world.planned()
    people = await world.enrolled(plan.id)
    exam = await world.packed(plan.id)
    one, new = people[0], identity_number(77)
    made = await corrected(world, plan.id, wish(one.id, Field.ID_NUMBER, new))
    async with world.db.reading() as session:
        (sent,) = [found for found in await outgoing(session, plan.id) if found.kind == "correction"]
        data = await outgoing_bytes(session, sent.id)
    centre, keys = Identity.open_or_create(tmp_path / "centre-keys"), world.identity.public
    async with database(f"sqlite:///{tmp_path / 'centre.db'}") as db:
        async with act_on(db, world.now) as act:
            await register_peer(act, "registry", "registry", keys.signing, keys.receiving, None, ("a", "b"))
            first = (await receive(act, centre, exam)).content
            assert isinstance(first, ExamContent)
            await taking.accept_exam(act, first)
            (slot,) = await store.slots(act.session, plan.id)
            await prepare(act, slot.id)
        async with act_on(db, world.now) as act:
            content = (await receive(act, centre, data)).content
            assert isinstance(content, CorrectionContent)
            await packaging.accept_correction(act, content)
            assert await follow_corrections(act, plan.id) == 1
        async with db.reading() as session:
            (sitting,) = await session.scalars(select(SittingRow).where(SittingRow.candidate == one.id))
            assert sitting.credential == credential(sitting.id, one.ticket, new)
            (kept,) = (await standing(session, plan.id))[one.id]
            assert replace(kept, answer="") == made
            assert (kept.before, kept.evidence_sha256) == (one.id_number, PROOF)


async def test_numbers_that_were_mixed_up_reach_the_centre_in_one_package(
    world: World, tmp_path: Path
) -> None:
    """Two candidates who were enrolled under each other's ticket and identity number have their own at the centre,
    though it takes in the last of the six correction packages alone."""
    plan = await world.planned()
    one, other, *_ = await world.enrolled(plan.id)
    exam = await world.packed(plan.id)
    for person, field, value in (
        (one, Field.TICKET, "MIXED1"),
        (other, Field.TICKET, one.ticket),
        (one, Field.TICKET, other.ticket),
        (one, Field.ID_NUMBER, identity_number(77)),
        (other, Field.ID_NUMBER, one.id_number),
        (one, Field.ID_NUMBER, other.id_number),
    ):
        await corrected(world, plan.id, wish(person.id, field, value))
    async with world.db.reading() as session:
        *_, sent = [found for found in await outgoing(session, plan.id) if found.kind == "correction"]
        data = await outgoing_bytes(session, sent.id)
    centre, keys = Identity.open_or_create(tmp_path / "centre-keys"), world.identity.public
    async with database(f"sqlite:///{tmp_path / 'centre.db'}") as db:
        for package in (exam, data):
            async with act_on(db, world.now) as act:
                if package is exam:
                    parts = (keys.signing, keys.receiving, None, ("a", "b"))
                    await register_peer(act, "registry", "registry", *parts)
                content = (await receive(act, centre, package)).content
                if isinstance(content, CorrectionContent):
                    await packaging.accept_correction(act, content)
                else:
                    assert isinstance(content, ExamContent)
                    await taking.accept_exam(act, content)
        async with db.reading() as session:
            for person, has in ((one, other), (other, one)):
                found = await store.candidate(session, person.id)
                assert (found.ticket, found.id_number) == (has.ticket, has.id_number)


async def test_a_number_of_somebody_who_withdrew_is_still_taken(world: World) -> None:
    """A correction to the ticket or identity number of a candidate who withdrew is refused when it is asked for, and
    an enrolment goes on behind a ticket that a correction has taken."""
    plan = await world.planned()
    async with world.act() as act:
        one, gone, last = (await roster_service.enrol(act, plan.id, applicants(3))).accepted
        await roster_service.change_enrolment(act, gone.id, EnrolmentEvent.WITHDRAW, "ill")
    async with world.act("staff:zhang") as act:
        for field, value, code in (
            (Field.TICKET, gone.ticket, "correction-ticket-taken"),
            (Field.ID_NUMBER, gone.id_number, "enrolment-duplicate"),
        ):
            ask = correction_service.ask(act, plan.id, wish(one.id, field, value), by_authority=False)
            assert await refused(ask) == code
        subjects = ", ".join([*one.subjects, *one.subjects])
        same = correction_service.ask(
            act, plan.id, wish(one.id, Field.SUBJECTS, subjects), by_authority=False
        )
        assert await refused(same) == "correction-changes-nothing"
    following = f"{last.ticket[:-5]}{int(last.ticket[-5:]) + 1:05d}"
    await corrected(world, plan.id, wish(one.id, Field.TICKET, following))
    async with world.act() as act:
        report = await roster_service.enrol(act, plan.id, applicants(5)[4:])
    (late,) = report.accepted
    assert late.ticket == f"{last.ticket[:-5]}{int(last.ticket[-5:]) + 2:05d}"


async def test_during_the_exam_the_other_side_approves_when_the_procedure_says_so(world: World) -> None:
    """A name corrected between the bell and the end of the plan waits for the authority, not for a colleague."""
    plan = await world.planned()
    people = await world.enrolled(plan.id)
    await world.packed(plan.id)
    world.on("2026-04-20", hour=9)
    async with world.act("staff:zhang") as act:
        asked = wish(people[0].id, Field.NAME, "张叁")
        made = await correction_service.ask(act, plan.id, asked, by_authority=False)
    assert made.period is Period.DURING
    async with world.act("staff:wang") as act:
        colleague = correction_service.approve(act, world.identity, "市中心", made.id, by_authority=False)
        assert await refused(colleague) == "correction-other-approver"
    async with world.act("staff:city") as act:
        await correction_service.approve(act, world.identity, "市中心", made.id, by_authority=True)


async def test_after_the_upload_only_the_authority_corrects_and_the_certificate_follows(world: World) -> None:
    """The organisation is refused; two officers correct a name and a score, the certificate keeps its number and is
    signed anew naming the former form, which is kept; a pass cannot be taken away under a valid certificate."""
    plan = await world.planned()
    people = await world.enrolled(plan.id)
    await world.packed(plan.id)
    await world.noticed(plan.id, people)
    world.on("2026-04-30")
    async with world.act() as act:
        await service.accept_result(act, result_content(plan.id, people), 1, ORGANISATION)
        (first, *_) = await certificate_service.number_certificates(act, PACK, plan.id)
        await certificate_service.issue_certificates(act, world.identity, "市中心", plan.id)
        former = (await certificate_row(act.session, first.number)).document
    holder = first.candidate
    async with world.act("staff:zhang") as act:
        own = correction_service.ask(act, plan.id, wish(holder, Field.NAME, "张叁"), by_authority=False)
        assert await refused(own) == "correction-after-upload"
    officers = ("li", "zhao")
    name = await corrected(world, plan.id, wish(holder, Field.NAME, "张叁"), authority=True, people=officers)
    score = json.dumps({"result": "pass", "theory": 91})
    await corrected(world, plan.id, wish(holder, Field.RESULT, score), authority=True, people=officers)
    failed = json.dumps({"result": "fail", "theory": 10})
    async with world.act("staff:li") as act:
        taken = correction_service.ask(act, plan.id, wish(holder, Field.RESULT, failed), by_authority=True)
        assert await refused(taken) == "correction-revoke-first"
    async with world.db.reading() as session:
        row = await certificate_row(session, first.number)
        kept = await session.get(FormerDocumentRow, name.id)
        uploaded = {one.candidate: one for one in await results(session, plan.id)}
    assert kept is not None
    assert (kept.document, kept.sha256) == (former, hashlib.sha256(former.encode()).hexdigest())
    shown = verified(row.document.encode(), world.identity.signing.public)
    assert (shown["number"], shown["name"], shown["scores"]) == (first.number, "张叁", {"theory": 91.0})
    assert shown["corrects"] not in ("", kept.sha256)
    assert uploaded[holder].theory == 91


async def test_the_pages_of_the_procedure_and_of_a_correction(tmp_path: Path) -> None:
    """An organisation's page records the procedure; one account asks with the file of the proof, whose hash is kept,
    the same account cannot approve from the page and another can; the city's inbox names what waits for it."""
    clock = FakeClock(START)
    async with running("registry", tmp_path / "data", clock) as server:
        world = World(server.site.db, server.site.identity)
        await world.filed(Identity.open_or_create(tmp_path / "centre"))
        plan = await world.planned()
        people = await world.enrolled(plan.id)
        clock.set(world.now)
        for username in ("zhang", "wang"):
            await server.account(username, (Role.ORGANISATION,), ORGANISATION)
        zhang, wang = await server.signed_in("zhang"), await server.signed_in("wang")
        city = await server.signed_in("city_officer")
        form = {"text": TEXT}
        for period in Period:
            form |= {f"{period}-{one}": "on" for one in POSSIBLE[period]}
            form |= {f"{period}-asker": "考生本人", f"{period}-proof": "身份证原件"}
        form["before-approver"] = "authority"
        for version in (1, 2):
            assert (await zhang.post("/organisation/procedure", data=form)).status_code == 303
            (newest, *_) = (await wang.get("/api/procedures")).json()
            assert (newest["version"], newest["text"]) == (version, TEXT)
            form["before-approver"] = "organisation" if version == 2 else "authority"
        address = f"/organisation/plans/{plan.id}/corrections"
        wanted = {
            "ticket": people[0].ticket,
            "field": "name",
            "value": "张叁",
            "reason": "录入",
            "evidence": "扫描件",
        }
        nothing = await zhang.post(address, data=wanted)
        assert nothing.json()["type"] == "correction-proof-missing"
        answer = await zhang.post(address, data=wanted, files={"file": ("a.pdf", b"a scanned document")})
        assert answer.status_code == 303
        (made,) = (await wang.get(f"/api/plans/{plan.id}/corrections")).json()
        assert (made["evidence_sha256"], made["state"]) == (PROOF.hex(), "asked")
        approve = f"/organisation/corrections/{made['id']}/approve"
        assert "须由另一人批准" in (await zhang.get(address)).text
        assert (await zhang.post(approve)).json()["type"] == "correction-same-person"
        assert (await wang.post(approve)).json()["type"] == "correction-other-approver"
        assert address in (await city.get("/regulator")).text
        assert (await city.post(approve)).status_code == 303
        assert "张叁" in (await wang.get(address)).text
