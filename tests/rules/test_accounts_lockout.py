"""When sign-in waits, and what a password must be."""

import pytest

from server.accounts.lockout import (
    FREE_FAILURES_ANYWHERE,
    FREE_FAILURES_HERE,
    LONGEST_WAIT_S,
    WINDOW_S,
    Failure,
    sign_in_refusal,
    wait_after,
)
from server.accounts.roles import CENTRE_ROLES, REGISTRY_ROLES, Role
from server.keys.passwords import password_refusal


def failures(count: int, address: str = "a", last: float = 100.0) -> list[Failure]:
    return [Failure(address, last)] * count


def test_a_wait_begins_at_the_fifth_failure_and_doubles() -> None:
    """Four failures cost nothing, the fifth 30 s, each further one twice as much, never over 15 minutes."""
    assert [wait_after(count, FREE_FAILURES_HERE) for count in (0, 4, 5, 6, 7)] == [0, 0, 30, 60, 120]
    assert wait_after(5000, FREE_FAILURES_HERE) == LONGEST_WAIT_S


@pytest.mark.parametrize(("after", "refused"), [(0.0, True), (29.9, True), (30.0, False)])
def test_the_wait_is_over_after_exactly_thirty_seconds(after: float, refused: bool) -> None:
    """After five failures sign-in is refused for 30 s from the last one and allowed at 30 s."""
    refusal = sign_in_refusal(failures(5), "a", 100.0 + after)
    assert (refusal is not None) is refused


def test_a_stranger_elsewhere_does_not_lock_the_owner_out() -> None:
    """Failures from one address do not lock the name at another until there are fifty of them."""
    assert sign_in_refusal(failures(FREE_FAILURES_ANYWHERE - 1), "b", 100.0) is None
    assert sign_in_refusal(failures(FREE_FAILURES_ANYWHERE), "b", 100.0) is not None


def test_old_failures_are_forgotten() -> None:
    """Failures count for 15 minutes and not at the end of the fifteenth."""
    assert sign_in_refusal(failures(60, last=0.0), "a", WINDOW_S - 1) is not None
    assert sign_in_refusal(failures(60, last=0.0), "a", WINDOW_S) is None


def test_the_refusal_says_how_long() -> None:
    """The refusal names the whole seconds still to wait."""
    refusal = sign_in_refusal(failures(5), "a", 110.0)
    assert refusal is not None
    assert refusal.facts == {"wait_seconds": 21}


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("a" * 20, "password-short"),
        ("abcdefghi", "password-short"),
        ("abcdefghij", None),
        ("wangwei123", "password-repeats-name"),
        ("wangwei-and-much-more", None),
        ("保密员的口令要长一点", None),
    ],
)
def test_weak_passwords_are_refused(password: str, expected: str | None) -> None:
    """A password has 10 characters of 4 kinds at least and is more than the name with an ending."""
    refusal = password_refusal(password, "wangwei")
    assert (refusal.code if refusal else None) == expected


def test_every_role_belongs_to_a_side() -> None:
    """Each role exists on the registry, on a centre, or on both."""
    assert set(Role) == REGISTRY_ROLES | CENTRE_ROLES
    assert {Role.ADMINISTRATOR, Role.SUPERVISOR} == REGISTRY_ROLES & CENTRE_ROLES
