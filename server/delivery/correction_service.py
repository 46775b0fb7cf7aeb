"""Sittings follow the corrections of their candidates' data that came with a correction package."""

from sqlalchemy import select

from server.affairs import store as affairs
from server.db.act import Act
from server.db.signals import announce
from server.delivery.acts import SLOT
from server.delivery.models import SittingRow, SlotRow
from server.delivery.service import credential
from server.delivery.sitting import State

_ENDED = (State.HANDED_IN, State.COLLECTED, State.VOIDED)


async def follow_corrections(act: Act, plan: str) -> int:
    """Give the plan's sittings that have not ended their candidates' names and numbers; return how many changed.

    A sitting that has ended keeps what the candidate sat under. Who is signed in stays signed in.
    """
    rows = list(
        await act.session.scalars(
            select(SittingRow)
            .join(SlotRow, SlotRow.id == SittingRow.slot)
            .where(SlotRow.plan == plan, SittingRow.state.not_in(_ENDED))
        )
    )
    if not rows:
        return 0
    people = {one.id: one for one in await affairs.candidates(act.session, plan)}
    changed = []
    for row in rows:
        person = people.get(row.candidate)
        if person is None:
            continue
        numbers = credential(row.id, person.ticket, person.id_number)
        if (row.name, row.ticket, row.credential) != (person.name, person.ticket, numbers):
            row.name, row.ticket, row.credential = person.name, person.ticket, numbers
            changed.append(row)
    await act.session.flush()
    if changed:
        await act.record(
            "delivery:sittings:corrected", {"plan": plan, "sittings": [row.id for row in changed]}
        )
        for slot in sorted({row.slot for row in changed}):
            await announce(act.session, SLOT, slot)
    return len(changed)
