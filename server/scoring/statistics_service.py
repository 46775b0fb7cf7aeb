"""Use case of statistics: what a marking run says about the questions goes to the item bank."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from server.affairs import store as affairs
from server.db.engine import Database
from server.itembank import statistics_store
from server.itembank.statistics import Exam
from server.itembank.statistics_store import Question, Wrap, sealed_options
from server.papers import draw_store
from server.papers.marking_sheet import MarkingEntry, MarkingSheet
from server.protocol.paper import AnswerValue
from server.scoring.facts import MarkingOutcome
from server.scoring.runs import Made
from server.scoring.statistics import item_statistics, reliability


class OptionCounts:
    """How often each of the bank's options was chosen, while the marking sheets are open."""

    def __init__(self) -> None:
        self._counts: dict[Question, Counter[str]] = {}

    def add(self, sheet: MarkingSheet, answers: Mapping[int, AnswerValue]) -> None:
        """Count one sitting's choices, by the bank's labels."""
        for entry in sheet.entries:
            if entry.type not in ("single", "multiple", "judge"):
                continue
            counted = self._counts.setdefault((entry.item, entry.version, entry.part), Counter())
            counted.update(
                label for given in answers.get(entry.number) or () if (label := bank_label(entry, given))
            )

    def sealed(self, slot: str, wrap: Wrap) -> dict[Question, bytes]:
        """Return the counts of each question of a slot under the storage key."""
        return {one: sealed_options(slot, one, counts, wrap) for one, counts in self._counts.items()}


def bank_label(entry: MarkingEntry, given: str) -> str | None:
    """Return the bank's label behind a displayed one, None for what stands on no option."""
    if entry.type == "judge":
        return given if given in ("T", "F") else None
    place = ord(given) - ord("A") if len(given) == 1 else -1
    return entry.order[place] if 0 <= place < len(entry.order) else None


async def keep_statistics(
    db: Database, outcome: MarkingOutcome, whole: Made, options: Mapping[Question, bytes]
) -> None:
    """Keep what a marking run says about its questions, unless it is kept already."""
    async with db.reading() as session:
        kept = await statistics_store.exam_of(session, outcome.slot)
        if kept is not None and kept.run == outcome.run:
            return
        slot = await affairs.slot(session, outcome.slot)
        drawn = await draw_store.draw(session, outcome.slot)
    if drawn is None:
        return
    marks = [mark for _, marks in whole.marked for mark in marks]
    figures = await asyncio.to_thread(item_statistics, marks)
    found = await asyncio.to_thread(reliability, marks)
    exam = Exam(
        run=outcome.run,
        bank=drawn.bank,
        plan=slot.plan,
        slot=slot.id,
        held_at=slot.starts_at,
        candidates=len(whole.marked),
        reliability=found.value,
        kind=found.kind,
        sem=found.sem,
        final=whole.pending == 0,
    )
    await statistics_store.keep(db, exam, figures, options)
