"""Bad lines: one kiosk that never reads, and frames that are lost, doubled, reordered, cut short or noise."""

import asyncio
import random
import tomllib
from pathlib import Path

import pytest
from sqlalchemy import select
from websockets.asyncio.client import ClientConnection, connect

from kiosk.brain import Brain, Challenged
from server.db.engine import Database
from server.db.journal import verify
from server.delivery import contact_service
from server.delivery.facts import Extent
from server.delivery.models import AnswerEventRow, AnswerRow
from server.delivery.store import value_of
from server.delivery.timing import Policy
from server.delivery.verification import verify_answers
from server.protocol import codec, exam
from server.web.candidate import socket as candidate_socket
from tests.support.clock import FakeClock, RunningClock
from tests.support.database import database
from tests.support.delivery import (
    ITEMS,
    SLOT,
    Scene,
    TestKiosk,
    lost_lines,
    open_hall,
    prepare_scene,
    seated_kiosk,
)
from tests.support.delivery_server import served
from tests.support.measured import append_measured
from tests.support.sitters import Sitter, acknowledged

TEXTS = Path(__file__).resolve().parents[2] / "server" / "web" / "texts"
BIG = 900
"""Items of a paper that fills a socket's buffers soon."""
SHORT_FRAMES, LONG_FRAMES = 4_000, 1_000_000
DEAF = ("1", 1)


# One kiosk that never reads.


async def seated_by_hand(scene: Scene, socket: ClientConnection) -> exam.Seated:
    """Prove the deaf kiosk's seat, sign in, and read no further than `seated`."""
    seat = scene.seats[DEAF]
    brain = Brain(seat.id)
    while brain.seated is None:
        for event in brain.receive(await socket.recv(), 0.0):
            if isinstance(event, Challenged):
                brain.prove(seat.key.prove(event.nonce, seat.id))
            elif event == exam.Expecting(on=True):
                brain.sign_in(*scene.numbers(DEAF))
        for frame in brain.data_to_send(0.0):
            await socket.send(frame, text=True)
    return brain.seated


async def test_deaf_kiosk_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one kiosk asks without end and reads nothing, the others' answers are acknowledged and a message to
    the hall reaches them, and the deaf kiosk's line is cut off."""
    clock = RunningClock()
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path, Policy(600, 30, 15), items=BIG)
        await scene.check_in(*scene.sittings)
        await scene.ring()
        async with served(scene, clock, tmp_path) as url:
            others = [
                Sitter(url, None, scene.seats[place], scene.numbers(place), BIG)
                for place in scene.sittings
                if place != DEAF
            ]
            for other in others:
                other.start()
            await acknowledged(others, 20)
            deaf = await connect(f"{url}/ws/candidate", compression=None, ping_interval=None, max_queue=1)
            await seated_by_hand(scene, deaf)
            # From now on: a machine that is slow to seat it is not deaf yet.
            monkeypatch.setattr(candidate_socket, "SEND_WITHIN_S", 1.0)
            asking = asyncio.create_task(ask_without_end(deaf))
            async with asyncio.timeout(90):
                while not await lost_lines(db, scene.sittings[DEAF]):
                    before = [len(other.ledger) for other in others]
                    await acknowledged(others, 20)
                    assert before != [len(other.ledger) for other in others]
            async with scene.acting() as act:
                await contact_service.message(act, Extent(SLOT), "请安静")
            async with asyncio.timeout(60):
                while not all(other.notices for other in others):
                    await asyncio.sleep(0.02)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            deaf.transport.abort()
            for other in others:
                await other.drained()
                assert (other.dropped, other.refused, other.doubled) == ([], [], 0)
                assert len(other.ledger) == other.given
                await other.stop()


async def ask_without_end(socket: ClientConnection) -> None:
    """Send what the server refuses with many words, as fast as it takes it."""
    noise = '{"type":"' + "未知" * 10_000 + '"}'
    while True:
        await socket.send(noise)


# Frames that the line spoils.


async def test_spoiled_frames_change_nothing(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    """However frames between kiosk and hall are lost, doubled, reordered or cut short, each answer given ends on
    disk exactly once and the newest of each item stands."""
    scene = await prepare_scene(db, clock, tmp_path)
    rng = random.Random(20260314)
    async with open_hall(scene) as hall:
        kiosk = await seated_kiosk(scene, hall, ("1", 1))
        await scene.ring()
        await kiosk.until(lambda: kiosk.paper is not None)
        given: list[exam.Answer] = []
        for _ in range(40):
            for _ in range(rng.randint(1, 5)):
                value = (rng.choice("ABCD"),)
                given.append(kiosk.brain.answer(rng.randint(1, ITEMS), value, clock.monotonic()))
            await spoil(kiosk, rng)
            clock.advance(seconds=1.5)
        kiosk.disconnect()
        kiosk.connect()
        await kiosk.until(lambda: kiosk.brain.stage == "seated" and len(kiosk.brain.outbox) == 0)
    async with db.reading() as session:
        rows = (await session.scalars(select(AnswerEventRow))).all()
        standing = (await session.scalars(select(AnswerRow))).all()
    assert sorted((row.lease, row.seq) for row in rows) == sorted((one.lease, one.seq) for one in given)
    newest = {answer.number: answer.value for answer in sorted(given, key=lambda one: (one.lease, one.seq))}
    assert {row.number: value_of(row.value) for row in standing} == newest == kiosk.brain.answers
    engine = db.sync_engine()
    with engine.connect() as connection:
        assert verify_answers(connection).faults == ()
        assert verify(connection).faults == ()
    engine.dispose()


async def spoil(kiosk: TestKiosk, rng: random.Random) -> None:
    """Carry what the kiosk has to say over a bad line, and most of what it hears; then perhaps lose the line."""
    line = kiosk.line
    if line is None:
        kiosk.connect()
        await kiosk.until(lambda: kiosk.brain.stage == "seated")
        return
    frames = kiosk.brain.data_to_send(kiosk.scene.clock.monotonic())
    rng.shuffle(frames)
    for frame in frames:
        fate = rng.choice(("lost", "doubled", "cut", "whole", "whole"))
        if fate == "cut":
            await kiosk.hall.receive(line, frame[: rng.randrange(len(frame))])
        for _ in range({"lost": 0, "cut": 0, "doubled": 2}.get(fate, 1)):
            await kiosk.hall.receive(line, frame)
    heard = [frame for frame in line.frames if frame is not None]
    line.frames.clear()
    for frame in heard:
        if rng.random() < 0.7:
            kiosk.brain.receive(frame, kiosk.scene.clock.monotonic())
    if rng.random() < 0.5:
        kiosk.disconnect()


# Noise.


def known_codes() -> set[str]:
    """Return the codes that both languages explain."""
    found = []
    for language in ("zh", "en"):
        texts = [
            tomllib.loads(file.read_text(encoding="utf-8")) for file in (TEXTS / language).glob("*.toml")
        ]
        found.append({code for table in texts for code in table})
    return found[0] & found[1]


def mutated(frame: bytes, rng: random.Random) -> bytes | str:
    """Return a frame with some bytes changed, taken away, doubled or put in, as bytes or text."""
    data = bytearray(frame)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0 if data:
                data[at % len(data)] = rng.randrange(256)
            case 1:
                del data[at : at + rng.randint(1, 20)]
            case 2:
                data[at:at] = data[at : at + rng.randint(1, 20)]
            case _:
                data[at:at] = rng.randbytes(rng.randint(1, 6))
    return bytes(data) if rng.random() < 0.5 else data.decode("utf-8", "replace")


async def fuzzed(db: Database, clock: FakeClock, folder: Path, frames: int) -> dict[str, int]:
    """Send so many mutated frames over a seated line; return the refusals by code."""
    scene = await prepare_scene(db, clock, folder)
    rng = random.Random(frames)
    counts: dict[str, int] = {}
    async with open_hall(scene) as hall:
        kiosk, calm = await seated_kiosk(scene, hall, ("1", 1)), await seated_kiosk(scene, hall, ("2", 1))
        await scene.ring()
        await calm.until(lambda: calm.paper is not None)
        seated = calm.brain.seated
        assert seated is not None
        seeds = [
            codec.encode(message)
            for message in (
                exam.Hello(seat="s", signature="ab" * 64),
                exam.SignIn(ticket="T11", id_number="1"),
                exam.Resume(sitting=seated.sitting, lease=1, token="ab" * 32),
                exam.Opened(paper="p", items=6),
                exam.Mark(number=3, on=True),
                exam.HandIn(lease=1, seq=9, count=3, digest="ab" * 32),
                exam.Pong(n=1),
                exam.Answer(lease=2, seq=1, number=1, value=("A",)),
            )
        ]
        for n in range(frames):
            line = kiosk.line
            if line is None or line.close_code is not None:
                kiosk.disconnect()
                kiosk.connect()
                await kiosk.until(lambda: kiosk.brain.stage == "seated")
                line = kiosk.line
                assert line is not None
            await hall.receive(line, mutated(rng.choice(seeds), rng))
            while line.frames:
                told = line.frames.popleft()
                message = None if told is None else codec.to_kiosk(told)
                if isinstance(message, exam.Refused):
                    counts[message.code] = counts.get(message.code, 0) + 1
            if n % (frames // 10) == 0:
                calm.brain.answer(n * 10 // frames % ITEMS + 1, ("B",), clock.monotonic())
                await calm.until(lambda: len(calm.brain.outbox) == 0)
    return counts


async def test_noise_is_refused_with_a_reason(clock: FakeClock, tmp_path: Path) -> None:
    """Every mutated frame is taken or refused with a code that both languages explain, and another seat's answers
    are acknowledged meanwhile."""
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        counts = await fuzzed(db, clock, tmp_path, SHORT_FRAMES)
    assert counts.keys() <= known_codes()
    assert counts["message-unreadable"] > SHORT_FRAMES // 4


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_a_million_frames_of_noise(clock: FakeClock, tmp_path: Path) -> None:
    """A million mutated frames are taken or refused with a code that both languages explain."""
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        counts = await fuzzed(db, clock, tmp_path, LONG_FRAMES)
    unknown = sorted(counts.keys() - known_codes())
    refused = {f"refused `{code}`": count for code, count in sorted(counts.items())}
    append_measured("mutated frames", {"frames": LONG_FRAMES, **refused, "without a text": len(unknown)})
    assert unknown == []
