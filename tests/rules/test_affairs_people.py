"""Enrolment, seats, staff and the spot check."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.affairs import seating, spot_check, staffing
from server.affairs.enrolment import (
    TRANSITIONS,
    Application,
    EnrolmentEvent,
    EnrolmentState,
    Proof,
    may_enrol,
    proven,
    step,
)
from server.affairs.facts import Room, Staff
from server.affairs.identity_number import identity_fault
from server.errors import Refusal
from server.law.loader import load_pack

PACK = load_pack("beijing")
DAY = date(2026, 3, 14)
GOOD = Application("张三", "resident", "1", None, "满足条件", True, ("theory",))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"name": " "}, "enrolment-name-missing"),
        ({"id_kind": "library"}, "enrolment-id-kind-unknown"),
        ({"identity_fault": "identity-number-wrong"}, "identity-number-wrong"),
        ({"id_number": "2"}, "enrolment-duplicate"),
        ({"condition": ""}, "enrolment-condition-missing"),
        ({"committed": False}, "enrolment-commitment-missing"),
        ({"subjects": ("review",)}, "enrolment-subject-not-in-plan"),
        ({"subjects": ()}, "enrolment-subject-not-in-plan"),
    ],
)
def test_enrolment_refuses_by_name(change: dict[str, object], code: str | None) -> None:
    """Each missing condition of enrolment has its own code, and a complete application has none."""
    outcome = may_enrol(
        replace(GOOD, **change),
        frozenset({"theory"}),
        frozenset({("resident", "2")}),  # type: ignore[arg-type]
    )
    assert (outcome.code if outcome else None) == code


@pytest.mark.parametrize(
    ("proof", "code", "article"),
    [
        (Proof("experience"), None, ""),
        (Proof("driving_licence"), "enrolment-proof-unknown", "BJ-E:A2#1"),
        (Proof("college_diploma", checked=True, dated=DAY), "enrolment-proof-number-missing", "BJ-E:A2-3"),
        (Proof("college_diploma", "A1", DAY), "enrolment-proof-unchecked", "BJ-E:A2-3"),
        (Proof("college_diploma", "A1", DAY - timedelta(days=180), checked=True), None, ""),
        (
            Proof("college_diploma", "A1", DAY - timedelta(days=181), checked=True),
            "enrolment-code-expired",
            "BJ-E:A2-3",
        ),
        (
            Proof("college_diploma", "A1", DAY + timedelta(days=1), checked=True),
            "enrolment-code-expired",
            "BJ-E:A2-3",
        ),
        (Proof("college_diploma", "A1", checked=True), "enrolment-code-expired", "BJ-E:A2-3"),
        (Proof("college_diploma", "A1", checked=True, certified=True), None, ""),
        (Proof("earlier_certificate", checked=True), "enrolment-proof-number-missing", "BJ-E:A2-4"),
        (Proof("earlier_certificate", "S0000"), "enrolment-proof-unchecked", "BJ-E:A2-4"),
        (Proof("earlier_certificate", "S0000", checked=True), None, ""),
        (Proof("vocational_diploma"), "enrolment-proof-unchecked", "BJ-E:A2-5"),
        (Proof("vocational_diploma", checked=True), None, ""),
        (Proof("other", checked=True), "enrolment-proof-number-missing", "BJ-E:A2-6"),
    ],
)
def test_a_proof_holds_or_says_why_not(proof: Proof, code: str | None, article: str) -> None:
    """BJ-E:A2: a diploma's code is looked up within 180 days or certified on paper, an earlier certificate is looked
    up by its number, a school diploma's content is checked, any other case shows an official document."""
    outcome = proven(PACK, [proof], True, DAY)
    assert (outcome.code if outcome else None) == code
    assert outcome is None or outcome.article == article


def test_a_commitment_is_signed_for_experience_and_school_diplomas() -> None:
    """BJ-E:A2-2, A2-5: without the signed commitment neither counts."""
    for proof, article in (
        (Proof("experience"), "BJ-E:A2-2"),
        (Proof("vocational_diploma", checked=True), "BJ-E:A2-5"),
    ):
        outcome = proven(PACK, [proof], False, DAY)
        assert outcome is not None
        assert (outcome.code, outcome.article) == ("enrolment-commitment-missing", article)


@given(st.sampled_from(list(EnrolmentState)), st.sampled_from(list(EnrolmentEvent)))
def test_enrolment_steps_follow_the_table(state: EnrolmentState, event: EnrolmentEvent) -> None:
    """A step of an enrolment is the table's, or refused."""
    outcome = step(state, event)
    assert isinstance(outcome, Refusal) == ((state, event) not in TRANSITIONS)


def test_identity_numbers_are_checked_by_region_birth_date_and_check_character() -> None:
    """One wrong digit, an impossible date and a birth date ahead are found; passports are only not empty."""
    today = date(2026, 3, 14)
    assert identity_fault("resident", "11010119900101001X", today) == "identity-number-wrong"
    assert identity_fault("resident", "11010519491231002X", today) is None
    assert identity_fault("resident", "11010519491231002x", today) is None
    assert identity_fault("resident", "110105194912310021", today) == "identity-number-wrong"
    assert identity_fault("resident", "", today) == "identity-number-missing"
    assert identity_fault("passport", "E1", today) is None
    assert identity_fault("resident", "11010519491231002X", date(1949, 12, 30)) == "identity-birth-date-ahead"


@given(st.integers(1, 12), st.integers(1, 12))
def test_the_snake_visits_every_place_once_and_neighbours_touch(rows: int, columns: int) -> None:
    """Consecutive seat numbers stand one step apart, from the first seat at the door on."""
    places = [seating.snake(seat, rows) for seat in range(1, rows * columns + 1)]
    assert len(set(places)) == rows * columns
    assert places[0] == seating.Place(0, 0)
    steps = [abs(a.row - b.row) + abs(a.column - b.column) for a, b in pairwise(places)]
    assert set(steps) <= {1}


@given(st.integers(0, 70), st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_one_candidate_one_seat(count: int, sizes: list[int]) -> None:
    """Every candidate gets one seat that exists and nobody shares one; too few seats are refused."""
    rooms = [Room(str(k), "p", str(k), "", size) for k, size in enumerate(sizes)]
    people = [str(k) for k in range(count)]
    outcome = seating.assign(people, rooms)
    if count > sum(sizes):
        assert isinstance(outcome, Refusal)
        return
    assert not isinstance(outcome, Refusal)
    assert [one.candidate for one in outcome] == people
    assert len({(one.room, one.seat) for one in outcome}) == count
    assert all(1 <= one.seat <= sizes[int(one.room)] for one in outcome)


def test_rooms_have_their_own_numbers_and_at_most_thirty_seats() -> None:
    """Thirty seats are allowed and thirty-one are not; a number may stand once; some room is needed."""
    room = Room("a", "p", "1", "", 30)
    assert seating.rooms_allowed(PACK, [room]) is None
    for rooms, code in (
        ([], "rooms-missing"),
        ([room, room], "room-number-twice"),
        ([replace(room, seats=31)], "room-too-large"),
        ([replace(room, seats=0)], "room-too-large"),
    ):
        refusal = seating.rooms_allowed(PACK, rooms)
        assert refusal is not None
        assert refusal.code == code


def test_slots_of_one_subject_fill_one_after_another() -> None:
    """Five candidates over two slots of three seats make three and two."""
    assert seating.spread(list("abcde"), ["x", "y"], 3) == {"x": ("a", "b", "c"), "y": ("d", "e")}


def _staff(*extra: Staff) -> list[Staff]:
    base = [Staff(role, "p", role, role, None, role) for role in ("chief", "deputy", "examiner", "quality")]
    return [*base, *extra]


def _invigilator(name: str, room: str) -> Staff:
    return Staff(name, "p", name, "invigilator", room, name)


def _codes(refusals: tuple[Refusal, ...]) -> list[str]:
    return [refusal.code for refusal in refusals]


def test_fifteen_to_one_binds_and_two_per_room_is_in_principle() -> None:
    """One invigilator for 15 is a warning, for 16 a refusal; two for 30 are right."""
    one, two = _invigilator("a", "1"), _invigilator("b", "1")
    found = staffing.review(PACK, _staff(one), {"1": 15}, {})
    assert (_codes(found.refusals), _codes(found.warnings)) == ([], ["staff-invigilators-below-pair"])
    assert _codes(staffing.review(PACK, _staff(one), {"1": 16}, {}).refusals) == [
        "staff-invigilators-too-few"
    ]
    found = staffing.review(PACK, _staff(one, two), {"1": 30}, {})
    assert (found.refusals, found.warnings) == ((), ())
    assert staffing.review(PACK, _staff(), {"1": 0}, {}).warnings == ()


def test_posts_are_filled_once_and_never_doubled() -> None:
    """A second chief, a missing examiner, an unknown post and one person in two posts are each named."""
    assert "staff-heads-wrong" in _codes(
        staffing.review(PACK, _staff(Staff("x", "p", "x", "chief", None, "x")), {}, {}).refusals
    )
    without = [one for one in _staff() if one.role != "examiner"]
    missing = staffing.review(PACK, without, {}, {}).refusals
    assert _codes(missing) == ["staff-role-missing"]
    strange = Staff("x", "p", "x", "gardener", None, "chief")
    assert _codes(staffing.review(PACK, _staff(strange), {}, {}).refusals) == [
        "staff-role-unknown",
        "staff-two-posts",
    ]


def test_a_recused_person_may_work_in_another_room_only() -> None:
    """Someone related to a candidate in room 1 is refused there and accepted in room 2."""
    recused = {"a": frozenset({"1"})}
    here = staffing.review(PACK, _staff(_invigilator("a", "1")), {}, recused)
    there = staffing.review(PACK, _staff(_invigilator("a", "2")), {}, recused)
    assert (_codes(here.refusals), _codes(there.refusals)) == (["staff-recused"], [])


@given(st.sets(st.text(min_size=1, max_size=6), max_size=40), st.binary(min_size=32, max_size=32))
def test_the_spot_check_takes_thirty_percent_rounded_up(ids: set[str], seed: bytes) -> None:
    """The draw is at least 30 %, less than one person more, and the same in whatever order the list comes."""
    people = sorted(ids)
    drawn = spot_check.drawn(PACK, seed, people)
    assert len(drawn) * 10 >= len(people) * 3
    assert (len(drawn) - 1) * 10 < len(people) * 3 or not people
    assert set(drawn) <= ids
    assert drawn == spot_check.drawn(PACK, seed, people[::-1])


def test_a_seed_hangs_on_secret_nonce_and_list() -> None:
    """Changing the secret, the nonce or the list changes the seed; the order of the list does not."""
    base = spot_check.seed(b"s" * 32, b"n" * 32, ["a", "b"])
    assert base == spot_check.seed(b"s" * 32, b"n" * 32, ["b", "a"])
    others = {
        spot_check.seed(b"t" * 32, b"n" * 32, ["a", "b"]),
        spot_check.seed(b"s" * 32, b"m" * 32, ["a", "b"]),
        spot_check.seed(b"s" * 32, b"n" * 32, ["a", "c"]),
    }
    assert len(others | {base}) == 4
    assert len(spot_check.commitment(b"s" * 32)) == 32
