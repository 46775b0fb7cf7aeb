"""Times of a slot that are read while they change."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from server.delivery import store
from tests.support.clock import FakeClock
from tests.support.database import database
from tests.support.delivery import SLOT, open_hall, prepare_scene


async def test_times_read_before_the_bell_are_not_kept_after_it(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read of the times that began before the bell and ends after it does not hide the bell from whoever comes
    next."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    read = store.slot_times

    async def slow(session: Any, slot: str) -> Any:
        found = await read(session, slot)
        if not begun.is_set():
            begun.set()
            await go_on.wait()
        return found

    async with database(f"sqlite:///{tmp_path / 'test.db'}") as db:
        scene = await prepare_scene(db, clock, tmp_path)
        async with open_hall(scene) as hall:
            monkeypatch.setattr(store, "slot_times", slow)
            early = asyncio.create_task(hall._following.times(SLOT))
            await begun.wait()
            await scene.ring()
            await hall.refresh_slot(SLOT)
            go_on.set()
            assert not (await early).bells
            assert set((await hall._following.times(SLOT)).bells) == {"1", "2"}
