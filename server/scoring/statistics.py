"""Classical statistics of one marked slot: difficulty, discrimination and how reliable the papers' totals are.

Every figure is given with the number of candidates behind it and is None where they are too few or all alike.
Definitions: difficulty p, item-rest correlation (point-biserial for right and wrong), alpha and KR-20, KR-21 for
randomly parallel papers: Lord & Novick, Statistical Theories of Mental Test Scores, 1968, ch. 4, 9, 11 and 15.
Upper and lower 27 %: Kelley, Journal of Educational Psychology 30 (1939), pp. 17-24.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from server.itembank.statistics import ItemStatistics
from server.scoring.facts import Mark

LEAST_CANDIDATES = 10
"""Below this many candidates a coefficient says nothing and is None."""
GROUP = Decimal("0.27")
"""Share of the candidates in the upper and in the lower group."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reliability:
    """How reliable the totals are: `value` at most 1 and None where it cannot be told, `sem` the standard error
    of measurement in hundredths of a point.

    `kind` is `alpha` (KR-20 where answers are right or wrong) when all had the same questions, else `nested`:
    papers drawn at random are compared by KR-21's principle, the variance within each paper taken separately
    for questions of equal points.
    """

    value: float | None
    n: int
    items: int
    kind: str
    sem: float | None


class _Table:
    """The marks of a slot as arrays; voided questions and answers that still wait for people are left out."""

    def __init__(self, marks: Iterable[Mark]) -> None:
        counted = [m for m in marks if not m.voided and not m.pending and m.most > 0]
        sittings = {name: n for n, name in enumerate(sorted({m.sitting for m in counted}))}
        keys = sorted({(m.item, m.version, m.part) for m in counted})
        places = {key: n for n, key in enumerate(keys)}
        self.questions = keys
        self.sitting = np.array([sittings[m.sitting] for m in counted], dtype=np.int64)
        self.question = np.array([places[m.item, m.version, m.part] for m in counted], dtype=np.int64)
        self.points = np.array([m.points for m in counted], dtype=np.float64)
        self.most = np.array([m.most for m in counted], dtype=np.float64)
        self.answered = np.array([m.answered for m in counted], dtype=np.bool_)
        self.n = len(sittings)
        self.total = np.bincount(self.sitting, self.points, self.n)
        self.whole = np.bincount(self.sitting, self.most, self.n)


def item_statistics(marks: Iterable[Mark]) -> tuple[ItemStatistics, ...]:
    """Return the statistics of every question, ordered by item, version and part."""
    table = _Table(marks)
    if not table.questions:
        return ()
    order = np.argsort(table.question, kind="stable")
    edges = np.searchsorted(table.question[order], np.arange(len(table.questions) + 1))
    return tuple(_one(table, key, order[edges[n] : edges[n + 1]]) for n, key in enumerate(table.questions))


def _one(table: _Table, key: tuple[str, int, int], rows: npt.NDArray[np.int64]) -> ItemStatistics:
    points, most = table.points[rows], table.most[rows]
    sittings = table.sitting[rows]
    share = points / most
    rest_most = table.whole[sittings] - most
    rest = np.divide(
        table.total[sittings] - points, rest_most, out=np.zeros_like(points), where=rest_most > 0
    )
    right = int((points == most).sum())
    item, version, part = key
    return ItemStatistics(
        item=item,
        version=version,
        part=part,
        n=len(rows),
        answered=int(table.answered[rows].sum()),
        right=right,
        p=right / len(rows),
        mean_share=float(share.mean()),
        discrimination=_correlation(share, rest),
        upper_lower=_upper_lower(share, table.total[sittings] / table.whole[sittings]),
    )


def _correlation(left: Floats, right: Floats) -> float | None:
    if len(left) < LEAST_CANDIDATES or math.isclose(left.std(), 0) or math.isclose(right.std(), 0):
        return None
    return float(np.corrcoef(left, right)[0, 1])


def _upper_lower(share: Floats, total: Floats) -> float | None:
    size = int(len(share) * GROUP)
    if len(share) < LEAST_CANDIDATES or size == 0:
        return None
    return _top_mean(share, total, size) - _top_mean(share, -total, size)


def _top_mean(share: Floats, total: Floats, size: int) -> float:
    """Return the mean share of the `size` highest totals; those tied at the edge share the places left."""
    edge = np.partition(total, len(total) - size)[len(total) - size]
    above, tied = total > edge, total == edge
    left = size - int(above.sum())
    return float((share[above].sum() + share[tied].mean() * left) / size)


def reliability(marks: Iterable[Mark]) -> Reliability:
    """Return how reliable the totals of a slot are."""
    table = _Table(marks)
    k = len(table.questions)
    same = len(table.points) == table.n * k
    kind = "alpha" if same else "nested"
    variance = float(table.total.var()) if table.n else 0.0
    if table.n < LEAST_CANDIDATES or k < 2 or math.isclose(variance, 0, abs_tol=1e-9):
        return Reliability(None, table.n, k, kind, None)
    value = _alpha(table, k, variance) if same else _nested(table, variance)
    sem = None if value is None else math.sqrt(variance * max(0.0, 1 - value))
    return Reliability(value, table.n, k, kind, sem)


def _alpha(table: _Table, k: int, variance: float) -> float:
    sums = np.bincount(table.question, table.points, k)
    squares = np.bincount(table.question, table.points**2, k)
    return k / (k - 1) * (1 - float((squares / table.n - (sums / table.n) ** 2).sum()) / variance)


def _nested(table: _Table, variance: float) -> float | None:
    """Return 1 − (mean error variance of a paper) / (variance of the totals).

    Questions of equal points on one paper are taken for a random sample of their kind: their error variance is
    their number times their variance within that paper. None where one stands alone in its kind.
    """
    kinds, kind = np.unique(table.most, return_inverse=True)
    cell = table.sitting * len(kinds) + kind.ravel()
    size: Any = table.n * len(kinds)
    count = np.bincount(cell, minlength=size)
    if (count == 1).any():
        return None
    sums = np.bincount(cell, table.points, size)
    squares = np.bincount(cell, table.points**2, size)
    used = count > 1
    within = (squares[used] - sums[used] ** 2 / count[used]) / (count[used] - 1)
    return 1 - float((count[used] * within).sum()) / table.n / variance
