"""A real centre is killed without warning, again and again, while candidates never stop answering."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.support.exam_centre import sitting_hall
from tests.support.measured import append_measured
from tests.support.sitters import Account, acknowledged, settle

MORE = 40
"""Answers acknowledged between two kills, at least."""
SHORT, LONG = 2, 100


async def killed(base: Path, rounds: int) -> Account:
    """Kill the centre so many times under load; return the account at the end."""
    rng = random.Random(rounds)
    async with sitting_hall(base) as (centre, _, sitters):
        for _ in range(rounds):
            await acknowledged(sitters, MORE)
            await asyncio.sleep(rng.random() * 0.2)
            await centre.kill()
            await centre.start()
        await acknowledged(sitters, MORE)
        for sitter in sitters:
            await sitter.drained()
        for sitter in sitters:
            assert (sitter.dropped, sitter.refused) == ([], [])
            assert len(sitter.ledger) == sitter.given
        await centre.kill()
        return settle(centre.data / "gongyuan.db", sitters)


async def test_kill_of_a_real_centre(tmp_path: Path) -> None:
    """After two kills of a whole centre under load no acknowledged answer is lost, changed or doubled, every
    answer given is acknowledged in the end, and all chains verify."""
    account = await killed(tmp_path, SHORT)
    assert account.acknowledged >= (SHORT + 1) * MORE
    assert account == Account(account.acknowledged, account.acknowledged, 0, 0, 0, ())


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_hundred_kills_of_a_real_centre(tmp_path: Path) -> None:
    """After a hundred kills of a whole centre under load no acknowledged answer is lost, changed or doubled."""
    account = await killed(tmp_path, LONG)
    append_measured(
        "kill -9 of a real centre under load",
        {
            "rounds": LONG,
            "acknowledged": account.acknowledged,
            "on disk": account.on_disk,
            "lost": account.lost,
            "changed": account.changed,
            "doubled": account.doubled,
            "faults of the chains": len(account.faults),
        },
    )
    assert account == Account(account.acknowledged, account.acknowledged, 0, 0, 0, ())
