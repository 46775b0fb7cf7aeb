"""Answers in words: the model answer and the marking points, as people write them in one cell."""

import re
from collections.abc import Callable

import msgspec

from server.itembank.interchange.cells import RowCells, plain
from server.itembank.items import MarkingPoint, hundredths

_LAST_SCORE = re.compile(
    r"^(?P<text>.*?)\s*[（(\[【,，、:：]?\s*(?P<score>\d{1,3}(?:\.\d{1,2})?)\s*分\s*[)）\]】]?\s*[。；;.]?$",
    re.DOTALL,
)
_FIRST_SCORE = re.compile(
    r"^[（(\[【]\s*(?P<score>\d{1,3}(?:\.\d{1,2})?)\s*分\s*[)）\]】]\s*(?P<text>.+)$", re.DOTALL
)
_LEAD = re.compile(r"^\s*(?:[（(]?\d{1,2}[）)]|\d{1,2}\s*[.．、:：](?!\d)|[①-⑳]|[-•·])\s*")
_LISTED = re.compile(r"<dt>(\d{1,4}\.\d{1,2})</dt><dd>(.*?)</dd>", re.DOTALL)
_LIST = re.compile(r"<dl>((?:<dt>\d{1,4}\.\d{1,2}</dt><dd>(?:(?!<d[lt]>).)*?</dd>)+)</dl>$", re.DOTALL)


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    score: float


_decoder = msgspec.json.Decoder(list[_Written])


def rubric_of(row: RowCells, clean: Callable[[str], str]) -> tuple[MarkingPoint, ...]:
    """Return the marking points of a row: `要点（2分）` a line or parted by ；, or a list of {text, score}.

    A cell that is neither is a doubt, and none of it is taken.
    """
    text = row.text("rubric")
    if not text:
        return ()
    try:
        written = _decoder.decode(text) if text.startswith("[{") else _lines(text)
    except (msgspec.DecodeError, UnicodeError):
        written = None
    if written is None:
        row.doubt("rubric-unreadable", rubric=plain(text)[:60])
        return ()
    return tuple(MarkingPoint(clean(one.text), one.score) for one in written)


def rubric_json(rubric: tuple[MarkingPoint, ...]) -> str:
    """Return marking points as the cell that `rubric_of` takes word for word; empty for none."""
    if not rubric:
        return ""
    return msgspec.json.encode([_Written(one.text, one.score) for one in rubric]).decode()


def rubric_in_list(text: str) -> tuple[str, str]:
    """Return (text without a list of marking points at its end, that list as a cell)."""
    found = _LIST.search(text)
    if found is None:
        return text, ""
    points = tuple(MarkingPoint(words, float(score)) for score, words in _LISTED.findall(found[1]))
    return text[: found.start()], rubric_json(points)


def worth(rubric: tuple[MarkingPoint, ...]) -> float:
    """Return what marking points make up together."""
    return hundredths(one.score for one in rubric) / 100


def _lines(text: str) -> list[_Written] | None:
    pieces = [one for one in re.split(r"\n|<br>", text) if one.strip()]
    if len(pieces) == 1:
        pieces = [one for one in re.split(r"[；;]", text) if one.strip()]
    found: list[_Written] = []
    for piece in pieces:
        body = _LEAD.sub("", piece.strip())
        scored = _FIRST_SCORE.match(body) or _LAST_SCORE.match(body)
        if scored is None or not scored["text"].strip() or not float(scored["score"]):
            return None
        found.append(_Written(scored["text"].strip(), float(scored["score"])))
    return found
