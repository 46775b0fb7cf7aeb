"""A rehearsal through the doors of an exam: draw, bell and marking at a centre, and a registry that takes nothing."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from server.affairs import packaging, store, taking
from server.affairs.models import OrganisationRow, PlanRow, RoomRow
from server.conduct import service as conduct
from server.db.act import Act
from server.db.journal import Journal
from server.errors import Refused, Tampered
from server.keys import ring
from server.keys.ceremony import create_custodians
from server.keys.identity import Identity
from server.keys.ring import KeyKind, Purpose
from server.packages.contents import ExamContent, NoticeContent, ResultContent
from server.packages.outbox import pack, receive
from server.packages.peers import register_peer
from server.papers import draw_service
from server.publicity import outgoing
from server.publicity import service as publicity
from server.publicity.models import NoticeRow
from server.registry import service as registry_service
from server.registry.models import ResultRow
from server.scoring import service as scoring
from tests.support.clock import FakeClock
from tests.support.database import act_on, database
from tests.support.hall import HallDay
from tests.support.papers import BANK, BANK_KEY, MARKING_KEY, PLAN, SLOT, drawn, filed_plan, filled_bank

PASSPHRASES = {"chen": "perihelion-saffron-41", "sun": "quarrystone-lilac-73"}
TWO = ("staff:one", "staff:two")


async def test_a_rehearsal_goes_the_whole_way_and_counts_nowhere(tmp_path: Path, clock: FakeClock) -> None:
    """A rehearsal plan is packed, drawn with a bank key that no live plan opens, rung, marked and sent; the registry
    refuses its notice and its result by name and keeps neither."""
    centre, authority = (Identity.open_or_create(tmp_path / name) for name in ("centre", "registry"))
    address = f"sqlite:///{tmp_path}"
    async with database(f"{address}/centre.db") as db, database(f"{address}/registry.db") as registry:
        day = HallDay(db, clock, centre)
        root = await filled_bank(db, day.journal, clock)
        async with day.act() as act:
            keys = authority.public
            await register_peer(act, "registry", "registry", keys.signing, keys.receiving, None, TWO)
            commitment = await draw_service.commit(act, centre, PLAN)
            await create_custodians(act, [(name, name, phrase) for name, phrase in PASSPHRASES.items()])
            await ring.create_key(act, KeyKind.BANK, BANK, bytearray(BANK_KEY), purpose=Purpose.REHEARSAL)

        await filed_plan(registry, Journal("registry"), authority, root)
        async with act_on(registry, clock.legal(), "staff:city") as act:
            keys = centre.public
            await register_peer(act, "centre", "centre", keys.signing, keys.receiving, None, TWO)
            await act.session.execute(
                update(PlanRow).values(purpose="rehearsal", commitment=bytes.fromhex(commitment))
            )
            await act.session.execute(update(OrganisationRow).values(centre="centre", standing_serial=1))
            for room in ("01", "02"):
                act.session.add(RoomRow(id=room, plan=PLAN, number=room, name=room, seats=6))
            await act.session.flush()
            content = await packaging.build_exam(act.session, PLAN)
            exam = (await pack(act, authority, "centre", "exam", PLAN, content)).bytes

        async with day.act("peer:registry") as act:
            taken = (await receive(act, centre, exam)).content
            assert isinstance(taken, ExamContent)
            plan = await taking.accept_exam(act, taken)
        assert plan.purpose == "rehearsal"
        async with db.reading() as session:
            key = await ring.unlock(session, KeyKind.BANK, BANK, PASSPHRASES, Purpose(plan.purpose))
            assert key == BANK_KEY
            with pytest.raises((Refused, Tampered)):
                await ring.unlock(session, KeyKind.BANK, BANK, PASSPHRASES, Purpose.LIVE)
        await drawn(db, day.journal, clock, centre)
        async with day.act() as act:
            await conduct.prepare(act, SLOT)
        await day.after_the_draw()
        await scoring.mark_slot(db, day.journal, clock, "staff:chief", SLOT, MARKING_KEY, centre)
        async with day.act("staff:office") as act:
            notice = (await outgoing.build_notice(act, centre, PLAN)).bytes

        clock.set(clock.legal() + timedelta(days=30))
        with pytest.raises(Refused) as refused:
            async with act_on(registry, clock.legal(), "peer:centre") as act:
                await _notice(act, authority, notice)
        assert (refused.value.code, refused.value.facts["plan"]) == ("plan-is-rehearsal", plan.name)
        with pytest.raises(Refused) as refused:
            async with act_on(registry, clock.legal(), "peer:centre") as act:
                result = ResultContent(plan=PLAN, rows=(), notice_number=1, journal_head="head")
                await registry_service.accept_result(act, result, 1, "centre")
        assert refused.value.code == "plan-is-rehearsal"
        async with registry.reading() as session:
            for table in (NoticeRow, ResultRow):
                assert (await session.scalars(select(table))).all() == []
            assert len(await store.candidates(session, PLAN)) == 8


async def _notice(act: Act, authority: Identity, data: bytes) -> None:
    received = await receive(act, authority, data)
    assert isinstance(received.content, NoticeContent)
    assert len(received.content.rows) == 8
    await publicity.accept_notice(act, received.content, received.number, received.sender.id)
