"""Changes of custodians: in words and back, and what is refused before anything is done."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BadInput
from server.keys.changes import LONGEST_WORDS, Change, change_of, change_refusal, words_of
from server.keys.openings_child import lock_name

NAMES = st.text(alphabet="abcdefgh-.+!", min_size=1, max_size=6)
GROUPS = st.lists(NAMES, max_size=4, unique=True).map(lambda names: tuple(sorted(names)))
OFFICE = ("chen", "sun", "zhou")


@given(GROUPS, GROUPS, GROUPS)
def test_words_say_the_whole_change(
    added: tuple[str, ...], retired: tuple[str, ...], lost: tuple[str, ...]
) -> None:
    """The words of a change give back the same change, whatever the names."""
    change = Change(added, retired, lost)
    assert change_of(words_of(change)) == change


@pytest.mark.parametrize("words", ["", "chen", "+", "+chen  -sun", "rotate +chen", "?chen"])
def test_other_words_are_no_change(words: str) -> None:
    """Text of another form is refused and never read as a smaller change."""
    with pytest.raises(BadInput, match="change-form"):
        change_of(words)


@pytest.mark.parametrize("name", ["", "two words", "tab\tbed"])
def test_a_name_that_words_cannot_hold_is_refused(name: str) -> None:
    """A name that is empty or has white space, which would be read back as another change, is refused."""
    for change in (Change(added=(name,)), Change(retired=(name,)), Change(lost=(name,))):
        with pytest.raises(BadInput, match="change-form"):
            words_of(change)


@pytest.mark.parametrize(
    ("in_office", "change", "expected"),
    [
        (OFFICE, Change(), None),
        (OFFICE, Change(retired=("chen",)), None),
        (OFFICE, Change(added=("xu",), lost=("chen", "sun")), "custodians-too-few-to-open"),
        ((*OFFICE, "wu"), Change(added=("xu",), retired=("chen",), lost=("sun",)), None),
        (OFFICE, Change(retired=("chen", "sun")), "custodians-too-few"),
        (OFFICE, Change(added=("xu",), retired=("chen", "sun")), None),
        (OFFICE[:2], Change(retired=("chen",)), "custodians-too-few"),
        (OFFICE[:2], Change(added=("xu",), lost=("chen",)), "custodians-too-few-to-open"),
        (OFFICE, Change(added=("chen",), lost=("chen",)), None),
        (OFFICE, Change(added=("chen",)), "custodian-exists"),
        (OFFICE, Change(added=("chen",), retired=("chen",)), "custodian-exists"),
        (OFFICE, Change(retired=("chen",), lost=("chen",)), "custodian-twice"),
        (OFFICE, Change(added=("xu", "xu")), "custodian-twice"),
        (OFFICE, Change(retired=("nobody",)), "custodian-unknown"),
        (OFFICE, Change(added=tuple(f"n{number}" for number in range(18))), "custodians-count"),
    ],
)
def test_a_change_is_judged_before_it_happens(
    in_office: tuple[str, ...], change: Change, expected: str | None
) -> None:
    """A change that leaves fewer than two custodians, or fewer than two able to open, is refused; others are not."""
    refusal = change_refusal(in_office, change)
    assert (refusal.code if refusal else None) == expected


def test_the_longest_change_has_a_lock_of_its_own() -> None:
    """The lock of the longest change in words has a name that a file system takes, and two changes have two."""
    names = [lock_name("custody", last * LONGEST_WORDS) for last in ("x", "陈", "孙")]
    assert max(len(name.encode()) for name in names) <= 255
    assert len(set(names)) == 3
