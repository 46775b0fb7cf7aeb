"""Use cases of marking by people: answers and guides come out of the marking opening, marks come in one by one."""

import json
from base64 import b32encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.db.act import Act
from server.db.engine import Database
from server.delivery import store as delivery
from server.errors import BadInput, NotFound, Refusal, Refused, required
from server.keys.identity import Identity
from server.keys.sealing import hmac_sha256
from server.law.citing import cites
from server.papers.marking_sheet import MarkingEntry, RubricPoint
from server.scoring import people_store, store
from server.scoring.decisions import Question
from server.scoring.facts import Mark
from server.scoring.people import (
    DEFAULT_SPREAD,
    AnswerState,
    Verdict,
    allowed_spread,
    grade_fault,
    points_fault,
    verdict,
)
from server.scoring.people_models import GradeRow, GuideRow, MarkerRow, WrittenRow
from server.scoring.people_store import Marker, Written

CHUNK = 200


class Guide(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a marker needs for one question; sanitised HTML, scores in points."""

    stem: str
    material: str
    model: str
    rubric: tuple[RubricPoint, ...]


_guide = msgspec.json.Decoder(Guide)


@dataclass(frozen=True, slots=True)
class AnswerToMark:
    """One answer as its marker sees it: a code, the words, and what it may earn. It names nobody."""

    code: str
    text: str
    most: int


def code_of(identity: Identity, slot: str, sitting: str, number: int, draw: int = 0) -> str:
    """Return the code of an answer: 12 base32 characters (60 bits) that only this node can tell from the place.
    `draw` counts on from 0 while the code belongs to another answer.
    """
    secret = bytes.fromhex(identity.secret_for("marking-codes"))
    tag = hmac_sha256(secret, json.dumps([slot, sitting, number, draw]).encode())
    return b32encode(tag).decode()[:12]


async def put_answers(
    db: Database,
    identity: Identity,
    slot: str,
    marks: Iterable[Mark],
    entries: Mapping[Question, MarkingEntry],
) -> None:
    """Put the answers in words of a marked slot before the markers, with their guides; safe to repeat, and nothing
    is put there while the marks are closed."""
    wanted = [mark for mark in marks if mark.by_people]
    async with db.writing() as session:
        await store.lock(session, slot)
        run = await store.current_run(session, slot)
        if run is None or run.closed_at is not None:
            return
        for question, entry in entries.items():
            guide = Guide(entry.stem, entry.material, entry.model, entry.rubric)
            sealed = identity.storage_wrap(msgspec.json.encode(guide), _aad(slot, question))
            row = await session.get(GuideRow, (slot, question.item, question.version, question.part))
            if row is not None:
                row.sealed = sealed
                continue
            most = next(
                mark.most for mark in wanted if Question(mark.item, mark.version, mark.part) == question
            )
            session.add(
                GuideRow(
                    slot=slot,
                    item=question.item,
                    version=question.version,
                    part=question.part,
                    most=most,
                    spread=allowed_spread(most, DEFAULT_SPREAD),
                    sealed=sealed,
                )
            )
    for start in range(0, len(wanted), CHUNK):
        async with db.writing() as session:
            for mark in wanted[start : start + CHUNK]:
                if await people_store.written_at(session, slot, mark.sitting, mark.number) is not None:
                    continue
                code = await _free_code(session, identity, slot, mark)
                session.add(
                    WrittenRow(
                        code=code,
                        slot=slot,
                        sitting=mark.sitting,
                        number=mark.number,
                        item=mark.item,
                        version=mark.version,
                        part=mark.part,
                        most=mark.most,
                        state=AnswerState.OPEN.value,
                        points=None,
                    )
                )


@cites("BJ-E:24")
async def assign(
    act: Act, slot: str, marker: str, *, arbiter: bool = False, recused_tickets: Sequence[str] = ()
) -> None:
    """Assign a marker or arbiter to a slot, recused from the candidates named by their tickets.

    Again for the same person: the newer assignment stands, and the marks that the person gave to candidates from whom
    he is now recused count no more: those answers go to somebody else. NotFound for a ticket that the slot does not
    hold; refused `marks-closed` where such marks are published.
    """
    await store.lock(act.session, slot)
    await affairs.slot(act.session, slot)
    by_ticket = {one.ticket: one.id for one in await delivery.sittings(act.session, slot)}
    unknown = next((ticket for ticket in recused_tickets if ticket not in by_ticket), None)
    if unknown is not None:
        raise NotFound("ticket-unknown", ticket=unknown)
    recused = sorted(by_ticket[ticket] for ticket in recused_tickets)
    await act.session.merge(
        MarkerRow(
            slot=slot,
            marker=marker,
            arbiter=arbiter,
            recused=json.dumps(recused),
            assigned_at=act.now,
            assigned_by=act.actor,
            ended_at=None,
        )
    )
    await act.session.flush()
    await act.record(
        "scoring:marker:assigned", {"slot": slot, "marker": marker, "arbiter": arbiter, "recused": recused}
    )
    if recused:
        await _set_aside(act, slot, marker, recused)


async def _set_aside(act: Act, slot: str, marker: str, recused: Sequence[str]) -> None:
    """Let a recused person's marks count no more, and bring each answer to what the others come to.

    An answer that waits for an arbiter, or that the recused decided as one, needs an arbiter: it may have been sent to
    review, which marks that agree do not answer.
    """
    rows = list(
        await act.session.scalars(
            select(GradeRow)
            .join(WrittenRow, WrittenRow.code == GradeRow.code)
            .where(
                WrittenRow.slot == slot,
                WrittenRow.sitting.in_(recused),
                GradeRow.marker == marker,
                GradeRow.set_aside_at.is_(None),
            )
        )
    )
    if not rows:
        return
    await _not_closed(act.session, slot)
    for row in rows:
        row.set_aside_at = act.now
    await act.session.flush()
    for code in sorted({row.code for row in rows}):
        before = await people_store.written(act.session, code)
        if before.state is AnswerState.DISPUTED or any(row.code == code and row.arbiter for row in rows):
            came_to = Verdict(AnswerState.DISPUTED, None)
            await _state(act, code, came_to)
        else:
            came_to = await _brought(act, before)
        await act.record(
            "scoring:answer:set-aside",
            {
                "slot": slot,
                "code": code,
                "marker": marker,
                "before": before.points,
                "state": came_to.state.value,
            },
        )


async def end_assignment(act: Act, slot: str, marker: str, reason: str) -> None:
    """End a marker's or arbiter's assignment to a slot; the marks given so far stand. Assigned again it goes on."""
    if not reason.strip():
        raise BadInput("reason-needed")
    await store.lock(act.session, slot)
    row = await act.session.get(MarkerRow, (slot, marker))
    if row is None or row.ended_at is not None:
        raise NotFound("assignment-unknown", marker=marker.removeprefix("staff:"))
    row.ended_at = act.now
    await act.session.flush()
    await act.record("scoring:marker:ended", {"slot": slot, "marker": marker, "reason": reason.strip()})


async def set_spread(act: Act, slot: str, percent: int) -> None:
    """Set how far two markers of a slot may differ, in per cent of each question's most (1 to 100); refused once
    anybody has marked.
    """
    if not 1 <= percent <= 100:
        raise BadInput("spread-out-of-range", percent=percent)
    await store.lock(act.session, slot)
    begun = await act.session.scalar(
        select(GradeRow.code)
        .join(WrittenRow, WrittenRow.code == GradeRow.code)
        .where(WrittenRow.slot == slot)
        .limit(1)
    )
    if begun is not None:
        raise Refused(Refusal("marking-begun", "BJ-E:24"))
    for row in await act.session.scalars(select(GuideRow).where(GuideRow.slot == slot)):
        row.spread = allowed_spread(row.most, percent)
    await act.session.flush()
    await act.record("scoring:spread:set", {"slot": slot, "percent": percent})


async def guide(session: AsyncSession, identity: Identity, slot: str, question: Question) -> Guide:
    """Return the guide of a question; refused after the notice, when it lies under the marking seal again."""
    row = await session.get(GuideRow, (slot, question.item, question.version, question.part))
    if row is None:
        raise NotFound("question-unknown", item=question.item, version=question.version)
    if row.sealed is None:
        raise Refused(Refusal("guide-closed", "BJ-E:25"))
    return _guide.decode(identity.storage_unwrap(row.sealed, _aad(slot, question)))


async def next_for(session: AsyncSession, marker: Marker, question: Question) -> AnswerToMark | None:
    """Return the next answer for a marker, or None; refused where the slot's marks are closed."""
    await _not_closed(session, marker.slot)
    found = await people_store.next_answer(session, marker, question)
    if found is None:
        return None
    answers = await delivery.final_answers(session, found.sitting)
    return AnswerToMark(found.code, "\n".join(answers.get(found.number) or ()), found.most)


async def grade(act: Act, code: str, points: int, note: str = "") -> tuple[AnswerState, int]:
    """Record the acting marker's points for an answer; return its state and how many of the slot are left.

    A second mark of the same person is a correction, allowed until the other's is there; all are kept.
    """
    await store.lock(act.session, (await people_store.written(act.session, code)).slot)
    found = await people_store.written(act.session, code, lock=True)
    await _not_closed(act.session, found.slot)
    assigned = {one.marker: one for one in await people_store.markers(act.session, found.slot)}
    own = assigned.get(act.actor)
    given = await people_store.grades(act.session, code)
    required(
        grade_fault(
            act.actor,
            arbiter=own is not None and own.arbiter,
            assigned=own is not None,
            recused=own is not None and found.sitting in own.recused,
            state=found.state,
            grades=given,
        )
    )
    required(points_fault(points, found.most))
    arbiter = own is not None and own.arbiter
    earlier = await act.session.scalars(
        select(GradeRow.version).where(GradeRow.code == code, GradeRow.marker == act.actor)
    )
    version = max(earlier, default=0) + 1
    act.session.add(
        GradeRow(
            code=code,
            marker=act.actor,
            version=version,
            arbiter=arbiter,
            points=points,
            note=note.strip(),
            at=act.now,
        )
    )
    await act.session.flush()
    came_to = await _brought(act, found)
    await act.record(
        "scoring:answer:marked",
        {
            "slot": found.slot,
            "code": code,
            "version": version,
            "arbiter": arbiter,
            "points": points,
            "state": came_to.state.value,
            "note": note.strip(),
        },
    )
    return came_to.state, await people_store.left(act.session, found.slot)


async def _brought(act: Act, found: Written) -> Verdict:
    """Bring an answer to what the marks that count come to."""
    question = found.question
    row = await act.session.get(GuideRow, (found.slot, question.item, question.version, question.part))
    spread = row.spread if row is not None else allowed_spread(found.most, DEFAULT_SPREAD)
    came_to = verdict(await people_store.grades(act.session, found.code), spread)
    await _state(act, found.code, came_to)
    return came_to


async def _state(act: Act, code: str, came_to: Verdict) -> None:
    await act.session.execute(
        update(WrittenRow)
        .where(WrittenRow.code == code)
        .values(state=came_to.state.value, points=came_to.points)
    )


async def review(act: Act, slot: str, sitting: str, number: int, reason: str) -> str:
    """Send a settled answer to an arbiter with the reason, such as a re-check that was asked for; return its code.

    Until the arbiter has decided the slot's counts do not close.
    """
    if not reason.strip():
        raise BadInput("reason-needed")
    await store.lock(act.session, slot)
    found = await people_store.written_at(act.session, slot, sitting, number)
    if found is None:
        raise NotFound("answer-unknown", answer=f"{sitting} {number}")
    await _not_closed(act.session, slot)
    if found.state is not AnswerState.SETTLED:
        raise Refused(Refusal("answer-not-settled"))
    await act.session.execute(
        update(WrittenRow)
        .where(WrittenRow.code == found.code)
        .values(state=AnswerState.DISPUTED.value, points=None)
    )
    await act.record(
        "scoring:answer:reviewed",
        {"slot": slot, "code": found.code, "before": found.points, "reason": reason.strip()},
    )
    return found.code


async def empty_guides(act: Act, slot: str) -> None:
    """Take the guides of a slot away: from the notice on they lie under the marking seal alone."""
    await act.session.execute(update(GuideRow).where(GuideRow.slot == slot).values(sealed=None))


async def _free_code(session: AsyncSession, identity: Identity, slot: str, mark: Mark) -> str:
    for draw in count():
        code = code_of(identity, slot, mark.sitting, mark.number, draw)
        if await session.get(WrittenRow, code) is None:
            return code
    raise AssertionError("codes never end")


async def _not_closed(session: AsyncSession, slot: str) -> None:
    run = await store.current_run(session, slot)
    if run is None:
        raise Refused(Refusal("result-not-marked", "BJ-E:24"))
    if run.closed_at is not None:
        raise Refused(Refusal("marks-closed", "BJ-E:25", {"at": run.closed_at.isoformat()}))


def _aad(slot: str, question: Question) -> bytes:
    return json.dumps(["gongyuan/guide/1", slot, question.item, question.version, question.part]).encode()
