"""The bell, the run sheet, incidents and the room record."""

from datetime import UTC, datetime, timedelta

import pytest

from server.conduct.bell import BellFacts, BellKind, bell_kind, may_ring
from server.conduct.incidents import (
    TRANSITIONS,
    Incident,
    IncidentEvent,
    IncidentKind,
    IncidentState,
    ReportTo,
    first_state,
    recordable,
    report_to,
    settle,
    step,
)
from server.conduct.record import Move, Noted, Seated, room_record
from server.conduct.runsheet import StepState, Tick, checklist, next_line, tickable
from server.delivery.timing import Pause
from server.errors import Refusal
from server.law.loader import load_pack

PLANNED = datetime(2026, 3, 14, 0, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
READY = BellFacts(PLANNED, None, True, True)
STEPS = load_pack("beijing").run_sheet


@pytest.mark.parametrize(
    ("facts", "now", "code", "kind"),
    [
        (READY, PLANNED, None, BellKind.READY),
        (READY, PLANNED - SECOND, "bell-too-early", BellKind.EARLY),
        (BellFacts(PLANNED, None, True, False), PLANNED, "bell-start-key-closed", BellKind.LOCKED),
        (BellFacts(PLANNED, None, False, True), PLANNED, "bell-seals-not-shown", BellKind.LOCKED),
        (BellFacts(PLANNED, PLANNED, True, True), PLANNED + SECOND, "bell-rung-already", BellKind.RUNG),
        (READY, PLANNED + timedelta(minutes=5) - SECOND, None, BellKind.READY),
        (READY, PLANNED + timedelta(minutes=5), None, BellKind.OVERDUE),
    ],
)
def test_the_bell(facts: BellFacts, now: datetime, code: str | None, kind: BellKind) -> None:
    """The bell may be struck from the planned second on, once, with seals shown and key open; 5 minutes
    later without one the board says so.
    """
    refusal = may_ring(facts, now)
    assert (refusal and refusal.code) == code
    assert bell_kind(facts, now) is kind


def lines(now: datetime, ticks: list[Tick], bell: datetime | None = None):  # type: ignore[no-untyped-def]
    return checklist(STEPS, ticks, ["1", "2"], PLANNED, 90, bell, now)


def test_the_run_sheet_follows_annex_5() -> None:
    """Its 19 lines stand at the annex's minutes, from 7:30 to 10:05 for a start at 8:30 and 90 minutes."""
    found = lines(PLANNED - timedelta(hours=2), [])
    minutes = [round((line.at - PLANNED).total_seconds() / 60) for line in found]
    assert minutes == [-60, -55, -55, -50, -50, -40, -25, -25, -10, -5, -5, 0, 0, 30, 30, 75, 90, 90, 95]
    assert {line.state for line in found} == {StepState.AHEAD}


def test_a_late_bell_moves_what_follows() -> None:
    """After the bell all minutes count from it."""
    bell = PLANNED + timedelta(minutes=7)
    assert lines(bell, [], bell)[-1].at == bell + timedelta(minutes=95)


def test_a_halt_moves_what_follows_to_its_continuation() -> None:
    """Steps that come after the beginning of a halt stand behind its continuation on another day, which is a line of
    its own; while none is planned nothing of them falls due."""
    bell, begun = PLANNED, PLANNED + timedelta(minutes=40)
    again, week = begun + timedelta(days=2), timedelta(days=7)

    def found(now: datetime, halt: Pause) -> dict[str, tuple[datetime, StepState]]:
        sheet = checklist(STEPS, [], ["1", "2"], PLANNED, 90, bell, now, [halt])
        assert [line.at for line in sheet] == sorted(line.at for line in sheet)
        return {line.code: (line.at, line.state) for line in sheet}

    last = lines(bell, [], bell)[-1].code
    unplanned = found(begun + week, Pause(begun, None, halt=True))
    assert unplanned[last] == (PLANNED + timedelta(minutes=95) + week, StepState.AHEAD)
    assert "continuation-1" not in unplanned
    planned = found(begun + timedelta(hours=1), Pause(begun, None, halt=True, resumes_at=again))
    assert planned["continuation-1"] == (again, StepState.AHEAD)
    assert planned[last] == (PLANNED + timedelta(days=2, minutes=95), StepState.AHEAD)
    over = found(again, Pause(begun, again + SECOND, halt=True, resumes_at=again))
    assert over["continuation-1"][1] is StepState.DONE


def test_a_step_of_each_room_needs_each_room() -> None:
    """A room's step is done only when every room has ticked it, and the open rooms are named."""
    at = PLANNED - timedelta(minutes=10)
    tick = Tick("rules_read", "1", at, "staff:wang", None, "")
    (line,) = [x for x in lines(at, [tick]) if x.code == "rules_read"]
    assert (line.state, line.open_rooms) == (StepState.DUE, ("2",))
    both = [tick, Tick("rules_read", "2", at, "staff:li", None, "")]
    (line,) = [x for x in lines(at, both) if x.code == "rules_read"]
    assert line.state is StepState.DONE


def test_an_undone_step_becomes_late_when_a_later_one_is_due() -> None:
    """The next line is the first one open, and it is late once a later minute has come."""
    found = next_line(lines(PLANNED, []))
    assert found is not None
    assert (found.code, found.state) == ("report", StepState.LATE)
    assert next_line([]) is None


@pytest.mark.parametrize(
    ("code", "room", "second", "refusal"),
    [
        ("rules_read", "1", None, None),
        ("rules_read", None, None, "step-needs-room"),
        ("rules_read", "9", None, "step-needs-room"),
        ("report", "1", None, "step-of-the-hall"),
        ("report", None, None, None),
        ("papers_out", None, None, "step-needs-two-names"),
        ("papers_out", None, "wang", "step-needs-two-names"),
        ("papers_out", None, "li", None),
        ("start", None, None, "step-done-by-its-act"),
        ("dance", None, None, "step-unknown"),
    ],
)
def test_who_may_tick_what(code: str, room: str | None, second: str | None, refusal: str | None) -> None:
    """A hand-over needs another name, a room's step its room, and the bell is never ticked by hand."""
    found = tickable({s.code: s for s in STEPS}, code, room, ["1", "2"], "wang", second)
    assert (found and found.code) == refusal


def incident(kind: IncidentKind, state: IncidentState = IncidentState.PROPOSED) -> Incident:
    return Incident("i", kind, state, "1", "sitting", "staff:wang")


@pytest.mark.parametrize(
    ("person", "chief", "event", "code"),
    [
        ("staff:li", True, IncidentEvent.CONFIRM, None),
        ("staff:wang", True, IncidentEvent.CONFIRM, "incident-second-person"),
        ("staff:wang", True, IncidentEvent.DISMISS, "incident-second-person"),
        ("staff:li", False, IncidentEvent.CONFIRM, "incident-chief-needed"),
        ("staff:li", False, IncidentEvent.DISMISS, None),
    ],
)
def test_a_finding_on_a_candidate_needs_a_second_person(
    person: str, chief: bool, event: IncidentEvent, code: str | None
) -> None:
    """Nobody settles what he recorded himself, and only chief or deputy confirm."""
    found = settle(incident(IncidentKind.CHEATING), event, person, chief)
    assert (found.code if isinstance(found, Refusal) else None) == code


def test_settled_stays_settled() -> None:
    """Every event in a state without a transition is refused."""
    for state in IncidentState:
        for event in IncidentEvent:
            assert isinstance(step(state, event), Refusal) is ((state, event) not in TRANSITIONS)
    assert isinstance(
        settle(
            incident(IncidentKind.PHONE, IncidentState.DISMISSED), IncidentEvent.CONFIRM, "staff:li", True
        ),
        Refusal,
    )


def test_what_an_incident_must_say() -> None:
    """A finding names a sitting and says what was seen; a power cut needs neither."""
    assert recordable(IncidentKind.EQUIPMENT, None, "") is None
    nobody = recordable(IncidentKind.CHEATING, None, "note")
    silent = recordable(IncidentKind.CHEATING, "s", " ")
    assert nobody is not None and nobody.code == "incident-names-nobody"
    assert silent is not None and silent.code == "incident-without-note"
    assert first_state(IncidentKind.CHEATING) is IncidentState.PROPOSED
    assert first_state(IncidentKind.EQUIPMENT) is IncidentState.NOTED


def test_urgent_reports_go_to_the_right_desk() -> None:
    """A leak goes to the exam office, a disaster to the authority, anything else to the chief."""
    asked = (IncidentKind.LEAK, IncidentKind.DISASTER, IncidentKind.ILLNESS)
    assert [report_to(k) for k in asked] == [ReportTo.EXAM_OFFICE, ReportTo.AUTHORITY, ReportTo.CHIEF]


def test_the_room_record_counts_where_a_sitting_ended() -> None:
    """A moved candidate is counted in the new room, and listed as a move in both."""
    seated = [
        Seated("a", "T1", "甲", "1", 1, "handed_in", True),
        Seated("b", "T2", "乙", "1", 2, "absent", False),
        Seated("c", "T3", "丙", "2", 1, "collected", True),
    ]
    move = Move("T3", "1", 3, "2", 1, PLANNED, "坏机")
    cheat = Noted(IncidentKind.CHEATING, IncidentState.CONFIRMED, "T1", PLANNED, "夹带")
    proposed = Noted(IncidentKind.CHEATING, IncidentState.PROPOSED, "T2", PLANNED, "")
    one = room_record("s", "1", seated, [move], [cheat, proposed], "AAAA", PLANNED)
    two = room_record("s", "2", seated, [move], [], "AAAA", PLANNED)
    assert (one.enrolled, one.present, one.absent, one.handed_in) == (2, 1, 1, 1)
    assert (one.absentees, one.cheats) == (("T2",), ("T1",))
    assert one.moves == two.moves == (move,)
    assert one.closed and two.closed
    open_room = room_record("s", "1", [Seated("a", "T1", "甲", "1", 1, "open", True)], [], [], "A", PLANNED)
    assert not open_room.closed
