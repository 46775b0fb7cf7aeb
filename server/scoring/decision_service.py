"""Use cases of decisions about faulty questions: proposed by one person, in force once another confirms."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.conduct import service as conduct_acts
from server.conduct import store as conduct
from server.db.act import Act
from server.db.signals import announce
from server.delivery import store as delivery
from server.delivery.facts import Extent
from server.errors import BadInput, NotFound, Refusal, Refused, required
from server.scoring import store
from server.scoring.decision_models import DecisionRow
from server.scoring.decisions import (
    DecisionEvent,
    DecisionKind,
    DecisionState,
    Question,
    VoidPolicy,
    policy_fault,
    step,
)

LONGEST_TEXT = 300


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision; `question` is None until the marking opening knows which question stood at that place."""

    id: str
    slot: str
    kind: DecisionKind
    state: DecisionState
    policy: VoidPolicy | None
    question: Question | None
    sitting: str | None
    number: int | None
    text: str
    reason: str
    proposed_at: datetime
    proposed_by: str
    confirmed_at: datetime | None
    confirmed_by: str | None


def _fact(row: DecisionRow) -> Decision:
    named = row.item is not None and row.version is not None
    return Decision(
        row.id,
        row.slot,
        DecisionKind(row.kind),
        DecisionState(row.state),
        VoidPolicy(row.policy) if row.policy else None,
        Question(row.item or "", row.version or 0, row.part) if named else None,
        row.sitting,
        row.number,
        row.text,
        row.reason,
        row.proposed_at,
        row.proposed_by,
        row.confirmed_at,
        row.confirmed_by,
    )


async def decisions(session: AsyncSession, slot: str) -> tuple[Decision, ...]:
    """Return every decision of a slot, oldest first."""
    rows = await session.scalars(
        select(DecisionRow).where(DecisionRow.slot == slot).order_by(DecisionRow.proposed_at, DecisionRow.id)
    )
    return tuple(_fact(row) for row in rows)


async def voids(session: AsyncSession, slot: str) -> tuple[Decision, ...]:
    """Return the voids of a slot that are in force, in order of id."""
    found = [d for d in await decisions(session, slot) if d.kind is DecisionKind.VOID and d.state.counts]
    return tuple(sorted(found, key=lambda one: one.id))


async def unapplied(session: AsyncSession, slot: str) -> Refusal | None:
    """Say what keeps the marks of a slot from being final: a decision that waits, one not yet applied, or a void of
    a place where the marking found no question."""
    found = await decisions(session, slot)
    waiting = sum(d.state.waits for d in found)
    if waiting:
        return Refusal("decision-waits", "BJ-E:24", {"waiting": waiting})
    run = await store.current_run(session, slot)
    lost = [d for d in found if d.kind is DecisionKind.VOID and d.state.counts and d.question is None]
    if run is not None and lost:
        return Refusal("void-place-unknown", "BJ-E:24", {"number": lost[0].number or 0})
    if run is not None and json.loads(run.voids) != [one.id for one in await voids(session, slot)]:
        return Refusal("rescore-needed", "BJ-E:24")
    return None


async def propose(
    act: Act,
    slot: str,
    kind: DecisionKind,
    *,
    reason: str,
    text: str = "",
    policy: VoidPolicy | None = None,
    question: Question | None = None,
    sitting: str | None = None,
    number: int | None = None,
) -> str:
    """Propose an erratum or a void; return its id.

    The question is named by item and version, or by its number on the paper of one sitting: which question
    that is stays under seal until the marking opening. An erratum needs words and a slot that is not over; a
    void needs a policy. Refused after the notice until the marks are reopened.
    """
    if not reason.strip() or len(text) > LONGEST_TEXT:
        raise BadInput("reason-needed" if not reason.strip() else "message-length", length=len(text))
    paper = None
    if kind is DecisionKind.ERRATUM:
        if not text.strip():
            raise BadInput("erratum-needs-text")
        await _not_over(act, slot)
    else:
        await store.lock(act.session, slot)
        await _not_closed(act, slot)
        standing = [one.policy for one in await voids(act.session, slot) if one.policy is not None]
        required(policy_fault(policy, standing))
        question, paper = await _named(act, slot, question, sitting, number)
    row = DecisionRow(
        id=str(uuid.uuid4()),
        slot=slot,
        kind=kind.value,
        state=DecisionState.PROPOSED.value,
        policy=policy.value if policy is not None and kind is DecisionKind.VOID else None,
        item=question.item if question is not None else None,
        version=question.version if question is not None else None,
        part=question.part if question is not None else 0,
        sitting=sitting,
        paper=paper,
        number=number,
        text=text.strip(),
        reason=reason.strip(),
        proposed_at=act.now,
        proposed_by=act.actor,
        asked_by=act.actor,
    )
    act.session.add(row)
    await act.session.flush()
    await act.record("scoring:decision:proposed", _recorded(row))
    await announce(act.session, conduct_acts.TOPIC, slot)
    return row.id


async def decide(act: Act, decision: str, event: DecisionEvent, reason: str = "") -> Decision:
    """Confirm, withdraw, revoke or keep a decision; what one asked for another confirms.

    A confirmed decision's words go to every candidate of the slot while it is not over.
    """
    row = await act.session.get(DecisionRow, decision)
    if row is None:
        raise NotFound("decision-unknown", decision=decision)
    await store.lock(act.session, row.slot)
    await act.session.refresh(row)
    before = DecisionState(row.state)
    after = step(before, event, row.asked_by, act.actor)
    if isinstance(after, Refusal):
        raise Refused(after)
    if event is DecisionEvent.REVOKE and not reason.strip():
        raise BadInput("reason-needed")
    if row.kind == DecisionKind.VOID.value and event is not DecisionEvent.WITHDRAW:
        await _not_closed(act, row.slot)
    if after is DecisionState.STANDING and event is DecisionEvent.CONFIRM:
        if row.kind == DecisionKind.VOID.value:
            others = [one.policy for one in await voids(act.session, row.slot) if one.policy is not None]
            required(policy_fault(VoidPolicy(row.policy) if row.policy else None, others))
        over = await conduct.closure(act.session, row.slot) is not None
        if over and row.kind == DecisionKind.ERRATUM.value:
            await _not_over(act, row.slot)
        row.confirmed_at, row.confirmed_by = act.now, act.actor
        if row.text and not over:
            await conduct_acts.message(act, Extent(row.slot), row.text)
    elif after in (DecisionState.REVOKED, DecisionState.WITHDRAWN):
        row.ended_at, row.ended_by = act.now, act.actor
    elif after is DecisionState.REVOKING:
        row.asked_by = act.actor
    row.state = after.value
    await act.session.flush()
    await act.record(
        "scoring:decision:settled",
        {**_recorded(row), "event": event.value, "before": before.value, "why": reason.strip()},
    )
    await announce(act.session, conduct_acts.TOPIC, row.slot)
    return _fact(row)


async def resolve(act: Act, found: Sequence[tuple[str, Question]]) -> None:
    """Write which question stood at the place that a decision names (decision, question); done once, when the
    marking sheets are open.
    """
    for decision, question in found:
        row = await act.session.get(DecisionRow, decision)
        if row is None or row.item is not None:
            continue
        row.item, row.version, row.part = question.item, question.version, question.part
        await act.record("scoring:decision:resolved", _recorded(row))
    await act.session.flush()


async def places(session: AsyncSession, slot: str) -> tuple[tuple[str, str, str | None, int], ...]:
    """Return (decision, sitting, spare paper or None, number) of each void still named by its place."""
    rows = await session.scalars(
        select(DecisionRow).where(
            DecisionRow.slot == slot,
            DecisionRow.kind == DecisionKind.VOID.value,
            DecisionRow.item.is_(None),
        )
    )
    return tuple((row.id, row.sitting or "", row.paper, row.number or 0) for row in rows)


async def _named(
    act: Act, slot: str, question: Question | None, sitting: str | None, number: int | None
) -> tuple[Question | None, str | None]:
    """Return the question where it is known already, and the spare paper that the place stands on."""
    marked = await store.current_run(act.session, slot) is not None
    if question is not None:
        known = await store.has_question(
            act.session, slot, question.item, question.version, question.part or None
        )
        if marked and not known:
            raise NotFound("question-unknown", item=question.item, version=question.version)
        return question, None
    if sitting is None or number is None:
        raise BadInput("decision-names-nothing")
    seated = await delivery.sitting(act.session, sitting)
    if seated.slot != slot:
        raise NotFound("sitting-unknown", sitting=sitting)
    if not marked:
        return None, seated.paper
    mark = await store.mark_at(act.session, slot, sitting, number)
    if mark is None:
        raise NotFound("question-unknown", item=sitting, version=number)
    return Question(mark.item, mark.version, mark.part), seated.paper


async def _not_over(act: Act, slot: str) -> None:
    closure = await conduct.closure(act.session, slot)
    if closure is not None:
        raise Refused(Refusal("erratum-too-late", None, {"at": closure.closed_at.isoformat()}))


async def _not_closed(act: Act, slot: str) -> None:
    run = await store.current_run(act.session, slot)
    if run is not None and run.closed_at is not None:
        raise Refused(Refusal("marks-closed", "BJ-E:25", {"at": run.closed_at.isoformat()}))


def _recorded(row: DecisionRow) -> dict[str, str | int | None]:
    return {
        "decision": row.id,
        "slot": row.slot,
        "kind": row.kind,
        "state": row.state,
        "policy": row.policy,
        "item": row.item,
        "version": row.version,
        "part": row.part,
        "sitting": row.sitting,
        "number": row.number,
        "text": row.text,
        "reason": row.reason,
    }
