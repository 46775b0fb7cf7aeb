"""Marking runs: written in chunks into a staging run, then put in the place of the standing one at once."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.delivery import late_service
from server.errors import Refusal, Refused
from server.scoring import store
from server.scoring.decision_service import Decision, voids
from server.scoring.decisions import Question, VoidPolicy, rescored
from server.scoring.facts import Mark, MarkingOutcome, Script
from server.scoring.models import MarkingRunRow, MarkRow, ScriptRow

CHUNK = 8
"""Sittings written in one transaction: 8 of 100 items stay well under the 20 ms that SQLite's write lock
may be held.
"""

Marked = tuple[Script, tuple[Mark, ...]]


@dataclass(frozen=True, slots=True)
class Made:
    """A whole marking before it is written. `base` binds what the answers are and earn by themselves."""

    marked: tuple[Marked, ...]
    digest: bytes
    base: bytes
    voids: tuple[str, ...]

    @property
    def marks(self) -> int:
        """How many marks there are."""
        return sum(len(marks) for _, marks in self.marked)

    @property
    def pending(self) -> int:
        """How many answers people have still to mark."""
        return sum(script.pending for script, _ in self.marked)


def made(
    slot: str,
    base: bytes,
    papers: Iterable[tuple[str, Sequence[Mark]]],
    decided: Sequence[Decision],
    people: Mapping[tuple[str, int], int],
) -> Made:
    """Return the marking of a slot: (paper, marks) of each sitting under the voids in force and the points
    that people gave, (sitting, number) → hundredths.
    """
    questions = tuple(one.question for one in decided if one.question is not None)
    policy = next((one.policy for one in decided), None)
    done = tuple(_applied(paper, marks, questions, policy, people) for paper, marks in papers)
    digest = marks_digest(slot, (mark for _, marks in done for mark in marks))
    return Made(done, digest, base, tuple(one.id for one in decided))


def _applied(
    paper: str,
    marks: Sequence[Mark],
    questions: tuple[Question, ...],
    policy: VoidPolicy | None,
    people: Mapping[tuple[str, int], int],
) -> Marked:
    given = {m.number: people[m.sitting, m.number] for m in marks if (m.sitting, m.number) in people}
    found = rescored(paper, marks, questions, policy, given)
    if isinstance(found, Refusal):
        raise Refused(found)
    return found


def marks_digest(slot: str, marks: Iterable[Mark]) -> bytes:
    """Return SHA-256 over the slot and every mark in order of sitting and number."""
    digest = hashlib.sha256(slot.encode())
    for mark in sorted(marks, key=lambda m: (m.sitting, m.number)):
        line = [
            mark.sitting, mark.number, mark.item, mark.version, mark.part, mark.answered, mark.earned,
            mark.points, mark.most, mark.voided,
        ]  # fmt: skip
        digest.update(json.dumps(line, separators=(",", ":")).encode())
    return digest.digest()


async def put(
    db: Database, journal: Journal, clock: Clock, actor: str, slot: str, whole: Made, cause: str
) -> MarkingOutcome:
    """Make this marking the current one; equal to the one that stands, nothing is written.

    Refuses `marks-differ` when answers or sheets give something else than at the first marking, and
    `marks-closed` after the notice. Of two that run at once the one that began last goes on: the other is refused
    as `marks-moved-on`, like one whose decisions or standing run changed meanwhile.
    """
    async with db.reading() as session:
        standing = await store.current_run(session, slot)
    if standing is not None:
        if standing.base != whole.base:
            raise Refused(Refusal("marks-differ", "BJ-E:24", {"slot": slot}))
        if standing.digest == whole.digest and json.loads(standing.voids) == list(whole.voids):
            return _outcome(standing.id, slot, whole, repeated=True)
        if standing.closed_at is not None:
            raise Refused(Refusal("marks-closed", "BJ-E:25", {"at": standing.closed_at.isoformat()}))
    run = str(uuid.uuid4())
    replaced = standing.id if standing is not None else None
    await _stage(db, clock, actor, run, slot, whole, replaced, cause)
    async with db.writing() as session:
        act = Act(session, journal, clock.legal(), actor)
        await _staging(session, slot, run)
        now_standing = await store.current_run(session, slot)
        if (now_standing.id if now_standing is not None else None) != replaced or (
            now_standing is not None and now_standing.closed_at is not None
        ):
            raise Refused(Refusal("marks-moved-on", None, {"slot": slot}))
        if tuple(one.id for one in await voids(session, slot)) != whole.voids:
            raise Refused(Refusal("marks-moved-on", None, {"slot": slot}))
        if replaced is not None:
            await session.execute(
                update(MarkingRunRow).where(MarkingRunRow.id == replaced).values(state="replaced")
            )
        await session.execute(
            update(MarkingRunRow)
            .where(MarkingRunRow.id == run)
            .values(state="current", finished_at=clock.legal())
        )
        await act.record(
            "scoring:slot:marked",
            {
                "slot": slot,
                "run": run,
                "sittings": len(whole.marked),
                "digest": whole.digest.hex(),
                "replaces": replaced,
                "cause": cause,
                "voids": list(whole.voids),
                "pending": whole.pending,
                "merged": await late_service.merged_numbers(session, slot),
            },
        )
    return _outcome(run, slot, whole, repeated=False, replaced=replaced)


def _outcome(
    run: str, slot: str, whole: Made, *, repeated: bool, replaced: str | None = None
) -> MarkingOutcome:
    return MarkingOutcome(
        run,
        slot,
        len(whole.marked),
        whole.marks,
        whole.digest.hex(),
        repeated,
        replaced,
        whole.pending,
    )


async def _stage(
    db: Database,
    clock: Clock,
    actor: str,
    run: str,
    slot: str,
    whole: Made,
    replaces: str | None,
    cause: str,
) -> None:
    """Write the marks in chunks into a staging run, in the place of one that broke off or began before."""
    async with db.writing() as session:
        await store.lock(session, slot)
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
                sittings=len(whole.marked),
                digest=whole.digest,
                base=whole.base,
                replaces=replaces,
                cause=cause,
                voids=json.dumps(list(whole.voids)),
            )
        )
    for start in range(0, len(whole.marked), CHUNK):
        chunk = whole.marked[start : start + CHUNK]
        async with db.writing() as session:
            await _staging(session, slot, run)
            await session.execute(insert(ScriptRow), [_script_row(run, script) for script, _ in chunk])
            rows = [_mark_row(run, mark) for _, marks in chunk for mark in marks]
            if rows:
                await session.execute(insert(MarkRow), rows)


async def _staging(session: AsyncSession, slot: str, run: str) -> None:
    """Take the slot's lock; refused where another marking has begun since and cleared this one away."""
    await store.lock(session, slot)
    query = select(MarkingRunRow.id).where(MarkingRunRow.id == run, MarkingRunRow.state == "staging")
    if await session.scalar(query) is None:
        raise Refused(Refusal("marks-moved-on", None, {"slot": slot}))


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
        "pending": script.pending,
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
        "part": mark.part,
        "earned": mark.earned,
        "by_people": mark.by_people,
        "voided": mark.voided,
    }
