"""Use cases of late answers: a carried journal is kept, late answers are proposed by one and confirmed by another.

Refused once the slot is closed; a slot is not closed while any of them waits.
"""

from collections.abc import Sequence

from server.conduct import service
from server.conduct.incident_service import record_incident
from server.conduct.incidents import IncidentKind
from server.db.act import Act
from server.db.signals import announce
from server.delivery import late_journals, late_service
from server.delivery import store as delivery_store
from server.delivery.late_service import Merge
from server.delivery.merging import Decision
from server.errors import GongyuanError
from server.keys.identity import Identity
from server.law.citing import cites
from server.protocol.journal import JournalCopy

TOPIC = service.TOPIC


async def _open(act: Act, sitting: str) -> str:
    """Return the slot of a sitting; refused when it is closed or cancelled."""
    slot = (await delivery_store.sitting(act.session, sitting)).slot
    await service.require_open(act, slot)
    return slot


ENTRIES_AT_ONCE = 100
"""Entries of one transaction: answers that arrive meanwhile wait for no longer than their signatures take."""


def parts_of(journal: JournalCopy) -> range:
    """The places at which the parts of a journal begin that are kept one after the other; one part at least."""
    return range(0, max(1, len(journal.entries)), ENTRIES_AT_ONCE)


async def keep_journal(act: Act, journal: JournalCopy, first: int) -> int:
    """Keep the part of a journal carried by hand that begins at place `first`; return how many of its entries are kept
    now. Where an entry is wrong, the sound ones before its part stay kept."""
    slot = await _open(act, journal.head.sitting)
    part = journal.entries[first : first + ENTRIES_AT_ONCE]
    kept = await late_journals.keep(act, journal.head, first, part, "file")
    await announce(act.session, TOPIC, slot)
    return kept


async def journal_refused(act: Act, journal: JournalCopy, error: GongyuanError) -> None:
    """Journal that a carried journal was not taken, and why."""
    head = journal.head
    await act.record(
        "conduct:journal:refused",
        {"sitting": head.sitting, "lease": head.lease, "seat": head.seat, "code": error.code},
    )


async def propose(act: Act, sitting: str, decisions: Sequence[Decision]) -> str:
    """Propose what becomes of each late answer of a sitting; return the proposal's id."""
    slot = await _open(act, sitting)
    made = await late_service.propose(act, sitting, decisions)
    await announce(act.session, TOPIC, slot)
    return made


async def return_proposal(act: Act, sitting: str, reason: str) -> None:
    """Return the open proposal."""
    slot = await _open(act, sitting)
    await late_service.return_proposal(act, sitting, reason)
    await announce(act.session, TOPIC, slot)


@cites("BJ-E:A5.2-11", "BJ-E:A5.2-12")
async def confirm(act: Act, identity: Identity, sitting: str) -> Merge:
    """Carry a proposal out as its second person; the merge is an incident on the room record, too."""
    slot = await _open(act, sitting)
    merge = await late_service.confirm(act, identity.signing.sign, sitting)
    found = await delivery_store.sitting(act.session, sitting)
    note = (
        f"{merge.first.removeprefix('staff:')} + {merge.second.removeprefix('staff:')}: "
        f"+[{', '.join(map(str, merge.accepted))}] −[{', '.join(map(str, merge.refused))}] {merge.code}"
    )
    await record_incident(act, slot, IncidentKind.LATE_ANSWERS, note, room=found.room, sitting=sitting)
    await announce(act.session, TOPIC, slot)
    return merge
