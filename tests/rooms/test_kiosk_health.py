"""Health reports of machines at the centre."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest_asyncio
from msgspec.structs import replace

from kiosk.launcher import sign_report
from kiosk.vault import SeatKey
from server.accounts.roles import Role
from server.app import create_app
from server.delivery import seating
from server.delivery.health import HealthDesk, MachineHealth, machines
from server.keys.passwords import HashedPassword
from server.protocol.health import SILENT_AFTER_S, HealthReport
from server.settings import Settings
from tests.support.clock import FakeClock
from tests.support.web import Server, living


class Room:
    """A room of two seats."""

    number = "01"
    seats = 2


@pytest_asyncio.fixture
async def server(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Server]:
    """A centre without anything."""
    (tmp_path / "data").mkdir()
    settings = Settings(role="centre", data=str(tmp_path / "data"), name="考点")
    found = Server(create_app(settings, clock, lambda *_words: ("false",)), clock, HashedPassword("unused"))
    async with living(found.app):
        yield found
        for browser in found.browsers:
            await browser.aclose()


_NUMBERS = itertools.count(1)


def _report(restarts: int = 0, faults: tuple[str, ...] = ()) -> HealthReport:
    return HealthReport(
        number=next(_NUMBERS),
        programme="0.1.0",
        browser="Chromium 156",
        running=True,
        up_s=60,
        restarts=restarts,
        disk_free_mb=9000,
        clock_difference_ms=1500,
        input_method="fcitx5",
        faults=faults,
    )


async def _send(client: httpx.AsyncClient, report: HealthReport, key: SeatKey) -> httpx.Response:
    return await client.post("/api/seats/health", json=msgspec.to_builtins(sign_report(report, key)))


async def _enrol(server: Server, key: SeatKey) -> None:
    async with server.site.acting("test") as act:
        codes = await seating.issue_seat_codes(act, [Room()])
        await seating.enrol_seat(act, codes[0].code, SeatKey.generate().public, "page", key.public)


async def _stands(server: Server) -> tuple[MachineHealth, ...]:
    await server.site.health.write()
    async with server.site.db.reading() as session:
        return await machines(session)


async def test_reports_count_only_from_the_launcher_that_was_named(server: Server, clock: FakeClock) -> None:
    """Unknown keys, foreign signatures and other forms are refused; the newest report stands alone; it ends with the
    machine's enrolment, and grows silent with time."""
    client, key, other = server.stranger(), SeatKey.generate(), SeatKey.generate()
    assert (await _send(client, _report(), key)).json()["type"] == "kiosk-unknown"
    await _enrol(server, key)
    assert (await _send(client, _report(), key)).status_code == 204
    assert (await _send(client, _report(), other)).json()["type"] == "kiosk-unknown"
    signed = msgspec.to_builtins(sign_report(_report(), key))
    forged = signed | {"report": signed["report"].replace("9000", "9001")}
    assert (await client.post("/api/seats/health", json=forged)).status_code == 403
    for n in (1, 2, 3):
        assert (await _send(client, _report(restarts=n), key)).status_code == 204
    (machine,) = await _stands(server)
    assert (machine.room, machine.number, machine.report.restarts) == ("01", 1, 3)
    assert not machine.silent(clock.legal())
    clock.advance(seconds=SILENT_AFTER_S + 1)
    assert machine.silent(clock.legal())
    await _enrol(server, other)
    assert await _stands(server) == ()
    assert (await _send(client, _report(), other)).status_code == 204
    assert len(await _stands(server)) == 1


async def test_the_technician_sees_the_machines_in_trouble(server: Server) -> None:
    """A machine with a fault is named with it in words; one without is only counted."""
    client, key = server.stranger(), SeatKey.generate()
    await _enrol(server, key)
    await server.account("tech", (Role.TECHNICIAN,))
    tech = await server.signed_in("tech")
    await _send(client, _report(), key)
    page = (await tech.get("/technician")).text
    assert "1 台考试机有报告，其中 0 台需要查看" in page
    await _send(client, _report(faults=("kiosk-input-none",)), key)
    page = (await tech.get("/technician")).text
    assert "其中 1 台需要查看" in page
    assert "没有中文输入法" in page


async def test_a_recorded_report_shows_no_dead_machine_as_well(server: Server, clock: FakeClock) -> None:
    """A report that is sent again is refused with the newest number, by a process that was started since as well, and
    the machine grows silent; a launcher that goes on from that number is taken."""
    client, key = server.stranger(), SeatKey.generate()
    await _enrol(server, key)
    recorded = [msgspec.to_builtins(sign_report(_report(), key)) for _ in range(2)]
    for one in recorded:
        assert (await client.post("/api/seats/health", json=one)).status_code == 204
    await server.site.health.write()
    clock.advance(seconds=SILENT_AFTER_S + 1)
    for _ in range(2):
        for one in recorded:
            again = await client.post("/api/seats/health", json=one)
            assert (again.status_code, again.json()["type"]) == (409, "health-repeated")
        server.site.health_desk = HealthDesk(server.site.db, clock, server.site.signals)
    (machine,) = await _stands(server)
    assert machine.silent(clock.legal())
    after = replace(_report(), number=again.json()["facts"]["newest"] + 1)
    assert (await _send(client, after, key)).status_code == 204
    (machine,) = await _stands(server)
    assert not machine.silent(clock.legal())
