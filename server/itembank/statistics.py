"""What exams say about an item version: figures of one exam, and of all exams together.

Kept per version and part (a case has one line a sub-item, 0 stands for an item of its own), since an edit makes
another question of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby


@dataclass(frozen=True, slots=True, order=True)
class ItemStatistics:
    """One question in one slot. `n` candidates had it, `answered` it, and `right` earned full points; `p` is the
    share of right ones among n, `mean_share` the mean share of the points, both 0 to 1.

    `discrimination`: correlation of the share of the points with that of the rest of the paper, −1 to 1.
    `upper_lower`: mean share in the upper 27 % by the paper's total less that in the lower 27 %, −1 to 1;
    candidates tied at a group's edge count in part.
    """

    item: str
    version: int
    part: int
    n: int
    answered: int
    right: int
    p: float
    mean_share: float
    discrimination: float | None
    upper_lower: float | None


@dataclass(frozen=True, slots=True)
class Exam:
    """One slot whose marks stand: whence figures come. `reliability` as the scoring room computed it; `final` is
    False while people have still to mark answers.
    """

    run: str
    bank: str
    plan: str
    slot: str
    held_at: datetime
    candidates: int
    reliability: float | None
    kind: str
    sem: float | None
    final: bool


@dataclass(frozen=True, slots=True)
class Accumulated:
    """One question over all exams: the counts added up, the shares over all candidates, and the coefficients as
    means weighted by the exams' candidates (None where no exam had enough).
    """

    item: str
    version: int
    part: int
    exams: int
    n: int
    answered: int
    right: int
    p: float
    mean_share: float
    discrimination: float | None
    upper_lower: float | None


def accumulated(figures: Iterable[ItemStatistics]) -> tuple[Accumulated, ...]:
    """Return the figures of each question over several exams, ordered by item, version and part."""

    def key(one: ItemStatistics) -> tuple[str, int, int]:
        return one.item, one.version, one.part

    found = []
    for (item, version, part), group in groupby(sorted(figures, key=key), key=key):
        exams = tuple(group)
        n = sum(one.n for one in exams)
        right = sum(one.right for one in exams)
        found.append(
            Accumulated(
                item,
                version,
                part,
                len(exams),
                n,
                sum(one.answered for one in exams),
                right,
                right / n,
                sum(one.mean_share * one.n for one in exams) / n,
                _weighted(exams, lambda one: one.discrimination),
                _weighted(exams, lambda one: one.upper_lower),
            )
        )
    return tuple(found)


def _weighted(
    exams: tuple[ItemStatistics, ...], value: Callable[[ItemStatistics], float | None]
) -> float | None:
    known = [(found, one.n) for one in exams if (found := value(one)) is not None]
    n = sum(weight for _, weight in known)
    return sum(found * weight for found, weight in known) / n if n else None
