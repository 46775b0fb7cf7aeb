"""Use cases of marking: the marking opening's child alone holds the marking key; scoring again needs none."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import groupby

from server.affairs import store as affairs
from server.clock import Clock
from server.conduct import store as conduct
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.delivery import store as delivery
from server.delivery.sitting import State
from server.errors import BadInput, Refusal, Refused, Tampered
from server.itembank.blueprint import blueprint_from_bytes
from server.keys.identity import Identity
from server.papers import draw_store
from server.papers.draw_store import SealedMarkingSheet
from server.papers.marking_sheet import MarkingEntry, MarkingSheet
from server.papers.sheet_seal import unseal_sheet
from server.protocol.paper import AnswerValue
from server.scoring import decision_service, people_store, store
from server.scoring.decisions import Question
from server.scoring.facts import Mark, MarkingOutcome
from server.scoring.marking import award
from server.scoring.people_service import empty_guides, put_answers
from server.scoring.points import points
from server.scoring.runs import made, put
from server.scoring.similarity_service import WrongAnswers, compared, keep_similar
from server.scoring.statistics_service import OptionCounts, keep_statistics

SPARE = "spare"
PEOPLE_DONE = "run-cause-people"
"""Cause of the run after the last mark of people: a code of the texts; the causes of other runs are people's
reasons."""


class _Sheets:
    """The sealed marking sheets of a slot, opened one by one."""

    def __init__(self, sealed: Sequence[SealedMarkingSheet], key: bytes | bytearray) -> None:
        self._key = key
        self._by_paper = {sheet.paper: sheet for sheet in sealed}
        self._by_sitting = {sheet.sitting: sheet for sheet in sealed if sheet.sitting != SPARE}

    def of(self, sitting: str, paper: str | None) -> MarkingSheet:
        """Open the sheet of a sitting's paper: the named spare, or the one drawn for it."""
        found = self._by_paper.get(paper) if paper else self._by_sitting.get(sitting)
        if found is None:
            raise Refused(Refusal("marking-sheet-missing", None, {"sitting": sitting}))
        return opened_sheet(found, self._key)


async def mark_slot(
    db: Database,
    journal: Journal,
    clock: Clock,
    actor: str,
    slot_id: str,
    marking_key: bytes | bytearray,
    identity: Identity,
) -> MarkingOutcome:
    """Mark every sitting of a slot that was handed in or collected, against the sheet of the paper it had,
    under the decisions in force.

    Refuses a slot that is not closed. Marking again gives the same marks: equal ones are kept and nothing
    is written; where answers or sheets were changed behind the journal it is refused as `marks-differ`.
    """
    async with db.reading() as session:
        closure = await conduct.closure(session, slot_id)
        if closure is None or closure.outcome != "closed":
            raise Refused(Refusal("slot-not-closed", "BJ-E:24", {"slot": slot_id}))
        sheets = _Sheets(await draw_store.sealed_marking_sheets(session, slot_id), marking_key)
        sittings = await delivery.sittings(session, slot_id)
        unnamed = await decision_service.places(session, slot_id)
        drawn = await draw_store.draw(session, slot_id)
    base = hashlib.sha256(slot_id.encode())
    papers: list[tuple[str, tuple[Mark, ...]]] = []
    options, wrong = OptionCounts(), WrongAnswers()
    entries: dict[Question, MarkingEntry] = {}
    for sitting in sorted(sittings, key=lambda s: s.id):
        if sitting.state not in (State.HANDED_IN, State.COLLECTED):
            continue
        sheet = sheets.of(sitting.id, sitting.paper)
        async with db.reading() as session:
            answers = await delivery.final_answers(session, sitting.id)
        marks = earned_marks(sitting.id, sheet, answers)
        papers.append((sheet.paper, marks))
        _bind(base, marks, answers)
        options.add(sheet, answers)
        wrong.add(sitting.id, sheet, marks, answers)
        entries.update(_guided(sheet, marks))
    if unnamed:
        found = [(one, _question(sheets.of(at, paper), number)) for one, at, paper, number in unnamed]
        async with db.writing() as session:
            act = Act(session, journal, clock.legal(), actor)
            await decision_service.resolve(act, [(one, q) for one, q in found if q is not None])
    async with db.reading() as session:
        decided = await decision_service.voids(session, slot_id)
        people = await people_store.settled_points(session, slot_id)
    whole = made(slot_id, base.digest(), papers, decided, people)
    outcome = await put(db, journal, clock, actor, slot_id, whole, "marking")
    if entries:
        await put_answers(db, identity, slot_id, (m for _, marks in papers for m in marks), entries)
    await keep_statistics(db, outcome, whole, options.sealed(slot_id, identity.storage_wrap))
    rows = blueprint_from_bytes(drawn.blueprint).seat_rows if drawn is not None else 0
    voided = [one.question for one in decided if one.question is not None]
    leads, pairs = compared(wrong.without(voided), sittings, rows)
    async with db.writing() as session:
        await keep_similar(Act(session, journal, clock.legal(), actor), slot_id, leads, pairs)
    return outcome


async def score_again(
    db: Database, journal: Journal, clock: Clock, actor: str, slot_id: str, cause: str
) -> MarkingOutcome:
    """Score a marked slot again under the decisions in force; the new run names the one it replaces.

    Starts from what each answer earned at the marking; needs no key and reads no sheet. Refuses a slot that
    is not marked, and one whose notice is out until its marks are reopened.
    """
    async with db.reading() as session:
        run = await store.current_run(session, slot_id)
        if run is None:
            raise Refused(Refusal("result-not-marked", "BJ-E:24"))
        paper_of = {script.sitting: script.paper for script in await store.scripts(session, slot_id)}
        marks = await store.marks(session, slot_id)
        decided = await decision_service.voids(session, slot_id)
        people = await people_store.settled_points(session, slot_id)
    by_sitting = {sitting: tuple(found) for sitting, found in groupby(marks, key=lambda m: m.sitting)}
    papers = [(paper_of[sitting], by_sitting.get(sitting, ())) for sitting in sorted(paper_of)]
    whole = await asyncio.to_thread(made, slot_id, run.base, papers, decided, people)
    outcome = await put(db, journal, clock, actor, slot_id, whole, cause)
    await keep_statistics(db, outcome, whole, {})
    return outcome


async def close_marks(act: Act, plan: str) -> None:
    """Close the marks of every slot of a plan: after the notice they change only by `reopen_marks`."""
    for slot in await affairs.slots(act.session, plan):
        await store.lock(act.session, slot.id)
        run = await store.current_run(act.session, slot.id)
        if run is not None and run.closed_at is None:
            run.closed_at = act.now
            await empty_guides(act, slot.id)
            await act.record("scoring:marks:closed", {"slot": slot.id, "run": run.id})
    await act.session.flush()


async def reopen_marks(act: Act, slot: str, reason: str) -> None:
    """Open closed marks again for a correction with its cause, such as an objection that was upheld; what
    changes needs a notice of its own.
    """
    if not reason.strip():
        raise BadInput("reason-needed")
    await store.lock(act.session, slot)
    run = await store.current_run(act.session, slot)
    if run is None or run.closed_at is None:
        raise Refused(Refusal("marks-not-closed"))
    run.closed_at = None
    await act.session.flush()
    await act.record("scoring:marks:reopened", {"slot": slot, "run": run.id, "reason": reason.strip()})


def opened_sheet(sealed: SealedMarkingSheet, marking_key: bytes | bytearray) -> MarkingSheet:
    """Unseal one marking sheet; Tampered when key, bytes or the paper named inside do not agree."""
    sheet = unseal_sheet(marking_key, sealed)
    if (sheet.paper, sheet.sitting) != (sealed.paper, sealed.sitting):
        raise Tampered("marking-sheet-swapped", paper=sealed.paper)
    return sheet


def earned_marks(sitting: str, sheet: MarkingSheet, answers: Mapping[int, AnswerValue]) -> tuple[Mark, ...]:
    """Return what one sitting's answers earn by themselves: one mark an entry of its sheet."""
    marks = []
    for entry in sheet.entries:
        earned = award(entry, answers.get(entry.number))
        marks.append(
            Mark(
                sitting=sitting,
                number=entry.number,
                item=entry.item,
                version=entry.version,
                answered=earned.answered,
                correct=earned.correct,
                points=earned.points,
                most=points(entry.score),
                part=entry.part,
                earned=None if earned.needs_people else earned.points,
                by_people=earned.needs_people,
            )
        )
    return tuple(marks)


def _guided(sheet: MarkingSheet, marks: Sequence[Mark]) -> dict[Question, MarkingEntry]:
    """Return the entries of a sheet whose answers people mark, by question."""
    waiting = {mark.number for mark in marks if mark.by_people}
    return {Question(e.item, e.version, e.part): e for e in sheet.entries if e.number in waiting}


def _question(sheet: MarkingSheet, number: int) -> Question | None:
    return next((Question(e.item, e.version, e.part) for e in sheet.entries if e.number == number), None)


def _bind(base: "hashlib._Hash", marks: Sequence[Mark], answers: Mapping[int, AnswerValue]) -> None:
    """Add one sitting to the digest of what the answers are and earn by themselves."""
    for mark in marks:
        words = list(answers.get(mark.number) or ()) if mark.by_people else None
        line = [
            mark.sitting, mark.number, mark.item, mark.version, mark.part, mark.answered, mark.earned,
            mark.most, words,
        ]  # fmt: skip
        base.update(json.dumps(line, separators=(",", ":")).encode())
