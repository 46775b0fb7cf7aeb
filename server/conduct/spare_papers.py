"""Use case of spare papers: the chief gives one with a reason, and the incident stands with it."""

from server.conduct import service
from server.conduct.incident_service import record_incident
from server.conduct.incidents import IncidentKind
from server.db.act import Act
from server.db.signals import announce
from server.delivery import replacing
from server.delivery import store as delivery_store
from server.delivery.replacing import Replacement
from server.errors import BadInput
from server.law.citing import cites


@cites("BJ-E:A5.2-12")
async def replace_paper(act: Act, sitting: str, reason: str) -> Replacement:
    """Give a candidate a spare in place of a spoiled paper; it opens with the start key like the others.

    Counts: opened = present + replaced, each with this incident and its spare.
    """
    if not reason.strip():
        raise BadInput("reason-needed")
    found = await delivery_store.sitting(act.session, sitting)
    await service.require_open(act, found.slot)
    given = await replacing.replace_paper(act, sitting, reason.strip())
    note = f"{reason.strip()} ({given.before[:8]} → {given.spare[:8]})"
    await record_incident(
        act, found.slot, IncidentKind.PAPER_REPLACED, note, room=found.room, sitting=sitting
    )
    await announce(act.session, service.TOPIC, found.slot)
    return given
