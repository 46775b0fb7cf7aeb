"""A centre whose camera workers take every processor, while candidates never stop answering."""

import asyncio
import contextlib
import os
from pathlib import Path

import cv2
import pytest

from benchmarks.drawn import BEGIN, drawn_hall
from benchmarks.measure import cpu_of
from server.proctor.detectors.yunet import MODEL
from server.proctor.proctoring import GROUP
from server.proctor.supervisor import NICENESS
from tests.support.exam_centre import sitting_hall
from tests.support.sitters import Account, acknowledged, settle

pytestmark = pytest.mark.skipif(not MODEL.is_file(), reason="the face model is not here: run make assets")
PICTURES, ANSWERS = 400, 60


def busy_cameras(folder: Path, processors: int) -> str:
    """Write a folder of pictures and return the settings of cameras that are read from it as fast as workers can, so
    many that each processor gets a worker.
    """
    folder.mkdir()
    first = folder / "0000.jpg"
    cv2.imwrite(str(first), cv2.resize(drawn_hall().picture("1", BEGIN), (640, 360)))
    for number in range(1, PICTURES):
        (folder / f"{number:04}.jpg").hardlink_to(first)
    lines = [
        f'[[cameras]]\nid = "camera-{n}"\nroom = "{n + 1}"\nkind = "folder"\nsource = "{folder}"\n'
        for n in range(GROUP * processors)
    ]
    return "".join(lines)


def workers_of(pid: int) -> list[int]:
    """Return the children of a process that run camera pictures."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        # Threads of the centre come and go while they are read.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in map(int, (task / "children").read_text(encoding="utf-8").split()):
                words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                if any(b"worker-" in word for word in words):
                    found.append(child)
    return sorted(found)


async def started(pid: int, count: int, priority: int) -> list[int]:
    """Wait until the process has so many workers of that priority; return them."""
    async with asyncio.timeout(90):
        while True:
            found = workers_of(pid)
            if [os.getpriority(os.PRIO_PROCESS, worker) for worker in found] == [priority] * count:
                return found
            await asyncio.sleep(0.05)


async def spent(pids: list[int], more_s: float) -> None:
    """Wait until each process has used so many more CPU seconds."""
    wanted = {pid: cpu_of(pid) + more_s for pid in pids}
    # A process that gives way gets one share in ten, or in seventy, beside others that are as busy.
    async with asyncio.timeout(200):
        while any(cpu_of(pid) < enough for pid, enough in wanted.items()):
            await asyncio.sleep(0.05)


@pytest.mark.timeout(600)
async def test_answers_beside_busy_cameras(tmp_path: Path) -> None:
    """Camera workers, one for each processor and each busy without a pause, are processes of their own that give way
    to the centre, and every answer given meanwhile is acknowledged, on disk and unchanged."""
    processors = os.cpu_count() or 1
    cameras = busy_cameras(tmp_path / "pictures", processors)
    async with sitting_hall(tmp_path, cameras) as (centre, _, sitters):
        behind = min(19, os.getpriority(os.PRIO_PROCESS, centre.pid) + NICENESS)
        workers = await started(centre.pid, processors, behind)
        await spent(workers, 1.5)
        await asyncio.gather(acknowledged(sitters, ANSWERS), spent(workers, 0.1))
        assert workers_of(centre.pid) == workers
        for sitter in sitters:
            await sitter.drained()
        assert [(one.dropped, one.refused, len(one.ledger)) for one in sitters] == [
            ([], [], one.given) for one in sitters
        ]
        await centre.kill()
        account = settle(centre.data / "gongyuan.db", sitters)
    assert account == Account(account.acknowledged, account.acknowledged, 0, 0, 0, ())
