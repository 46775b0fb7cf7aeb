"""Use cases of a centre: the notice and the result package of a plan, and the plan's counts with what was
published.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.conduct import store as conduct
from server.conduct.counts import Counts, PlanCounts, plan_gaps, scoring_gaps, slot_gaps
from server.conduct.record_service import fresh_anchor
from server.db.act import Act
from server.errors import NotFound, Refusal, Refused
from server.keys.identity import Identity
from server.law.citing import cites
from server.packages import outbox
from server.packages.contents import Content, HeldRow, NoticeContent, NoticeRow, ResultContent
from server.packages.outbox import OutgoingPackage
from server.packages.peers import registry_peer
from server.papers import draw_service
from server.publicity.outgoing_models import SentResultsRow
from server.scoring import results as scoring
from server.scoring import store as marks
from server.scoring.practical_service import close_forms
from server.scoring.results import has_papers
from server.scoring.service import close_marks

_rows: msgspec.json.Decoder[tuple[NoticeRow, ...]] = msgspec.json.Decoder(tuple[NoticeRow, ...])


@dataclass(frozen=True, slots=True)
class SentResults:
    """The newest notice or result package of a plan: its number, rows in order of ticket, and rows held
    back.
    """

    package: str
    number: int
    rows: tuple[NoticeRow, ...]
    held: dict[str, str]


async def sent(session: AsyncSession, plan: str, kind: str) -> SentResults | None:
    """Return the newest `notice` or `result` package of a plan, or None before the first."""
    row = await session.scalar(
        select(SentResultsRow)
        .where(SentResultsRow.plan == plan, SentResultsRow.kind == kind)
        .order_by(SentResultsRow.number.desc())
        .limit(1)
    )
    if row is None:
        return None
    return SentResults(row.package, row.number, _rows.decode(row.rows), json.loads(row.held))


async def counts(session: AsyncSession, plan: str) -> Counts:
    """Return all counts of a plan at its centre: slots, marks, and what was published, uploaded and held."""
    counted = await scoring.counts(session, plan)
    notice, result = await sent(session, plan, "notice"), await sent(session, plan, "result")
    if notice is None:
        return counted
    values = [row.result for row in notice.rows]
    total = PlanCounts(
        enrolled=counted.total.enrolled,
        published=len(notice.rows),
        passed=values.count("pass"),
        failed=values.count("fail"),
        absent=values.count("absent"),
        cheat=values.count("cheat"),
        uploaded=None if result is None else await _uploaded(session, plan),
        held=None if result is None else len(result.held),
    )
    return replace(counted, total=total)


async def _uploaded(session: AsyncSession, plan: str) -> int:
    """Return how many candidates stand in any result package: held ones follow in a later package."""
    texts = await session.scalars(
        select(SentResultsRow.rows).where(SentResultsRow.plan == plan, SentResultsRow.kind == "result")
    )
    return len({row.candidate for text in texts for row in _rows.decode(text)})


@cites("BJ-E:25")
async def build_notice(act: Act, identity: Identity, plan: str) -> OutgoingPackage:
    """Make the notice package of a plan for the registry.

    Refused while a slot is not closed, a count does not close (the first gap is named), a result is open,
    or nothing differs from the notice before. Practical forms and marks are closed by it.
    """
    await affairs.plan(act.session, plan)
    for slot in await affairs.slots(act.session, plan):
        await marks.lock(act.session, slot.id)  # what is noticed is what is closed
        closure = await conduct.closure(act.session, slot.id)
        if has_papers(slot) and (closure is None or closure.outcome != "closed"):
            raise Refused(Refusal("slot-not-closed", "BJ-E:24", {"slot": slot.id}))
    rows = await scoring.results(act.session, plan)
    counted = await scoring.counts(act.session, plan)
    for one in counted.slots:
        for gap in (*slot_gaps(one), *scoring_gaps(one)):
            raise Refused(gap.refusal())
    before = await sent(act.session, plan, "notice")
    if before is not None and before.rows == rows:
        raise Refused(Refusal("notice-unchanged", "BJ-E:25", {"number": before.number}))
    numbers = _numbers(rows, counted.total.enrolled)
    await act.record("publicity:notice:intended", {"plan": plan, "counts": numbers})
    await close_forms(act, plan)
    await close_marks(act, plan)
    head = await fresh_anchor(act, identity)
    content = NoticeContent(
        plan=plan, rows=rows, journal_head=f"{head.number}:{head.hash.hex()}", counts=numbers
    )
    return await _send(act, identity, "notice", plan, content, rows, {}, numbers)


@cites("BJ-E:25", "BJ-F:4.2.3-6")
async def build_result(
    act: Act, identity: Identity, plan: str, held: Mapping[str, str] | None = None
) -> OutgoingPackage:
    """Make the result package of a plan: the rows of its notice, but those held (candidate → reason) by
    an objection or a case, with the draw's secret revealed.

    A later package brings the rows that were held and are not any more. Refused before a notice, where
    results differ from the newest notice (a change needs a notice of its own), and when there is nothing
    to upload. Whether the period is over is judged by the registry, whose stamp began it.
    """
    notice = await sent(act.session, plan, "notice")
    if notice is None:
        raise Refused(Refusal("result-without-notice", "BJ-E:25"))
    if await scoring.results(act.session, plan) != notice.rows:
        raise Refused(Refusal("result-changed-since-notice", "BJ-F:4.2.3-6", {"number": notice.number}))
    reasons = dict(held or {})
    unknown = sorted(set(reasons) - {row.candidate for row in notice.rows})
    if unknown:
        raise NotFound("candidate-unknown", candidate=unknown[0])
    taken = await _taken(act.session, plan)
    rows = tuple(row for row in notice.rows if row.candidate not in reasons and row.candidate not in taken)
    if not rows:
        raise Refused(Refusal("result-nothing-to-upload", "BJ-E:25", {"held": len(reasons)}))
    numbers = _numbers(rows, len(notice.rows))
    await act.record("publicity:result:intended", {"plan": plan, "rows": len(rows), "held": reasons})
    revealed = await draw_service.reveal(act, identity, plan)
    head = await fresh_anchor(act, identity)
    seeds = tuple(revealed.seeds.values())
    content = ResultContent(
        plan=plan,
        rows=rows,
        notice_number=notice.number,
        journal_head=f"{head.number}:{head.hash.hex()}",
        held=tuple(
            HeldRow(candidate=candidate, reason=reason) for candidate, reason in sorted(reasons.items())
        ),
        seed=seeds[0] if len(seeds) == 1 else None,
        secret=revealed.secret,
    )
    package = await _send(act, identity, "result", plan, content, rows, reasons, numbers)
    for gap in plan_gaps((await counts(act.session, plan)).total):
        raise Refused(gap.refusal())
    return package


async def _taken(session: AsyncSession, plan: str) -> set[str]:
    """Return the candidates whose rows an acknowledged result package brought to the registry."""
    arrived = {
        package.id
        for package in await outbox.outgoing(session, plan)
        if package.kind == "result" and package.acknowledged_at is not None
    }
    found = await session.scalars(
        select(SentResultsRow).where(SentResultsRow.plan == plan, SentResultsRow.kind == "result")
    )
    return {row.candidate for sent in found if sent.package in arrived for row in _rows.decode(sent.rows)}


def _numbers(rows: tuple[NoticeRow, ...], enrolled: int) -> dict[str, int]:
    values = [row.result for row in rows]
    named = {
        kind: sum(1 for value in values if value == kind) for kind in ("pass", "fail", "absent", "cheat")
    }
    return {"enrolled": enrolled, "published": len(rows), **named}


async def _send(
    act: Act,
    identity: Identity,
    kind: str,
    plan: str,
    content: Content,
    rows: tuple[NoticeRow, ...],
    held: dict[str, str],
    numbers: dict[str, int],
) -> OutgoingPackage:
    peer = await registry_peer(act.session)
    package = await outbox.pack(act, identity, peer.id, kind, plan, content)
    number = next(one.number for one in await outbox.outgoing(act.session, plan) if one.id == package.id)
    act.session.add(
        SentResultsRow(
            package=package.id,
            plan=plan,
            kind=kind,
            number=number,
            rows=msgspec.json.encode(rows).decode(),
            held=json.dumps(held, ensure_ascii=False, sort_keys=True),
            counts=json.dumps(numbers, sort_keys=True),
            made_at=act.now,
            made_by=act.actor,
        )
    )
    await act.session.flush()
    return package
