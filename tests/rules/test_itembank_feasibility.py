"""Which cells of a blueprint a bank cannot fill, why, and by how many items."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import Refused
from server.itembank.feasibility import Usable, refusal_of, shortages_of
from server.papers.assembly import assemble
from server.papers.drawing import Given, draw, short_cells
from tests.support.drawing import bank_of, blueprint_of, seats

PLAN = blueprint_of(("1", "single", 3), ("2", "judge", 2))


def usable(count: int, cap: int, prefix: str) -> list[Usable]:
    """Return items of one cell that may stand on `cap` papers each."""
    return [Usable(f"{prefix}{number}", cap) for number in range(count)]


def test_each_cause_is_named_with_the_items_that_are_missing() -> None:
    """Two items for three are one short; four enemies of one another for three are two short; five items of two uses
    for two on ten papers lack ten uses, which five items of two uses give."""
    few = shortages_of(PLAN, [usable(2, 9, "a"), usable(2, 9, "b")], (), 1)
    assert [(one.cause, one.have, one.need, one.missing) for one in few] == [("items", 2, 3, 1)]
    pairs = [(f"a{one}", f"a{other}") for one in range(4) for other in range(one)]
    foes = shortages_of(PLAN, [usable(4, 9, "a"), usable(2, 9, "b")], pairs, 1)
    assert [(one.cause, one.have, one.need, one.missing) for one in foes] == [("enemies", 1, 3, 2)]
    limited = replace(PLAN, exposure_limit=2)
    worn = shortages_of(limited, [usable(15, 2, "a"), usable(5, 2, "b")], (), 10)
    assert [(one.key.point, one.cause, one.have, one.need, one.missing) for one in worn] == [
        ("2", "exposure", 10, 20, 5)
    ]


def test_a_blueprint_that_can_be_filled_is_not_refused() -> None:
    """Without a short cell there is no refusal; with two the facts count both and name each."""
    assert refusal_of(PLAN, ()) is None
    refusal = refusal_of(PLAN, shortages_of(PLAN, [usable(1, 9, "a"), usable(0, 9, "b")], (), 1))
    assert refusal is not None
    assert (refusal.code, refusal.facts["cells"], refusal.facts["missing"]) == (
        "blueprint-not-fillable",
        2,
        4,
    )
    assert refusal.facts["short"] == "1 / single / medium: 1 < 3; 2 / judge / medium: 0 < 2"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_shortage_is_certain_and_its_cure_cures(data: st.DataObject) -> None:
    """A bank with a short cell is never drawn from; with as many fresh items as are missing, no cell is short for
    want of items or uses."""
    size, count = data.draw(st.integers(1, 8)), data.draw(st.integers(2, 5))
    papers, limit = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    bank = bank_of(("1", "single", size))
    plan = replace(blueprint_of(("1", "single", count)), exposure_limit=limit)
    pairs = tuple(("0000", one.item) for one in bank[1 : data.draw(st.integers(1, 4))])
    earlier = {(one.item, 1): data.draw(st.integers(0, 9)) for one in bank}
    short = short_cells(bank, plan, papers, Given(pairs, earlier))
    try:
        draw(bytes(32), bank, plan, seats(papers), Given(pairs, earlier), assemble)
        assert short == ()
    except Refused as error:
        assert (error.code == "blueprint-not-fillable") == bool(short)
    if short and short[0].cause != "enemies":
        cured = bank_of(("1", "single", size + short[0].missing))
        after = short_cells(cured, plan, papers, Given((), earlier))
        assert after == () or (short[0].cause, after[0].cause) == ("items", "exposure")
