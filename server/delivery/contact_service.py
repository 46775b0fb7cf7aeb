"""Words to candidates and calls of candidates."""

from sqlalchemy import select

from server.db.act import Act
from server.db.signals import announce
from server.delivery import command_service as commands
from server.delivery.acts import SITTING, checked, new_id, reached
from server.delivery.facts import Extent
from server.delivery.models import CallRow, NoticeRow, SittingRow
from server.errors import BadInput, NotFound
from server.papers import store as papers


async def message(act: Act, extent: Extent, text: str) -> str:
    """Send words to one candidate, a room or all; return the message's id."""
    if not 0 < len(text.strip()) <= 500:
        raise BadInput("message-length", length=len(text))
    await checked(act, extent)
    row = NoticeRow(
        id=new_id(),
        slot=extent.slot,
        room=extent.room,
        sitting=extent.sitting,
        at=act.now,
        text=text.strip(),
        actor=act.actor,
    )
    act.session.add(row)
    await commands.issue(act, "message", extent, row.text, command=row.id, by_seat=True)
    await act.record("delivery:message:sent", reached(extent) | {"text": row.text})
    return row.id


async def call(
    act: Act, sitting: str, reason: str, number: int | None, text: str, fault: str | None = None
) -> str:
    """Put a candidate's call on the board; return its id. One open call of a reason is enough: it is
    returned.
    """
    found = await act.session.scalar(
        select(CallRow.id).where(
            CallRow.sitting == sitting,
            CallRow.reason == reason,
            CallRow.number.is_(None) if number is None else CallRow.number == number,
            CallRow.answered_at.is_(None),
        )
    )
    if found is not None:
        return str(found)
    item = None
    if reason == "item" and number is not None:
        spare = await act.session.scalar(select(SittingRow.paper).where(SittingRow.id == sitting))
        item = await papers.item_tag(act.session, sitting, spare, number)
    row = CallRow(
        id=new_id(),
        sitting=sitting,
        at=act.now,
        reason=reason,
        number=number,
        text=text,
        fault=fault,
        item=item,
    )
    act.session.add(row)
    await act.record(
        "delivery:call:made", {"sitting": sitting, "reason": reason, "number": number, "fault": fault}
    )
    await announce(act.session, SITTING, sitting)
    return row.id


async def answer_call(act: Act, call: str) -> None:
    """Record that somebody went to the candidate; repeating changes nothing."""
    row = await act.session.get(CallRow, call)
    if row is None:
        raise NotFound("call-unknown", call=call)
    if row.answered_at is None:
        row.answered_at, row.answered_by = act.now, act.actor
        await act.record("delivery:call:answered", {"call": call, "sitting": row.sitting})
        await announce(act.session, SITTING, row.sitting)
