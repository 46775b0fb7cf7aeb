"""Canonical bytes of papers and marking sheets, and their associated data."""

import hashlib

import msgspec
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import Tampered
from server.itembank.blueprint import read_blueprint
from server.itembank.items import LABELS
from server.papers.drawing import Draw, DrawItem, Place, draw
from server.papers.marking_sheet import MarkingSheet, open_sheet, sheet_bytes
from server.papers.sealed import (
    Composer,
    associated_data,
    paper_bytes,
    paper_hash,
    sheet_associated_data,
)
from server.protocol.paper import Paper
from tests.support.papers import BLUEPRINT, small_bank

SEED = hashlib.sha256(b"sealed").digest()
CONTENTS = small_bank()
BANK = [
    DrawItem(f"item-{place:03}", 1, bytes(32), one.type, one.point, one.difficulty, len(one.options))
    for place, one in enumerate(CONTENTS)
]
PLAN = read_blueprint(BLUEPRINT)


def composed() -> tuple[Composer, tuple[Draw, ...]]:
    """Return a composer over the small bank and twelve draws of one room."""
    places = [Place(f"sitting-{seat}", "01", seat) for seat in range(1, 13)]
    return Composer("plan", "slot", "title", PLAN, BANK, CONTENTS), draw(SEED, BANK, PLAN, places)


def test_paper_data_is_the_encoding_of_the_paper() -> None:
    """The joined bytes of every paper equal the canonical encoding of the same paper, and decode to it."""
    composer, draws = composed()
    for one in draws:
        data = composer.paper_data(one)
        assert data == paper_bytes(composer.paper(one))
        assert msgspec.json.decode(data, type=Paper) == composer.paper(one)


def test_sheet_data_is_the_encoding_of_the_sheet() -> None:
    """The joined bytes of every marking sheet equal its canonical encoding, and open to it."""
    composer, draws = composed()
    for one in draws:
        data = composer.sheet_data(one)
        assert data == sheet_bytes(composer.sheet(one))
        assert open_sheet(data) == composer.sheet(one)


def test_an_empty_paper_has_bytes_too() -> None:
    """A draw without items gives a paper and a sheet with an empty list."""
    composer, _ = composed()
    empty = Draw("paper-1", Place("s", "01", 1), (), (), ())
    assert composer.paper_data(empty) == paper_bytes(composer.paper(empty))
    assert composer.sheet_data(empty) == sheet_bytes(composer.sheet(empty))


def test_keys_in_displayed_labels_point_at_the_right_texts() -> None:
    """Behind the labels of each key stand exactly the texts that the bank holds as right."""
    composer, draws = composed()
    for one in draws:
        paper, sheet = composer.paper(one), composer.sheet(one)
        for entry, item, index in zip(sheet.entries, paper.items, one.items, strict=True):
            content = CONTENTS[index]
            if content.type in ("single", "multiple"):
                shown = {option.label: option.html for option in item.options}
                right = {content.options[LABELS.index(label)] for label in content.key}
                assert {shown[label] for label in entry.key} == right
                assert list(entry.key) == sorted(entry.key)
            elif content.type == "judge":
                assert entry.key == content.key
                assert [option.label for option in item.options] == ["T", "F"]
            else:
                assert (entry.accepted, entry.key) == (content.accepted, (content.accepted[0][0],))


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.integers(0, 1 << 31))
def test_associated_data_is_canonical_json(paper: str, plan: str, sitting: str, policy: int) -> None:
    """The associated data equals RFC 8785 over its fields, for any text."""
    digest = paper_hash(paper.encode("utf-8", "surrogatepass"))
    fields = {"hash": digest.hex(), "paper": paper, "plan": plan, "policy": policy, "sitting": sitting}
    assert associated_data(paper, plan, sitting, digest, policy) == rfc8785.dumps(fields)
    sheet = {"paper": paper, "plan": plan, "sheet": 1, "sitting": sitting, "slot": "s"}
    assert sheet_associated_data(paper, plan, "s", sitting) == rfc8785.dumps(sheet)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_sheet_opens_to_a_sheet_or_is_refused(data: st.DataObject) -> None:
    """Any one changed byte of a marking sheet gives a marking sheet or Tampered, and no other error."""
    composer, draws = composed()
    whole = bytearray(composer.sheet_data(draws[0]))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert isinstance(open_sheet(bytes(whole)), MarkingSheet)
    except Tampered as error:
        assert error.code == "marking-sheet-unreadable"
