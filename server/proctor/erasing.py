"""Erases recordings and evidence at the end of their term; nothing is erased while something about it is open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.law.pack import Pack
from server.proctor import recording_store
from server.proctor.course import kept_until, may_erase
from server.proctor.models import AnomalyRow
from server.proctor.recording_store import Segment

Holds = Callable[[AsyncSession, str | None], Awaitable[tuple[str, ...]]]
"""What is open about a slot."""
AT_ONCE = 200
"""Pieces and findings of one call: the database is held for a moment only."""


@dataclass(frozen=True, slots=True)
class Erasable:
    """What is past its term and not held: pieces, and the hashes of pictures and clips. `held` counts what is past its
    term and held; `next_day` is the last day on which the oldest of what is kept by its term must be kept."""

    segments: tuple[Segment, ...]
    evidence: tuple[str, ...]
    held: int
    next_day: date | None

    @property
    def size(self) -> int:
        """Bytes of the pieces."""
        return sum(one.size for one in self.segments)


async def erasable(session: AsyncSession, pack: Pack, data: Path, now: datetime, holds: Holds) -> Erasable:
    """Find what may be erased at `now`, up to 200 pieces and as many pictures and clips, oldest first."""
    known: dict[str | None, tuple[str, ...]] = {}
    held, next_day = 0, None
    segments: list[Segment] = []
    for one in await recording_store.ended_before(session, now):
        until, article = kept_until(pack, one.ended_at or now)
        if one.slot not in known:
            known[one.slot] = await holds(session, one.slot)
        refusal = may_erase(until, article, known[one.slot], now)
        if may_erase(until, article, (), now) is not None:
            next_day = until
            break
        if refusal is not None:
            held += 1
        elif len(segments) < AT_ONCE:
            segments.append(one)
    evidence, kept = await _evidence(session, pack, data / "evidence", now, holds, known)
    return Erasable(tuple(segments), tuple(sorted(evidence)), held + kept, next_day)


async def erase(act: Act, pack: Pack, data: Path, found: Erasable) -> None:
    """Erase the files of what was found, and journal it.

    Files go first and the record after: a crash between leaves a row whose file is gone, which is erased again. Rows,
    hashes and chains stay: what was recorded can be told for ever, only not seen.
    """
    if not found.segments and not found.evidence:
        return
    for one in found.segments:
        (data / "recordings" / one.path).unlink(missing_ok=True)
    for name in found.evidence:
        (data / "evidence" / f"{name}.sealed").unlink(missing_ok=True)
    await recording_store.mark_erased(act.session, [one.id for one in found.segments], act.now)
    await act.record(
        "proctor:recording:erased",
        {
            "segments": [one.id for one in found.segments],
            "bytes": found.size,
            "evidence": list(found.evidence),
            "jurisdiction": pack.jurisdiction,
        },
    )


async def _evidence(
    session: AsyncSession,
    pack: Pack,
    folder: Path,
    now: datetime,
    holds: Holds,
    known: dict[str | None, tuple[str, ...]],
) -> tuple[set[str], int]:
    """The hashes of pictures and clips whose findings are past their term; one that a finding shares which is not
    stays."""
    rows = await session.execute(
        select(AnomalyRow.found_at, AnomalyRow.camera, AnomalyRow.picture_sha256, AnomalyRow.clip_sha256)
        .where(or_(AnomalyRow.picture_sha256.is_not(None), AnomalyRow.clip_sha256.is_not(None)))
        .order_by(AnomalyRow.found_at)
    )
    past: set[str] = set()
    stays: set[str] = set()
    held = 0
    for found_at, camera, picture, clip in rows:
        # Rows stay for ever: what was erased before is not found again, nor counted among the 200.
        names = {name for name in (picture, clip) if name and (folder / f"{name}.sealed").is_file()}
        if not names:
            continue
        until, article = kept_until(pack, found_at)
        if len(past) >= AT_ONCE or may_erase(until, article, (), now) is not None:
            stays |= names
            continue
        pieces = await recording_store.segments(session, camera, found_at, found_at)
        slot = pieces[0].slot if pieces else None
        if slot not in known:
            known[slot] = await holds(session, slot)
        if known[slot]:
            held, stays = held + 1, stays | names
        else:
            past |= names
    return past - stays, held
