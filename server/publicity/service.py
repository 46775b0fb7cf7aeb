"""Use cases of publicity on the registry: publish a notice, raise and answer objections."""

import json
import uuid

from sqlalchemy import insert

from server.affairs import store as affairs
from server.affairs.packaging import require_centre
from server.affairs.plans import counting
from server.affairs.standing import ActKind, may
from server.db.act import Act
from server.errors import BadInput, NotFound, Refusal, Refused, required
from server.keys.identity import Identity
from server.law.loader import load_pack
from server.packages.contents import NoticeContent, ObjectionContent
from server.packages.outbox import pack
from server.publicity import notice as rules
from server.publicity import store
from server.publicity.models import NoticeRow, ObjectionRow, OutcomeRow, ReceivedObjectionRow
from server.publicity.notice import Notice, Outcome
from server.publicity.objections import Objection, ObjectionEvent, ObjectionState, may_object, step


async def accept_notice(act: Act, content: NoticeContent, number: int, sender: str) -> Notice:
    """Publish a centre's scores, masked, and stamp the start of the period with the registry's own time.

    `number` is the package's, `sender` the id or name of the peer who signed it. A higher number replaces the
    notice and starts
    a new full period. Accepted and recorded whatever the organisation's standing (the exam is over).
    """
    plan = await affairs.plan(act.session, content.plan)
    organisation = await affairs.organisation(act.session, plan.organisation)
    await require_centre(act.session, organisation, sender)
    required(may(ActKind.NOTICE, organisation.standing))
    required(counting(plan))
    before = await store.current_notice_row(act.session, plan.id)
    if before is not None and number <= before.number:
        raise Refused(Refusal("notice-published-already", "BJ-E:25", {"number": before.number}))
    outcomes = tuple(
        Outcome(row.candidate, row.ticket, row.theory, row.practical, row.review, row.result)
        for row in content.rows
    )
    candidates = await affairs.candidates(act.session, plan.id)
    required(rules.complete(outcomes, candidates))
    required(rules.coherent(outcomes, candidates, await affairs.slots(act.session, plan.id)))
    pack = load_pack(plan.jurisdiction)
    period = rules.notice_period(pack, act.now)
    row = NoticeRow(
        id=str(uuid.uuid4()),
        plan=plan.id,
        number=number,
        sender=sender,
        published_at=act.now,
        first_day=period.first,
        last_day=period.last,
        journal_head=content.journal_head,
        counts=json.dumps(content.counts, sort_keys=True),
    )
    act.session.add(row)
    await act.session.flush()
    await act.session.execute(
        insert(OutcomeRow),
        [
            {
                "id": str(uuid.uuid4()),
                "notice": row.id,
                "candidate": outcome.candidate,
                "ticket": outcome.ticket,
                "theory": outcome.theory,
                "practical": outcome.practical,
                "review": outcome.review,
                "result": outcome.result,
            }
            for outcome in outcomes
        ],
    )
    await act.record(
        "publicity:notice:published",
        {
            "plan": plan.id,
            "number": number,
            "rows": len(outcomes),
            "last_day": period.last.isoformat(),
            "journal_head": content.journal_head,
        },
    )
    return await store.notice(act.session, plan.id)


async def raise_objection(act: Act, plan: str, row: str, text: str, contact: str) -> Objection:
    """Anyone objects to one published row (its public id) while the notice runs; the row is held until
    answered.
    """
    notice = await store.notice(act.session, plan)
    outcome = await act.session.get(OutcomeRow, row)
    if outcome is None or outcome.notice != notice.id:
        raise NotFound("notice-row-unknown", row=row)
    required(may_object(notice.period, text, act.now))
    if not contact.strip():
        raise BadInput("objection-contact-missing")
    objection = ObjectionRow(
        id=str(uuid.uuid4()),
        plan=plan,
        notice=notice.id,
        candidate=outcome.candidate,
        text=text,
        contact=contact,
        state=ObjectionState.OPEN,
        filed_at=act.now,
        answer="",
        answered_by="",
    )
    act.session.add(objection)
    await act.session.flush()
    await act.record(
        "publicity:objection:raised",
        {"objection": objection.id, "plan": plan, "candidate": outcome.candidate},
    )
    return store.objection_fact(objection)


async def forward_objection(act: Act, identity: Identity, objection: Objection) -> None:
    """Make the objection package for the plan's centre; nothing while no centre is bound to the organisation."""
    plan = await affairs.plan(act.session, objection.plan)
    organisation = await affairs.organisation(act.session, plan.organisation)
    if organisation.centre is None:
        return
    content = ObjectionContent(
        plan=plan.id,
        objection=objection.id,
        candidate=objection.candidate,
        received_at=objection.filed_at,
        text=objection.text,
    )
    await pack(act, identity, organisation.centre, "objection", plan.id, content)


async def accept_objection(act: Act, content: ObjectionContent) -> None:
    """At the centre: keep an objection that the registry passed on; the same one again changes nothing."""
    await affairs.plan(act.session, content.plan)
    if await act.session.get(ReceivedObjectionRow, content.objection) is not None:
        return
    act.session.add(
        ReceivedObjectionRow(
            id=content.objection,
            plan=content.plan,
            candidate=content.candidate,
            text=content.text,
            received_at=content.received_at,
        )
    )
    await act.session.flush()
    await act.record("publicity:objection:received", {"objection": content.objection, "plan": content.plan})


async def answer_objection(act: Act, objection: str, event: ObjectionEvent, answer: str) -> Objection:
    """Uphold or dismiss an open objection with a written answer; the row is free to be uploaded again."""
    row = await act.session.get(ObjectionRow, objection)
    if row is None:
        raise NotFound("objection-unknown", objection=objection)
    if not answer.strip():
        raise BadInput("objection-answer-missing")
    outcome = step(ObjectionState(row.state), event)
    if isinstance(outcome, Refusal):
        raise Refused(outcome)
    row.state = outcome
    row.answer = answer
    row.answered_at = act.now
    row.answered_by = act.actor
    await act.session.flush()
    await act.record("publicity:objection:answered", {"objection": objection, "state": str(outcome)})
    return store.objection_fact(row)
