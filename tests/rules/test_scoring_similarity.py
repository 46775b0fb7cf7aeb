"""Answers that neighbours share beyond chance."""

import itertools
import math

import numpy as np
import pytest

from server.scoring.similarity import LEAST_WRONG, Wrong, similar_pairs, upper_tail


def slot(seed: int, candidates: int = 60, questions: int = 50) -> dict[str, list[Wrong]]:
    """Simulate wrong answers of candidates of different ability who work alone; some wrong options attract more."""
    rng = np.random.default_rng(seed)
    ability = rng.normal(size=candidates)
    difficulty = rng.normal(size=questions)
    pull = rng.dirichlet((3.0, 2.0, 1.0), size=questions)
    found: dict[str, list[Wrong]] = {}
    for c in range(candidates):
        right = rng.random(questions) < 1 / (1 + np.exp(difficulty - ability[c]))
        found[f"s{c:03d}"] = [
            Wrong((f"q{q:02d}", 1, 0), "BCD"[rng.choice(3, p=pull[q])])
            for q in range(questions)
            if not right[q]
        ]
    return found


def beside(found: dict[str, list[Wrong]]) -> list[tuple[str, str]]:
    return list(itertools.pairwise(sorted(found)))


def test_the_tail_is_the_binomial_where_chances_are_equal() -> None:
    """At equal chances it is Σ C(n,k) pᵏ(1−p)ⁿ⁻ᵏ; at none it is certain."""
    expected = sum(math.comb(9, k) * 0.3**k * 0.7 ** (9 - k) for k in range(5, 10))
    assert upper_tail([0.3] * 9, 5) == pytest.approx(expected)
    assert upper_tail([0.2, 0.9], 0) == pytest.approx(1.0)
    assert upper_tail([0.2, 0.9], 2) == pytest.approx(0.18)


def test_who_copies_wrong_answers_is_a_lead() -> None:
    """A candidate with most of the neighbour's wrong answers is the first pair, and a lead."""
    found = slot(1)
    # A candidate of middling ability: who has hardly anything wrong gives nothing to go by.
    source = sorted(found.values(), key=len)[len(found) // 2]
    found["s030"], found["s031"] = source, source[: len(source) * 4 // 5]
    first, *rest = similar_pairs(found, beside(found))
    assert (first.first, first.second) == ("s030", "s031")
    assert first.lead and first.same == first.both_wrong > first.expected
    assert not any(one.lead for one in rest if "s031" not in (one.first, one.second))


def test_candidates_who_work_alone_are_hardly_ever_leads() -> None:
    """In twelve simulated slots without copying at most one has any lead."""
    assert (
        sum(any(p.lead for p in similar_pairs(found, beside(found))) for found in map(slot, range(12))) <= 1
    )


def test_the_same_right_answers_say_nothing() -> None:
    """Two candidates with everything right, or with few questions both got wrong, are no pair at all."""
    found = slot(2)
    found["s000"], found["s001"] = [], []
    some = found["s010"][: LEAST_WRONG - 1]
    found["s010"], found["s011"] = some, some
    pairs = {(one.first, one.second) for one in similar_pairs(found, beside(found))}
    assert not pairs & {("s000", "s001"), ("s010", "s011")}
