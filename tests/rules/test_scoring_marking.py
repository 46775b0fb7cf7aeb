"""Marking: what one answer earns."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BadInput
from server.papers.marking_sheet import MarkingEntry
from server.scoring.marking import Awarded, award, matches, normalised, number_in
from server.scoring.points import as_number, as_text, mean, points


def entry(
    type: str,
    key: tuple[str, ...],
    score: float = 2.0,
    policy: str = "exact",
    accepted: tuple[tuple[str, ...], ...] = (),
) -> MarkingEntry:
    return MarkingEntry(1, "item", 1, type, key, score, policy, accepted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("type", "key", "answer", "earned"),
    [
        ("single", ("B",), ("B",), 200),
        ("single", ("B",), ("C",), 0),
        ("single", ("B",), ("B", "C"), 0),
        ("judge", ("T",), ("T",), 200),
        ("judge", ("T",), ("F",), 0),
        ("multiple", ("A", "C"), ("A", "C"), 200),
        ("multiple", ("A", "C"), ("A",), 0),
        ("multiple", ("A", "C"), ("A", "B", "C"), 0),
    ],
)
def test_choices_are_exact(type: str, key: tuple[str, ...], answer: tuple[str, ...], earned: int) -> None:
    """Without a partial policy a choice earns all its points for exactly the key and otherwise nothing."""
    assert award(entry(type, key), answer).points == earned


@pytest.mark.parametrize("answer", [None, (), ("",), ("  ", "\u3000")])
def test_no_answer_earns_nothing_and_counts_as_unanswered(answer: tuple[str, ...] | None) -> None:
    """A missing or blank answer earns nothing and is not answered."""
    assert award(entry("fill", ("x",)), answer) == Awarded(0, False, False)


@pytest.mark.parametrize(
    ("answer", "earned"), [(("A",), 50), (("A", "C"), 50), (("A", "C", "D"), 101), (("A", "B"), 0)]
)
def test_partial_multiple_choice_pays_half_for_a_right_but_incomplete_choice(
    answer: tuple[str, ...], earned: int
) -> None:
    """Under the partial policy an incomplete right choice earns half, rounded down to the hundredth; any
    wrong option earns nothing.
    """
    assert award(entry("multiple", ("A", "C", "D"), 1.01, "partial"), answer).points == earned


@pytest.mark.parametrize(
    ("answer", "variants", "right"),
    [
        ("电 压", ("电压",), True),
        ("ＡＢＣ", ("abc",), True),
        ("“安全第一”。", ("安全第一",), True),
        ("甲、乙", ("甲,乙",), True),
        ("3.140", ("3.14",), True),
        ("1,000", ("1000",), True),
        ("３．１４", ("3.14",), True),
        ("3.149", ("3.14±0.01",), True),
        ("3.15", ("3.14±0.01",), True),
        ("3.151", ("3.14±0.01",), False),
        ("7", ("007",), False),
        ("左", ("右", "左侧", "左"), True),
        ("", ("",), False),
        ("−5", ("-5",), True),
        ("约3", ("3",), False),
        ("三±一", ("三±一",), True),
    ],
)
def test_a_blank_is_compared_after_normalisation(answer: str, variants: tuple[str, ...], right: bool) -> None:
    """Width, space, case, punctuation and the form of a number do not decide; another text or number does."""
    assert matches(answer, variants) is right


def test_blanks_share_the_points_under_the_partial_policy() -> None:
    """Two of three right blanks earn two thirds under the partial policy, rounded down, and nothing under
    exact.
    """
    blanks = (("甲", "一"), ("乙",), ("丙",))
    answer = ("一", "乙", "丁")
    assert award(entry("fill", ("甲", "乙", "丙"), 1, "partial", blanks), answer).points == 66
    assert award(entry("fill", ("甲", "乙", "丙"), 1, "exact", blanks), answer).points == 0
    assert award(entry("fill", ("甲", "乙", "丙"), 1, "exact", blanks), ("甲", "乙", "丙")) == Awarded(
        100, True, True
    )


def test_more_texts_than_blanks_earn_nothing() -> None:
    """An answer with more texts than the item has blanks earns nothing, whatever the policy."""
    assert award(entry("fill", ("甲",), 1, "partial", (("甲",),)), ("甲", "乙")).points == 0


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    """Every text compares equal to its own normal form, or has none."""
    once = normalised(text)
    assert once == "" or matches(text, (once,)) or number_in(once) is None


@given(
    st.lists(st.sampled_from("ABCDEF"), min_size=1, unique=True),
    st.lists(st.sampled_from("ABCDEF"), unique=True),
)
def test_no_choice_earns_more_than_the_key(key: list[str], answer: list[str]) -> None:
    """Only exactly the key earns full points, and nothing earns more."""
    marked = award(entry("multiple", tuple(sorted(key)), 2, "partial"), tuple(sorted(answer)))
    assert 0 <= marked.points <= 200
    assert (marked.points == 200) is (set(key) == set(answer)) is marked.correct


@pytest.mark.parametrize(
    ("value", "hundredths"), [(0.1, 10), ("60.5", 6050), (Decimal("0.01"), 1), (100, 10000)]
)
def test_points_are_read_by_their_decimal_form(value: float, hundredths: int) -> None:
    """A number of points is read exactly to the hundredth."""
    assert points(value) == hundredths


@pytest.mark.parametrize("value", [-1, 0.001, float("nan"), float("inf"), "eleven"])
def test_points_refuse_what_is_not_a_whole_hundredth(value: float) -> None:
    """Negative, endless, unreadable or finer numbers are refused."""
    with pytest.raises(BadInput):
        points(value)


@given(st.lists(st.integers(0, 100_00), min_size=1, max_size=200))
def test_sums_of_points_are_exact(parts: list[int]) -> None:
    """A sum of hundredths is the decimal sum, and its number goes out and in again without loss."""
    total = sum(parts)
    assert points(as_number(total)) == total == points(as_text(total))


def test_the_mean_rounds_half_up() -> None:
    """The mean of 60.00 and 60.01 is 60.01."""
    assert mean([6000, 6001]) == 6001
    with pytest.raises(ValueError, match="nothing"):
        mean([])
