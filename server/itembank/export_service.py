"""The use case that takes items out of the bank in clear, inside a desk opening, and leaves its trace."""

import hashlib

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.itembank import store
from server.itembank.interchange.exporting import Exported, ExportForm, exported
from server.itembank.items import ItemState
from server.itembank.service import open_items
from server.keys.sealing import Bytes


async def export_items(
    db: Database,
    journal: Journal,
    clock: Clock,
    actor: str,
    bank_id: str,
    bank_key: Bytes,
    form: ExportForm,
    drafts: bool = False,
) -> Exported:
    """Return the bank's items as a file: of each item the highest approved version, with `drafts` the highest of all.

    Retired items stay inside. The journal names bank, form, counts and the file's SHA-256 before the file is
    handed out. NotFound `bank-unknown`; BadInput `nothing-to-export`.
    """
    async with db.reading() as session:
        await store.bank(session, bank_id)
        sealed = await store.sealed_items(session, bank_id)
    newest = {
        one.public.item: one
        for one in sealed
        if one.public.state is ItemState.APPROVED or (drafts and one.public.state is not ItemState.RETIRED)
    }
    opened = open_items(bank_id, bank_key, (newest[item] for item in sorted(newest)))
    contents = sorted((one.content for one in opened), key=lambda one: (one.point, one.label))
    out = exported(contents, form)
    async with db.writing() as session:
        act = Act(session, journal, clock.legal(), actor)
        await act.record(
            "itembank:items:exported",
            {
                "bank": bank_id,
                "form": form,
                "written": out.written,
                "left_out": len(out.left_out),
                "drafts": drafts,
                "sha256": hashlib.sha256(out.data).hexdigest(),
            },
        )
    return out
