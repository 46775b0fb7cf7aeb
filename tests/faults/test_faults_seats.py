"""Two seats claim one candidate, and two machines hold one seat's key."""

import asyncio
import random
from pathlib import Path

from sqlalchemy import select

from kiosk.brain import Saved
from server.db.journal import verify
from server.delivery import service
from server.delivery.models import AnswerEventRow, AnswerRow
from server.delivery.store import value_of
from server.delivery.verification import verify_answers
from server.protocol import codec, exam
from server.protocol.link import CLOSE_OTHER_SOCKET
from tests.support.clock import FakeClock
from tests.support.database import database
from tests.support.delivery import ITEMS, Scene, TestKiosk, open_hall, prepare_scene, seated_kiosk

OWNER, CALM = ("1", 1), ("2", 1)
PLACES = (OWNER, ("1", 3), ("2", 3))
ROUNDS = 8


async def claim(kiosk: TestKiosk) -> str:
    """Come with the owner's numbers; return `seated` or the code of the refusal."""
    kiosk.connect()
    await kiosk.until(lambda: kiosk.last("expecting") is not None)
    await kiosk.sign_in(OWNER)
    refused = kiosk.last("refused")
    return refused.code if isinstance(refused, exam.Refused) else "seated"


async def opened(kiosk: TestKiosk) -> None:
    """Wait until the paper lies open."""
    await kiosk.until(lambda: kiosk.paper is not None)


async def settled(kiosk: TestKiosk) -> None:
    """Wait until nothing is on the way."""
    await kiosk.until(lambda: len(kiosk.brain.outbox) == 0)


async def check(scene: Scene, kiosks: list[TestKiosk]) -> None:
    """Every acknowledgement stands once on disk, the newest by (lease, seq) counts, and all chains verify."""
    told: dict[tuple[int, int], tuple[int, int]] = {}
    saved = [event.acknowledged for kiosk in kiosks for event in kiosk.events if isinstance(event, Saved)]
    for one in saved:
        said = one.number, one.receipt.number
        assert told.setdefault((one.lease, one.seq), said) == said
    sitting = scene.sittings[OWNER]
    async with scene.db.reading() as session:
        rows = (await session.scalars(select(AnswerEventRow).where(AnswerEventRow.sitting == sitting))).all()
        standing = (await session.scalars(select(AnswerRow).where(AnswerRow.sitting == sitting))).all()
    assert {(row.lease, row.seq): (row.number, row.receipt) for row in rows} == told
    newest = {row.number: value_of(row.value) for row in sorted(rows, key=lambda row: (row.lease, row.seq))}
    assert {row.number: value_of(row.value) for row in standing} == newest
    engine = scene.db.sync_engine()
    with engine.connect() as connection:
        assert verify_answers(connection).faults == ()
        assert verify(connection).faults == ()
    engine.dispose()


async def test_two_seats_claim_one_candidate(tmp_path: Path, clock: FakeClock) -> None:
    """However often a candidate is moved while two seats claim the numbers at once, the named seat alone is let in,
    the other hears a documented refusal, answers of both devices are kept once, and another seat goes on."""
    rng = random.Random(20260314)
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path)
        sitting = scene.sittings[OWNER]
        kiosks: list[TestKiosk] = []
        before: list[TestKiosk] = []
        """The machine that the candidate was moved away from; it still says what it has."""
        async with open_hall(scene) as hall:
            calm = await seated_kiosk(scene, hall, CALM)
            await scene.check_in(OWNER)
            await scene.ring()
            for number in range(ROUNDS):
                here, there = PLACES[number % 3], PLACES[(number + 1) % 3]
                right, wrong = TestKiosk(scene, hall, here), TestKiosk(scene, hall, there)
                kiosks += [right, wrong]
                claims = await asyncio.gather(*(claim(one) for one in rng.sample((right, wrong), 2)))
                assert sorted(claims) == ["seated", "sign-in-refused"]
                stolen = right.brain.seated
                assert stolen is not None and wrong.brain.seated is None and wrong.line is not None
                resume = exam.Resume(sitting=sitting, lease=stolen.lease, token=stolen.token)
                await hall.receive(wrong.line, codec.encode(resume))
                await wrong.pump()
                refused = wrong.last("refused")
                assert isinstance(refused, exam.Refused) and refused.code == "resume-refused"
                await opened(right)
                for one in (right, *before):
                    one.brain.answer(rng.randint(1, ITEMS), (rng.choice("ABCD"),), clock.monotonic())
                calm.brain.answer(number % ITEMS + 1, ("B",), clock.monotonic())
                for one in (right, calm, *before):
                    await settled(one)
                before = [right]
                right.brain.answer(rng.randint(1, ITEMS), (rng.choice("ABCD"),), clock.monotonic())
                async with scene.acting() as act:
                    await service.reseat(act, sitting, *there, "换机")
                wrong.disconnect()
                clock.advance(minutes=2)
            for one in before:
                await settled(one)
        await check(scene, kiosks)


async def test_two_machines_hold_one_key(tmp_path: Path, clock: FakeClock) -> None:
    """A copied machine takes the line from the first and not its answers: what both call by one number is kept as
    first said, and the second is told that it differs."""
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path)
        async with open_hall(scene) as hall:
            first = await seated_kiosk(scene, hall, OWNER)
            await scene.ring()
            await first.until(lambda: first.paper is not None)
            first.brain.answer(1, ("A",), clock.monotonic())
            await first.until(lambda: len(first.brain.outbox) == 0)
            seated, line = first.brain.seated, first.line
            assert seated is not None and line is not None
            copy = TestKiosk(scene, hall, OWNER)
            copy.connect()
            await copy.until(lambda: copy.last("expecting") is not None)
            assert line.close_code == CLOSE_OTHER_SOCKET
            assert copy.line is not None
            resume = exam.Resume(sitting=seated.sitting, lease=seated.lease, token=seated.token)
            await hall.receive(copy.line, codec.encode(resume))
            await copy.until(lambda: copy.brain.seated is not None)
            forged = exam.Answer(lease=seated.lease, seq=1, number=1, value=("D",))
            await hall.receive(copy.line, codec.encode(forged))
            await copy.until(lambda: copy.last("refused") is not None)
            refused = copy.last("refused")
            assert isinstance(refused, exam.Refused) and refused.code == "answer-seq-reused"
        await check(scene, [first, copy])
