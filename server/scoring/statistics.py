"""Classical item statistics of one slot: difficulty (p-value), discrimination (point-biserial),
reliability (KR-20).

Every figure is given with the number of candidates behind it. Papers drawn per candidate share items only
in part: statistics of an item use the candidates who had it, KR-20 needs one common set of items and is
None otherwise.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

LEAST_CANDIDATES = 10
"""Below this many candidates a coefficient says nothing and is None."""


@dataclass(frozen=True, slots=True)
class ItemMark:
    """One candidate's result on one item: full marks or not, and the share of the points earned (0 to 1)."""

    sitting: str
    item: str
    correct: bool
    share: float


@dataclass(frozen=True, slots=True)
class ItemStatistics:
    """`n` candidates had the item; `p` share of them right, 0 to 1; `mean_share` mean share of the points;
    `discrimination` point-biserial against the rest of the paper, −1 to 1, or None where it cannot be
    told.
    """

    item: str
    n: int
    p: float
    mean_share: float
    discrimination: float | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """KR-20 of right and wrong over one common set of items: `value` at most 1, None where it cannot be
    told.
    """

    value: float | None
    n: int
    items: int


def item_statistics(marks: Iterable[ItemMark]) -> tuple[ItemStatistics, ...]:
    """Return the statistics of every item, ordered by item."""
    by_item: dict[str, list[ItemMark]] = {}
    shares: dict[str, list[float]] = {}
    for mark in marks:
        by_item.setdefault(mark.item, []).append(mark)
        shares.setdefault(mark.sitting, []).append(mark.share)
    totals = {sitting: (sum(values), len(values)) for sitting, values in shares.items()}
    return tuple(_one(item, by_item[item], totals) for item in sorted(by_item))


def _one(item: str, marks: list[ItemMark], totals: Mapping[str, tuple[float, int]]) -> ItemStatistics:
    right = np.array([mark.correct for mark in marks], dtype=np.float64)
    share = np.array([mark.share for mark in marks], dtype=np.float64)
    rest = [(totals[m.sitting][0] - m.share) / max(totals[m.sitting][1] - 1, 1) for m in marks]
    return ItemStatistics(
        item=item,
        n=len(marks),
        p=float(right.mean()),
        mean_share=float(share.mean()),
        discrimination=_correlation(right, np.array(rest, dtype=np.float64)),
    )


def _correlation(
    left: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    right: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> float | None:
    if (
        len(left) < LEAST_CANDIDATES
        or math.isclose(float(left.std()), 0)
        or math.isclose(float(right.std()), 0)
    ):
        return None
    return float(np.corrcoef(left, right)[0, 1])


def kr20(marks: Iterable[ItemMark]) -> Reliability:
    """Return KR-20 with n; its value is None under 10 candidates, under 2 items, without variance, or
    where the candidates had different items.
    """
    table: dict[str, dict[str, bool]] = {}
    for mark in marks:
        table.setdefault(mark.sitting, {})[mark.item] = mark.correct
    sets = {frozenset(row) for row in table.values()}
    items = sorted(next(iter(sets))) if len(sets) == 1 else []
    n = len(table)
    if n < LEAST_CANDIDATES or len(items) < 2:
        return Reliability(None, n, len(items))
    matrix = np.array([[row[item] for item in items] for row in table.values()], dtype=np.float64)
    variance = float(matrix.sum(axis=1).var())
    if math.isclose(variance, 0, abs_tol=1e-12):
        return Reliability(None, n, len(items))
    p = matrix.mean(axis=0)
    k = len(items)
    value = k / (k - 1) * (1 - float((p * (1 - p)).sum()) / variance)
    return Reliability(value, n, k)
