"""Cases on papers: the options of their sub-items are shuffled as the blueprint says, portably, with their keys."""

import hashlib
from dataclasses import replace

from server.itembank.blueprint import Blueprint, blueprint_bytes, blueprint_from_bytes, read_blueprint
from server.itembank.items import LABELS, FullItem, ItemContent, ItemState, SubItem
from server.papers.draw_service import draw_items
from server.papers.drawing import Draw, DrawItem, Place, draw
from server.papers.marking_sheet import sheet_bytes
from server.papers.sealed import Composer, paper_bytes

SEED = hashlib.sha256(b"parts").digest()
BLUEPRINT = b"""[blueprint]
title = "t"
occupation = "o"
level = 4
minutes = 90
pass_mark = 1
[[cell]]
point = "1.1"
type = "case"
band = "medium"
count = 2
score = 6
"""
PARTS = (
    SubItem("multiple", "s1", ("a", "b", "c", "d"), ("A", "C"), (), 2.0),
    SubItem("judge", "s2", (), ("T",), (), 2.0),
    SubItem("single", "s3", ("e", "f", "g"), ("B",), (), 2.0),
)
CASE = ItemContent("", "case", "material", (), (), (), "1.1", 0.6, 6.0, parts=PARTS)
BANK = [DrawItem(f"c{number}", 1, bytes(32), "case", "1.1", 0.6, 0, (4, 0, 3)) for number in range(4)]
CONTENTS = [replace(CASE, stem=f"material {number}") for number in range(4)]


def composed(plan: Blueprint, seats: int = 30) -> tuple[Composer, tuple[Draw, ...]]:
    """Return a composer over four cases and the papers of a room."""
    places = [Place(f"sitting-{seat}", "01", seat) for seat in range(1, seats + 1)]
    return Composer("plan", "slot", "title", plan, BANK, CONTENTS), draw(SEED, BANK, plan, places)


def test_sub_items_are_shuffled_and_their_keys_go_with_them() -> None:
    """Sub-items stand in different orders on different papers, each key names the right texts, and the joined bytes
    are the encoding."""
    composer, draws = composed(read_blueprint(BLUEPRINT))
    seen: set[tuple[str, ...]] = set()
    for one in draws:
        paper, sheet = composer.paper(one), composer.sheet(one)
        assert composer.paper_data(one) == paper_bytes(paper)
        assert composer.sheet_data(one) == sheet_bytes(sheet)
        for item, entry in zip(paper.items, sheet.entries, strict=True):
            part = PARTS[item.part - 1]
            if part.options:
                shown = {option.label: option.html for option in item.options}
                right = {part.options[LABELS.index(label)] for label in part.key}
                assert {shown[label] for label in entry.key} == right
                assert [part.options[LABELS.index(label)] for label in entry.order] == list(shown.values())
                seen.add(tuple(shown.values()))
    assert len(seen) > 20


def test_the_same_seed_gives_the_same_orders_on_any_machine() -> None:
    """The orders of two cases are the documented ones, so that a paper drawn again is the paper sealed."""
    first = composed(read_blueprint(BLUEPRINT), 2)[1]
    assert first == composed(read_blueprint(BLUEPRINT), 2)[1]
    text = repr([one.orders for one in first])
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "4b6abe715f80a530"


def test_a_blueprint_of_an_earlier_draw_leaves_sub_items_as_they_were() -> None:
    """Canonical bytes that say nothing of sub-items draw them unshuffled and stay the same bytes; a file may say so
    too."""
    plan = read_blueprint(BLUEPRINT)
    assert plan.shuffle_parts and blueprint_from_bytes(blueprint_bytes(plan)) == plan
    still = read_blueprint(BLUEPRINT.replace(b"[[cell]]", b"shuffle_parts = false\n[[cell]]"))
    earlier = blueprint_bytes(still)
    assert b"shuffle_parts" not in earlier and blueprint_from_bytes(earlier) == still
    assert {one.orders for one in composed(still, 2)[1]} == {((), ())}


def test_the_draw_knows_how_many_options_sub_items_have() -> None:
    """An opened case gives the counts of its sub-items' options."""
    full = [FullItem("c", 1, bytes(32), ItemState.APPROVED, bytes(16), CASE)]
    assert draw_items(full)[0].parts == (4, 0, 3)
