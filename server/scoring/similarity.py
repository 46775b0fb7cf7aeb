"""Answers that neighbours share beyond chance: leads for people, never a finding.

Compared are pairs at neighbouring seats, on the questions that both had. Among those that both got wrong, the
statistic is how many got the same wrong answer (error-similarity analysis: Bellezza & Bellezza, Teaching of
Psychology 16 (1989), pp. 151-155). By chance two wrong answers to a question agree with the probability that two
of the other candidates' wrong answers do, so the count is a sum of independent trials of different chances, whose
upper tail is computed exactly (the generalised binomial of van der Linden & Sotaridona, Journal of Educational and
Behavioral Statistics 31 (2006), pp. 283-304). That both were wrong is given, so ability does not enter. The
probability is multiplied by the number of pairs compared (Bonferroni).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

LEAD = 0.01
"""A pair is a lead when chance would give such a pair in at most one of a hundred slots."""
LEAST_WRONG = 5
"""Below this many questions that both got wrong nothing is said of a pair."""
SMOOTHING = 0.5
"""Added to the count of each wrong answer that the pair gave, so that what nobody else chose is rare, not
impossible."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One wrong answer: which question, and the choice in the bank's own labels; blanks are no answer."""

    question: tuple[str, int, int]
    choice: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sittings at neighbouring seats; `both_wrong` questions both got wrong, `same` of them alike, `expected`
    by chance; `p` the chance of at least `same`, `adjusted` for the number of pairs, at most 1.
    """

    first: str
    second: str
    both_wrong: int
    same: int
    expected: float
    p: float
    adjusted: float

    @property
    def lead(self) -> bool:
        """True where people should look."""
        return self.adjusted <= LEAD


def similar_pairs(wrong: Mapping[str, Iterable[Wrong]], pairs: Iterable[tuple[str, str]]) -> tuple[Pair, ...]:
    """Return every pair with enough questions wrong on both sides, the least likely first.

    `wrong`: sitting → its wrong answers, of everybody in the slot: chances are taken from all the others.
    """
    answers = {one: {found.question: found.choice for found in given} for one, given in wrong.items()}
    counts: dict[tuple[str, int, int], Counter[str]] = {}
    for given in answers.values():
        for question, choice in given.items():
            counts.setdefault(question, Counter())[choice] += 1
    compared = []
    for first, second in pairs:
        mine, other = answers.get(first, {}), answers.get(second, {})
        shared = sorted(mine.keys() & other.keys())
        if len(shared) >= LEAST_WRONG:
            compared.append((first, second, [(counts[q], mine[q], other[q]) for q in shared]))
    found = [_pair(first, second, shared, len(compared)) for first, second, shared in compared]
    return tuple(sorted(found, key=lambda one: (one.p, one.first, one.second)))


def _pair(first: str, second: str, shared: Sequence[tuple[Counter[str], str, str]], pairs: int) -> Pair:
    chances = [_chance(*one) for one in shared]
    same = sum(mine == other for _, mine, other in shared)
    p = upper_tail(chances, same)
    return Pair(first, second, len(shared), same, sum(chances), p, min(1.0, p * pairs))


def _chance(counts: Counter[str], mine: str, other: str) -> float:
    """Return the probability that two wrong answers to a question agree, by the answers of everybody else."""
    rest = Counter(counts)
    rest.subtract([mine, other])
    weights = [count + SMOOTHING for count in rest.values()]
    if len(weights) == 1:
        # Nobody chose anything else: one more wrong answer is taken for possible.
        weights.append(SMOOTHING)
    total = sum(weights)
    return sum((weight / total) ** 2 for weight in weights)


def upper_tail(chances: Sequence[float], least: int) -> float:
    """Return the probability of at least `least` successes in independent trials of these chances."""
    spread = [1.0]
    for chance in chances:
        grown = [0.0] * (len(spread) + 1)
        for successes, probability in enumerate(spread):
            grown[successes] += probability * (1 - chance)
            grown[successes + 1] += probability * chance
        spread = grown
    return min(1.0, sum(spread[least:]))
