"""Keys and points of one paper, in the labels that its candidate saw.

A marking sheet never leaves the seal of the marking key but in the marking opening. It stands apart from
`protocol/paper` so that the code which serves candidates has no path to it.
"""

from typing import Literal

import msgspec

from server.errors import Tampered
from server.protocol.paper import ItemType

MarkingPolicy = Literal["exact", "partial"]
"""exact: full score for exactly the key, else nothing. partial: in multiple choice half the score for a
proper, non-empty part of the key without a wrong option; in fill-in the score shared evenly by the blanks."""


class RubricPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that a marker looks for in an answer in words, and what it is worth."""

    text: str
    """Sanitised HTML."""
    score: float


class MarkingEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is right for one entry of one paper: an item, or one sub-item of a case."""

    number: int
    """Number on the paper, from 1."""
    item: str
    """Item id of the bank."""
    version: int
    """Item version that was drawn, from 1."""
    type: ItemType
    key: tuple[str, ...]
    """Choices: the right labels as displayed, ascending. Judge: ("T",) or ("F",). Fill: the first accepted
    text of each blank; `accepted` lists them all. Short: empty; people mark it by `rubric` and `model`."""
    score: float
    """Score for a wholly right answer."""
    policy: MarkingPolicy = "exact"
    accepted: tuple[tuple[str, ...], ...] = ()
    """Fill only: the accepted texts of each blank, in order of the blanks; empty for other types."""
    part: int = 0
    """The sub-item of a case item that this entry is, from 1; 0 for an item that stands alone."""
    rubric: tuple[RubricPoint, ...] = ()
    """Short only: the marking points; their scores make up `score`. May be empty: then `model` alone guides."""
    model: str = ""
    """Short only: the model answer, sanitised HTML."""
    stem: str = ""
    """Short only: what was asked, sanitised HTML, so that a marker needs no paper."""
    material: str = ""
    """Short sub-item only: the material of its case, sanitised HTML."""
    order: str = ""
    """Choices: the bank's labels of the options in the order displayed, one letter each."""


class MarkingSheet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The marking sheet of one paper; `sitting` is "spare" for a spare paper."""

    paper: str
    sitting: str
    entries: tuple[MarkingEntry, ...]


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(MarkingSheet)


def sheet_bytes(sheet: MarkingSheet) -> bytes:
    """Return the canonical bytes of a marking sheet (UTF-8 JSON, fields in declared order)."""
    return _encoder.encode(sheet)


def open_sheet(data: bytes) -> MarkingSheet:
    """Read the canonical bytes of a marking sheet; Tampered when they are not of its form."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Tampered("marking-sheet-unreadable", reason=str(error)) from error
