"""Late answers of a sitting, held against what stands: proposed by one named person, confirmed by another.

A merge edits nothing: it is a new fact beside the acknowledged answers, signed like a hand-in, and named by
whatever reads the final answers.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.db.signals import announce
from server.delivery import acts, store
from server.delivery.endings import Sign
from server.delivery.late_models import (
    LateEntryRow,
    LateJournalRow,
    LateProposalRow,
    MergedAnswerRow,
    MergeRow,
)
from server.delivery.merging import (
    Beat,
    Decision,
    LateAnswer,
    LateItem,
    Stands,
    absences,
    late_items,
    open_items,
    proposal_refusal,
    second_refusal,
    sitting_refusal,
)
from server.delivery.models import AnswerEventRow, HeartbeatRow, SittingRow
from server.delivery.sitting import State
from server.delivery.timing import own_end
from server.errors import Refusal, Refused, required
from server.protocol.envelope import answered_count, answers_digest, hand_in_bytes, receipt_code


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one person proposed; another confirms or returns it."""

    id: str
    at: datetime
    actor: str
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Merge:
    """A confirmed merge of a sitting's late answers, with its signed receipt code."""

    id: str
    sitting: str
    number: int
    at: datetime
    first: str
    second: str
    accepted: tuple[int, ...]
    refused: tuple[int, ...]
    count: int
    digest: str
    head: str
    code: str
    signature: bytes


async def items(session: AsyncSession, sitting: str) -> tuple[LateItem, ...]:
    """Return every item of a sitting for which something came late, with what stands beside it."""
    row = await store.sitting_row(session, sitting)
    times = (await store.slot_times(session, row.slot)).of(row.id, row.time_room)
    ending = await store.ending(session, sitting)
    ends = [end for end in (own_end(times), ending.at if ending else None) if end is not None]
    if not ends:
        return ()
    beats = [
        Beat(beat.at, beat.kind == "here")
        for beat in await session.scalars(
            select(HeartbeatRow).where(HeartbeatRow.sitting == sitting).order_by(HeartbeatRow.id)
        )
    ]
    return late_items(
        await _late_answers(session, sitting), await _stands(session, sitting), min(ends), absences(beats)
    )


async def undecided(session: AsyncSession, sitting: str) -> tuple[LateItem, ...]:
    """Return the items of a sitting that two people must still judge."""
    decided = await session.execute(
        select(MergedAnswerRow.lease, MergedAnswerRow.seq).where(MergedAnswerRow.sitting == sitting)
    )
    return open_items(await items(session, sitting), frozenset(decided.tuples().all()))


async def late_sittings(session: AsyncSession, slot: str) -> tuple[str, ...]:
    """Return the sittings of a slot to which anything came late, by room and seat."""
    events = select(AnswerEventRow.sitting).where(AnswerEventRow.outcome == literal_column("'late'"))
    carried = select(LateJournalRow.sitting)
    rows = await session.scalars(
        select(SittingRow.id)
        .where(SittingRow.slot == slot, SittingRow.id.in_(events.union(carried)))
        .order_by(SittingRow.room, SittingRow.seat)
    )
    return tuple(rows)


async def open_sittings(session: AsyncSession, slot: str) -> tuple[str, ...]:
    """Return the collected sittings of a slot whose late answers wait for two people."""
    found = []
    for sitting in await late_sittings(session, slot):
        state = State((await store.sitting_row(session, sitting)).state)
        if state is State.COLLECTED and await undecided(session, sitting):
            found.append(sitting)
    return tuple(found)


async def proposal(session: AsyncSession, sitting: str) -> Proposal | None:
    """Return the open proposal of a sitting."""
    row = await _proposal_row(session, sitting)
    if row is None:
        return None
    return Proposal(row.id, row.at, row.actor, _decisions(row.decisions))


async def merges(session: AsyncSession, slot: str) -> tuple[Merge, ...]:
    """Return the merges of a slot in order of time."""
    rows = await session.scalars(
        select(MergeRow)
        .join(SittingRow, SittingRow.id == MergeRow.sitting)
        .where(SittingRow.slot == slot)
        .order_by(MergeRow.at, MergeRow.id)
    )
    return tuple([await _merge(session, row) for row in rows])


async def merged_numbers(session: AsyncSession, slot: str) -> dict[str, list[int]]:
    """Return, by sitting of a slot, the items whose answer is a merged late one, ascending."""
    found: dict[str, set[int]] = {}
    for merge in await merges(session, slot):
        found.setdefault(merge.sitting, set()).update(merge.accepted)
    return {sitting: sorted(numbers) for sitting, numbers in sorted(found.items()) if numbers}


async def merges_of(session: AsyncSession, sitting: str) -> tuple[Merge, ...]:
    """Return the merges of one sitting in order."""
    rows = await session.scalars(
        select(MergeRow).where(MergeRow.sitting == sitting).order_by(MergeRow.number)
    )
    return tuple([await _merge(session, row) for row in rows])


async def propose(act: Act, sitting: str, decisions: Sequence[Decision]) -> str:
    """Propose what becomes of each open late answer of a collected sitting; return the proposal's id.

    A newer proposal returns the open one. Refused by `merging.sitting_refusal` and `proposal_refusal`.
    """
    row = await store.sitting_row(act.session, sitting, lock=True)
    required(sitting_refusal(State(row.state)))
    required(proposal_refusal(await undecided(act.session, sitting), decisions))
    before = await _proposal_row(act.session, sitting)
    if before is not None:
        before.state, before.settled_at, before.settled_by = "returned", act.now, act.actor
    made = LateProposalRow(
        id=str(uuid.uuid4()),
        sitting=sitting,
        at=act.now,
        actor=act.actor,
        decisions=json.dumps([asdict(one) for one in decisions], ensure_ascii=False),
        state="open",
    )
    act.session.add(made)
    await act.session.flush()
    await act.record(
        "delivery:late-answers:proposed",
        {"proposal": made.id, "sitting": sitting, "decisions": [asdict(one) for one in decisions]},
    )
    await announce(act.session, acts.SITTING, sitting)
    return made.id


async def return_proposal(act: Act, sitting: str, reason: str) -> None:
    """Return the open proposal, so that another can be made; its own author may, too."""
    row = await _required(act.session, sitting)
    row.state, row.settled_at, row.settled_by, row.note = "returned", act.now, act.actor, reason
    await act.session.flush()
    await act.record(
        "delivery:late-answers:returned", {"proposal": row.id, "sitting": sitting, "reason": reason}
    )
    await announce(act.session, acts.SITTING, sitting)


async def confirm(act: Act, sign: Sign, sitting: str) -> Merge:
    """Carry the open proposal out as its second person. Refused `late-second-person` for its author, and when
    the items have changed since."""
    sitting_row = await store.sitting_row(act.session, sitting, lock=True)
    required(sitting_refusal(State(sitting_row.state)))
    row = await _required(act.session, sitting)
    required(second_refusal(row.actor, act.actor))
    decisions = {(d.number, d.lease, d.seq): d for d in _decisions(row.decisions)}
    found = await undecided(act.session, sitting)
    required(proposal_refusal(found, tuple(decisions.values())))
    number = 1 + (
        await act.session.scalar(
            select(func.count()).select_from(MergeRow).where(MergeRow.sitting == sitting)
        )
        or 0
    )
    merge = str(uuid.uuid4())
    final: dict[int, tuple[str, ...]] = dict(await store.final_answers(act.session, sitting))
    judged: list[tuple[LateItem, Decision]] = []
    for item in found:
        decision = decisions[(item.late.number, item.late.lease, item.late.seq)]
        judged.append((item, decision))
        if decision.accept:
            final[item.late.number] = item.late.value
    count, digest = answered_count(final), answers_digest(final)
    head = await act.record(
        "delivery:late-answers:merged",
        {
            "merge": merge,
            "sitting": sitting,
            "first": row.actor,
            "second": act.actor,
            "count": count,
            "answers": digest,
            "accepted": [i.late.number for i, d in judged if d.accept],
            "refused": [i.late.number for i, d in judged if not d.accept],
        },
    )
    named = f"{head.chain}:{head.seq}:{head.hash.hex()}"
    signed = hand_in_bytes(sitting, act.now, count, digest, named)
    made = MergeRow(
        id=merge,
        sitting=sitting,
        number=number,
        at=act.now,
        first=row.actor,
        second=act.actor,
        count=count,
        digest=digest,
        head=named,
        code=receipt_code(signed),
        signature=sign(signed),
    )
    act.session.add(made)
    await act.session.flush()
    act.session.add_all(
        MergedAnswerRow(
            merge=merge,
            number=item.late.number,
            sitting=sitting,
            accepted=decision.accept,
            value=msgspec.json.encode(item.late.value).decode(),
            lease=item.late.lease,
            seq=item.late.seq,
            captured_at=item.late.captured_at,
            reason=decision.reason.strip(),
        )
        for item, decision in judged
    )
    row.state, row.settled_at, row.settled_by = "confirmed", act.now, act.actor
    await act.session.flush()
    await announce(act.session, acts.SITTING, sitting)
    return await _merge(act.session, made)


async def _merge(session: AsyncSession, row: MergeRow) -> Merge:
    judged = await session.execute(
        select(MergedAnswerRow.number, MergedAnswerRow.accepted)
        .where(MergedAnswerRow.merge == row.id)
        .order_by(MergedAnswerRow.number)
    )
    by = judged.tuples().all()
    return Merge(
        row.id,
        row.sitting,
        row.number,
        row.at,
        row.first,
        row.second,
        tuple(number for number, accepted in by if accepted),
        tuple(number for number, accepted in by if not accepted),
        row.count,
        row.digest,
        row.head,
        row.code,
        row.signature,
    )


async def _late_answers(session: AsyncSession, sitting: str) -> list[LateAnswer]:
    """Return what came late over the line, and what opened journals hold beyond what was acknowledged."""
    floor = await store.paper_lease(session, sitting)
    found: dict[tuple[int, int], LateAnswer] = {}
    settled: set[tuple[int, int]] = set()
    events = await session.scalars(
        select(AnswerEventRow).where(AnswerEventRow.sitting == sitting, AnswerEventRow.lease >= floor)
    )
    for event in events:
        key = (event.lease, event.seq)
        if event.outcome != "late":
            settled.add(key)
            continue
        value = store.value_of(event.value)
        found[key] = LateAnswer(event.number, value, *key, "line", None, event.captured_at)
    entries = await session.execute(
        select(LateJournalRow.lease, LateEntryRow)
        .join(LateEntryRow, LateEntryRow.journal == LateJournalRow.id)
        .where(
            LateJournalRow.sitting == sitting,
            LateJournalRow.lease >= floor,
            LateEntryRow.number.is_not(None),
            LateEntryRow.fault.is_(None),
        )
        .order_by(LateJournalRow.lease, LateEntryRow.place)
    )
    for lease, entry in entries:
        key = (lease, entry.seq)
        if key in settled or entry.number is None or entry.value is None:
            continue
        value = store.value_of(entry.value)
        found[key] = LateAnswer(entry.number, value, *key, "journal", entry.beacon_at, entry.captured_at)
    return list(found.values())


async def _stands(session: AsyncSession, sitting: str) -> dict[int, Stands]:
    standing = {
        row.number: Stands(store.value_of(row.value), row.lease, row.seq)
        for row in await store.standing_answers(session, sitting)
    }
    for row in await store.merged_answers(session, sitting):
        standing[row.number] = Stands(store.value_of(row.value), row.lease, row.seq)
    return standing


async def _proposal_row(session: AsyncSession, sitting: str) -> LateProposalRow | None:
    row: LateProposalRow | None = await session.scalar(
        select(LateProposalRow).where(LateProposalRow.sitting == sitting, LateProposalRow.state == "open")
    )
    return row


async def _required(session: AsyncSession, sitting: str) -> LateProposalRow:
    row = await _proposal_row(session, sitting)
    if row is None:
        raise Refused(Refusal("late-nothing-proposed"))
    return row


def _decisions(text: str) -> tuple[Decision, ...]:
    rows: list[dict[str, Any]] = json.loads(text)
    return tuple(Decision(**row) for row in rows)
