"""What a device that comes in is told, read for many devices at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from server.delivery.facts import Sitting
from server.delivery.models import AnswerRow, HeadRow, MarkRow, SittingRow
from server.delivery.sitting import State
from server.delivery.store import of_this_paper, sitting_fact, value_of
from server.papers import store as papers
from server.protocol.exam import SavedAnswer
from server.protocol.paper import SealedPaper

Place = tuple[str, int]
"""Room and seat number."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A sitting that is open at a seat, with SHA-256 over it and the candidate's numbers."""

    sitting: Sitting
    credential: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """A sitting with what stands of it on disk; `lease` and `seq` are the newest stored, 0 before the first
    answer.
    """

    sitting: Sitting
    lease: int
    seq: int
    answers: tuple[SavedAnswer, ...]
    marks: tuple[int, ...]
    sealed: SealedPaper | None

    @property
    def next_seq(self) -> int:
        """The lowest seq above all that the sitting's newest lease has stored (1 for a new lease)."""
        return self.seq + 1 if self.lease == self.sitting.lease else 1


async def expected_at(session: AsyncSession, places: Sequence[Place]) -> Mapping[Place, tuple[Expected, ...]]:
    """Return, by place, the sittings that these seats are open for: checked in there, or opened there."""
    rows = await session.scalars(
        select(SittingRow).where(
            tuple_(SittingRow.room, SittingRow.seat).in_(places),
            SittingRow.state.in_((State.CHECKED_IN.value, State.OPENED.value)),
        )
    )
    found: dict[Place, tuple[Expected, ...]] = {}
    for row in rows:
        place = (row.room, row.seat)
        found[place] = (*found.get(place, ()), Expected(sitting_fact(row), row.credential))
    return found


async def sittings_of(session: AsyncSession, sittings: Sequence[str]) -> Mapping[str, Sitting]:
    """Return sittings by id; unknown ones are left out."""
    rows = await session.scalars(select(SittingRow).where(SittingRow.id.in_(sittings)))
    return {row.id: sitting_fact(row) for row in rows}


async def standing_of(session: AsyncSession, sittings: Sequence[str]) -> Mapping[str, tuple[int, State]]:
    """Return newest lease and state of sittings by id."""
    query = select(SittingRow.id, SittingRow.lease, SittingRow.state).where(SittingRow.id.in_(sittings))
    return {key: (lease, State(state)) for key, lease, state in await session.execute(query)}


async def arrivals(session: AsyncSession, sittings: Sequence[str]) -> Mapping[str, Arrival]:
    """Return sittings by id with what stands of them; unknown ones are left out."""
    found = await sittings_of(session, sittings)
    heads = {
        sitting: (lease, seq)
        for sitting, lease, seq in await session.execute(
            select(HeadRow.sitting, HeadRow.lease, HeadRow.seq).where(HeadRow.sitting.in_(found))
        )
    }
    begun = [sitting for sitting, (lease, _) in heads.items() if lease]
    answers = await _answers(session, begun)
    # A first device finds nothing marked either: a read fewer in the rush before the bell.
    again = [one.id for one in found.values() if one.lease > 1 or one.id in answers]
    marks: dict[str, list[int]] = {}
    if again:
        query = select(MarkRow.sitting, MarkRow.number).where(MarkRow.sitting.in_(again))
        for sitting, number in await session.execute(query.order_by(MarkRow.number)):
            marks.setdefault(sitting, []).append(number)
    sealed = await papers.sealed_papers(session, {one.id: one.paper for one in found.values()})
    return {
        key: Arrival(
            sitting,
            *heads.get(key, (0, 0)),
            answers.get(key, ()),
            tuple(marks.get(key, ())),
            sealed.get(key),
        )
        for key, sitting in found.items()
    }


async def _answers(session: AsyncSession, sittings: Sequence[str]) -> Mapping[str, tuple[SavedAnswer, ...]]:
    """Return the answers that stand, in order of item number; one row a sitting comes over the driver."""
    if not sittings:
        return {}
    parts = (AnswerRow.number, AnswerRow.value, AnswerRow.lease, AnswerRow.seq)
    if session.get_bind().dialect.name == "sqlite":
        gathered = func.json_group_array(func.json_array(*parts))
    else:
        gathered = func.json_agg(func.json_build_array(*parts))
    query = select(AnswerRow.sitting, gathered).where(AnswerRow.sitting.in_(sittings), of_this_paper())
    found = {}
    for sitting, told in await session.execute(query.group_by(AnswerRow.sitting)):
        rows = msgspec.json.decode(told) if isinstance(told, str) else told
        found[sitting] = tuple(
            SavedAnswer(number=number, value=value_of(value), lease=lease, seq=seq)
            for number, value, lease, seq in sorted(rows)
        )
    return found
