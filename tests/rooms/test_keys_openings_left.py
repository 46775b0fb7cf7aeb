"""Openings that a centre's process left behind when it ended, as the next process finds them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.roles import Role
from server.app import create_app
from server.conduct import service as conduct
from server.db.journal import JournalRecord
from server.keys import service
from server.keys.openings import OpeningEvent, OpeningKind, OpeningState
from server.keys.openings_child import locked
from server.keys.openings_left import ACTOR, LeftOpenings
from server.keys.passwords import HashedPassword
from server.settings import Settings
from tests.support.clock import FakeClock
from tests.support.database import with_tables
from tests.support.hall import BELL, HallDay
from tests.support.papers import PLAN, SLOT, START_KEY
from tests.support.web import Server, living

GONE = "开考密钥已不在；请由两名保密员重新启封"
BROKEN_OFF = "启封完成前进程已结束"


@asynccontextmanager
async def process(folder: Path, clock: FakeClock) -> AsyncIterator[Server]:
    """A serving process of the centre in this folder."""
    with_tables(folder / "gongyuan.db")
    settings = Settings(role="centre", data=str(folder), name="考点")
    server = Server(create_app(settings, clock, lambda *_words: ("false",)), clock, HashedPassword("unused"))
    async with living(server.app):
        yield server
        for browser in server.browsers:
            await browser.aclose()


async def recorded(server: Server, kind: str, *events: OpeningEvent, actor: str = "staff:chief") -> str:
    """Record an opening as a process that is gone did, up to where it came."""
    plan = PLAN if kind in ("start", "marking", "draw") else None
    async with server.site.acting(actor) as act:
        opening = await service.intend(act, OpeningKind(kind), plan, SLOT if plan else "")
        for event in events:
            await service.move(act, opening, event, outcome={"slot": SLOT} if events[-1] is event else None)
    return opening


async def states(server: Server) -> dict[str, OpeningState]:
    async with server.site.db.reading() as session:
        return {one.id: one.state for one in await service.openings(session)}


async def test_what_a_process_left_is_closed_by_the_next_and_shown_as_to_be_opened_again(
    tmp_path: Path, clock: FakeClock
) -> None:
    """The next process closes what waited and a start opening whose key is gone, names the cause in the journal, says
    so to custodians, and shows the chief a closed key; an opening whose child lives, one at a terminal and one whose
    bell was struck stay as they are."""
    folder = tmp_path / "data"
    async with process(folder, clock) as first:
        day = HallDay(first.site.db, clock, first.site.identity, first.site.journal, first.site.start_keys)
        await day.draw()
        clock.set(BELL)
        async with day.act() as act:
            await conduct.show_seals(act, SLOT, day.identity)
        await first.account("chief", (Role.CHIEF, Role.CUSTODIAN))
        waited = await recorded(first, "marking")
        started = await recorded(first, "start", OpeningEvent.UNLOCK, OpeningEvent.FINISH)
        living_child = await recorded(first, "draw", OpeningEvent.UNLOCK)
        terminal = await recorded(first, "drill", OpeningEvent.UNLOCK, actor="terminal:root")
        first.site.start_keys.put(SLOT, bytearray(START_KEY))
        before = (await (await first.signed_in("chief")).get(f"/api/hall/slots/{SLOT}")).json()
        assert before["slot"]["start_key_open"] and before["slot"]["bell"] == "ready"
    with locked(folder, "draw", SLOT):
        async with process(folder, clock) as second:
            site = second.site
            assert await states(second) == {
                waited: OpeningState.ABORTED,
                started: OpeningState.FORGOTTEN,
                living_child: OpeningState.UNSEALING,
                terminal: OpeningState.UNSEALING,
            }
            chief = await second.signed_in("chief")
            after = (await chief.get(f"/api/hall/slots/{SLOT}")).json()
            assert not after["slot"]["start_key_open"] and after["slot"]["bell"] == "locked"
            assert GONE in (await chief.get("/custody")).text
            assert GONE in (await chief.get(f"/custody/openings/{started}")).text
            assert BROKEN_OFF in (await chief.get(f"/custody/openings/{waited}")).text

            site.start_keys.put(SLOT, bytearray(START_KEY))
            again = await recorded(second, "start", OpeningEvent.UNLOCK, OpeningEvent.FINISH)
            day = HallDay(site.db, clock, site.identity, site.journal, site.start_keys)
            async with day.act() as act:
                await conduct.ring_bell(act, SLOT, (), site.start_keys, site.identity)
            assert GONE not in (await chief.get("/custody")).text
    clock.advance(hours=8)
    async with process(folder, clock) as third:
        found = await states(third)
        assert (found[again], found[living_child]) == (OpeningState.DONE, OpeningState.FAILED)
        assert found[terminal] is OpeningState.FAILED
        async with third.site.db.reading() as session:
            rows = await session.execute(
                select(JournalRecord.kind, JournalRecord.body).where(JournalRecord.actor == ACTOR)
            )
            said = {kind: "process-ended" in body for kind, body in rows}
    assert said == {
        f"keys:{kind}-opening:{state}": True
        for kind, state in (
            ("marking", "aborted"),
            ("start", "forgotten"),
            ("draw", "failed"),
            ("drill", "failed"),
        )
    }


async def test_an_opening_of_this_process_is_not_taken_for_one_left_behind(
    tmp_path: Path, clock: FakeClock
) -> None:
    """A look closes nothing that this process's own launcher began: neither what waits nor a key in its memory."""
    async with process(tmp_path / "data", clock) as server:
        own = {
            await recorded(server, "start", OpeningEvent.UNLOCK, OpeningEvent.FINISH): OpeningState.DONE,
            await recorded(server, "marking"): OpeningState.INTENDED,
        }
        site, begun_here = server.site, set(own)

        async def rung(_session: AsyncSession, _slot: str) -> bool:
            return False

        folder = site.settings.folder
        left = LeftOpenings(site.db, site.journal, clock, folder, begun_here.__contains__, rung)
        assert await left.close() == 0
        assert await states(server) == own
        begun_here.clear()
        assert await left.close() == 2
