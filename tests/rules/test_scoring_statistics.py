"""Item statistics against their definitions, computed another way."""

import csv
import statistics as stdlib
from pathlib import Path

import numpy as np
import pytest

from server.itembank.statistics import ItemStatistics, accumulated
from server.scoring.facts import Mark
from server.scoring.statistics import item_statistics, reliability


def table(rows: list[list[int]], most: int = 1) -> list[Mark]:
    """Give one mark a cell: row = candidate, column = question."""
    return [
        Mark(f"s{s:04d}", i, f"i{i:03d}", 1, True, value == most, value, most, earned=value)
        for s, row in enumerate(rows)
        for i, value in enumerate(row)
    ]


@pytest.fixture
def real(shared: Path) -> list[list[int]]:
    """The first 40 questions of a real credentialing exam, right and wrong, of 1,636 candidates."""
    path = shared / "data" / "responses" / "form1.csv"
    if not path.exists():
        pytest.skip("../shared/data/responses is not here")
    with path.open(encoding="utf-8") as file:
        reader = csv.reader(file)
        next(reader)
        return [[int(value) for value in row[2:42]] for row in reader]


def test_figures_of_a_real_exam_agree_with_the_definitions(real: list[list[int]]) -> None:
    """p, item-rest correlation, the difference of the 27 % groups and KR-20 equal plain loops over the formulas."""
    found = item_statistics(table(real))
    n, k = len(real), len(real[0])
    assert (n, len(found)) == (1636, 40)
    totals = [sum(row) for row in real]
    size = int(n * 27 / 100)
    ranked = sorted(totals)
    pq = 0.0
    for place, one in enumerate(found):
        column = [row[place] for row in real]
        p = sum(column) / n
        pq += p * (1 - p)
        rest = [total - value for total, value in zip(totals, column, strict=True)]
        assert (one.n, one.right) == (n, sum(column))
        assert one.p == pytest.approx(p) == one.mean_share
        assert one.discrimination == pytest.approx(stdlib.correlation(column, rest))
        groups = []
        for edge, beyond in ((ranked[-size], int.__gt__), (ranked[size - 1], int.__lt__)):
            inside = [v for v, total in zip(column, totals, strict=True) if beyond(total, edge)]
            tied = [v for v, total in zip(column, totals, strict=True) if total == edge]
            groups.append((sum(inside) + sum(tied) / len(tied) * (size - len(inside))) / size)
        assert one.upper_lower == pytest.approx(groups[0] - groups[1])
    kr20 = k / (k - 1) * (1 - pq / stdlib.pvariance(totals))
    whole = reliability(table(real))
    assert whole.value == pytest.approx(kr20)
    assert whole.kind == "alpha"
    assert whole.sem == pytest.approx(stdlib.pstdev(totals) * (1 - kr20) ** 0.5)


def test_papers_drawn_at_random_have_the_reliability_of_kr21(real: list[list[int]]) -> None:
    """Where candidates had different questions of equal points, the value is k/(k−1) · (1 − M(k−M)/(kσ²))."""
    rows = [row[:20] if n % 2 else row[20:40] for n, row in enumerate(real)]
    marks = [
        Mark(f"s{s:04d}", i, f"i{i + (0 if s % 2 else 20):03d}", 1, True, v == 1, v, 1, earned=v)
        for s, row in enumerate(rows)
        for i, v in enumerate(row)
    ]
    found = reliability(marks)
    totals = [sum(row) for row in rows]
    m, k, variance = stdlib.fmean(totals), 20, stdlib.pvariance(totals)
    assert found.kind == "nested"
    assert found.value == pytest.approx(k / (k - 1) * (1 - m * (k - m) / (k * variance)))


def test_alpha_counts_points_and_not_only_right_and_wrong() -> None:
    """Over partial points it is k/(k−1) · (1 − Σσᵢ²/σ²)."""
    rows = np.random.default_rng(7).integers(0, 5, size=(30, 6)).cumsum(axis=1).tolist()
    expected = 6 / 5 * (1 - np.var(rows, axis=0).sum() / np.var(np.sum(rows, axis=1)))
    assert reliability(table(rows, most=99)).value == pytest.approx(expected)


def test_statistics_say_nothing_where_nothing_can_be_said() -> None:
    """Under 10 candidates, without variance, or with a question alone of its kind a coefficient is None."""
    few = table([[1, 0]] * 9)
    same = table([[1, 0]] * 12)
    alone = [
        *table([[1, n % 2] for n in range(12)]),
        Mark("s0000", 9, "other", 1, True, True, 5, 5, earned=5),
    ]
    for marks in (few, same):
        assert all(s.discrimination is None for s in item_statistics(marks))
    assert [reliability(marks).value for marks in (few, same, alone)] == [None, None, None]
    assert all(s.upper_lower is None for s in item_statistics(few))
    assert reliability(few).n == 9
    assert item_statistics([]) == () and reliability([]).value is None


def test_voided_questions_and_unmarked_answers_are_left_out() -> None:
    """They count for no figure, their own or another question's."""
    kept = table([[n % 2, (n // 2) % 2] for n in range(12)])
    extra = [
        Mark("s0000", 7, "void", 1, True, True, 9, 9, earned=0, voided=True),
        Mark("s0001", 8, "words", 1, True, False, 0, 9, earned=None, by_people=True),
    ]
    assert item_statistics([*kept, *extra]) == item_statistics(kept)


def test_figures_of_exams_add_up() -> None:
    """Counts are sums, shares are over all candidates, and a coefficient is weighted by the exams that have one."""
    first = ItemStatistics("i", 1, 0, 30, 29, 15, 0.5, 0.6, 0.4, None)
    second = ItemStatistics("i", 1, 0, 10, 10, 10, 1.0, 1.0, None, None)
    other = ItemStatistics("i", 2, 0, 5, 5, 0, 0.0, 0.2, None, None)
    (one, two) = accumulated([second, other, first])
    assert (one.exams, one.n, one.answered, one.right) == (2, 40, 39, 25)
    assert (one.p, one.mean_share) == (pytest.approx(0.625), pytest.approx(0.7))
    assert (one.discrimination, one.upper_lower) == (pytest.approx(0.4), None)
    assert (two.version, two.exams, two.p) == (2, 1, 0.0)
