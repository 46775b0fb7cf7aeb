"""Spare papers in the live hall: another paper at the same seat, answers of the one before never on it."""

from pathlib import Path

import pytest

from server.db.engine import Database
from server.delivery import replacing, store
from server.delivery.replacing import replace_paper
from server.errors import Refused
from server.protocol import exam
from tests.support.clock import FakeClock
from tests.support.delivery import SLOT, open_hall, prepare_scene, sealed_row, seated_kiosk

PLACE = ("1", 1)


async def test_a_spare_paper_opens_at_once_and_starts_empty(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    """The device goes on with the spare under a new lease; answers on the paper before stand for nothing."""
    scene = await prepare_scene(db, clock, tmp_path)
    async with scene.acting() as act:
        spare = sealed_row("set-1", "spare", "1", 9)
        act.session.add(spare)
    sitting = scene.sittings[PLACE]
    async with open_hall(scene) as hall:
        kiosk = await seated_kiosk(scene, hall, PLACE)
        await scene.ring()
        await kiosk.until(lambda: kiosk.paper is not None)
        assert kiosk.paper is not None
        first = kiosk.paper.id
        kiosk.brain.answer(1, ("A",), clock.monotonic())
        kiosk.brain.answer(2, ("B",), clock.monotonic())
        await kiosk.until(lambda: not len(kiosk.brain.outbox))
        async with scene.acting() as act:
            given = await replace_paper(act, sitting, "page damaged")
        await kiosk.until(lambda: kiosk.paper is not None and kiosk.paper.id == spare.id)
        seated = kiosk.last("seated")
        assert isinstance(seated, exam.Seated)
        assert (seated.paper, seated.answers, seated.lease) == (spare.id, (), given.lease)
        assert kiosk.brain.answers == {}
        kiosk.brain.answer(2, ("D",), clock.monotonic())
        await kiosk.until(lambda: not len(kiosk.brain.outbox))
        async with db.reading() as session:
            assert await store.final_answers(session, sitting) == {2: ("D",)}
            assert [(r.before, r.spare) for r in await replacing.replacements(session, SLOT)] == [
                (first, spare.id)
            ]
        kiosk.disconnect()
        kiosk.connect()
        await kiosk.until(lambda: kiosk.brain.stage == "seated")
        assert kiosk.brain.answers == {2: ("D",)}
        async with scene.acting() as act:
            with pytest.raises(Refused, match="spare-none"):
                await replace_paper(act, sitting, "again")
