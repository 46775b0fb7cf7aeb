"""Openings in real child processes: `python -m server opening …` behind the launcher."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import select

from server.db.engine import Database
from server.db.journal import Journal, JournalRecord
from server.errors import GongyuanError, NotFound, Refused, Tampered
from server.keys import ring, service
from server.keys.ceremony import store_custodians
from server.keys.identity import Identity
from server.keys.openings import OpeningFacts, OpeningKind, OpeningState
from server.keys.openings_launcher import Launcher, OpeningOffer, OpeningProgress, child_command
from server.keys.openings_wire import offer_bytes, opening_info
from server.keys.ring import create_key, unlock
from server.keys.sealing import hpke_seal, random_key
from server.keys.signing import verify
from server.keys.start_keys import StartKeys
from tests.support.clock import FakeClock
from tests.support.database import act_on, database
from tests.support.passwords import custodians

PASSPHRASES = {
    "chen": "first long passphrase",
    "sun": "second long passphrase",
    "zhou": "third long passphrase",
}
PEOPLE = (("chen", "陈保密"), ("sun", "孙保密"), ("zhou", "周保密"))
WAIT_S = 120.0


@dataclass(slots=True)
class Centre:
    """A centre's folder, database and launcher."""

    folder: Path
    db: Database
    identity: Identity
    launcher: Launcher
    start_keys: StartKeys
    ready: OpeningFacts


@pytest_asyncio.fixture
async def centre(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Centre]:
    """A centre whose openings run as child processes on its own SQLite file."""
    config = tmp_path / "centre.toml"
    config.write_text('role = "centre"\ndata = "data"\n', encoding="utf-8")
    folder = tmp_path / "data"
    folder.mkdir()
    identity = Identity.open_or_create(folder)
    ready = OpeningFacts(papers_drawn=True, planned_start=clock.legal(), seals_shown=True)
    async with database(f"sqlite:///{folder / 'gongyuan.db'}") as db:
        start_keys = StartKeys()
        launcher = Launcher(db, Journal("server"), clock, child_command(config, None), start_keys)
        yield Centre(folder, db, identity, launcher, start_keys, ready)
        await launcher.stop()


async def with_start_key(centre: Centre) -> bytearray:
    key = random_key()
    async with act_on(centre.db) as act:
        await store_custodians(
            act, await custodians([(*person, PASSPHRASES[person[0]]) for person in PEOPLE])
        )
        await create_key(act, "start", "slot-1", key)
    return key


async def begin_start(centre: Centre) -> OpeningOffer:
    return await centre.launcher.begin("start", "plan-1", "slot-1", "staff:chief", centre.ready)


async def give(centre: Centre, offer: OpeningOffer, custodian: str, passphrase: str) -> OpeningProgress:
    sealed = hpke_seal(offer.public_key, passphrase.encode(), opening_info(offer.id))
    return await centre.launcher.passphrase(offer.id, custodian, sealed)


async def refused(centre: Centre, offer: OpeningOffer, custodian: str, passphrase: str) -> str:
    with pytest.raises(GongyuanError) as caught:
        await give(centre, offer, custodian, passphrase)
    return caught.value.code


async def state(centre: Centre, opening: str) -> service.Opening:
    async with centre.db.reading() as session:
        return await service.opening(session, opening)


async def test_a_start_opening_hands_the_start_key_to_the_parent(centre: Centre) -> None:
    """Two custodians' passphrases give the slot's start key to the launcher's process, recorded with both names."""
    key = await with_start_key(centre)
    offer = await begin_start(centre)
    verify(
        centre.identity.public.signing,
        offer.signature,
        offer_bytes(offer.id, "start", "slot-1", offer.public_key),
    )
    first = await give(centre, offer, "zhou", PASSPHRASES["zhou"])
    assert (first.accepted, first.done) == (("zhou",), False)
    assert not centre.start_keys.holds("slot-1")
    await give(centre, offer, "chen", PASSPHRASES["chen"])
    progress = await centre.launcher.finished(offer.id, WAIT_S)
    assert (progress.done, progress.failed, progress.outcome) == (True, None, {"slot": "slot-1"})
    assert centre.start_keys.take("slot-1") == key
    recorded = await state(centre, offer.id)
    assert (recorded.state, recorded.custodians) == (OpeningState.DONE, ("chen", "zhou"))
    async with centre.db.reading() as session:
        kinds = (
            await session.scalars(
                select(JournalRecord.kind)
                .where(JournalRecord.kind.like("keys:start-opening:%"))
                .order_by(JournalRecord.id)
            )
        ).all()
    assert kinds == [f"keys:start-opening:{step}" for step in ("intended", "unsealing", "done")]


async def test_wrong_passphrase_and_one_custodian_alone_open_nothing(centre: Centre) -> None:
    """A wrong passphrase, an unknown name, one custodian twice and foreign ciphertext are refused with a reason each,
    and the opening goes on with the right ones."""
    key = await with_start_key(centre)
    offer = await begin_start(centre)
    assert await refused(centre, offer, "chen", PASSPHRASES["sun"]) == "passphrase-wrong"
    assert await refused(centre, offer, "nobody", "x") == "custodian-unknown"
    await give(centre, offer, "chen", PASSPHRASES["chen"])
    assert await refused(centre, offer, "chen", PASSPHRASES["chen"]) == "two-custodians-needed"
    replayed = hpke_seal(offer.public_key, PASSPHRASES["sun"].encode(), opening_info("another opening"))
    with pytest.raises(Refused, match="seal-broken"):
        await centre.launcher.passphrase(offer.id, "sun", replayed)
    assert not centre.start_keys.holds("slot-1")
    await give(centre, offer, "sun", PASSPHRASES["sun"])
    assert (await centre.launcher.finished(offer.id, WAIT_S)).done
    assert centre.start_keys.take("slot-1") == key


async def test_five_wrong_passphrases_end_the_opening(centre: Centre) -> None:
    """After the fifth wrong passphrase the opening is over, even for the right ones."""
    await with_start_key(centre)
    offer = await begin_start(centre)
    for _ in range(5):
        assert await refused(centre, offer, "chen", "wrong passphrase!") == "passphrase-wrong"
    progress = await centre.launcher.finished(offer.id, WAIT_S)
    assert progress.failed == "too-many-wrong-passphrases"
    with pytest.raises(Refused, match="too-many-wrong-passphrases"):
        await give(centre, offer, "sun", PASSPHRASES["sun"])
    recorded = await state(centre, offer.id)
    assert recorded.state is OpeningState.FAILED
    assert recorded.outcome == {"code": "too-many-wrong-passphrases", "fact_wrong": 5}


async def test_outside_its_window_no_child_is_started(centre: Centre, clock: FakeClock) -> None:
    """A start opening eleven minutes early is refused with no intention recorded."""
    clock.set(clock.legal() - timedelta(minutes=11))
    with pytest.raises(Refused, match="start-too-early"):
        await begin_start(centre)
    async with centre.db.reading() as session:
        assert await service.openings(session) == ()


async def test_a_ceremony_makes_custodians_and_a_bank_key_that_they_open(centre: Centre) -> None:
    """Three people's passphrases, given to the child alone, make custodians of whom two open the new bank key."""
    offer = await centre.launcher.begin(
        OpeningKind.CEREMONY, "", "bank-1", "staff:admin", OpeningFacts(), {"bank": "bank-1"}, PEOPLE
    )
    assert offer.people == PEOPLE
    assert await refused(centre, offer, "chen", "short") == "password-short"
    assert await refused(centre, offer, "stranger", "a fine long passphrase") == "custodian-unknown"
    await give(centre, offer, "chen", PASSPHRASES["chen"])
    assert await refused(centre, offer, "sun", PASSPHRASES["chen"]) == "same-passphrase"
    progress = await give(centre, offer, "sun", PASSPHRASES["sun"])
    assert (progress.accepted, progress.needed) == (("chen", "sun"), 3)
    await give(centre, offer, "zhou", PASSPHRASES["zhou"])
    done = await centre.launcher.finished(offer.id, WAIT_S)
    assert done.outcome is not None
    assert done.outcome["custodians"] == 3
    async with centre.db.reading() as session:
        key = await unlock(session, "bank", "bank-1", {name: PASSPHRASES[name] for name in ("sun", "zhou")})
        names = [person.username for person in await ring.custodians(session)]
    assert len(key) == 32
    assert names == ["chen", "sun", "zhou"]
    second = await centre.launcher.begin(
        OpeningKind.CEREMONY, "", "bank-2", "staff:admin", OpeningFacts(), {"bank": "bank-2"}
    )
    assert (await centre.launcher.finished(second.id, WAIT_S)).done


async def test_an_aborted_opening_is_recorded_and_forgotten_by_its_child(centre: Centre) -> None:
    """An abort ends the child, is recorded, and leaves nothing to be opened."""
    await with_start_key(centre)
    offer = await begin_start(centre)
    await give(centre, offer, "chen", PASSPHRASES["chen"])
    await centre.launcher.abort(offer.id)
    assert (await state(centre, offer.id)).state is OpeningState.ABORTED
    assert await refused(centre, offer, "sun", PASSPHRASES["sun"]) == "opening-aborted"
    with pytest.raises(NotFound):
        centre.launcher.progress("another")


async def test_a_killed_child_is_noticed(centre: Centre) -> None:
    """When the child is killed the opening is recorded as aborted and its passphrases are refused."""
    await with_start_key(centre)
    offer = await begin_start(centre)
    pid = child_pid(centre.folder)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    progress = await centre.launcher.finished(offer.id, WAIT_S)
    assert progress.failed == "opening-aborted"
    assert (await state(centre, offer.id)).state is OpeningState.ABORTED


async def test_a_child_dumps_no_core_and_its_command_line_names_no_secret(centre: Centre) -> None:
    """The child's core limit is zero, and its command line is kind and settings file alone."""
    await with_start_key(centre)
    offer = await begin_start(centre)
    await give(centre, offer, "chen", PASSPHRASES["chen"])
    pid = child_pid(centre.folder)
    core_limit, words, environment = process_facts(pid)
    assert core_limit == ["0", "0"]
    assert words[1:6] == [b"-m", b"server", b"opening", b"start", b"--config"]
    assert PASSPHRASES["chen"].encode() not in environment


async def test_two_openings_of_one_slot_do_not_run_at_once(centre: Centre) -> None:
    """While a start opening of a slot waits, a second one of the same slot is refused."""
    await with_start_key(centre)
    offer = await begin_start(centre)
    with pytest.raises(Refused, match="opening-running"):
        await begin_start(centre)
    await centre.launcher.abort(offer.id)
    again = await begin_start(centre)
    assert again.id != offer.id


async def test_an_offer_of_another_kind_does_not_pass_for_this_one(centre: Centre) -> None:
    """The centre's signature of a start offer does not cover the same key offered for a marking."""
    await with_start_key(centre)
    offer = await begin_start(centre)
    with pytest.raises(Tampered):
        verify(
            centre.identity.public.signing,
            offer.signature,
            offer_bytes(offer.id, "marking", "slot-1", offer.public_key),
        )


def process_facts(pid: int) -> tuple[list[str], list[bytes], bytes]:
    """Return a process's soft and hard core limits, its command line and its environment."""
    folder = Path(f"/proc/{pid}")
    limits = folder.joinpath("limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    return (
        core.split()[4:6],
        folder.joinpath("cmdline").read_bytes().split(b"\0"),
        folder.joinpath("environ").read_bytes(),
    )


def child_pid(folder: Path) -> int:
    """Return the process that was started by this one with this folder's settings file."""
    wanted = str(folder.parent / "centre.toml").encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if wanted in (entry / "cmdline").read_bytes().split(b"\0"):
                    return int(entry.name)
    raise AssertionError("no child is running")


async def test_stopping_the_launcher_ends_every_waiting_child(centre: Centre) -> None:
    """When the server stops, an opening that waits is recorded as aborted."""
    await with_start_key(centre)
    offer = await begin_start(centre)
    await asyncio.wait_for(centre.launcher.stop(), WAIT_S)
    assert (await state(centre, offer.id)).state is OpeningState.ABORTED
