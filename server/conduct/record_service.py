"""Use cases of the room record: make a version, sign it by two names."""

import hashlib
import json
import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.conduct import store
from server.conduct.models import RoomRecordRow
from server.conduct.record import Move, Noted, OutOfSeat, RoomRecord, Seated, Unrecorded, room_record
from server.conduct.store import SignedRecord
from server.db.act import Act
from server.delivery import command_store
from server.delivery import store as delivery
from server.delivery.sitting import State
from server.errors import BadInput, NotFound, Refusal, Refused, Unavailable
from server.keys.anchors import Anchor, anchor, newest_anchor
from server.keys.identity import Identity
from server.law.citing import cites
from server.proctor import recording_store as recordings


async def fresh_anchor(act: Act, identity: Identity) -> Anchor:
    """Return a signed head over everything journalled up to this act, taken now where something is new."""
    found = await anchor(act.session, identity, act.now) or await newest_anchor(act.session)
    if found is None:
        raise Unavailable("journal-empty")
    return found


async def count_room(
    session: AsyncSession, slot: str, room: str, now: datetime, code: str = ""
) -> RoomRecord:
    """Return the record of a room as it would be made now; `code` is the anchor's, empty for a look only."""
    seats = {seat.room for seat in await affairs.seating(session, slot)}
    if room not in seats:
        raise NotFound("hall-room-unknown", room=room)
    sittings = await delivery.sittings(session, slot)
    tickets = {s.id: s.ticket for s in sittings}
    seated = [
        Seated(s.id, s.ticket, s.name, s.room, s.seat, _end(s.state), s.opened_at is not None)
        for s in sittings
    ]
    moves = [
        Move(tickets[m.sitting], m.from_room, m.from_seat, m.to_room, m.to_seat, m.at, m.reason)
        for m in await delivery.moves(session, slot)
    ]
    of_room = {s.id for s in sittings if s.room == room}
    noted = [
        Noted(i.kind, i.state, tickets.get(i.sitting) if i.sitting else None, i.recorded_at, i.note)
        for i in await store.incidents(session, slot)
        if (i.sitting in of_room if i.sitting is not None else i.room in (room, None))
    ]
    breaks = [
        OutOfSeat(tickets[b.sitting], b.escort, b.left_at, b.returned_at, b.reason)
        for b in await command_store.breaks(session, slot)
        if b.sitting in of_room
    ]
    unrecorded = [
        Unrecorded(gap.camera, gap.started_at, gap.ended_at, gap.code)
        for gap in await recordings.gaps(session, slot, room)
    ]
    return room_record(slot, room, seated, moves, noted, code, now, breaks, unrecorded)


def _end(state: State) -> str:
    return state.value if state.closed else "open"


def record_body(record: RoomRecord) -> dict[str, Any]:
    """Return a record as JSON: times ISO 8601 in UTC."""
    body: dict[str, Any] = json.loads(json.dumps(asdict(record), default=datetime.isoformat))
    return body


@cites("BJ-E:A5.2-9", "BJ-E:A5.2-12")
async def make_record(act: Act, identity: Identity, slot: str, room: str) -> str:
    """Keep a new version of a room's record with a fresh anchor's code; return its id. Earlier versions
    stay.
    """
    code = (await fresh_anchor(act, identity)).code
    record = await count_room(act.session, slot, room, act.now, code)
    last = await act.session.scalar(
        select(func.max(RoomRecordRow.version)).where(RoomRecordRow.slot == slot, RoomRecordRow.room == room)
    )
    made = str(uuid.uuid4())
    body = json.dumps(record_body(record), ensure_ascii=False, sort_keys=True)
    act.session.add(
        RoomRecordRow(
            id=made,
            slot=slot,
            room=room,
            version=(last or 0) + 1,
            made_at=act.now,
            made_by=act.actor,
            code=record.code,
            body=body,
        )
    )
    await act.session.flush()
    await act.record(
        "conduct:record:made",
        {
            "record": made,
            "slot": slot,
            "room": room,
            "version": (last or 0) + 1,
            "code": record.code,
            "body": hashlib.sha256(body.encode()).hexdigest(),
        },
    )
    return made


async def sign_record(act: Act, record: str, second: str) -> SignedRecord:
    """Sign a record as the actor with another person's name beside it; refused twice and while the room
    is open.
    """
    row = await act.session.get(RoomRecordRow, record)
    if row is None:
        raise NotFound("record-unknown", record=record)
    if row.signed_at is not None:
        raise Refused(Refusal("record-signed-already", None, {"at": row.signed_at.isoformat()}))
    if not second.strip() or second.strip() == act.actor.removeprefix("staff:"):
        raise BadInput("record-second-name")
    if json.loads(row.body)["open"]:
        raise Refused(Refusal("record-room-open", "BJ-E:A5.2-12", {"open": json.loads(row.body)["open"]}))
    row.signed_by, row.second, row.signed_at = act.actor, second.strip(), act.now
    await act.session.flush()
    await act.record(
        "conduct:record:signed",
        {"record": record, "slot": row.slot, "room": row.room, "second": second, "code": row.code},
    )
    return next(r for r in await store.records(act.session, row.slot) if r.id == record)
