"""The short clip around every finding: cut from the recording without re-encoding, kept like its picture."""

from __future__ import annotations

import asyncio
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

BEFORE, AFTER = timedelta(seconds=10), timedelta(seconds=10)
"""What a clip shows before the finding's evidence was enough, and after."""
SETTLED = timedelta(seconds=8)
"""A recorder's newest bytes are on the disk by then."""
GIVEN_UP = timedelta(minutes=10)
"""Where nothing was recorded until then there is no clip."""
AT_ONCE = 4


async def keep_clips(
    db: Database, journal: Journal, now: datetime, evidence: EvidenceStore, read: Reader
) -> int:
    """Cuts and keeps the clips that are due, a few at a time; returns how many were kept.

    A clip is Matroska with the caption track, encrypted under the hash that stands in the journal.
    """
    due = (
        select(AnomalyRow.key, AnomalyRow.camera, AnomalyRow.found_at)
        .where(AnomalyRow.clip_sha256.is_(None), AnomalyRow.found_at < now - AFTER - SETTLED)
        .order_by(AnomalyRow.found_at)
        .limit(AT_ONCE)
    )
    kept = 0
    async with db.reading() as session:
        waiting = [(str(key), str(camera), found) for key, camera, found in await session.execute(due)]
    for key, camera, found in waiting:
        start, end = found - BEFORE, found + AFTER
        async with db.reading() as session:
            segments = await recording_store.segments(session, camera, start, end)
        try:
            name = evidence.put(await asyncio.to_thread(clip, segments, start, end, read))
        except (GongyuanError, OSError, av.FFmpegError):
            if now - found < GIVEN_UP:
                continue
            name = ""
        async with db.writing() as session:
            await session.execute(update(AnomalyRow).where(AnomalyRow.key == key).values(clip_sha256=name))
            if name:
                kept += 1
                act = Act(session, journal, now, f"recorder:{camera}")
                await act.record("proctor:evidence:clip", {"anomaly": key, "clip": name})
    return kept
