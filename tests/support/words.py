"""A drawn slot whose fill-in questions are turned into answers in words that people mark."""

from msgspec.structs import replace
from sqlalchemy import update

from server.papers import draw_store
from server.papers.draw_models import MarkingSheetRow
from server.papers.marking_sheet import MarkingEntry, MarkingSheet, RubricPoint, sheet_bytes
from server.papers.sheet_seal import seal_sheet, unseal_sheet
from tests.support.hall import HallDay
from tests.support.papers import MARKING_KEY, PLAN, SLOT

MODEL = "<p>model answer: short circuit the winding</p>"


def _in_words(entry: MarkingEntry) -> MarkingEntry:
    if entry.type != "fill":
        return entry
    return replace(
        entry,
        type="short",
        key=(),
        accepted=(),
        score=4.0,
        rubric=(RubricPoint("names the fault", 2.5), RubricPoint("says how to mend it", 1.5)),
        model=MODEL,
        stem="<p>Why does the motor hum and not turn?</p>",
    )


async def ask_for_words(day: HallDay) -> None:
    """Seal the slot's marking sheets again with a question in words, of 4 points, in the place of each fill-in."""
    async with day.db.reading() as session:
        sealed = await draw_store.sealed_marking_sheets(session, SLOT)
    async with day.db.writing() as session:
        for one in sealed:
            sheet = unseal_sheet(MARKING_KEY, one)
            asked = MarkingSheet(sheet.paper, sheet.sitting, tuple(_in_words(e) for e in sheet.entries))
            made = seal_sheet(MARKING_KEY, PLAN, SLOT, sheet.paper, sheet.sitting, sheet_bytes(asked))
            await session.execute(
                update(MarkingSheetRow)
                .where(MarkingSheetRow.paper == sheet.paper)
                .values(nonce=made.nonce, aad=made.aad, ciphertext=made.ciphertext)
            )
