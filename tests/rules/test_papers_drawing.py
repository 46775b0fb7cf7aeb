"""The draw: exact on every cell, the same everywhere, fair in exposure, different for neighbours."""

import hashlib
import hmac
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import Refused
from server.itembank.blueprint import Blueprint, Cell, CellKey, key_of
from server.papers.drawing import (
    SPARE,
    DrawItem,
    Place,
    draw,
    list_hash,
    places_of,
    seed_of,
)
from server.papers.figures import figures_of
from server.papers.stream import Stream, derived_id
from server.protocol.paper import ItemType

SEED = hashlib.sha256(b"seed").digest()
PINNED = "dec0cae9d51dbf702632832dda1f12ccf17e472eb431f598895825609dce5824"


def bank_of(*cells: tuple[str, ItemType, float, int]) -> list[DrawItem]:
    """Return items: (point, type, difficulty, how many) for each cell."""
    made: list[DrawItem] = []
    for point, kind, difficulty, count in cells:
        for _ in range(count):
            number = len(made)
            options = 4 if kind in ("single", "multiple") else 0
            made.append(
                DrawItem(f"{number:06}", 1, number.to_bytes(32, "big"), kind, point, difficulty, options)
            )
    return made


def blueprint_of(*cells: Cell, **changed: bool) -> Blueprint:
    """Return a blueprint of the cells with all shuffles on."""
    policy = {"shuffle_items": True, "shuffle_options": True, "sections": True} | changed
    return Blueprint("t", "o", "4", 90, 1.0, cells, **policy, multiple="exact", fill="exact", spares=1)


def seats(count: int, room: str = "01") -> list[Place]:
    """Return places of one room, seats from 1."""
    return [Place(f"s{room}-{seat}", room, seat) for seat in range(1, count + 1)]


def test_the_stream_is_the_documented_one() -> None:
    """Every call of a stream reads the documented blocks of its own number."""
    key = hashlib.sha256(b"gongyuan/draw/1\0" + b"a label" + b"\0" + SEED).digest()
    names = [(0, 1), (1, 1), (1, 2), (2, 1)]
    blocks = {
        (call, block): hmac.digest(key, call.to_bytes(8, "big") + block.to_bytes(4, "big"), "sha256")
        for call, block in names
    }
    words = [int.from_bytes(blocks[0, 1][place : place + 4], "big") for place in range(0, 32, 4)]
    both = blocks[1, 1] + blocks[1, 2]
    long = [int.from_bytes(both[place : place + 8], "big") for place in range(0, 40, 8)]
    stream = Stream(SEED, "a label")
    assert stream.numbers(1 << 32, 5) == words[:5]
    assert stream.order(5) == sorted(range(5), key=lambda place: long[place])
    assert stream.words(2).tolist() == [int.from_bytes(blocks[2, 1][p : p + 4], "big") for p in (0, 4)]


def test_a_seed_of_another_length_is_refused() -> None:
    """A stream takes 32 bytes of seed and nothing else."""
    with pytest.raises(ValueError, match="32"):
        Stream(bytes(31), "x")


@given(n=st.integers(1, 1 << 32), label=st.text(max_size=5))
def test_every_number_of_the_stream_is_below_its_bound(n: int, label: str) -> None:
    """numbers(n, 9) gives nine numbers below n, for any n up to 2³²."""
    found = Stream(SEED, label).numbers(n, 9)
    assert len(found) == 9
    assert all(0 <= one < n for one in found)


def test_the_stream_is_even() -> None:
    """Each of 6 values of 30,000 draws comes between 4,750 and 5,250 times (4 standard deviations and more)."""
    counts = Counter(Stream(SEED, "even").numbers(6, 30_000))
    assert sorted(counts) == list(range(6))
    assert all(4_750 <= count <= 5_250 for count in counts.values())


def test_an_order_is_even() -> None:
    """Each of the 6 orders of 3 places comes between 4,750 and 5,250 times in 30,000."""
    stream = Stream(SEED, "orders")
    counts = Counter(tuple(stream.order(3)) for _ in range(30_000))
    assert len(counts) == 6
    assert all(4_750 <= count <= 5_250 for count in counts.values())


def test_a_derived_id_is_a_uuid_of_version_8() -> None:
    """An id made of a seed bears version 8 and the RFC variant, and differs by label."""
    one, other = derived_id(SEED, "a"), derived_id(SEED, "b")
    assert one != other
    assert (len(one), one[14], one[19] in "89ab") == (36, "8", True)


def test_the_same_seed_draws_the_same_papers_and_pins_them() -> None:
    """The digest of a draw from a fixed seed never changes, on any machine or version."""
    bank = bank_of(("1", "single", 0.6, 20), ("1", "judge", 0.6, 10))
    plan = blueprint_of(
        Cell(CellKey("1", "single", "medium"), 6, 1.0), Cell(CellKey("1", "judge", "medium"), 3, 1.0)
    )
    papers = draw(SEED, bank, plan, places_of(seats(7), 1))
    again = draw(SEED, bank, plan, places_of(seats(7), 1))
    assert papers == again
    text = repr([(p.paper, p.place.sitting, p.items, p.cells, p.orders) for p in papers])
    assert hashlib.sha256(text.encode()).hexdigest() == PINNED


def test_another_seed_draws_other_papers() -> None:
    """Two seeds give different papers from the same bank."""
    bank = bank_of(("1", "single", 0.6, 20))
    plan = blueprint_of(Cell(CellKey("1", "single", "medium"), 6, 1.0))
    assert draw(SEED, bank, plan, seats(3)) != draw(bytes(32), bank, plan, seats(3))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_paper_is_exact_on_every_cell(data: st.DataObject) -> None:
    """Whatever the bank and blueprint, each paper has each cell's count of different items of that cell."""
    sizes = data.draw(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), min_size=1, max_size=4))
    cells = tuple(
        Cell(CellKey(str(place), "single", "medium"), need, 1.0) for place, (need, _) in enumerate(sizes)
    )
    bank = bank_of(*((str(place), "single", 0.6, need + more) for place, (need, more) in enumerate(sizes)))
    plan = blueprint_of(*cells, sections=data.draw(st.booleans()), shuffle_items=data.draw(st.booleans()))
    papers = draw(
        data.draw(st.binary(min_size=32, max_size=32)), bank, plan, seats(data.draw(st.integers(1, 9)))
    )
    for paper in papers:
        assert len(set(paper.items)) == len(paper.items) == plan.count
        for item, cell, order in zip(paper.items, paper.cells, paper.orders, strict=True):
            found = bank[item]
            assert key_of(found.point, found.type, found.difficulty) == plan.cells[cell].key
            assert sorted(order) == list(range(found.options))
        assert Counter(paper.cells) == {place: cell.count for place, cell in enumerate(plan.cells)}


@settings(max_examples=40, deadline=None)
@given(count=st.integers(2, 10), more=st.integers(0, 25), papers=st.integers(1, 40))
def test_no_item_is_used_more_than_once_oftener_than_another(count: int, more: int, papers: int) -> None:
    """Within a cell the uses of any two items differ by at most one."""
    bank = bank_of(("1", "single", 0.6, count + more))
    plan = blueprint_of(Cell(CellKey("1", "single", "medium"), count, 1.0))
    uses = Counter(dict.fromkeys(range(len(bank)), 0))
    for paper in draw(SEED, bank, plan, seats(papers)):
        uses.update(paper.items)
    assert max(uses.values()) - min(uses.values()) <= 1


def test_neighbours_share_nothing_while_the_deck_is_twice_the_cell() -> None:
    """With four times the items of a paper no two following papers share an item, over 50 seats."""
    bank = bank_of(("1", "single", 0.6, 40))
    plan = blueprint_of(Cell(CellKey("1", "single", "medium"), 10, 1.0))
    papers = draw(SEED, bank, plan, seats(50))
    assert all(not set(left.items) & set(right.items) for left, right in pairwise(papers))
    assert figures_of(papers).overlap == 0


def test_items_stand_in_sections_by_type_unless_mixed() -> None:
    """With sections all items of a type stand together in the blueprint's order; without, the types interleave."""
    bank = bank_of(("1", "judge", 0.6, 30), ("1", "single", 0.6, 30))
    cells = (Cell(CellKey("1", "judge", "medium"), 10, 1.0), Cell(CellKey("1", "single", "medium"), 10, 1.0))
    sectioned = draw(SEED, bank, blueprint_of(*cells), seats(1))[0]
    assert [bank[item].type for item in sectioned.items] == ["judge"] * 10 + ["single"] * 10
    mixed = draw(SEED, bank, blueprint_of(*cells, sections=False), seats(1))[0]
    assert [bank[item].type for item in mixed.items] != ["judge"] * 10 + ["single"] * 10


def test_options_stand_as_written_when_they_are_not_shuffled() -> None:
    """Without option shuffle every order is the identity; with it, 200 four-option items show all 24 orders."""
    bank = bank_of(("1", "single", 0.6, 400))
    cell = Cell(CellKey("1", "single", "medium"), 200, 1.0)
    still = draw(SEED, bank, blueprint_of(cell, shuffle_options=False), seats(1))[0]
    assert set(still.orders) == {(0, 1, 2, 3)}
    assert len(set(draw(SEED, bank, blueprint_of(cell), seats(1))[0].orders)) == 24


def test_more_than_five_options_are_shuffled_too() -> None:
    """An item of seven options gets a full permutation of seven."""
    bank = [DrawItem("a", 1, bytes(32), "multiple", "1", 0.6, 7)]
    plan = blueprint_of(Cell(CellKey("1", "multiple", "medium"), 1, 1.0))
    order = draw(SEED, bank, plan, seats(1))[0].orders[0]
    assert sorted(order) == list(range(7))


def test_a_short_cell_is_refused_with_its_name() -> None:
    """A bank with too few items of a cell is refused, and the facts name the cell and how many are missing."""
    bank = bank_of(("1", "single", 0.6, 3))
    with pytest.raises(Refused, match="blueprint-not-fillable") as refused:
        draw(SEED, bank, blueprint_of(Cell(CellKey("1", "single", "medium"), 5, 1.0)), seats(1))
    assert (refused.value.facts["cells"], refused.value.facts["missing"]) == (1, 2)
    assert "1 / single / medium: 3 < 5" in str(refused.value.facts["short"])


def test_places_stand_by_room_and_seat_with_spares_last() -> None:
    """Places are ordered by room and seat whatever the seating's order, and each room ends with its spares."""
    shuffled = [*seats(3, "02")[::-1], *seats(2, "01")[::-1]]
    ordered = places_of(shuffled, 2)
    assert [(p.room, p.seat) for p in ordered] == [
        ("01", 1), ("01", 2), ("01", -1), ("01", -2), ("02", 1), ("02", 2), ("02", 3), ("02", -1), ("02", -2)
    ]  # fmt: skip
    assert [p.sitting for p in ordered].count(SPARE) == 4


def test_the_list_hash_covers_bank_blueprint_places_and_slot() -> None:
    """A change of any part of what is drawn from changes the list hash, and so the seed."""
    bank = bank_of(("1", "single", 0.6, 3))
    plan = blueprint_of(Cell(CellKey("1", "single", "medium"), 2, 1.0))
    other = blueprint_of(Cell(CellKey("1", "single", "medium"), 2, 2.0))
    hashes = {
        list_hash("slot", "t", bank, plan, seats(2)),
        list_hash("slot2", "t", bank, plan, seats(2)),
        list_hash("slot", "u", bank, plan, seats(2)),
        list_hash("slot", "t", bank[:2], plan, seats(2)),
        list_hash("slot", "t", bank, other, seats(2)),
        list_hash("slot", "t", bank, plan, seats(3)),
    }
    assert len(hashes) == 6
    assert len({seed_of(b"s", b"n", one) for one in hashes}) == 6
