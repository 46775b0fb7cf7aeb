"""What two people do at the same moment: the later sees what the earlier did, or is told so."""

import asyncio
from pathlib import Path

import pytest
from litestar.testing import RequestFactory
from sqlalchemy.exc import IntegrityError

from server.affairs.models import OrganisationRow
from server.conduct import service as conduct
from server.db.engine import Database
from server.errors import Refused
from server.keys.identity import Identity
from server.web.problems import answer
from tests.support.clock import START, FakeClock
from tests.support.database import act_on
from tests.support.hall import BELL, HallDay
from tests.support.papers import SLOT


async def test_the_second_of_two_who_show_the_seals_is_refused(
    db: Database, tmp_path: Path, clock: FakeClock
) -> None:
    """Of two who show the seals at the same moment one is told that they were shown already."""
    day = HallDay(db, clock, Identity.open_or_create(tmp_path / "data"))
    await day.draw()
    clock.set(BELL)

    async def shown(actor: str) -> str:
        try:
            async with day.act(actor) as act:
                await conduct.show_seals(act, SLOT, day.identity)
        except Refused as refused:
            return refused.code
        return "shown"

    told = await asyncio.gather(shown("staff:chief"), shown("staff:deputy"))
    assert sorted(told) == ["seals-shown-already", "shown"]


def _organisation(name: str | None) -> OrganisationRow:
    return OrganisationRow(id="org", name=name, jurisdiction="beijing", status="filed", standing_as_of=START)


async def test_what_a_key_already_holds_is_a_conflict_and_no_fault(db: Database) -> None:
    """A row that another transaction made first is answered with 409 `changed-meanwhile` on both databases; a row
    without a value that it needs stays a fault of the server."""

    async def put(name: str | None) -> Exception:
        with pytest.raises(IntegrityError) as raised:
            async with act_on(db) as act:
                act.session.add(_organisation(name))
        return raised.value

    async with act_on(db) as act:
        act.session.add(_organisation("示例"))
    request = RequestFactory().post("/api/anything")
    second = answer(request, await put("示例"))
    assert (second.status_code, second.content["type"]) == (409, "changed-meanwhile")
    async with act_on(db) as act:
        await act.session.delete(await act.session.get_one(OrganisationRow, "org"))
    assert answer(request, await put(None)).status_code == 500
