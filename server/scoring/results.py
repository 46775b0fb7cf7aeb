"""Reads of a plan's results and counts: what marking, examiners and the exam day say together."""

from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.affairs.facts import Candidate, Slot
from server.conduct import store as conduct
from server.conduct.counts import Counts, PlanCounts, SlotCounts
from server.conduct.tally import slot_counts
from server.delivery import store as delivery
from server.delivery.sitting import State
from server.errors import Refusal, Refused
from server.packages.contents import NoticeRow
from server.scoring import people_store, store
from server.scoring.facts import Entry, Form
from server.scoring.outcome import Attendance, SubjectOutcome, outcome
from server.scoring.points import as_number, points
from server.scoring.practical import EXAMINERS, practical_score


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one candidate stands in one subject; `open` says what is still missing, None when settled."""

    candidate: str
    slot: str
    outcome: SubjectOutcome
    cheated: bool
    open: Refusal | None


def has_papers(slot: Slot) -> bool:
    """Tell whether a slot is sat on drawn papers; the others are scored by examiners on a form."""
    return slot.subject == "theory"


async def subject_standings(session: AsyncSession, slot: Slot) -> dict[str, Standing]:
    """Return where each candidate of a slot stands, by candidate."""
    return await (_paper_standings if has_papers(slot) else _form_standings)(session, slot)


async def _paper_standings(session: AsyncSession, slot: Slot) -> dict[str, Standing]:
    cheated = await conduct.cheated(session, slot.id)
    totals = {script.sitting: script for script in await store.scripts(session, slot.id)}
    unapplied = await people_store.unapplied(session, slot.id)
    left = await people_store.left(session, slot.id)
    found = {}
    for sitting in await delivery.sittings(session, slot.id):
        attendance, missing = Attendance.PRESENT, unapplied
        script = totals.get(sitting.id)
        scored = script.points if script is not None and not script.pending else None
        if sitting.state is State.ABSENT:
            attendance, missing = Attendance.ABSENT, None
        elif not sitting.state.closed:
            attendance, missing = Attendance.OPEN, Refusal("result-sitting-open", "BJ-E:24")
        elif sitting.state is State.VOIDED:
            missing = None if sitting.id in cheated else Refusal("result-voided-without-finding", "BJ-E:24")
        elif script is None:
            missing = Refusal("result-not-marked", "BJ-E:24")
        elif script.pending:
            missing = Refusal("result-marks-pending", "BJ-E:24", {"pending": script.pending})
        elif left:
            missing = Refusal("result-marks-pending", "BJ-E:24", {"pending": left})
        own = SubjectOutcome(slot.subject, attendance, scored, points(slot.pass_mark))
        found[sitting.candidate] = Standing(sitting.candidate, slot.id, own, sitting.id in cheated, missing)
    return found


async def _form_standings(session: AsyncSession, slot: Slot) -> dict[str, Standing]:
    form = await store.form(session, slot.id)
    entries: dict[str, list[Entry]] = {}
    for entry in await store.entries(session, slot.id):
        entries.setdefault(entry.candidate, []).append(entry)
    found = {}
    for candidate in await affairs.candidates(session, slot.plan):
        if slot.subject in candidate.subjects:
            found[candidate.id] = _form_standing(slot, candidate, form, entries.get(candidate.id, []))
    return found


def _form_standing(slot: Slot, candidate: Candidate, form: Form | None, entries: list[Entry]) -> Standing:
    attendance, scored, missing = Attendance.OPEN, None, None
    absent = [entry.absent for entry in entries]
    if form is None:
        missing = Refusal("practical-form-missing")
    elif len(entries) < EXAMINERS:
        missing = Refusal("practical-examiner-missing", None, {"entered": len(entries), "needed": EXAMINERS})
    elif all(absent):
        attendance = Attendance.ABSENT
    elif any(absent):
        missing = Refusal("practical-examiners-differ-on-absence")
    else:
        score = practical_score(form.template, [entry.total for entry in entries])
        attendance = Attendance.PRESENT
        if isinstance(score, Refusal):
            missing = score
        else:
            scored = score
    own = SubjectOutcome(slot.subject, attendance, scored, points(slot.pass_mark))
    return Standing(candidate.id, slot.id, own, False, missing)


async def results(session: AsyncSession, plan: str) -> tuple[NoticeRow, ...]:
    """Return every candidate's result, in order of ticket.

    Refuses with the first candidate and subject that are not settled: `result-open` names the ticket and
    `why`, the code of what is missing.
    """
    by_subject: dict[str, dict[str, Standing]] = {}
    for slot in await affairs.slots(session, plan):
        by_subject.setdefault(slot.subject, {}).update(await subject_standings(session, slot))
    rows = []
    for candidate in await affairs.candidates(session, plan):
        standings = [
            _standing(by_subject.get(subject, {}), candidate, subject) for subject in candidate.subjects
        ]
        cheated = any(one.cheated for one in standings)
        open_one = next((one.open for one in standings if one.open is not None), None)
        if open_one is not None and not cheated:
            raise Refused(
                Refusal("result-open", open_one.article, {"ticket": candidate.ticket, "why": open_one.code})
            )
        scores = {
            one.outcome.subject: None if one.outcome.points is None else as_number(one.outcome.points)
            for one in standings
        }
        rows.append(
            NoticeRow(
                candidate=candidate.id,
                ticket=candidate.ticket,
                theory=scores.get("theory"),
                practical=scores.get("practical"),
                review=scores.get("review"),
                result=outcome([one.outcome for one in standings], cheated).value,
            )
        )
    return tuple(rows)


def _standing(standings: dict[str, Standing], candidate: Candidate, subject: str) -> Standing:
    found = standings.get(candidate.id)
    if found is None:
        raise Refused(
            Refusal("result-open", "BJ-E:24", {"ticket": candidate.ticket, "why": f"not-seated-{subject}"})
        )
    return found


async def counts(session: AsyncSession, plan: str) -> Counts:
    """Return the counts of every slot of a plan as they stand; what is published is counted by publicity."""
    slots = []
    for slot in await affairs.slots(session, plan):
        if has_papers(slot):
            counted = await slot_counts(session, slot.id)
            slots.append(replace(counted, scored=await store.scored(session, slot.id)))
        else:
            slots.append(await _form_counts(session, slot))
    enrolled = len(await affairs.candidates(session, plan))
    return Counts(plan, tuple(slots), PlanCounts(enrolled, None, None, None, None, None, None, None))


async def _form_counts(session: AsyncSession, slot: Slot) -> SlotCounts:
    standings = list((await _form_standings(session, slot)).values())
    attended = [one.outcome.attendance for one in standings]
    scored = sum(1 for one in standings if one.outcome.points is not None)
    begun = any(attendance is not Attendance.OPEN for attendance in attended)
    return SlotCounts(
        slot=slot.id,
        subject=slot.subject,
        enrolled=len(standings),
        present=attended.count(Attendance.PRESENT),
        absent=attended.count(Attendance.ABSENT),
        drawn=None,
        opened=None,
        returned_unopened=None,
        spare_unused=None,
        replaced=None,
        handed_in=None,
        collected=None,
        voided=None,
        scored=scored if begun else None,
        moves=0,
    )
