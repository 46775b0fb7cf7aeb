"""Who may act in which room of the hall."""

from datetime import UTC, datetime

import pytest

from server.accounts.roles import Role
from server.accounts.service import Login
from server.delivery.late_service import Proposal
from server.errors import NotPermitted
from server.web.hall.late import judges
from server.web.hall.scope import reads_words, require_people, require_room, sees_people


def login(role: Role, room: str | None) -> Login:
    return Login("id", "wang", "王", frozenset({role}), room)


def test_a_floating_invigilator_stands_in_anywhere_and_a_bound_one_nowhere_else() -> None:
    """BJ-E:A4.4-4, A3.3-1: an invigilator bound to no room acts in every room, one bound to a room in that one only and
    not in the whole hall; the chief acts everywhere."""
    floating, bound = login(Role.INVIGILATOR, None), login(Role.INVIGILATOR, "01")
    for room in ("01", "02", None):
        require_room(floating, room)
        require_room(login(Role.CHIEF, "01"), room)
    require_room(bound, "01")
    for room in ("02", None):
        with pytest.raises(NotPermitted) as caught:
            require_room(bound, room)
        assert caught.value.code == "room-not-yours"


def test_people_are_seen_by_who_leads_supervises_or_watches_that_room() -> None:
    """Of room 01 an unmasked picture is for its own and floating invigilators, chief, deputy, quality supervisor and
    supervisor; not for another room's invigilator, nor for any other role, though it may open the board."""
    seeing = {role for role in Role if sees_people(login(role, None), "01")}
    led = {Role.CHIEF, Role.DEPUTY, Role.QUALITY, Role.SUPERVISOR}
    assert seeing == led | {Role.INVIGILATOR}
    assert {role for role in Role if sees_people(login(role, "02"), "01")} == led
    assert sees_people(login(Role.INVIGILATOR, "01"), "01")
    with pytest.raises(NotPermitted, match="findings-not-yours"):
        require_people(login(Role.INVIGILATOR, "02"), "01")
    assert {role for role in Role if reads_words(login(role, "02"), "01")} == led | {Role.EXAM_OFFICE}


def test_late_answers_are_seen_by_who_judges_them() -> None:
    """Chief and deputy see late answers of every room; an invigilator those of his own and only while a proposal waits
    for its second person; nobody else ever."""
    waits = Proposal("p", datetime(2026, 3, 14, tzinfo=UTC), "staff:chief", ())
    led = {Role.CHIEF, Role.DEPUTY}
    assert {role for role in Role if judges(login(role, "01"), "01", None)} == led
    assert {role for role in Role if judges(login(role, "01"), "01", waits)} == led | {Role.INVIGILATOR}
    assert {role for role in Role if judges(login(role, "02"), "01", waits)} == led
