"""Use cases of results on the registry: take in a result package, note leads."""

import uuid
from collections.abc import Mapping

import msgspec
from sqlalchemy import delete, insert

from server.affairs import store as affairs
from server.affairs.packaging import require_centre
from server.affairs.plans import counting
from server.affairs.service import publish_draw
from server.affairs.standing import ActKind, may
from server.db.act import Act
from server.errors import Fact, required
from server.law.loader import load_pack
from server.packages.contents import ResultContent
from server.publicity import store as publicity
from server.publicity.notice import Outcome, upload_until
from server.publicity.objections import ObjectionState
from server.registry import results as rules
from server.registry import store
from server.registry.models import HeldRow, LeadRow, ResultRow, UploadRow


async def accept_result(act: Act, content: ResultContent, number: int, sender: str) -> store.Upload:
    """Take in a centre's results after the whole notice period; `number` is the package's.

    A second package may bring only rows that were held. A late one is taken in and marked late, with a lead.
    Accepted whatever the organisation's standing: data of an exam under way is recorded.
    """
    plan = await affairs.plan(act.session, content.plan)
    organisation = await affairs.organisation(act.session, plan.organisation)
    await require_centre(act.session, organisation, sender)
    required(may(ActKind.RESULT, organisation.standing))
    required(counting(plan))
    pack = load_pack(plan.jurisdiction)
    notice = await publicity.notice(act.session, plan.id)
    objections = await publicity.objections(act.session, plan.id)
    corrected = frozenset(one.candidate for one in objections if one.state is ObjectionState.UPHELD)
    upload = rules.Upload(
        content.notice_number,
        tuple(
            Outcome(row.candidate, row.ticket, row.theory, row.practical, row.review, row.result)
            for row in content.rows
        ),
        {row.candidate: row.reason for row in content.held},
    )
    taken = frozenset(row.candidate for row in await store.results(act.session, plan.id))
    held = frozenset(await publicity.held_by_objection(act.session, plan.id))
    required(rules.may_accept(notice, upload, taken, held, corrected, act.now))
    late = rules.is_late(pack, notice, act.now)
    row = UploadRow(
        id=str(uuid.uuid4()),
        plan=plan.id,
        number=number,
        notice_number=notice.number,
        uploaded_at=act.now,
        late=late,
        journal_head=content.journal_head,
    )
    act.session.add(row)
    await act.session.flush()
    await _store(act, plan.id, row.id, upload)
    await publish_draw(act, plan.id, content.seed, content.secret)
    await act.record(
        "registry:result:accepted",
        {"plan": plan.id, "number": number, "rows": len(upload.rows), "held": len(upload.held), "late": late},
    )
    if late:
        until = upload_until(pack, notice.period).isoformat()
        await note_lead(act, plan.organisation, plan.id, "result-late", "BJ-E:25", {"until": until})
    return store.Upload(plan.id, number, notice.number, act.now, late)


async def note_lead(
    act: Act, organisation: str, plan: str | None, code: str, article: str, facts: Mapping[str, Fact]
) -> None:
    """Write down a lead; an officer decides what follows."""
    lead = LeadRow(
        id=str(uuid.uuid4()),
        organisation=organisation,
        plan=plan,
        code=code,
        article=article,
        facts=msgspec.json.encode(dict(facts)).decode(),
        found_at=act.now,
        case=None,
    )
    act.session.add(lead)
    await act.session.flush()
    await act.record("registry:lead:noted", {"lead": lead.id, "code": code, "plan": plan})


async def _store(act: Act, plan: str, upload_id: str, upload: rules.Upload) -> None:
    if upload.rows:
        await act.session.execute(
            insert(ResultRow),
            [
                {
                    "plan": plan,
                    "candidate": row.candidate,
                    "ticket": row.ticket,
                    "theory": row.theory,
                    "practical": row.practical,
                    "review": row.review,
                    "result": row.result,
                    "upload": upload_id,
                }
                for row in upload.rows
            ],
        )
    await act.session.execute(delete(HeldRow).where(HeldRow.plan == plan))
    if upload.held:
        await act.session.execute(
            insert(HeldRow),
            [
                {"plan": plan, "candidate": candidate, "reason": reason}
                for candidate, reason in upload.held.items()
            ],
        )
