import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

BANK = Path(__file__).resolve().parents[2] / "server" / "demo" / "bank"
SHEETS = {"single": "单选题", "multiple": "多选题", "judge": "判断题", "fill": "填空题"}
AT_LEAST = {"single": 170, "multiple": 60, "judge": 70, "fill": 40}
TEXT_COLUMNS = ("题号", "题干", "答案", "知识点")


@dataclass(frozen=True, slots=True)
class BankRow:
    """One filled row of a bank sheet; `options` holds the non-empty option cells from A on."""

    number: str
    type: str
    stem: str
    options: tuple[str, ...]
    answer: str
    point: str
    difficulty: float
    score: float

    @property
    def code(self) -> str:
        """The knowledge point's code, the part of its cell before the first space."""
        return self.point.split(" ", 1)[0]

    @property
    def band(self) -> str:
        """easy from 0.7 (inclusive), medium from 0.5 (inclusive), hard below."""
        return "easy" if self.difficulty >= 0.7 else "medium" if self.difficulty >= 0.5 else "hard"


def read_bank() -> tuple[list[BankRow], list[dict[str, object]]]:
    """The bank's rows, once as facts and once as raw cells by header."""
    workbook = CalamineWorkbook.from_path(str(BANK / "electrician-4.xlsx"))
    rows: list[BankRow] = []
    raw: list[dict[str, object]] = []
    for type_, sheet in SHEETS.items():
        header, *lines = workbook.get_sheet_by_name(sheet).to_python()
        for line in lines:
            cells: dict[str, object] = dict(zip((str(name) for name in header), line, strict=True))
            options = tuple(str(cells[f"选项{c}"]) for c in "ABCDE" if cells.get(f"选项{c}"))
            raw.append(cells)
            rows.append(
                BankRow(
                    number=str(cells["题号"]),
                    type=type_,
                    stem=str(cells["题干"]),
                    options=options,
                    answer=str(cells["答案"]),
                    point=str(cells["知识点"]),
                    difficulty=float(str(cells["难度"])),
                    score=float(str(cells["分值"])),
                )
            )
    return rows, raw


ROWS, RAW = read_bank()
BLUEPRINT = tomllib.loads((BANK / "blueprint.toml").read_text(encoding="utf-8"))


def of_type(type_: str) -> list[BankRow]:
    return [row for row in ROWS if row.type == type_]


def test_workbook_opens_with_an_explanation_before_one_sheet_per_type() -> None:
    """The demo bank's sheets are the explanation and the four item types, in that order."""
    workbook = CalamineWorkbook.from_path(str(BANK / "electrician-4.xlsx"))
    assert workbook.sheet_names == ["说明", *SHEETS.values()]


@pytest.mark.parametrize("type_", SHEETS)
def test_each_type_has_enough_items(type_: str) -> None:
    """Each type holds at least the number of items the demo bank promises."""
    assert len(of_type(type_)) >= AT_LEAST[type_]


def test_every_field_is_filled_and_typed_as_text_or_number() -> None:
    """Every row's text cells are non-empty trimmed strings and its difficulty and score are numbers."""
    for cells in RAW:
        for name in TEXT_COLUMNS:
            value = cells[name]
            assert isinstance(value, str), (cells["题号"], name)
            assert value and value == value.strip(), (cells["题号"], name)
        assert isinstance(cells["难度"], float), cells["题号"]
        assert isinstance(cells["分值"], float), cells["题号"]


def test_item_numbers_are_unique() -> None:
    """No item number occurs twice in the workbook."""
    assert [number for number, n in Counter(row.number for row in ROWS).items() if n > 1] == []


def test_stems_are_unique() -> None:
    """No stem occurs twice, even when spaces and brackets are left out."""
    plain = Counter("".join(c for c in row.stem if c.isalnum()) for row in ROWS)
    assert [stem for stem, n in plain.items() if n > 1] == []


def test_options_stand_without_gaps_and_differ() -> None:
    """Single choice has 4 options, multiple choice 4 or 5, none repeated and none after an empty cell."""
    for cells, row in zip(RAW, ROWS, strict=True):
        if row.type not in ("single", "multiple"):
            assert row.options == (), row.number
            continue
        assert len(row.options) in ((4,) if row.type == "single" else (4, 5)), row.number
        assert len(set(row.options)) == len(row.options), row.number
        assert all(cells[f"选项{c}"] for c in "ABCDE"[: len(row.options)]), row.number


def test_choice_keys_name_existing_options() -> None:
    """A single key is one letter and a multiple key two to four ascending letters, all within the options."""
    for row in of_type("single") + of_type("multiple"):
        assert set(row.answer) <= set("ABCDE"[: len(row.options)]), row.number
        assert row.answer == "".join(sorted(set(row.answer))), row.number
        if row.type == "single":
            assert len(row.answer) == 1, row.number
        else:
            assert 2 <= len(row.answer) <= 4, row.number
            assert len(row.answer) < len(row.options), row.number


def test_judge_keys_are_tick_or_cross_in_balance() -> None:
    """True/false keys are √ or × only, and each makes up 40 to 60 percent."""
    keys = Counter(row.answer for row in of_type("judge"))
    assert set(keys) == {"√", "×"}
    assert 0.4 <= keys["√"] / keys.total() <= 0.6


def test_fill_answers_match_their_blanks() -> None:
    """A fill-in stem has as many blanks as its answer has parts, and no part or variant is empty."""
    for row in of_type("fill"):
        parts = row.answer.split("；")
        assert row.stem.count("______") == len(parts), row.number
        assert all(variant.strip() for part in parts for variant in part.split("/")), row.number


def test_choice_stems_have_one_bracket() -> None:
    """Every choice stem has exactly one empty bracket for the answer."""
    for row in of_type("single") + of_type("multiple"):
        assert row.stem.count("（　　）") == 1, row.number


@pytest.mark.parametrize("type_", ["single", "multiple"])
def test_keys_are_spread_over_the_letters(type_: str) -> None:
    """Each of the letters A to D makes up 15 to 35 percent of the key letters of its type."""
    letters = Counter("".join(row.answer for row in of_type(type_)))
    for letter in "ABCD":
        assert 0.15 <= letters[letter] / letters.total() <= 0.35, letter


def test_right_option_is_not_betrayed_by_its_length() -> None:
    """In at most a third of the single-choice items is the right option longer than every other."""
    longest = 0
    for row in of_type("single"):
        right = row.options["ABCD".index(row.answer)]
        longest += all(len(right) > len(option) for option in row.options if option != right)
    assert longest <= len(of_type("single")) / 3


def test_knowledge_points_have_one_name_per_two_level_code() -> None:
    """There are at least 10 knowledge points, each code of the form n.n with one name."""
    names = {row.point for row in ROWS}
    codes = {row.code for row in ROWS}
    assert len(codes) >= 10
    assert len(names) == len(codes)
    for code in codes:
        chapter, section = code.split(".")
        assert chapter.isdigit() and section.isdigit(), code


def test_every_type_and_point_has_several_bands() -> None:
    """Each knowledge point holds every type, each in at least two difficulty bands."""
    bands: dict[tuple[str, str], set[str]] = {}
    for row in ROWS:
        bands.setdefault((row.type, row.code), set()).add(row.band)
    assert len(bands) == len(SHEETS) * len({row.code for row in ROWS})
    assert [cell for cell, found in bands.items() if len(found) < 2] == []


def test_difficulty_lies_in_range() -> None:
    """Every difficulty lies in [0.30, 0.90]."""
    assert [row.number for row in ROWS if not 0.3 <= row.difficulty <= 0.9] == []


def test_blueprint_heads_a_level_four_electrician_paper() -> None:
    """The blueprint is for 电工 level 4, 90 minutes, pass mark 60."""
    head = BLUEPRINT["blueprint"]
    assert head["title"]
    assert (head["occupation"], head["level"], head["minutes"], head["pass_mark"]) == ("电工", 4, 90, 60)


def test_blueprint_adds_up_to_eighty_items_and_a_hundred_points() -> None:
    """The cells ask for 40 single, 10 multiple, 20 judge and 10 fill items worth 100 points together."""
    count: Counter[str] = Counter()
    for cell in BLUEPRINT["cell"]:
        count[cell["type"]] += cell["count"]
    assert count == {"single": 40, "multiple": 10, "judge": 20, "fill": 10}
    assert sum(cell["count"] * cell["score"] for cell in BLUEPRINT["cell"]) == 100


def test_blueprint_has_no_cell_twice() -> None:
    """No combination of knowledge point, type and band stands in two cells."""
    cells = Counter((cell["point"], cell["type"], cell["band"]) for cell in BLUEPRINT["cell"])
    assert [key for key, n in cells.items() if n > 1] == []


def test_blueprint_scores_agree_with_the_bank() -> None:
    """A cell's score is the score of every item that can fill it."""
    for cell in BLUEPRINT["cell"]:
        fits = {row.score for row in ROWS if (row.type, row.code) == (cell["type"], cell["point"])}
        assert fits == {float(cell["score"])}, cell


def test_bank_holds_three_items_for_each_one_drawn() -> None:
    """Every cell of the blueprint finds at least three times its count in the bank."""
    stock = Counter((row.code, row.type, row.band) for row in ROWS)
    short = [
        cell
        for cell in BLUEPRINT["cell"]
        if stock[cell["point"], cell["type"], cell["band"]] < 3 * cell["count"]
    ]
    assert short == []
