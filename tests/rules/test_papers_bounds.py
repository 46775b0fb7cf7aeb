"""The draw within bounds: enemies, exposure, neighbours, difficulty, variants; exchanges and solver."""

import hashlib
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import Refused
from server.itembank.blueprint import Blueprint, blueprint_bytes, blueprint_from_bytes
from server.papers.assembly import assemble, recorded
from server.papers.bounds import neighbours_of
from server.papers.dealing import deal
from server.papers.drawing import Draw, DrawItem, Given, draw, draw_solved, places_of
from server.papers.figures import exposure_of, figures_of
from server.papers.stream import Stream
from tests.support.drawing import bank_of, blueprint_of, seats

SEED = hashlib.sha256(b"bounds").digest()
PINNED = "8bc9101a7255eb6e2b855e7eddbec022e51db5f41a77687e592018f8c34f0d4d"


def quarrels(bank: list[DrawItem], draws: tuple[Draw, ...], pairs: tuple[tuple[str, str], ...]) -> int:
    """Count the enemy pairs that stand on one paper."""
    papers = [{bank[item].item for item in one.items} for one in draws]
    return sum(set(pair) <= paper for paper in papers for pair in pairs)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_draw_meets_every_bound_or_is_refused(data: st.DataObject) -> None:
    """Whatever the bounds, a draw is refused, or exact on every cell, without enemies on a paper, within exposure
    limit, overlap and difficulty, and no two papers are equal."""
    needs = [data.draw(st.integers(2, 5)), data.draw(st.integers(1, 3))]
    more = [data.draw(st.integers(0, 12)), data.draw(st.integers(0, 8))]
    bank = bank_of(
        ("1", "single", needs[0] + more[0]),
        ("2", "judge", needs[1] + more[1]),
        difficulties=(0.50, 0.69, 0.58, 0.62),
    )
    ids = [one.item for one in bank]
    pair = st.tuples(st.sampled_from(ids), st.sampled_from(ids)).filter(lambda two: two[0] < two[1])
    pairs = tuple(data.draw(st.lists(pair, max_size=6, unique=True)))
    earlier = data.draw(st.dictionaries(st.sampled_from(ids), st.integers(1, 8), max_size=5))
    brought = Given(pairs, {(item, 1): papers for item, papers in earlier.items()})
    limit = data.draw(st.none() | st.integers(1, 14))
    overlap = data.draw(st.none() | st.integers(0, 5))
    spread = data.draw(st.none() | st.sampled_from((0.05, 0.1, 0.3)))
    plan = replace(
        blueprint_of(("1", "single", needs[0]), ("2", "judge", needs[1])),
        exposure_limit=limit,
        overlap_limit=overlap,
        difficulty_spread=spread,
        seat_rows=data.draw(st.sampled_from((0, 3))),
    )
    places = places_of(seats(data.draw(st.integers(1, 10))), 1)
    try:
        draws = draw(SEED, bank, plan, places, brought, assemble)
    except Refused as error:
        assert error.code in ("blueprint-not-fillable", "blueprint-bounds-unmet", "paper-variants-equal")
        return
    assert draws == draw(SEED, bank, plan, places, brought, assemble)
    for one in draws:
        assert Counter(one.cells) == {0: needs[0], 1: needs[1]}
        assert len(set(one.items)) == len(one.items)
    assert quarrels(bank, draws, pairs) == 0
    if limit is not None:
        uses = {item: papers for item, _, papers in exposure_of(draws, bank)}
        assert all(papers + earlier.get(item, 0) <= limit for item, papers in uses.items())
    if overlap is not None:
        assert figures_of(draws, plan.seat_rows).overlap <= overlap
    if spread is not None:
        sums = [sum(round(bank[item].difficulty * 100) for item in one.items) for one in draws]
        assert max(sums) - min(sums) <= round(spread * 100)
    assert len({(one.items, one.orders) for one in draws}) == len(draws)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_hands_are_exact_and_within_their_caps(data: st.DataObject) -> None:
    """Every hand has different cards, no card passes its cap, and without caps hands that follow each other share
    no more than a deck too small for two hands forces."""
    size, papers = data.draw(st.integers(1, 14)), data.draw(st.integers(1, 25))
    count = data.draw(st.integers(1, size))
    capped = data.draw(st.booleans())
    caps = [data.draw(st.integers(0, papers + 2)) if capped else papers for _ in range(size)]
    if sum(min(cap, papers) for cap in caps) < papers * count:
        return
    dealt = deal(Stream(SEED, "deal"), range(100, 100 + size), caps, count, papers)
    hands = [set(dealt[start : start + count]) for start in range(0, papers * count, count)]
    uses = Counter(dealt)
    assert [len(hand) for hand in hands] == [count] * papers
    assert all(uses[100 + card] <= cap for card, cap in enumerate(caps))
    if not capped:
        assert max(uses.values()) - min(uses[100 + card] for card in range(size)) <= 1
        assert all(len(one & other) <= max(0, 2 * count - size) for one, other in pairwise(hands))


@pytest.mark.parametrize(
    ("caps", "count", "papers"), [([10, 8, 5, 7, 2, 2, 9], 4, 10), ([2, 5, 10, 9, 1, 1], 3, 9)]
)
def test_cards_left_over_come_in_by_an_exchange(caps: list[int], count: int, papers: int) -> None:
    """Where the last cards stand on the last hands already, hands are exact and no cap is passed all the same."""
    dealt = deal(Stream(SEED, "deal"), range(len(caps)), caps, count, papers)
    assert all(len(set(dealt[start : start + count])) == count for start in range(0, papers * count, count))
    assert all(Counter(dealt)[card] <= cap for card, cap in enumerate(caps))


def test_the_solver_parts_neighbours_too() -> None:
    """Six neighbours of four items each share at most one of seven items, which is the least there is; of six items
    two must be shared, and one is refused."""
    bank = bank_of(("1", "single", 7))
    plan = replace(blueprint_of(("1", "single", 4)), overlap_limit=1, seat_rows=2)
    draws, solution = draw_solved(SEED, bank, plan, seats(6), solver=assemble)
    assert solution
    assert figures_of(draws, 2).overlap == 1
    with pytest.raises(Refused, match="blueprint-bounds-unmet"):
        draw(SEED, bank[:6], plan, seats(6), Given(), assemble)


def tangled() -> tuple[list[DrawItem], Blueprint]:
    """Return a bank of which any two of 31 items are enemies, so that exchanges alone find no way."""
    bank = bank_of(("1", "single", 40))
    group = tuple(one.item for one in bank[:31])
    return bank, replace(blueprint_of(("1", "single", 10)), enemies=(group,))


def test_the_solver_fills_what_exchanges_cannot_and_its_record_draws_the_same() -> None:
    """Papers of a bank full of enemies are refused without the solver, drawn with it, and drawn again the same from
    its recorded answer."""
    bank, plan = tangled()
    with pytest.raises(Refused, match="blueprint-bounds-unmet"):
        draw(SEED, bank, plan, seats(8))
    draws, solution = draw_solved(SEED, bank, plan, seats(8), solver=assemble)
    assert solution
    assert all(sum(item < 31 for item in one.items) == 1 for one in draws)
    assert draw(SEED, bank, plan, seats(8), solver=recorded(solution)) == draws


def test_a_record_that_breaks_a_bound_or_a_cell_is_refused() -> None:
    """A recorded answer with enemies on a paper is refused, and so is one with an item twice on a paper."""
    bank, plan = tangled()
    _, solution = draw_solved(SEED, bank, plan, seats(8), solver=assemble)
    first = min(solution)
    quarrel = {**solution, first: (0, 1, *solution[first][2:])}
    with pytest.raises(Refused, match="blueprint-bounds-unmet"):
        draw(SEED, bank, plan, seats(8), solver=recorded(quarrel))
    double = {**solution, first: (solution[first][0], *solution[first][:-1])}
    with pytest.raises(Refused, match="solution-not-exact"):
        draw(SEED, bank, plan, seats(8), solver=recorded(double))
    short = {**solution, first: solution[first][:-1]}
    with pytest.raises(Refused, match="solution-not-exact"):
        draw(SEED, bank, plan, seats(8), solver=recorded(short))
    limited = replace(plan, exposure_limit=8)
    worn = dict.fromkeys(range(8), solution[first])
    with pytest.raises(Refused, match="solution-not-exact"):
        draw(SEED, bank, limited, seats(8), Given((), {("0039", 1): 1}), recorded(worn))


def test_a_draw_within_bounds_is_the_same_on_every_machine() -> None:
    """The digest of a draw with enemies, exposure limit, overlap and band, met by exchanges, never changes."""
    bank = bank_of(("1", "single", 40), ("2", "judge", 20), difficulties=(0.5, 0.55, 0.6, 0.65, 0.69))
    plan = replace(
        blueprint_of(("1", "single", 8), ("2", "judge", 4)),
        exposure_limit=12,
        overlap_limit=3,
        seat_rows=4,
        difficulty_spread=0.1,
    )
    pairs = tuple((f"{one:04}", f"{one + 7:04}") for one in range(0, 30, 2))
    draws = draw(SEED, bank, plan, seats(30), Given(pairs, {("0003", 1): 8}))
    assert quarrels(bank, draws, pairs) == 0
    text = repr([(one.paper, one.items, one.orders) for one in draws])
    assert hashlib.sha256(text.encode()).hexdigest() == PINNED


def test_an_exposure_limit_counts_earlier_draws() -> None:
    """With a limit of 5 an item that stood on 3 papers stands on at most 2 more; one of 5 on none."""
    bank = bank_of(("1", "single", 30))
    plan = replace(blueprint_of(("1", "single", 5)), exposure_limit=5)
    before = {("0000", 1): 3, ("0001", 1): 5}
    uses = {
        item: papers
        for item, _, papers in exposure_of(draw(SEED, bank, plan, seats(25), Given((), before)), bank)
    }
    assert uses["0000"] <= 2
    assert "0001" not in uses
    assert max(uses.values()) <= 5


def test_fixed_papers_have_one_choice_of_items_in_different_orders() -> None:
    """Fixed papers hold the same items for everybody, no two in the same order of items and options."""
    bank = bank_of(("1", "single", 30))
    plan = replace(blueprint_of(("1", "single", 5)), papers="fixed")
    draws = draw(SEED, bank, plan, seats(40))
    assert len({frozenset(one.items) for one in draws}) == 1
    assert len({(one.items, one.orders) for one in draws}) == 40
    still = replace(plan, shuffle_items=False, shuffle_options=False)
    assert len({(one.items, one.orders) for one in draw(SEED, bank, still, seats(40))}) == 1


def test_papers_that_must_be_equal_are_refused() -> None:
    """One item of three options gives six different papers, and a draw of seven is refused."""
    bank = [replace(one, options=3) for one in bank_of(("1", "single", 1))]
    plan = blueprint_of(("1", "single", 1))
    assert len({one.orders for one in draw(SEED, bank, plan, seats(6))}) == 6
    with pytest.raises(Refused, match="paper-variants-equal"):
        draw(SEED, bank, plan, seats(7))


def test_neighbours_sit_beside_behind_and_next_in_number() -> None:
    """In columns of three numbered in a snake seat 2 has the neighbours 1, 3 and 5; spares and other rooms none."""
    places = [*(("01", seat) for seat in range(1, 7)), ("01", -1), ("02", 1)]
    beside = neighbours_of(places, 3)
    assert [sorted(places[one][1] for one in those) for those in beside] == [
        [2, 6], [1, 3, 5], [2, 4], [3, 5], [2, 4, 6], [1, 5], [], []
    ]  # fmt: skip
    assert neighbours_of(places, 0)[1] == (0, 2)


def test_a_blueprint_with_bounds_reads_back() -> None:
    """The canonical bytes of a blueprint with every bound read back to the same blueprint."""
    plan = replace(
        blueprint_of(("1", "single", 5)),
        exposure_limit=5,
        overlap_limit=1,
        seat_rows=6,
        difficulty_spread=0.5,
        enemies=(("a", "b"),),
    )
    assert blueprint_from_bytes(blueprint_bytes(plan)) == plan
