"""Use case of marking: runs in the marking opening's child, which alone holds the marking key."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping

from sqlalchemy import delete, insert, select, update

from server.clock import Clock
from server.conduct import store as conduct
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.delivery import store as delivery
from server.delivery.sitting import State
from server.errors import Refusal, Refused, Tampered
from server.papers import draw_store
from server.papers.draw_store import SealedMarkingSheet
from server.papers.marking_sheet import MarkingSheet
from server.papers.sheet_seal import unseal_sheet
from server.protocol.paper import AnswerValue
from server.scoring import store
from server.scoring.facts import Mark, MarkingOutcome, Script
from server.scoring.marking import award
from server.scoring.models import MarkingRunRow, MarkRow, ScriptRow
from server.scoring.points import points

SPARE = "spare"
CHUNK = 8
"""Sittings written in one transaction: 8 of 100 items stay well under the 20 ms that SQLite's write lock
may be held.
"""


async def mark_slot(
    db: Database, journal: Journal, clock: Clock, actor: str, slot_id: str, marking_key: bytes | bytearray
) -> MarkingOutcome:
    """Mark every sitting of a slot that was handed in or collected, against the sheet of the paper it had.

    Refuses a slot that is not closed. Marking again gives the same marks: equal ones are kept and nothing
    is written; different ones (answers or sheets were changed behind the journal) are refused as `marks-
    differ`.
    """
    async with db.reading() as session:
        closure = await conduct.closure(session, slot_id)
        if closure is None or closure.outcome != "closed":
            raise Refused(Refusal("slot-not-closed", "BJ-E:24", {"slot": slot_id}))
        sealed = await draw_store.sealed_marking_sheets(session, slot_id)
        sittings = await delivery.sittings(session, slot_id)
        standing = await store.current_run(session, slot_id)
    by_paper = {sheet.paper: sheet for sheet in sealed}
    by_sitting = {sheet.sitting: sheet for sheet in sealed if sheet.sitting != SPARE}
    marked: list[tuple[Script, tuple[Mark, ...]]] = []
    for sitting in sorted(sittings, key=lambda s: s.id):
        if sitting.state not in (State.HANDED_IN, State.COLLECTED):
            continue
        found = by_paper.get(sitting.paper) if sitting.paper else by_sitting.get(sitting.id)
        if found is None:
            raise Refused(Refusal("marking-sheet-missing", None, {"sitting": sitting.id}))
        sheet = opened_sheet(found, marking_key)
        async with db.reading() as session:
            answers = await delivery.final_answers(session, sitting.id)
        marked.append(marked_script(sitting.id, sheet, answers))
    digest = marks_digest(slot_id, (mark for _, marks in marked for mark in marks))
    count = sum(len(marks) for _, marks in marked)
    if standing is not None:
        if standing.digest != digest:
            raise Refused(Refusal("marks-differ", "BJ-E:24", {"slot": slot_id}))
        return MarkingOutcome(standing.id, slot_id, len(marked), count, digest.hex(), True)
    run = str(uuid.uuid4())
    await _stage(db, journal, clock, actor, run, slot_id, marked, digest)
    return MarkingOutcome(run, slot_id, len(marked), count, digest.hex(), False)


def opened_sheet(sealed: SealedMarkingSheet, marking_key: bytes | bytearray) -> MarkingSheet:
    """Unseal one marking sheet; Tampered when key, bytes or the paper named inside do not agree."""
    sheet = unseal_sheet(marking_key, sealed)
    if (sheet.paper, sheet.sitting) != (sealed.paper, sealed.sitting):
        raise Tampered("marking-sheet-swapped", paper=sealed.paper)
    return sheet


def marked_script(
    sitting: str, sheet: MarkingSheet, answers: Mapping[int, AnswerValue]
) -> tuple[Script, tuple[Mark, ...]]:
    """Mark one sitting: one mark an item of its sheet, and their sum."""
    marks = []
    for entry in sheet.entries:
        earned = award(entry, answers.get(entry.number))
        marks.append(
            Mark(
                sitting,
                entry.number,
                entry.item,
                entry.version,
                earned.answered,
                earned.correct,
                earned.points,
                points(entry.score),
            )
        )
    script = Script(
        sitting=sitting,
        paper=sheet.paper,
        points=sum(mark.points for mark in marks),
        most=sum(mark.most for mark in marks),
        answered=sum(mark.answered for mark in marks),
        correct=sum(mark.correct for mark in marks),
        items=len(marks),
    )
    return script, tuple(marks)


def marks_digest(slot: str, marks: Iterable[Mark]) -> bytes:
    """Return SHA-256 over the slot and every mark in order of sitting and number."""
    digest = hashlib.sha256(slot.encode())
    for mark in sorted(marks, key=lambda m: (m.sitting, m.number)):
        line = [mark.sitting, mark.number, mark.item, mark.version, mark.answered, mark.points, mark.most]
        digest.update(json.dumps(line, separators=(",", ":")).encode())
    return digest.digest()


async def _stage(
    db: Database,
    journal: Journal,
    clock: Clock,
    actor: str,
    run: str,
    slot: str,
    marked: list[tuple[Script, tuple[Mark, ...]]],
    digest: bytes,
) -> None:
    """Write the marks in chunks into a staging run, then make it current by one update."""
    async with db.writing() as session:
        left = select(MarkingRunRow.id).where(MarkingRunRow.slot == slot, MarkingRunRow.state == "staging")
        for abandoned in (MarkRow, ScriptRow):
            await session.execute(delete(abandoned).where(abandoned.run.in_(left)))
        await session.execute(
            delete(MarkingRunRow).where(MarkingRunRow.slot == slot, MarkingRunRow.state == "staging")
        )
        session.add(
            MarkingRunRow(
                id=run,
                slot=slot,
                state="staging",
                started_at=clock.legal(),
                marked_by=actor,
                sittings=len(marked),
                digest=digest,
            )
        )
    for start in range(0, len(marked), CHUNK):
        chunk = marked[start : start + CHUNK]
        async with db.writing() as session:
            await session.execute(insert(ScriptRow), [_script_row(run, script) for script, _ in chunk])
            rows = [_mark_row(run, mark) for _, marks in chunk for mark in marks]
            if rows:
                await session.execute(insert(MarkRow), rows)
    async with db.writing() as session:
        act = Act(session, journal, clock.legal(), actor)
        await session.execute(
            update(MarkingRunRow)
            .where(MarkingRunRow.id == run)
            .values(state="current", finished_at=clock.legal())
        )
        await act.record(
            "scoring:slot:marked",
            {"slot": slot, "run": run, "sittings": len(marked), "digest": digest.hex()},
        )


def _script_row(run: str, script: Script) -> dict[str, object]:
    return {
        "run": run,
        "sitting": script.sitting,
        "paper": script.paper,
        "points": script.points,
        "most": script.most,
        "answered": script.answered,
        "correct": script.correct,
        "items": script.items,
    }


def _mark_row(run: str, mark: Mark) -> dict[str, object]:
    return {
        "run": run,
        "sitting": mark.sitting,
        "number": mark.number,
        "item": mark.item,
        "version": mark.version,
        "answered": mark.answered,
        "correct": mark.correct,
        "points": mark.points,
        "most": mark.most,
    }
