"""The disk of a running centre takes no more, as when it is full."""

import asyncio
import resource
from pathlib import Path

from tests.support.exam_centre import sitting_hall
from tests.support.sitters import Account, acknowledged, settle


async def test_full_disk_refuses_and_keeps(tmp_path: Path) -> None:
    """While the centre's files can grow no further every kiosk is told that its answer was not stored, what was
    acknowledged stays, and when there is room again every answer given is kept once."""
    async with sitting_hall(tmp_path) as (centre, _, sitters):
        await acknowledged(sitters, 40)
        _, most = resource.prlimit(centre.pid, resource.RLIMIT_FSIZE)
        wal = centre.data / "gongyuan.db-wal"
        resource.prlimit(centre.pid, resource.RLIMIT_FSIZE, (min(wal.stat().st_size, 4096), most))
        async with asyncio.timeout(60):
            while not all(sitter.not_stored for sitter in sitters):
                await asyncio.sleep(0.02)
        # What was committed before the limit may still be on its way to a kiosk: all that stands is on disk.
        held = settle(centre.data / "gongyuan.db", sitters)
        assert (held.lost, held.changed, held.doubled) == (0, 0, 0)
        assert all(len(sitter.agent.brain.outbox) for sitter in sitters)
        resource.prlimit(centre.pid, resource.RLIMIT_FSIZE, (most, most))
        await acknowledged(sitters, 40)
        for sitter in sitters:
            await sitter.drained()
            assert (sitter.dropped, len(sitter.ledger)) == ([], sitter.given)
        await centre.kill()
        account = settle(centre.data / "gongyuan.db", sitters)
    assert account == Account(account.acknowledged, account.acknowledged, 0, 0, 0, ())
