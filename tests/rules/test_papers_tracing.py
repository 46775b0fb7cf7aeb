"""Tracing a leak from a typed fragment: which paper shows it, and by how much coincidence."""

import hashlib
from dataclasses import replace

import pytest

from server.papers.drawing import draw
from server.papers.trace_service import sheets_of
from server.papers.tracing import ItemText, Suspect, matched, plain, ranked, read_fragment
from tests.support.drawing import bank_of, blueprint_of, seats

SEED = hashlib.sha256(b"leak").digest()
LETTERS = (
    "安全操作规程要求检查设备电源线路绝缘电阻测量记录数据质量标准流程管理方法班组交接工具仪表保养润滑冷却"
)
BANK = bank_of(("1", "single", 60))
DRAWS = draw(SEED, BANK, blueprint_of(("1", "single", 8)), seats(40))


def sentence(number: int, letters: int) -> str:
    """Return a made-up sentence that no other number gives."""
    digest = hashlib.sha256(str(number).encode()).digest() * 4
    return "".join(LETTERS[byte % len(LETTERS)] for byte in digest[:letters]) + f"第{number}题"


TEXTS = [
    ItemText(
        f"<p>{sentence(number, 24)}</p>", tuple(sentence(1000 + number * 4 + one, 10) for one in range(4))
    )
    for number in range(len(BANK))
]
SHEETS = sheets_of(DRAWS, TEXTS)


def typed(paper: int, places: range, *, letters: int = 12, options: bool = True, numbers: bool = True) -> str:
    """Type a part of a paper as a person would off a photograph: the first letters of stems and options."""
    one = DRAWS[paper]
    lines: list[str] = []
    for place in places:
        text = TEXTS[one.items[place]]
        stem = plain(text.stem)[:letters]
        lines.append(f"{place + 1}. {stem}……" if numbers else f"\n{stem}")
        if options:
            shown = [text.options[option] for option in one.orders[place]]
            lines += [f"{label}、{option[:6]}" for label, option in zip("ABCD", shown, strict=True)]
    return "\n".join(lines)


def suspects(fragment: str) -> tuple[Suspect, ...]:
    """Return the ranked papers of a fragment."""
    return ranked(matched(read_fragment(fragment), TEXTS), SHEETS, shuffled=True)


@pytest.mark.parametrize("paper", range(0, 40, 3))
def test_three_items_with_their_options_find_the_paper(paper: int) -> None:
    """Three items of any paper, half typed, put that paper first, with a chance below one in a thousand."""
    first, second = suspects(typed(paper, range(2, 5)))[:2]
    assert first.paper == DRAWS[paper].paper
    assert (first.items, first.numbers, first.orders) == (3, 3, 3)
    assert first.chance < 0.001
    assert (second.items, second.numbers, second.orders) < (3, 3, 3)


def test_the_set_of_items_alone_finds_the_paper() -> None:
    """Six stems without numbers and options put their paper first."""
    first = suspects(typed(7, range(6), options=False, numbers=False))[0]
    assert (first.paper, first.items, first.of_numbers, first.of_orders) == (DRAWS[7].paper, 6, 0, 0)


def test_misread_letters_are_borne() -> None:
    """A fragment in which every fifth letter is wrong still puts its paper first."""
    right = typed(11, range(1, 5))
    wrong = "".join("某" if place % 5 == 4 and letter.isalpha() and letter not in "ABCD" else letter
                    for place, letter in enumerate(right))  # fmt: skip
    assert suspects(wrong)[0].paper == DRAWS[11].paper


def test_one_item_names_its_chance_honestly() -> None:
    """For one stem alone the chance is the number of papers that hold the item, and all of them are equal suspects."""
    item = DRAWS[0].items[0]
    holding = sum(item in one.items for one in DRAWS)
    found = suspects(typed(0, range(1), options=False, numbers=False))
    assert len(found) == holding
    assert {round(one.chance, 6) for one in found} == {float(holding)}


def test_an_unknown_text_accuses_nobody() -> None:
    """A text that is in no item gives no suspect."""
    assert suspects("1. the quick brown fox jumps over a lazy dog\nA. one\nB. two") == ()


def test_a_case_takes_several_numbers() -> None:
    """After a case of three sub-items the next item bears the number three higher."""
    texts = [
        replace(text, entries=3) if number == DRAWS[0].items[0] else text for number, text in enumerate(TEXTS)
    ]
    assert sheets_of(DRAWS[:1], texts)[0].numbers[:3] == (1, 4, 5)


def test_a_fragment_is_read_by_numbers_labels_and_empty_lines() -> None:
    """Numbers and empty lines begin items, labels in any width begin options, other lines go on."""
    text = "12、某一题干\n接着的话\nＡ．甲\nB) 乙\n续乙\n\n没有题号\n(c) 丙\n"
    first, second = read_fragment(text)
    assert (first.number, first.stem) == (12, "某一题干 接着的话")
    assert first.options == ((0, "甲"), (1, "乙 续乙"))
    assert (second.number, second.stem, second.options) == (0, "没有题号", ((2, "丙"),))
