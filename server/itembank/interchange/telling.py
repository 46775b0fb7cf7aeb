"""What a row is told to be: its type, and the key of a choice or judgement, in its cells or its stem."""

from collections.abc import Sequence

from server.itembank.interchange import answers
from server.itembank.interchange.blanks import BLANK
from server.itembank.interchange.cells import RowCells, Skip
from server.itembank.interchange.rows import Cell, text_of
from server.itembank.items import LABELS
from server.protocol.paper import ItemType


def type_told(
    row: RowCells,
    given: ItemType | None,
    options: Sequence[str],
    key_cell: Cell | None,
    found: tuple[str, str] | None,
) -> ItemType:
    """Return the type of a row: by its word, else by its section (`given`), else by what key and options are.

    `found` is a key within the stem. Skip when nothing tells it or the bank holds no such type.
    """
    word = row.text("type")
    if word:
        named = row.mapping.types.get(answers.folded(word)) or answers.type_of(word)
        if named is not None:
            if named != "single" or answers.folded(word) not in ("选择题", "选择", "choice"):
                return named
        elif answers.names_other_type(word):
            raise Skip("type-not-held", type=word[:40])
        else:
            raise Skip("type-unknown", type=word[:40])
    elif given is not None:
        return given
    key_text = text_of(key_cell) or (found[0] if found else "")
    judged = answers.judge_key(key_text)
    if judged is not None and (not options or judge_options(options) is not None):
        return "judge"
    labels = answers.choice_key(key_text)
    if options:
        labels = (
            labels or answers.key_by_number(key_text, len(options)) or answers.key_in_words(key_text, options)
        )
        if judge_options(options) is not None and labels is not None:
            return "judge"
        return "multiple" if labels is not None and len(labels) > 1 else "single"
    if key_text and BLANK.search(row.text("stem")):
        return "fill"
    raise Skip("type-not-told")


def judge_options(options: Sequence[str]) -> tuple[str, ...] | None:
    """Return what each of two options judges (T, F), when they are the two judgements; else None."""
    judged = [answers.judge_word(option) for option in options]
    if len(judged) == 2 and set(judged) == {"T", "F"}:
        return tuple(one for one in judged if one is not None)
    return None


def key_told(
    row: RowCells,
    kind: ItemType,
    key_text: str,
    stem: str,
    options: Sequence[str],
    found: tuple[str, str] | None,
) -> tuple[tuple[str, ...], str]:
    """Return (key, stem without the key in it)."""
    told = parsed_key(kind, key_text, options) if key_text else None
    if key_text and told is None and kind != "judge":
        told = answers.key_by_number(key_text, len(options))
        if told is not None:
            circled = key_text.strip()[:1] in "①②③④⑤⑥⑦⑧"
            say = row.note if row.mapping.numbered or circled else row.doubt
            say("key-by-number", key=key_text[:60], labels=",".join(told))
    if key_text and told is None and kind == "judge" and answers.choice_key(key_text) in (("A",), ("B",)):
        told = ("T",) if answers.choice_key(key_text) == ("A",) else ("F",)
        row.doubt("judge-key-by-letter", key=key_text[:60])
    if key_text and told is None:
        row.doubt("item-key-unreadable", key=key_text[:60])
    in_stem = parsed_key(kind, found[0], options) if found else None
    if in_stem is not None and kind != "judge" and in_stem[-1] not in LABELS[: len(options)]:
        in_stem = None  # `（AM）`, `（PC）`: an abbreviation, not a key
    if found is None or in_stem is None:
        return told or (), stem
    if not key_text:
        row.note("key-from-stem", key=",".join(in_stem))
        return in_stem, found[1]
    if told == in_stem:
        row.note("key-taken-out-of-stem", key=",".join(in_stem))
        return told, found[1]
    row.doubt("key-differs-from-stem", key=key_text[:60], stem=found[0])
    return told or (), stem


def parsed_key(kind: ItemType, text: str, options: Sequence[str]) -> tuple[str, ...] | None:
    """Return the key that a text says for options of a choice or judgement, or None."""
    if kind == "judge":
        listed = answers.json_texts(text)
        word = listed[0] if listed is not None and len(listed) == 1 else text
        judged = judge_options(options)
        labels = answers.choice_key(word)
        if judged is not None and labels in (("A",), ("B",)):
            return (judged[LABELS.index(labels[0])],)
        one = answers.judge_key(word)
        return (one,) if one is not None else None
    labels = answers.choice_key(text)
    if labels is None:
        return answers.key_in_words(text, options)
    return labels
