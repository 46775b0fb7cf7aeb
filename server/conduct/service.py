"""Use cases of the exam day: the acts of chief and invigilators on a slot that is being held.

Each act asks its rule, changes what delivery reads through delivery's own verbs, and is journalled with
its reason.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict

from server.affairs import store as affairs
from server.conduct import store
from server.conduct.bell import BellFacts, may_ring
from server.conduct.counts import slot_gaps
from server.conduct.entry import may_enter
from server.conduct.incident_service import record_incident
from server.conduct.incidents import IncidentKind
from server.conduct.models import SealShowingRow, SlotClosureRow
from server.conduct.opening_facts import bells_of, require_standing, times_of
from server.conduct.record_service import fresh_anchor
from server.conduct.runsheet_service import put_tick
from server.conduct.store import SealShowing
from server.conduct.tally import slot_counts
from server.db.act import Act
from server.db.signals import announce
from server.delivery import contact_service, late_journals, late_service, time_service
from server.delivery import service as delivery
from server.delivery import store as delivery_store
from server.delivery.facts import Extent
from server.delivery.sitting import State
from server.errors import BadInput, NotFound, Refusal, Refused, required
from server.keys.identity import Identity
from server.keys.start_keys import StartKeys
from server.law.citing import cites
from server.papers import store as papers

TOPIC = "conduct"
"""Signals of this room carry the slot's id under this topic."""


async def require_open(act: Act, slot: str) -> None:
    """Refuse an act on a slot that is closed or cancelled."""
    closure = await store.closure(act.session, slot)
    if closure is not None:
        raise Refused(
            Refusal("slot-over", None, {"outcome": closure.outcome, "at": closure.closed_at.isoformat()})
        )


async def prepare(act: Act, slot: str) -> int:
    """Make the sittings of a slot from its seating; return how many are new. Refused without drawn papers."""
    await require_open(act, slot)
    if await papers.sealed_set(act.session, slot) is None:
        raise Refused(Refusal("slot-without-papers", None, {"slot": slot}))
    made = await delivery.prepare(act, slot)
    await announce(act.session, TOPIC, slot)
    return made


@cites("BJ-E:19", "BJ-E:A5.2-5", "BJ-E:A4.2-3")
async def check_in(
    act: Act,
    sitting: str,
    *,
    ticket: bool,
    document: bool,
    photo: bool,
    signature: bool,
    exception: str = "",
    admitted_late: str = "",
) -> None:
    """Check a candidate in at the door: ticket, document, photo and signature, or a named exception to
    one of them.

    Refused before the seals are drawn, after the slot is over, where something was not looked at, and after the
    latest entry that was filed, if any; `admitted_late` is the chief's reason for letting one in all the same.
    """
    found = await delivery_store.sitting(act.session, sitting)
    await require_open(act, found.slot)
    looked = {"ticket": ticket, "document": document, "photo": photo, "signature": signature}
    missing = sorted(name for name, seen in looked.items() if not seen)
    if missing and not exception.strip():
        raise Refused(Refusal("check-in-incomplete", "BJ-E:A5.2-5", {"missing": ", ".join(missing)}))
    if found.state is not State.HALTED:
        filed = await affairs.slot(act.session, found.slot)
        bell = (await bells_of(act.session, found.slot)).get(found.time_room)
        required(may_enter(filed.entry, bell, admitted_late, act.now))
    evidence = {**looked, "exception": exception} | (
        {"admitted_late": admitted_late} if admitted_late else {}
    )
    await delivery.check_in(act, sitting, evidence)
    await announce(act.session, TOPIC, found.slot)


async def undo_check_in(act: Act, sitting: str, reason: str) -> None:
    """Take a check-in back while the paper is not opened; the device that signed in loses the sitting."""
    found = await delivery_store.sitting(act.session, sitting)
    await require_open(act, found.slot)
    await delivery.undo_check_in(act, sitting, reason)
    await announce(act.session, TOPIC, found.slot)


async def mark_absent(act: Act, sitting: str, reason: str) -> None:
    """Enter a candidate as absent (BJ-E:A5.2-9); refused before the bell of the room. Checked in but
    never opened counts as absent and gets its incident by this act.
    """
    found = await delivery_store.sitting(act.session, sitting)
    await require_open(act, found.slot)
    bells = await bells_of(act.session, found.slot)
    if found.time_room not in bells:
        raise Refused(Refusal("absent-before-bell", "BJ-E:A5.2-9"))
    await delivery.mark_absent(act, sitting, reason)
    if found.state is State.CHECKED_IN:
        await record_incident(
            act, found.slot, IncidentKind.NEVER_OPENED, reason, room=found.room, sitting=sitting
        )
    await announce(act.session, TOPIC, found.slot)


@cites("BJ-E:A5.2-7")
async def show_seals(act: Act, slot: str, identity: Identity) -> SealShowing:
    """Record that the seals of all papers were shown whole, with the journal's code of the moment and the SHA-256 of
    the list of their hashes as `gongyuan paper seals` prints it; once a slot.
    """
    await affairs.lock_slot(act.session, slot)
    await require_open(act, slot)
    sealed = await papers.sealed_set(act.session, slot)
    if sealed is None:
        raise Refused(Refusal("slot-without-papers", None, {"slot": slot}))
    if await store.seal_showing(act.session, slot) is not None:
        raise Refused(Refusal("seals-shown-already", "BJ-E:A5.2-7"))
    code = (await fresh_anchor(act, identity)).code
    count = sealed.papers + sealed.spares
    act.session.add(SealShowingRow(slot=slot, papers=count, code=code, shown_at=act.now, shown_by=act.actor))
    await act.session.flush()
    listed = hashlib.sha256(papers.seals_text(await papers.seals(act.session, slot)).encode()).hexdigest()
    await act.record(
        "conduct:seals:shown",
        {"slot": slot, "papers": count, "set": sealed.id, "code": code, "seals": listed},
    )
    for room in sorted({seat.room for seat in await affairs.seating(act.session, slot)}):
        await put_tick(act, slot, "seals_shown", room)
    await announce(act.session, TOPIC, slot)
    return SealShowing(slot, count, code, act.now, act.actor)


async def _rooms_to_ring(act: Act, slot: str, rooms: Iterable[str], start_keys: StartKeys) -> tuple[str, ...]:
    await require_open(act, slot)
    found = await affairs.slot(act.session, slot)
    known = sorted({seat.room for seat in await affairs.seating(act.session, slot)})
    times = await times_of(act.session, slot)
    bells = {} if times is None else times.bells
    planned = {
        room: found.starts_at if times is None else found.starts_at + times.moved_by(room) for room in known
    }
    named = sorted(set(rooms))
    unknown = [room for room in named if room not in known]
    if unknown:
        raise NotFound("hall-room-unknown", room=unknown[0])
    waiting = [room for room in known if room not in bells]
    due = [room for room in waiting if planned[room] <= act.now]
    wanted = tuple(named or due or sorted(waiting, key=lambda room: planned[room]) or known)
    if not bells:
        await require_standing(act.session, found.plan)
    shown = await store.seal_showing(act.session, slot) is not None
    for room in wanted:
        facts = BellFacts(planned[room], bells.get(room), shown, start_keys.holds(slot) or bool(bells))
        required(may_ring(facts, act.now))
    if times is not None and any(
        h.pause.halt and h.pause.end is None and h.extent.room in (None, *wanted) for h in times.halts
    ):
        raise Refused(Refusal("bell-while-halted", "BJ-E:A4.1-9"))
    return wanted


async def intend_bell(act: Act, slot: str, rooms: Iterable[str], start_keys: StartKeys) -> tuple[str, ...]:
    """Ask the rule and journal the intention to ring; return the rooms that will ring, in order.

    No rooms named means every room of the slot that has not had its bell and whose planned start, moved by the delays
    granted, has come. The caller commits this act before
    `ring_bell`: the release of keys cannot be undone.
    """
    wanted = await _rooms_to_ring(act, slot, rooms, start_keys)
    await act.record("conduct:bell:intended", {"slot": slot, "rooms": list(wanted)})
    return wanted


async def ring_bell(
    act: Act, slot: str, rooms: Iterable[str], start_keys: StartKeys, identity: Identity
) -> tuple[str, ...]:
    """Ring for these rooms (none: as `intend_bell`) and return them.

    One transaction records the bell at `act.now` and stores the start key wrapped under the storage key;
    from its commit on the keys go out, and every restart reads them there. The caller forgets the start
    key in memory after the commit once every room has its bell.
    """
    wanted = await _rooms_to_ring(act, slot, rooms, start_keys)
    wrapped = await delivery_store.wrapped_start_key(act.session, slot)
    first = wrapped is None
    if wrapped is None:
        key = start_keys.take(slot)
        if key is None:
            raise Refused(Refusal("bell-start-key-closed", "BJ-E:A4.3-3"))
        wrapped = identity.storage_wrap(key, delivery.start_key_aad(slot))
    await delivery.ring(act, slot, wanted, wrapped, act.now)
    if first:
        await put_tick(act, slot, "start")
    await act.record("conduct:bell:rung", {"slot": slot, "rooms": list(wanted)})
    await announce(act.session, TOPIC, slot)
    return wanted


async def reseat(act: Act, sitting: str, room: str, seat: int, reason: str) -> None:
    """Move a candidate to a free seat; the move is listed on the room record of both rooms."""
    found = await delivery_store.sitting(act.session, sitting)
    await require_open(act, found.slot)
    await delivery.reseat(act, sitting, room, seat, reason)
    await announce(act.session, TOPIC, found.slot)


async def allow(act: Act, extent: Extent, kind: str, seconds: int, reason: str) -> None:
    """Give time: `extra` (a right), `delay` (a late start) or `credit` (lost time given back), in legal
    seconds.
    """
    await require_open(act, extent.slot)
    match kind:
        case "extra":
            await time_service.extend(act, extent, seconds, reason)
        case "delay":
            await time_service.delay(act, extent, seconds, reason)
        case "credit":
            await time_service.credit(act, extent, seconds, reason)
        case _:
            raise BadInput("allowance-kind", kind=kind)
    await announce(act.session, TOPIC, extent.slot)


@cites("BJ-E:A4.1-9")
async def pause(act: Act, extent: Extent, reason: str) -> None:
    """Halt a sitting, a room or the whole slot; nobody may answer until `resume`, and no time is lost."""
    await require_open(act, extent.slot)
    await time_service.pause(act, extent, reason)
    await announce(act.session, TOPIC, extent.slot)


async def resume(act: Act, extent: Extent, reason: str) -> None:
    """End the halt that reaches exactly this extent."""
    await require_open(act, extent.slot)
    await time_service.resume(act, extent, reason)
    await announce(act.session, TOPIC, extent.slot)


async def message(act: Act, extent: Extent, text: str) -> None:
    """Show words to the candidates reached."""
    await require_open(act, extent.slot)
    await contact_service.message(act, extent, text)


async def collect(act: Act, sitting: str, reason: str, identity: Identity) -> None:
    """Collect one opened paper before its end, with what is acknowledged: a candidate who fell ill or had
    to leave.
    """
    found = await delivery_store.sitting(act.session, sitting)
    await require_open(act, found.slot)
    await delivery.collect(act, identity.signing.sign, sitting, reason)
    await announce(act.session, TOPIC, found.slot)


async def void(act: Act, sitting: str, reason: str) -> None:
    """Void an opened sitting: it is counted as present and voided, and never scored.

    Refused without a finding on this candidate that a second person confirmed: one person voids nothing.
    """
    found = await delivery_store.sitting(act.session, sitting)
    await require_open(act, found.slot)
    if sitting not in await store.cheated(act.session, found.slot):
        raise Refused(Refusal("void-without-finding", "BJ-E:A4.1-5"))
    await delivery.cancel(act, sitting, reason)
    await announce(act.session, TOPIC, found.slot)


async def answer_call(act: Act, call: str, slot: str) -> None:
    """Note that somebody went to the candidate who called."""
    await contact_service.answer_call(act, call)
    await announce(act.session, TOPIC, slot)


async def cancel(act: Act, slot: str, reason: str) -> None:
    """Cancel a slot before its first bell; refused afterwards, when only a halt or voiding is left."""
    await require_open(act, slot)
    if not reason.strip():
        raise BadInput("reason-needed")
    if await bells_of(act.session, slot):
        raise Refused(Refusal("cancel-after-bell", "BJ-E:A4.1-9"))
    act.session.add(
        SlotClosureRow(slot=slot, outcome="cancelled", closed_at=act.now, closed_by=act.actor, reason=reason)
    )
    await act.session.flush()
    await act.record("conduct:slot:cancelled", {"slot": slot, "reason": reason})
    await announce(act.session, TOPIC, slot)


@cites("BJ-E:A5.2-11", "BJ-E:A5.2-12", "BJ-E:A4.1-7")
async def close_slot(act: Act, slot: str) -> None:
    """Close a slot: refused while a sitting is open, a finding unsettled, or any count does not close;
    the first gap is named with both its sides.
    """
    await affairs.lock_slot(act.session, slot)
    await require_open(act, slot)
    sittings = await delivery_store.sittings(act.session, slot)
    open_sittings = [s for s in sittings if not s.state.closed]
    if open_sittings or not sittings:
        raise Refused(
            Refusal(
                "sittings-open",
                "BJ-E:A5.2-11",
                {
                    "open": len(open_sittings),
                    "places": ", ".join(f"{s.room}-{s.seat}" for s in open_sittings[:10]),
                },
            )
        )
    waiting = [i for i in await store.incidents(act.session, slot) if i.state == "proposed"]
    if waiting:
        raise Refused(Refusal("incidents-open", "BJ-E:A4.1-5", {"open": len(waiting)}))
    await _require_no_late_answers(act, slot)
    counted = await slot_counts(act.session, slot)
    for gap in slot_gaps(counted):
        raise Refused(gap.refusal())
    counts = asdict(counted)
    act.session.add(
        SlotClosureRow(
            slot=slot,
            outcome="closed",
            closed_at=act.now,
            closed_by=act.actor,
            counts=json.dumps(counts, sort_keys=True),
        )
    )
    await act.session.flush()
    await act.record("conduct:slot:closed", {"slot": slot, "counts": counts})
    await announce(act.session, TOPIC, slot)


async def _require_no_late_answers(act: Act, slot: str) -> None:
    journals = await late_journals.waiting(act.session, slot)
    sittings = await late_service.open_sittings(act.session, slot)
    if journals or sittings:
        facts = {"journals": journals, "sittings": len(sittings)}
        raise Refused(Refusal("late-answers-open", "BJ-E:A5.2-11", facts))
