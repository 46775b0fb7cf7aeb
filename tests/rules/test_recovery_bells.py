"""Typed bells against the kiosks' signed times, and the printed recovery code."""

from datetime import UTC, date, datetime, timedelta

import pytest

from server.errors import BadInput, Refused
from server.keys.recovery import new_half, plain_half, recovery_private
from server.recovery.bells import Opened, bells_refusal, typed_bell

BELL = datetime(2026, 3, 14, 1, 0, 7, tzinfo=UTC)


def test_a_bell_is_typed_as_a_time_of_the_planned_day_in_shanghai() -> None:
    """09:00:07 on the planned day is 01:00:07 UTC; a full-width colon is read, anything else refused."""
    assert typed_bell("09:00:07", date(2026, 3, 14)) == BELL == typed_bell("09：00：07 ", date(2026, 3, 14))
    with pytest.raises(BadInput, match="bell-form"):
        typed_bell("9 o'clock", date(2026, 3, 14))


@pytest.mark.parametrize(
    ("apart", "code"),
    [(-10, None), (10, None), (-10.001, "bell-beacons-differ"), (10.001, "bell-beacons-differ")],
)
def test_ten_seconds_are_allowed_and_no_more(apart: float, code: str | None) -> None:
    """The earliest opening may lie 10 s before or after the bell, inclusive; later ones prove nothing."""
    opened = [Opened("1", BELL + timedelta(minutes=9)), Opened("1", BELL + timedelta(seconds=apart))]
    refusal = bells_refusal({"1": BELL}, {"1": BELL}, opened)
    assert (refusal and refusal.code) == code


def test_two_people_must_type_the_same() -> None:
    """A second between the two is refused before any beacon is looked at."""
    other = BELL + timedelta(seconds=1)
    refusal = bells_refusal({"1": BELL}, {"1": other}, [Opened("1", BELL)])
    assert refusal is not None and refusal.code == "bell-typed-differently"


def test_rooms_of_one_bell_prove_each_other_and_no_other_bell() -> None:
    """A room without evidence is carried by another room of the same bell; a bell without any evidence is refused."""
    late = BELL + timedelta(minutes=5)
    assert bells_refusal({"1": BELL, "2": BELL}, {"1": BELL, "2": BELL}, [Opened("1", BELL)]) is None
    refusal = bells_refusal({"1": BELL, "2": late}, {"1": BELL, "2": late}, [Opened("1", BELL)])
    assert refusal is not None and (refusal.code, refusal.facts["room"]) == ("bell-without-beacons", "2")
    refusal = bells_refusal({"1": BELL}, {"1": BELL}, [Opened("2", BELL)])
    assert refusal is not None and refusal.code == "bell-of-room-missing"


def test_both_halves_open_in_either_order_and_for_their_node_alone() -> None:
    """The key needs both halves and the node's fingerprint; one misread character or one half twice is refused."""
    first, second = new_half(), new_half()
    key = recovery_private(first, second, "AA BB")
    assert key == recovery_private(second.lower(), first.replace("-", " "), "AABB")
    assert key != recovery_private(first, second, "AA BC") and key != recovery_private(
        first, new_half(), "AA BB"
    )
    with pytest.raises(Refused, match="recovery-halves-same"):
        recovery_private(first, first, "AA BB")
    code = plain_half(first)
    changed = ("2" if code[0] != "2" else "3") + code[1:]
    with pytest.raises(BadInput, match="recovery-half-form"):
        plain_half(changed)
