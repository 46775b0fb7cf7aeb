"""Use case of similarity: the marking opening compares the wrong answers of neighbours and keeps the leads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.delivery import store as delivery
from server.delivery.facts import Sitting
from server.papers.bounds import neighbours_of
from server.papers.marking_sheet import MarkingSheet
from server.protocol.paper import AnswerValue
from server.scoring.decisions import Question
from server.scoring.facts import Mark
from server.scoring.similarity import Pair, Wrong, similar_pairs
from server.scoring.similarity_models import SimilarRow
from server.scoring.statistics_service import bank_label


@dataclass(frozen=True, slots=True)
class Similar:
    """One lead: two candidates by ticket at seats of one room, `apart` seat numbers apart; the figures as in
    `similarity.Pair`.
    """

    room: str
    first_ticket: str
    first_seat: int
    second_ticket: str
    second_seat: int
    apart: int
    both_wrong: int
    same: int
    expected: float
    p: float
    adjusted: float
    pairs: int


class WrongAnswers:
    """The wrong choices of a slot in the bank's own labels, while the marking sheets are open."""

    def __init__(self) -> None:
        self._wrong: dict[str, list[Wrong]] = {}

    def add(
        self, sitting: str, sheet: MarkingSheet, marks: Iterable[Mark], answers: Mapping[int, AnswerValue]
    ) -> None:
        """Take one sitting's wrong choices; blanks and right ones are left out."""
        wrong = {mark.number for mark in marks if mark.answered and not mark.correct}
        found = self._wrong.setdefault(sitting, [])
        for entry in sheet.entries:
            if entry.number in wrong and entry.type in ("single", "multiple", "judge"):
                labels = sorted(
                    filter(None, (bank_label(entry, one) for one in answers.get(entry.number) or ()))
                )
                found.append(Wrong((entry.item, entry.version, entry.part), "".join(labels)))

    def without(self, voided: Sequence[Question]) -> dict[str, list[Wrong]]:
        """Return the wrong answers by sitting, without voided questions: a faulty one misleads many alike."""

        def counts(one: Wrong) -> bool:
            item, version, part = one.question
            return not any((v.item, v.version) == (item, version) and v.part in (0, part) for v in voided)

        return {sitting: [one for one in found if counts(one)] for sitting, found in self._wrong.items()}


def compared(
    wrong: Mapping[str, Iterable[Wrong]], sittings: Iterable[Sitting], seat_rows: int
) -> tuple[tuple[Pair, ...], int]:
    """Compare neighbours at the seats where they ended; return the leads, and how many pairs there were."""
    seated = sorted((one for one in sittings if one.id in wrong), key=lambda one: (one.room, one.seat))
    beside = neighbours_of([(one.room, one.seat) for one in seated], seat_rows)
    pairs = [
        (seated[place].id, seated[other].id)
        for place, others in enumerate(beside)
        for other in others
        if place < other
    ]
    return tuple(one for one in similar_pairs(wrong, pairs) if one.lead), len(pairs)


async def keep_similar(act: Act, slot: str, leads: Sequence[Pair], pairs: int) -> None:
    """Keep the leads of a slot in the place of those of an earlier marking."""
    await act.session.execute(delete(SimilarRow).where(SimilarRow.slot == slot))
    for one in leads:
        act.session.add(
            SimilarRow(
                slot=slot,
                first=one.first,
                second=one.second,
                both_wrong=one.both_wrong,
                same=one.same,
                expected=one.expected,
                p=one.p,
                adjusted=one.adjusted,
                pairs=pairs,
                made_at=act.now,
            )
        )
    await act.session.flush()
    await act.record("scoring:similarity:compared", {"slot": slot, "pairs": pairs, "leads": len(leads)})


async def similar(session: AsyncSession, slot: str) -> tuple[Similar, ...]:
    """Return the leads of a slot, the least likely first."""
    rows = await session.scalars(select(SimilarRow).where(SimilarRow.slot == slot).order_by(SimilarRow.p))
    by_id = {one.id: one for one in await delivery.sittings(session, slot)}
    found = []
    for row in rows:
        first, second = by_id[row.first], by_id[row.second]
        found.append(
            Similar(
                first.room,
                first.ticket,
                first.seat,
                second.ticket,
                second.seat,
                abs(first.seat - second.seat),
                row.both_wrong,
                row.same,
                row.expected,
                row.p,
                row.adjusted,
                row.pairs,
            )
        )
    return tuple(found)
