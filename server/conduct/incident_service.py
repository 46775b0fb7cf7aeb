"""Use cases of incidents: record, settle by a second person, note the urgent report."""

import uuid

from server.conduct import store
from server.conduct.incidents import (
    Incident,
    IncidentEvent,
    IncidentKind,
    IncidentState,
    first_state,
    recordable,
    report_to,
    settle,
)
from server.conduct.models import IncidentRow
from server.db.act import Act
from server.errors import BadInput, Refusal, Refused, required


async def record_incident(
    act: Act,
    slot: str,
    kind: IncidentKind,
    note: str,
    *,
    room: str | None = None,
    sitting: str | None = None,
    alert: str | None = None,
) -> str:
    """Record what the actor saw; return the incident's id. A finding on a candidate waits for a second
    person.
    """
    required(recordable(kind, sitting, note))
    incident = str(uuid.uuid4())
    state = first_state(kind)
    act.session.add(
        IncidentRow(
            id=incident,
            slot=slot,
            room=room,
            sitting=sitting,
            kind=kind,
            state=state,
            note=note,
            alert=alert,
            recorded_at=act.now,
            recorded_by=act.actor,
            report_to=report_to(kind),
        )
    )
    await act.session.flush()
    await act.record(
        "conduct:incident:recorded",
        {
            "incident": incident,
            "slot": slot,
            "kind": kind,
            "state": state,
            "room": room,
            "sitting": sitting,
            "alert": alert,
            "note": note,
        },
    )
    return incident


async def settle_incident(
    act: Act, incident: str, event: IncidentEvent, reason: str, *, chief: bool
) -> IncidentState:
    """Confirm or dismiss a proposed finding as its second person; a reason is needed either way."""
    if not reason.strip():
        raise BadInput("reason-needed")
    row = await store.incident_row(act.session, incident)
    fact = Incident(
        row.id, IncidentKind(row.kind), IncidentState(row.state), row.room, row.sitting, row.recorded_by
    )
    after = settle(fact, event, act.actor, chief)
    if isinstance(after, Refusal):
        raise Refused(after)
    row.state = after
    row.settled_at = act.now
    row.settled_by = act.actor
    row.settled_note = reason
    await act.session.flush()
    await act.record(
        "conduct:incident:settled",
        {
            "incident": incident,
            "slot": row.slot,
            "kind": row.kind,
            "state": after,
            "sitting": row.sitting,
            "recorded_by": row.recorded_by,
            "reason": reason,
        },
    )
    return after


async def report_incident(act: Act, incident: str, told: str, receipt: str) -> None:
    """Note that the incident was reported at once: who was told, and the receipt or number they gave."""
    if not told.strip():
        raise BadInput("reported-to-whom")
    row = await store.incident_row(act.session, incident)
    if row.reported_at is not None:
        raise Refused(Refusal("incident-reported-already", None, {"at": row.reported_at.isoformat()}))
    row.reported_at = act.now
    row.reported_to_name = told
    row.receipt = receipt
    await act.session.flush()
    await act.record(
        "conduct:incident:reported",
        {"incident": incident, "to": row.report_to, "told": told, "receipt": receipt},
    )
