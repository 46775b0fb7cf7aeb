"""Use cases of a practical subject: its form, and the examiners' entries."""

import json
import uuid
from collections.abc import Mapping

from sqlalchemy import select

from server.affairs import store as affairs
from server.affairs.facts import Slot
from server.db.act import Act
from server.errors import BadInput, Refusal, Refused, required
from server.law.pack import Pack
from server.law.workdays import legal_day
from server.scoring import store
from server.scoring.models import EntryRow, FormRow
from server.scoring.points import points
from server.scoring.practical import FormTemplate, entry_fault, gap_fault, template_fault


async def _practical(act: Act, slot: str) -> Slot:
    found = await affairs.slot(act.session, slot)
    if found.subject == "theory":
        raise Refused(Refusal("practical-slot-needed", None, {"subject": found.subject}))
    return found


async def make_form(act: Act, slot: str, template: FormTemplate) -> None:
    """Set the form of a practical slot; refused once an entry was made or when it does not add up."""
    await store.lock(act.session, slot)
    found = await _practical(act, slot)
    required(template_fault(template, points(found.total)))
    if await act.session.scalar(select(EntryRow.id).where(EntryRow.slot == slot).limit(1)):
        raise Refused(Refusal("practical-form-in-use"))
    items = [{"code": i.code, "title": i.title, "most": i.most} for i in template.items]
    await act.session.merge(
        FormRow(
            slot=slot,
            items=json.dumps(items, ensure_ascii=False),
            spread=template.spread,
            made_at=act.now,
            made_by=act.actor,
        )
    )
    await act.session.flush()
    await act.record("scoring:form:made", {"slot": slot, "items": items, "spread": template.spread})


async def enter(
    act: Act,
    pack: Pack,
    slot: str,
    candidate: str,
    *,
    scores: Mapping[str, int] | None,
    absent: bool = False,
    reason: str = "",
) -> int:
    """Record the acting examiner's entry for one candidate; return its version.

    Refused before the slot starts, on a day outside the month after the theory (BJ-E:A1.n6), for a
    candidate who is not enrolled in the subject, for scores outside the form, and after the notice. A
    second entry of the same examiner is a correction and needs a reason; the earlier one is kept.
    """
    await store.lock(act.session, slot)
    found = await _practical(act, slot)
    form = await store.form(act.session, slot)
    if form is None:
        raise Refused(Refusal("practical-form-missing"))
    row = await act.session.get(FormRow, slot)
    if row is not None and row.closed_at is not None:
        raise Refused(Refusal("practical-closed", "BJ-E:25", {"at": row.closed_at.isoformat()}))
    if act.now < found.starts_at:
        raise Refused(Refusal("practical-not-begun", None, {"allowed": found.starts_at.isoformat()}))
    enrolled = await affairs.candidate(act.session, candidate)
    if enrolled.plan != found.plan or found.subject not in enrolled.subjects:
        raise Refused(Refusal("practical-not-enrolled"))
    theory = [s for s in await affairs.slots(act.session, found.plan) if s.subject == "theory"]
    if theory:
        months = pack.number("subject_gap_months").value
        required(gap_fault(max(s.day for s in theory), legal_day(act.now), months))
    given = {} if absent else dict(scores or {})
    if not absent:
        required(entry_fault(form.template, given))
    elif scores:
        raise BadInput("practical-absent-with-scores")
    version = await _next_version(act, slot, candidate, reason)
    total = sum(given.values())
    act.session.add(
        EntryRow(
            id=str(uuid.uuid4()),
            slot=slot,
            candidate=candidate,
            examiner=act.actor,
            version=version,
            absent=absent,
            scores=json.dumps(given, sort_keys=True),
            total=total,
            reason=reason,
            entered_at=act.now,
        )
    )
    await act.session.flush()
    await act.record(
        "scoring:practical:entered",
        {
            "slot": slot,
            "candidate": candidate,
            "version": version,
            "absent": absent,
            "total": total,
            "scores": given,
            "reason": reason,
        },
    )
    return version


async def _next_version(act: Act, slot: str, candidate: str, reason: str) -> int:
    mine = await act.session.scalars(
        select(EntryRow.version).where(
            EntryRow.slot == slot, EntryRow.candidate == candidate, EntryRow.examiner == act.actor
        )
    )
    last = max(mine, default=0)
    if last and not reason.strip():
        raise Refused(Refusal("practical-correction-needs-reason"))
    return last + 1


async def close_forms(act: Act, plan: str) -> None:
    """Close every practical form of a plan: after the notice a score changes only by `reopen_form`."""
    for slot in await affairs.slots(act.session, plan):
        await store.lock(act.session, slot.id)
        row = await act.session.get(FormRow, slot.id)
        if row is not None and row.closed_at is None:
            row.closed_at = act.now
            await act.record("scoring:form:closed", {"slot": slot.id})
    await act.session.flush()


async def reopen_form(act: Act, slot: str, reason: str) -> None:
    """Open a closed form again for a correction with its cause, such as an objection that was upheld."""
    if not reason.strip():
        raise BadInput("reason-needed")
    await store.lock(act.session, slot)
    row = await act.session.get(FormRow, slot)
    if row is None or row.closed_at is None:
        raise Refused(Refusal("practical-form-not-closed"))
    row.closed_at = None
    await act.session.flush()
    await act.record("scoring:form:reopened", {"slot": slot, "reason": reason})
