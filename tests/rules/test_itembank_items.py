"""Items: well-formedness, canonical bytes, hashes, states, review; the Merkle root; the blueprint."""

import hashlib
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BadInput, Refusal, Tampered
from server.itembank.blueprint import (
    CellKey,
    band_of,
    blueprint_bytes,
    blueprint_from_bytes,
    coverage,
    point_code,
    read_blueprint,
    shortages,
)
from server.itembank.items import (
    TRANSITIONS,
    ItemContent,
    ItemEvent,
    ItemState,
    body_bytes,
    fault_of,
    read_body,
    review_refusal,
    step,
    version_aad,
    version_hash,
)
from server.itembank.merkle import EMPTY_ROOT, merkle_root
from tests.support.papers import BLUEPRINT, small_bank

SINGLE = ItemContent("L1", "single", "stem", ("a", "b", "c"), ("B",), (), "1.1", 0.6, 1.0)
JUDGE = ItemContent("L2", "judge", "stem", (), ("T",), (), "1.1", 0.6, 1.0)
FILL = ItemContent("L3", "fill", "stem", (), (), (("x", "y"),), "1.1", 0.6, 1.0)


def test_the_items_of_the_small_bank_are_well_formed() -> None:
    """No item of each type in the small bank has a fault."""
    assert [fault_of(item) for item in (SINGLE, JUDGE, FILL, *small_bank())] == [None] * (
        3 + len(small_bank())
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (replace(SINGLE, stem=" "), "item-without-stem"),
        (replace(SINGLE, point=""), "item-without-point"),
        (replace(SINGLE, difficulty=1.01), "item-difficulty-outside"),
        (replace(SINGLE, difficulty=-0.01), "item-difficulty-outside"),
        (replace(SINGLE, score=0.0), "item-score-outside"),
        (replace(SINGLE, score=1000.5), "item-score-outside"),
        (replace(SINGLE, options=("a",)), "item-options-too-few"),
        (replace(SINGLE, options=("a", "")), "item-option-empty"),
        (replace(SINGLE, options=("a", "a", "b")), "item-options-equal"),
        (replace(SINGLE, key=()), "item-without-key"),
        (replace(SINGLE, key=("D",)), "item-key-outside-options"),
        (replace(SINGLE, key=("A", "B")), "item-single-with-many-keys"),
        (replace(SINGLE, type="multiple", key=("B", "A")), "item-key-invalid"),
        (replace(SINGLE, type="multiple", key=("A", "A")), "item-key-invalid"),
        (replace(SINGLE, accepted=(("x",),)), "item-without-key"),
        (replace(JUDGE, key=("A",)), "item-key-invalid"),
        (replace(JUDGE, options=("a", "b")), "item-options-not-expected"),
        (replace(FILL, accepted=()), "item-blanks-without-answer"),
        (replace(FILL, accepted=((),)), "item-blanks-without-answer"),
        (replace(FILL, accepted=(("",),)), "item-blanks-without-answer"),
        (replace(FILL, key=("A",)), "item-blanks-without-answer"),
    ],
)
def test_each_fault_is_named(content: ItemContent, code: str) -> None:
    """An item with one fault is refused with the code of that fault."""
    fault = fault_of(content)
    assert fault is not None
    assert fault.code == code


def test_a_body_reads_back_and_its_hash_covers_item_version_and_salt() -> None:
    """A body reads back to salt and content; another item, version or salt gives another hash."""
    body = body_bytes(b"s" * 16, SINGLE)
    assert read_body(body) == (b"s" * 16, SINGLE)
    hashes = {
        version_hash("i", 1, body),
        version_hash("i", 2, body),
        version_hash("j", 1, body),
        version_hash("i", 1, body_bytes(b"t" * 16, SINGLE)),
    }
    assert len(hashes) == 4
    assert version_aad("b", "i", 3) == b'{"bank":"b","item":"i","version":3}'


@given(st.binary(max_size=60))
def test_a_strange_body_is_tampered(data: bytes) -> None:
    """Bytes that are no body raise Tampered and nothing else."""
    with pytest.raises(Tampered, match="item-body-unreadable"):
        read_body(data)


def test_every_step_is_in_the_table_or_refused() -> None:
    """Each state and event gives the table's state, or a refusal that names both."""
    for state, event in product(ItemState, ItemEvent):
        following = step(state, event)
        if (state, event) in TRANSITIONS:
            assert following == TRANSITIONS[state, event]
        else:
            assert following == Refusal(
                "item-state-refused", facts={"state": state.value, "event": event.value}
            )


@pytest.mark.parametrize(
    ("writer", "reviewer", "code"),
    [
        ("张", "李", None),
        ("张", "张", "review-by-writer"),
        (" zhang ", "Zhang", "review-by-writer"),
        ("", "李", "review-people-missing"),
        ("张", " ", "review-people-missing"),
    ],
)
def test_a_review_needs_two_named_people(writer: str, reviewer: str, code: str | None) -> None:
    """One person under any spelling of case and space, or nobody, is no review."""
    refusal = review_refusal(writer, reviewer)
    assert (refusal.code if refusal else None) == code


def test_the_merkle_root_is_that_of_rfc_6962() -> None:
    """The roots of 0, 1, 2 and 3 leaves equal the tree of RFC 6962 worked out by hand."""

    def leaf(data: bytes) -> bytes:
        return hashlib.sha256(b"\0" + data).digest()

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\1" + left + right).digest()

    assert merkle_root([]) == EMPTY_ROOT == hashlib.sha256(b"").digest()
    assert merkle_root([b"a"]) == leaf(b"a")
    assert merkle_root([b"a", b"b"]) == node(leaf(b"a"), leaf(b"b"))
    assert merkle_root([b"a", b"b", b"c"]) == node(node(leaf(b"a"), leaf(b"b")), leaf(b"c"))


@given(st.lists(st.binary(min_size=1, max_size=4), min_size=2, max_size=20, unique=True), st.data())
def test_any_change_of_leaves_changes_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    """Leaving one leaf out, or exchanging two, changes the root."""
    place = data.draw(st.integers(0, len(leaves) - 2))
    swapped = [*leaves]
    swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
    assert (
        len({merkle_root(leaves), merkle_root(swapped), merkle_root(leaves[:place] + leaves[place + 1 :])})
        == 3
    )


@pytest.mark.parametrize(
    ("difficulty", "band"),
    [(1.0, "easy"), (0.7, "easy"), (0.6999, "medium"), (0.5, "medium"), (0.4999, "hard"), (0.0, "hard")],
)
def test_bands_are_half_open(difficulty: float, band: str) -> None:
    """0.7 is easy and 0.5 is medium: each band contains its lower bound."""
    assert band_of(difficulty) == band


@pytest.mark.parametrize(
    ("point", "code"),
    [
        ("1.1 职业道德与法律法规", "1.1"),
        ("1.1", "1.1"),
        ("1.10.2　安全", "1.10.2"),
        ("A1-2 tools", "A1-2"),
        ("职业道德", "职业道德"),
        ("3 相电路 基础", "3"),
        (" 电工 基础 ", "电工 基础"),
    ],
)
def test_a_point_is_matched_by_its_code(point: str, code: str) -> None:
    """A leading code parted by a space is what a point is matched by; without one it is the whole text."""
    assert point_code(point) == code


def test_a_blueprint_reads_back_from_its_bytes() -> None:
    """The canonical bytes of a blueprint read back to the same blueprint; totals are those of its cells."""
    blueprint = read_blueprint(BLUEPRINT)
    assert blueprint_from_bytes(blueprint_bytes(blueprint)) == blueprint
    assert (blueprint.count, blueprint.total, blueprint.spares, blueprint.level) == (8, 10.0, 1, "4")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (b"minutes = 90", b"minutes = 0", "minutes"),
        (b"pass_mark = 6.0", b"pass_mark = 10.5", "pass_mark"),
        (b"count = 4", b"count = 0", "cell 1"),
        (b"score = 2.0", b"score = 0", "cell 2"),
        (b'point = "1.3"\ntype = "fill"', b'point = "1.1 again"\ntype = "single"', "stands twice"),
        (b'band = "easy"', b'band = "simple"', "band"),
        (b"level = 4", b"level = 4\nlevels = 5", "levels"),
        (b"minutes = 90", b"minutes = 90\nspares = 21", "spares"),
        (b"[blueprint]", b"[blueprint", "line"),
    ],
)
def test_a_wrong_blueprint_is_refused_with_the_place(old: bytes, new: bytes, named: str) -> None:
    """Each wrong field is bad input whose reason names it."""
    assert old in BLUEPRINT
    with pytest.raises(BadInput, match="blueprint-invalid") as refused:
        read_blueprint(BLUEPRINT.replace(old, new))
    assert named in str(refused.value.facts["reason"])


def test_a_blueprint_without_cells_is_refused() -> None:
    """A blueprint without any cell is bad input."""
    head = BLUEPRINT.split(b"[[cell]]")[0]
    with pytest.raises(BadInput, match="blueprint-invalid"):
        read_blueprint(b"cell = []\n" + head)


def test_shortages_name_each_short_cell_and_by_how_many() -> None:
    """A bank one item short in one cell and empty in another names exactly these two."""
    blueprint = read_blueprint(BLUEPRINT)
    keys = [cell.key for cell in blueprint.cells for _ in range(cell.count)]
    assert shortages(blueprint, coverage(keys)) == ()
    have = coverage(keys[1:-1])
    short = shortages(blueprint, have)
    assert [(one.key, one.have, one.need) for one in short] == [
        (CellKey("1.1", "single", "medium"), 3, 4),
        (CellKey("1.3", "fill", "medium"), 0, 1),
    ]


def test_bounds_out_of_range_are_refused() -> None:
    """Each bound of a blueprint outside of its range is refused with its name."""
    for line, named in (
        ("exposure_limit = 0", "exposure_limit"),
        ("overlap_limit = -1", "overlap_limit"),
        ('papers = "fixed"\noverlap_limit = 1', "overlap_limit"),
        ("seat_rows = -1", "seat_rows"),
        ("difficulty_spread = 0.0", "difficulty_spread"),
        ('enemies = [["a"]]', "enemies"),
    ):
        with pytest.raises(BadInput, match="blueprint-invalid") as refused:
            read_blueprint(BLUEPRINT.replace(b"level = 4", b"level = 4\n" + line.encode()))
        assert named in str(refused.value.facts["reason"])
