"""Passes of officers to a centre's cameras, at the registry."""

from pathlib import Path

import pytest
from sqlalchemy import select

from server.accounts.roles import Role
from server.accounts.service import close_account, create_account
from server.affairs.viewer_models import ViewerRow
from server.affairs.viewers import make_pass, viewers
from server.errors import Refused
from server.keys.identity import Identity
from server.keys.passwords import HashedPassword
from tests.support.database import database
from tests.support.registry import World


async def test_a_pass_is_never_written_over_by_another_officers(tmp_path: Path) -> None:
    """Two officers whose usernames agree in their first forty letters do not share a pass: the second is refused, and
    the first's stays as it was."""
    identity = Identity.open_or_create(tmp_path / "keys")
    async with database(f"sqlite:///{tmp_path / 'registry.db'}") as db:
        world = World(db, identity)
        await world.filed(Identity.open_or_create(tmp_path / "centre"))
        plan = await world.planned()
        first, second = "a" * 40 + "-zhao", "a" * 40 + "-qian"
        for password in ("one", "two"):
            async with world.act() as act:
                await make_pass(act, plan.id, first, "赵", HashedPassword(password))
        with pytest.raises(Refused, match="viewer-name-taken"):
            async with world.act() as act:
                await make_pass(act, plan.id, second, "钱", HashedPassword("three"))
        async with db.reading() as session:
            (row,) = await session.scalars(select(ViewerRow))
        assert (row.officer, row.name, row.password) == (first, "赵", "two")


async def test_a_pass_ends_with_its_officers_account(tmp_path: Path) -> None:
    """The package made after an officer's account was closed carries his pass no more."""
    identity = Identity.open_or_create(tmp_path / "keys")
    async with database(f"sqlite:///{tmp_path / 'registry.db'}") as db:
        world = World(db, identity)
        await world.filed(Identity.open_or_create(tmp_path / "centre"))
        plan = await world.planned()
        password = HashedPassword("one")
        async with world.act() as act:
            for officer in ("zhao", "qian"):
                await create_account(act, officer, officer, password, {Role.CITY_OFFICER})
                await make_pass(act, plan.id, officer, officer, password)
            await close_account(act, "zhao")
            assert [one.name for one in await viewers(act.session, plan.id)] == ["qian"]
