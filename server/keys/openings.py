"""The openings: who may unseal what, and when. Pure: facts and `now` in, a refusal or nothing out.

Four openings need two custodians, each in its own window: desk, draw, start, marking. What is done to the keys
themselves runs through the same door, so that no passphrase meets the serving process: the ceremony (makes
custodians and bank keys), custody (changes the custodians or rotates), drill (a rehearsed recovery, which opens
every key and uses none) and passphrase (a custodian changes his own).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from server.errors import Refusal

CUSTODIANS_NEEDED = 2
DESK_LONGEST = timedelta(hours=8)
START_LEAD = timedelta(minutes=10)
"""The start opening is possible from this long before the planned start (inclusive)."""
WRONG_PASSPHRASES_ALLOWED = 5
"""At this many wrong passphrases the opening is over and another must be begun."""


class OpeningKind(StrEnum):
    """What is opened."""

    CEREMONY = "ceremony"
    DESK = "desk"
    DRAW = "draw"
    START = "start"
    MARKING = "marking"
    JOURNAL = "journal"
    CUSTODY = "custody"
    DRILL = "drill"
    PASSPHRASE = "passphrase"


class OpeningState(StrEnum):
    """Where one opening stands."""

    INTENDED = "intended"
    UNSEALING = "unsealing"
    DONE = "done"
    FAILED = "failed"
    ABORTED = "aborted"
    FORGOTTEN = "forgotten"
    """Start only: it was done, and the process that alone held the start key ended before the bell."""


class OpeningEvent(StrEnum):
    """What moves an opening."""

    UNLOCK = "unlock"
    FINISH = "finish"
    FAIL = "fail"
    ABORT = "abort"
    FORGET = "forget"


TRANSITIONS: Mapping[tuple[OpeningState, OpeningEvent], OpeningState] = {
    (OpeningState.INTENDED, OpeningEvent.UNLOCK): OpeningState.UNSEALING,
    (OpeningState.INTENDED, OpeningEvent.FAIL): OpeningState.FAILED,
    (OpeningState.INTENDED, OpeningEvent.ABORT): OpeningState.ABORTED,
    (OpeningState.UNSEALING, OpeningEvent.FINISH): OpeningState.DONE,
    (OpeningState.UNSEALING, OpeningEvent.FAIL): OpeningState.FAILED,
    (OpeningState.UNSEALING, OpeningEvent.ABORT): OpeningState.FAILED,
    (OpeningState.DONE, OpeningEvent.FORGET): OpeningState.FORGOTTEN,
}


def step(state: OpeningState, event: OpeningEvent) -> OpeningState | Refusal:
    """Return the next state, or why this event cannot happen in this state."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        return Refusal("opening-state", facts={"state": state.value, "event": event.value})
    return following


@dataclass(frozen=True, slots=True)
class OpeningFacts:
    """What the windows are judged by, gathered by the caller for one slot (desk: for the whole centre).

    Fields that a kind does not ask for may keep their defaults; every default says no.
    """

    candidates_confirmed: bool = False
    """Draw: the exam package with the confirmed candidates of the plan has arrived."""
    papers_drawn: bool = False
    """Draw and start: sealed papers of the slot stand in the database."""
    planned_start: datetime | None = None
    """Start: planned start of the slot, aware UTC."""
    seals_shown: bool = False
    """Start: the chief recorded that the seals were shown."""
    bell_struck: bool = False
    """Start: the bell of the slot has been recorded; from then on the stored key serves every restart."""
    open_slots_of_bank: int | None = None
    """Marking: slots of the same plan, subject and bank version that have a sitting not closed (this slot
    included); None means not known, which refuses."""
    late_journals: int | None = None
    """Journal: kept journals of the slot's kiosks with entries that nobody has opened; None means not known, which
    refuses."""
    check_in_began: bool | None = None
    """Desk, custody and drill: some sitting of today at this centre has been checked in; None means not known,
    which refuses."""
    sittings_open: int | None = None
    """Desk, custody and drill: sittings of today at this centre that are not closed; None means not known, which
    refuses."""


def desk_window(facts: OpeningFacts, duration: timedelta) -> Refusal | None:
    """Say whether the bank may be worked on for `duration`: more than 0, at most 8 hours (inclusive), and not
    from the first check-in of the day until the last sitting of the day at the centre is closed."""
    if not timedelta(0) < duration <= DESK_LONGEST:
        return Refusal("desk-duration", facts={"longest_hours": DESK_LONGEST // timedelta(hours=1)})
    if facts.check_in_began is None or facts.sittings_open is None:
        return Refusal("opening-facts-unknown", facts={"kind": OpeningKind.DESK.value})
    if facts.check_in_began and facts.sittings_open > 0:
        return Refusal("desk-during-exam", facts={"sittings_open": facts.sittings_open})
    return None


def draw_window(facts: OpeningFacts) -> Refusal | None:
    """Say whether papers may be drawn: once, after the candidates are confirmed, before the bell."""
    if not facts.candidates_confirmed:
        return Refusal("draw-before-confirmation", "BJ-E:8")
    if facts.papers_drawn:
        return Refusal("already-drawn")
    if facts.bell_struck:
        return Refusal("bell-struck")
    return None


def start_window(facts: OpeningFacts, now: datetime) -> Refusal | None:
    """Say whether the start key may be opened: from 10 minutes before the planned start (inclusive), after
    the seals were shown (BJ-E:A5.2-7), and only until the bell."""
    if facts.planned_start is None or not facts.papers_drawn:
        return Refusal("not-drawn")
    if facts.bell_struck:
        return Refusal("bell-struck")
    opens_at = facts.planned_start - START_LEAD
    if now < opens_at:
        return Refusal("start-too-early", "BJ-E:A5.2-7", {"allowed_from": opens_at.isoformat()})
    if not facts.seals_shown:
        return Refusal("seals-not-shown", "BJ-E:A5.2-7")
    return None


def marking_window(facts: OpeningFacts) -> Refusal | None:
    """Say whether the marking sheets may be opened: only after the last sitting of every slot that draws from
    the same bank version for that plan and subject is closed."""
    if facts.open_slots_of_bank is None:
        return Refusal("opening-facts-unknown", facts={"kind": OpeningKind.MARKING.value})
    if facts.open_slots_of_bank > 0:
        return Refusal("sittings-not-closed", facts={"slots": facts.open_slots_of_bank})
    return None


def journal_window(facts: OpeningFacts) -> Refusal | None:
    """Say whether kiosks' late journals may be opened: when there is one. What stands in them counts nothing until
    two named people have judged it, so there is no other window."""
    if facts.late_journals is None:
        return Refusal("opening-facts-unknown", facts={"kind": OpeningKind.JOURNAL.value})
    return Refusal("journals-none-waiting") if facts.late_journals == 0 else None


def custody_window(facts: OpeningFacts) -> Refusal | None:
    """Say whether custodians may be changed, keys rotated or a recovery rehearsed: not from the first check-in of
    the day until the last sitting of the day at the centre is closed."""
    if facts.check_in_began is None or facts.sittings_open is None:
        return Refusal("opening-facts-unknown", facts={"kind": OpeningKind.CUSTODY.value})
    if facts.check_in_began and facts.sittings_open > 0:
        return Refusal("custody-during-exam", facts={"sittings_open": facts.sittings_open})
    return None


def window(
    kind: OpeningKind, facts: OpeningFacts, now: datetime, duration: timedelta = DESK_LONGEST
) -> Refusal | None:
    """Ask the window of this kind; the ceremony and a custodian's own passphrase have none."""
    match kind:
        case OpeningKind.DESK:
            return desk_window(facts, duration)
        case OpeningKind.DRAW:
            return draw_window(facts)
        case OpeningKind.START:
            return start_window(facts, now)
        case OpeningKind.MARKING:
            return marking_window(facts)
        case OpeningKind.JOURNAL:
            return journal_window(facts)
        case OpeningKind.CUSTODY | OpeningKind.DRILL:
            return custody_window(facts)
        case OpeningKind.CEREMONY | OpeningKind.PASSPHRASE:
            return None


def giver_refusal(giver: str, custodian: str, begun_by: str) -> Refusal | None:
    """Refuse a passphrase from anybody but its custodian at his own login, or the login that began the opening, at
    whose machine the custodians type in turn. All three are actors or usernames of this centre.

    Otherwise any login could name the first passphrase of a custodian who has not come yet, and so be two people.
    """
    if giver == custodian or f"staff:{giver}" == begun_by:
        return None
    return Refusal("passphrase-not-yours", "BJ-E:A4.3-3", {"custodian": custodian})
