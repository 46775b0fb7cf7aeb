"""An organisation lodges its bank's root at the registry's page."""

from pathlib import Path

from server.accounts.roles import Role
from server.affairs import store
from server.keys.identity import Identity
from tests.support.clock import FakeClock
from tests.support.registry import ORGANISATION, World
from tests.support.web import running


async def test_a_root_is_lodged_by_its_organisation_and_by_no_other(tmp_path: Path, clock: FakeClock) -> None:
    """The page takes 64 hexadecimal characters however they are parted, refuses all else, and shows what is lodged."""
    async with running("registry", tmp_path / "data", clock) as server:
        await World(server.site.db, server.site.identity).filed(Identity.open_or_create(tmp_path / "centre"))
        await server.account("own", (Role.ORGANISATION,), ORGANISATION)
        browser = await server.signed_in("own")
        root = "0123456789abcdef" * 4
        for wrong in ("", root[:-1], root + "0", "g" * 64):
            answer = await browser.post("/organisation/bank-root", data={"root": wrong})
            assert answer.json()["type"] == "bank-root-form"
        typed = " ".join((root[:32].upper(), root[32:]))
        assert (await browser.post("/organisation/bank-root", data={"root": typed})).status_code == 303
        assert root in (await browser.get("/organisation")).text
        stranger = await server.signed_in("organisation")
        await stranger.post("/organisation/bank-root", data={"root": "ab" * 32})
        async with server.site.db.reading() as session:
            assert await store.lodged_bank_root(session, ORGANISATION) == bytes.fromhex(root)
