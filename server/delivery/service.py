"""Acts on sittings and seats: load facts, ask the rule, write, journal, announce.

Called by conduct (people's acts) and by the runtime; the topics announced stand in `acts`. Acts on time are in
`time_service`, words and calls in `contact_service`. The runtime adds the signal `delivery.line` with a sitting
id (came or lost).
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select

from server.affairs import store as affairs
from server.db.act import Act
from server.db.signals import announce
from server.delivery import command_service as commands
from server.delivery import store
from server.delivery.acts import SITTING, SLOT, new_id, note, stepped
from server.delivery.due import due_sittings
from server.delivery.endings import Sign, end_sitting, standing
from server.delivery.facts import Ending, Extent, Place, SlotTerms
from server.delivery.models import (
    BellRow,
    CheckInRow,
    HeadRow,
    LeaseRow,
    MoveRow,
    SittingRow,
    SlotRow,
)
from server.delivery.sitting import Event, State
from server.delivery.timing import Policy, policy_refusal
from server.errors import Fact, NotFound, Refusal, Refused, required


def start_key_aad(slot: str) -> bytes:
    """Return the associated data under which a slot's start key is wrapped for the bell."""
    return b"gongyuan/start-key/1\x00" + slot.encode()


def credential(sitting: str, ticket: str, id_number: str) -> bytes:
    """Return SHA-256 over a sitting and the two numbers, without spaces and in upper case."""
    ticket, id_number = ("".join(text.split()).upper() for text in (ticket, id_number))
    return hashlib.sha256(f"gongyuan/sign-in/1\n{sitting}\n{ticket}\n{id_number}".encode()).digest()


async def prepare(act: Act, slot: str) -> int:
    """Prepare the sittings of a slot from its seating; return how many are new. Repeating adds the missing
    ones.
    """
    found = await affairs.slot(act.session, slot)
    plan = await affairs.plan(act.session, found.plan)
    candidates = {one.id: one for one in await affairs.candidates(act.session, found.plan)}
    places = []
    for seating in await affairs.seating(act.session, slot):
        person = candidates.get(seating.candidate)
        if person is None:
            continue
        places.append(
            Place(
                seating.sitting,
                person.id,
                person.name,
                person.ticket,
                person.id_number,
                seating.room,
                seating.seat,
            )
        )
    terms = SlotTerms(
        slot=slot,
        plan=plan.id,
        plan_name=plan.name,
        title=f"{plan.occupation} {plan.level}",
        starts_at=found.starts_at,
        policy=Policy(found.minutes, found.early, found.late),
        version=found.policy,
    )
    return await prepare_sittings(act, terms, places)


async def prepare_sittings(act: Act, terms: SlotTerms, places: Sequence[Place]) -> int:
    """Make the slot and a sitting for each place that has none yet; return how many are new."""
    required(policy_refusal(terms.policy))
    slot = await act.session.get(SlotRow, terms.slot)
    if slot is None:
        act.session.add(
            SlotRow(
                id=terms.slot,
                plan=terms.plan,
                plan_name=terms.plan_name,
                title=terms.title,
                starts_at=terms.starts_at,
                minutes=terms.policy.minutes,
                early=terms.policy.early,
                late=terms.policy.late,
                policy=terms.version,
                prepared_at=act.now,
            )
        )
        await act.session.flush()
    known = set(await act.session.scalars(select(SittingRow.id).where(SittingRow.slot == terms.slot)))
    new = [place for place in places if place.sitting not in known]
    act.session.add_all(
        SittingRow(
            id=place.sitting,
            slot=terms.slot,
            candidate=place.candidate,
            name=place.name,
            ticket=place.ticket,
            credential=credential(place.sitting, place.ticket, place.id_number),
            room=place.room,
            seat=place.seat,
            time_room=place.room,
            state=State.PREPARED.value,
            lease=0,
        )
        for place in new
    )
    await act.session.flush()
    act.session.add_all(HeadRow(sitting=place.sitting, digest=bytes(32)) for place in new)
    if new:
        await act.record("delivery:slot:prepared", {"slot": terms.slot, "sittings": len(new)})
        await announce(act.session, SLOT, terms.slot)
    return len(new)


async def check_in(act: Act, sitting: str, evidence: Mapping[str, Any]) -> None:
    """Open the seat for this candidate: ticket, document, photo and signature were checked there. After a halt
    the same again; the paper stays the opened one.

    Refused when another sitting is open at the seat, or the sitting's state does not allow it.
    """
    row = await store.sitting_row(act.session, sitting, lock=True)
    after = stepped(row, Event.CHECK_IN)
    for other in await store.active_at(act.session, row.room, row.seat):
        if other.id != row.id:
            raise Refused(Refusal("seat-taken", facts={"room": row.room, "seat": row.seat}))
    row.state, row.checked_in_at = after.value, act.now
    told = msgspec.json.encode(dict(evidence)).decode()
    act.session.add(CheckInRow(id=new_id(), sitting=sitting, at=act.now, actor=act.actor, evidence=told))
    await note(act, row, "delivery:sitting:checked-in", {"room": row.room, "seat": row.seat})


async def undo_check_in(act: Act, sitting: str, reason: str) -> None:
    """Take a check-in back while the paper is not opened."""
    row = await store.sitting_row(act.session, sitting, lock=True)
    row.state, row.checked_in_at = stepped(row, Event.UNDO_CHECK_IN).value, None
    row.lease += 1
    act.session.add(LeaseRow(sitting=sitting, lease=row.lease, seat=None, taken_at=act.now))
    await note(act, row, "delivery:sitting:check-in-undone", {"reason": reason})


async def mark_absent(act: Act, sitting: str, reason: str = "") -> None:
    """Record that the candidate is absent: no paper was opened."""
    row = await store.sitting_row(act.session, sitting, lock=True)
    before = State(row.state)
    row.state = stepped(row, Event.MARK_ABSENT).value
    await commands.issue(act, "absent", Extent(row.slot, sitting=sitting), reason, before=before, states=())
    await note(act, row, "delivery:sitting:absent", {"reason": reason})


async def ring(
    act: Act, slot: str, rooms: Sequence[str] | None, wrapped_start_key: bytes, bell_at: datetime
) -> tuple[str, ...]:
    """Record the bell for rooms of a slot (all when None) together with the wrapped start key; return the
    rooms.

    `bell_at` (aware UTC) is the start of every sitting there. The key is wrapped under `start_key_aad(slot)`.
    Whether the bell may be struck is conduct's rule; here only a second bell for a room is refused. Keys go
    out to the seats after this act's commit.
    """
    # Rooms only: thousands of rows made into facts held the bell up for a fifth of a second.
    rooms_of = select(SittingRow.time_room).where(SittingRow.slot == slot).distinct()
    of_slot = set(await act.session.scalars(rooms_of))
    wanted = of_slot if rooms is None else set(rooms)
    unknown = sorted(wanted - of_slot)
    if unknown or not wanted:
        raise NotFound("room-not-in-slot", slot=slot, room=", ".join(unknown))
    rung = set((await store.slot_times(act.session, slot)).bells)
    ringing = sorted(wanted - rung)
    if not ringing or (rooms is not None and wanted & rung):
        raise Refused(Refusal("bell-rung", facts={"room": ", ".join(sorted(wanted & rung))}))
    act.session.add_all(
        BellRow(slot=slot, room=room, at=bell_at, actor=act.actor, wrapped_start_key=wrapped_start_key)
        for room in ringing
    )
    await act.record("delivery:bell:rung", {"slot": slot, "rooms": ringing, "at": bell_at.isoformat()})
    await announce(act.session, SLOT, slot)
    return tuple(ringing)


async def reseat(act: Act, sitting: str, room: str, seat: int, reason: str) -> None:
    """Move a candidate to another seat; the device there signs in anew, the old one keeps what it may still
    send.

    Refused when the seat belongs to another sitting of the slot that is not absent or over, is open for a
    candidate of another slot, or has no enrolled machine.
    """
    row = await store.sitting_row(act.session, sitting, lock=True)
    after = stepped(row, Event.RESEAT)
    if (row.room, row.seat) == (room, seat):
        raise Refused(Refusal("reseat-same", facts={"room": room, "seat": seat}))
    await _free(act, row, room, seat)
    act.session.add(
        MoveRow(
            id=new_id(),
            sitting=sitting,
            at=act.now,
            from_room=row.room,
            from_seat=row.seat,
            to_room=room,
            to_seat=seat,
            actor=act.actor,
            reason=reason,
        )
    )
    await commands.issue(act, "reseat", Extent(row.slot, sitting=sitting), reason)
    facts = {"from": f"{row.room}-{row.seat}", "to": f"{room}-{seat}", "reason": reason}
    row.room, row.seat, row.state = room, seat, after.value
    if after not in (State.OPENED, State.HALTED):
        row.time_room = room
    # The lease steps now, so that the device left behind can fill gaps and change nothing else.
    row.lease += 1
    act.session.add(LeaseRow(sitting=sitting, lease=row.lease, seat=None, taken_at=act.now))
    await note(act, row, "delivery:sitting:reseated", facts)


async def cancel(act: Act, sitting: str, reason: str) -> None:
    """Void an opened, handed-in or collected paper (cheating, by the chief); what was answered is kept."""
    row = await store.sitting_row(act.session, sitting, lock=True)
    before = State(row.state)
    after = stepped(row, Event.VOID)
    await commands.issue(act, "void", Extent(row.slot, sitting=sitting), reason, before=before)
    row.state, row.ended_at = after.value, act.now
    await note(act, row, "delivery:sitting:voided", {"reason": reason})


async def collect(act: Act, sign: Sign, sitting: str, reason: str = "") -> Ending:
    """Collect one opened paper now, with what is acknowledged; the chief's act before the end, or at the
    end.
    """
    row = await store.sitting_row(act.session, sitting, lock=True)
    stepped(row, Event.COLLECT)
    if reason:
        await commands.issue(act, "collect", Extent(row.slot, sitting=sitting), reason)
    await act.session.flush()

    def end(session: Any) -> Ending:
        live = session.connection()
        answers = standing(live, sitting)
        return end_sitting(live, act.journal, sign, sitting, State.COLLECTED, act.now, act.actor, answers)

    ending = await act.session.run_sync(end)
    await act.session.refresh(row)
    if reason:
        await act.record("delivery:sitting:collection-forced", {"sitting": sitting, "reason": reason})
    await announce(act.session, SITTING, sitting)
    return ending


async def collect_due(act: Act, sign: Sign, most: int = 10) -> tuple[Ending, ...]:
    """Collect opened papers whose own end and grace are past at `act.now`, at most so many in this
    transaction: answers of others wait meanwhile.
    """
    due = await due_sittings(act.session, act.now, most)
    return tuple([await collect(act, sign, sitting) for sitting in due])


async def _free(act: Act, row: SittingRow, room: str, seat: int) -> None:
    facts: dict[str, Fact] = {"room": room, "seat": seat}
    others = await act.session.scalars(
        select(SittingRow).where(
            SittingRow.slot == row.slot, SittingRow.room == room, SittingRow.seat == seat
        )
    )
    if any(not State(other.state).closed for other in others):
        raise Refused(Refusal("seat-taken", facts=facts))
    if any(other.id != row.id for other in await store.active_at(act.session, room, seat)):
        raise Refused(Refusal("seat-taken", facts=facts))
    if not any(one.number == seat for one in await store.seats(act.session, [room])):
        raise Refused(Refusal("seat-not-enrolled", facts=facts))
