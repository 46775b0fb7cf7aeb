"""The short clip around every finding: cut from the recording without re-encoding, kept like its picture."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import av
from sqlalchemy import select, update

from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import GongyuanError
from server.proctor import recording_store
from server.proctor.evidence_store import EvidenceStore
from server.proctor.models import AnomalyRow
from server.proctor.playback import Reader, clip
from server.proctor.recording_store import Segment

BEFORE, AFTER = timedelta(seconds=10), timedelta(seconds=10)
"""What a clip shows before the finding's evidence was enough, and after."""
SETTLED = timedelta(seconds=8)
"""A recorder's newest bytes are on the disk by then."""
GIVEN_UP = timedelta(minutes=10)
"""Where nothing was recorded until then there is no clip."""
AT_ONCE = 4


class Clips:
    """Cuts the clips of one centre; `read` gives the bytes of a piece. A clip is Matroska with the caption track,
    encrypted under the hash that stands in the journal.
    """

    def __init__(self, db: Database, journal: Journal, evidence: EvidenceStore, read: Reader) -> None:
        self._db, self._journal, self._evidence, self._read = db, journal, evidence, read
        self._tried: dict[str, int] = {}
        self._turn = 0

    async def keep(self, now: datetime) -> int:
        """Cuts and keeps the clips that are due, a few at a time; returns how many were kept.

        What was not tried yet goes first, then what was tried longest ago: findings whose recording cannot be read
        keep no other waiting.
        """
        due = (
            select(AnomalyRow.key, AnomalyRow.camera, AnomalyRow.found_at)
            .where(AnomalyRow.clip_sha256.is_(None), AnomalyRow.found_at < now - AFTER - SETTLED)
            .order_by(AnomalyRow.found_at)
        )
        async with self._db.reading() as session:
            waiting = [(str(key), str(camera), found) for key, camera, found in await session.execute(due)]
        self._tried = {key: self._tried[key] for key, _, _ in waiting if key in self._tried}
        waiting.sort(key=lambda one: self._tried.get(one[0], 0))
        kept = 0
        for key, camera, found in waiting[:AT_ONCE]:
            self._turn += 1
            self._tried[key] = self._turn
            name = await self._cut(camera, found)
            if name is None and now - found < GIVEN_UP:
                continue
            async with self._db.writing() as session:
                await session.execute(
                    update(AnomalyRow).where(AnomalyRow.key == key).values(clip_sha256=name or "")
                )
                if name:
                    kept += 1
                    act = Act(session, self._journal, now, f"recorder:{camera}")
                    await act.record("proctor:evidence:clip", {"anomaly": key, "clip": name})
        return kept

    async def _cut(self, camera: str, found: datetime) -> str | None:
        """Keeps the clip around a moment; None where the recording of it cannot be read, or not yet."""
        start, end = found - BEFORE, found + AFTER
        async with self._db.reading() as session:
            segments = await recording_store.segments(session, camera, start, end)
        try:
            return await asyncio.to_thread(self._put, segments, start, end)
        except (GongyuanError, OSError, av.FFmpegError):
            return None

    def _put(self, segments: Sequence[Segment], start: datetime, end: datetime) -> str:
        return self._evidence.put(clip(segments, start, end, self._read))
