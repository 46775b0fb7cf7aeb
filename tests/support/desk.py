"""A desk of a centre: the real application of `bank serve` over a bank with a real key and two custodians."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from litestar.testing import AsyncTestClient

from server.accounts.roles import CENTRE_ROLES
from server.app import create_desk_app
from server.db.engine import Database
from server.db.journal import Journal
from server.keys.ceremony import NewCustodian, store_custodians, wrap_new
from server.keys.openings_wire import opening_info
from server.keys.passwords import prepared_password
from server.keys.ring import KeyKind, create_key
from server.keys.sealing import hpke_seal
from server.settings import Listen, Settings
from tests.support.clock import FakeClock
from tests.support.database import act_on
from tests.support.papers import BANK, BANK_KEY, filled_bank
from tests.support.web import PASSWORD, Server

PASSPHRASES = {"chen": "perihelion-saffron-41", "sun": "quarrystone-lilac-73"}


def desk_settings(folder: Path, secure: bool = True) -> Settings:
    """Settings of the centre whose bank is worked on."""
    folder.mkdir(exist_ok=True)
    return Settings(
        role="centre", data=str(folder), name="测试考点", secure_cookies=secure, listen=Listen(port=0)
    )


@cache
def _custodians() -> tuple[NewCustodian, ...]:
    """Made once a process: each takes a third of a second."""
    return tuple(wrap_new(name, name, passphrase) for name, passphrase in PASSPHRASES.items())


async def with_bank(db: Database, clock: FakeClock) -> None:
    """Make two custodians, the bank's key among them, and the small bank under it."""
    async with act_on(db) as act:
        await store_custodians(act, _custodians())
        await create_key(act, KeyKind.BANK, BANK, BANK_KEY)
    await filled_bank(db, Journal("import"), clock)


@dataclass
class Desk(Server):
    """A running desk. `ended` counts how often the process was told to end."""

    ended: list[str] = field(default_factory=list)

    async def open(self, minutes: int = 60, opener: str = "exam_office") -> None:
        """Open the bank as two custodians do at the page."""
        browser = await self.signed_in(opener)
        asked = await browser.post("/api/desk", json={"bank": BANK, "minutes": minutes})
        assert asked.status_code == 201, asked.text
        for custodian in PASSPHRASES:
            given = await self.give(browser, asked.json(), custodian, PASSPHRASES[custodian])
            assert given.status_code == 200, given.text
        assert given.json()["state"] == "open"

    async def give(
        self, browser: httpx.AsyncClient, offer: dict[str, Any], custodian: str, passphrase: str
    ) -> httpx.Response:
        """Send one passphrase encrypted to the desk."""
        public = bytes.fromhex(offer["public_key"])
        sealed = hpke_seal(public, passphrase.encode(), opening_info(offer["id"])).hex()
        body = {"opening": offer["id"], "custodian": custodian, "sealed": sealed}
        return await browser.post("/api/desk/passphrases", json=body)


@asynccontextmanager
async def running_desk(folder: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    """Run the desk with one account for each role of a centre, named as the role; the bank is closed."""
    ended: list[str] = []
    app = create_desk_app(desk_settings(folder), clock, lambda: ended.append("ended"))
    desk = Desk(app, clock, await prepared_password(PASSWORD, "nobody"), ended=ended)
    async with AsyncTestClient(app):
        try:
            await with_bank(desk.site.db, clock)
            for role in sorted(CENTRE_ROLES):
                await desk.account(role.value, (role,))
            yield desk
        finally:
            for browser in desk.browsers:
                await browser.aclose()
