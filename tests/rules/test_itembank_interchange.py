"""Reading of item files: keys and headers in their many wordings, and an outcome for every row."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import BadInput
from server.itembank.interchange import answers
from server.itembank.interchange.csv import decoded, read_csv
from server.itembank.interchange.json import read_json
from server.itembank.interchange.mapping import columns_of, guess_columns, read_mapping
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Reading, RowStatus, SourceRow, SourceTable
from server.itembank.interchange.sanitising import picture_html, sanitised

HEADER = "编号,题型,题干,选项A,选项B,选项C,选项D,答案,知识点,难度,分值"


def read(table: SourceTable, mapping: bytes | None = None) -> Reading:
    """Read a table with a saved mapping or by its wording, without pictures."""
    saved = read_mapping(mapping) if mapping is not None else None
    return read_rows(table, columns_of(table.columns, saved), sanitised, Picture(None))


def rows(*lines: str) -> Reading:
    """Read CSV lines under the common header."""
    return read(read_csv("\n".join((HEADER, *lines)).encode()))


def codes(reading: Reading, place: int = 0) -> list[str]:
    """Return the remark codes of one row."""
    return [remark.code for remark in reading.outcomes[place].remarks]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("A", ("A",)),
        ("a", ("A",)),
        ("Ａ", ("A",)),
        ("(B)", ("B",)),
        ("ABC", ("A", "B", "C")),
        ("CBA", ("A", "B", "C")),
        ("A;B;C", ("A", "B", "C")),
        ("A、C", ("A", "C")),
        ("A，D", ("A", "D")),
        ("A B", ("A", "B")),
        ("A|B", ("A", "B")),
        ('["A"]', ("A",)),
        ("['A', 'C']", ("A", "C")),
        ("答案：B", ("B",)),
        ("正确答案是A、B", ("A", "B")),
        ("AA", None),
        ("", None),
        ("A1", None),
        ("无", None),
        ("[1]", None),
    ],
)
def test_a_choice_key_is_read_in_every_common_writing(text: str, key: tuple[str, ...] | None) -> None:
    """Each writing gives its ascending labels, and what is none of them gives None."""
    assert answers.choice_key(text) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        *((text, "T") for text in ("√", "✓", "对", "正确", "T", "true", "TRUE", "是", "Y", "（√）", "1")),
        *((text, "F") for text in ("×", "✗", "X", "错", "错误", "F", "false", "否", "n", "(×)", "0")),
        *((text, None) for text in ("", "A", "不知道", "√×")),
    ],
)
def test_a_judgement_is_read_in_every_common_writing(text: str, key: str | None) -> None:
    """Ticks, crosses and words give T or F, and what is neither gives None."""
    assert answers.judge_key(text) == key


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.65", 0.65), ("1.0", 1.0), ("0.0", 0.0), ("70%", 0.7), ("易", 0.85), ("中等", 0.6), ("难", 0.3),
        ("Medium", 0.6), ("难度", None), ("1", None), ("3", None), ("1.5", None), ("abc", None), ("nan", None),
        ("120%", None),
    ],
)  # fmt: skip
def test_a_difficulty_is_a_facility_a_percentage_or_a_word(text: str, value: float | None) -> None:
    """A step such as 1 or 3 is not taken for a facility."""
    assert answers.difficulty_of(text) == value


@pytest.mark.parametrize(
    "header",
    [
        "试题编号,题目类型,题目内容,A,B,C,D,正确答案,考点,难度系数,每题分值",
        "题目编号,题型（必填）,题目*,选项 A,选项 B,选项 C,选项 D,标准答案,鉴定点,难易程度,分数",
        "ID,Type,Question,Option A,Option B,Option C,Option D,Answer,Category,Difficulty,Score",
        "编码,试题类型,试题题干,A选项,B选项,C选项,D选项,参考答案,章节,难度,题分",
        "代码,类型,题面,选项1,选项2,选项3,选项4,答案,知识点名称,难度等级,分值(分)",
        "code,item_type,stem,option_a,option_b,option_c,option_d,correct_answer,knowledge_point,facility,points",
    ],
)
def test_headers_are_known_in_many_wordings(header: str) -> None:
    """In each wording all eleven columns find their field and nothing stays unread."""
    line = "L1,单选题,水的沸点是（　）。,90,95,100,105,C,1.1 基础,0.8,2"
    reading = read(read_csv(f"{header}\n{line}".encode()))
    content = reading.outcomes[0].content
    assert reading.unread_columns == ()
    assert reading.outcomes[0].status is RowStatus.IMPORTED
    assert content is not None
    assert (content.label, content.type, content.key, content.point) == ("L1", "single", ("C",), "1.1 基础")
    assert (content.options, content.difficulty, content.score) == (("90", "95", "100", "105"), 0.8, 2.0)


def test_a_header_without_a_stem_is_refused_with_what_was_found() -> None:
    """A file whose columns have no stem is bad input that names the header."""
    with pytest.raises(BadInput, match="columns-unknown") as refused:
        read(read_csv("甲,乙\n1,2".encode()))
    assert refused.value.facts["found"] == "甲, 乙"


def test_columns_that_nobody_read_are_named() -> None:
    """A column without a known meaning is listed as unread."""
    assert read(read_csv("题干,答案,出题人\n对吗,√,张".encode())).unread_columns == ("出题人",)


def test_a_saved_mapping_reads_letters_that_no_wording_knows() -> None:
    """Columns J, P, Q, T are read by a saved mapping, with its placeholders, defaults and word tables."""
    mapping = """
    [fields]
    label = "J"
    point = "P"
    stem = "Q"
    answer = "T"
    difficulty = "N"
    options = ["A", "B"]
    ignore = ["I"]
    no_label = ["LX"]
    [defaults]
    score = 2
    [difficulties]
    "1" = 0.9
    [points]
    "1.1" = "1.1 法规"
    """
    columns = read_mapping(mapping.encode()).named
    table = read_csv(b"J,P,I,Q,T,A,B,N\nLX,1.1,x,stem,AB,one,two,1", columns)
    reading = read(table, mapping.encode())
    content = reading.outcomes[0].content
    assert reading.unread_columns == ()
    assert content is not None
    assert (content.label, content.point, content.score, content.difficulty) == ("", "1.1 法规", 2.0, 0.9)
    assert (content.type, content.key) == ("multiple", ("A", "B"))


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        (b"[fields]\nstem = 1", "mapping-invalid"),
        (b"[fields]\nstem = 'Q'\nstme = 'x'", "mapping-invalid"),
        (b"[defaults]\ndifficulty = 2", "mapping-invalid"),
        (b"[fields]\nstem = 'missing'", "mapping-column-missing"),
        (b"\xff", "mapping-invalid"),
    ],
)
def test_a_wrong_mapping_is_refused(mapping: bytes, code: str) -> None:
    """A mapping with an unknown field, a wrong type or a column that is not there is bad input."""
    with pytest.raises(BadInput, match=code):
        read(read_csv("题干,答案\n对吗,√".encode()), mapping)


def test_the_type_is_told_by_key_and_options_when_no_column_says_it() -> None:
    """Without a type column one label is single, several are multiple, a judgement is judge, a blank is fill."""
    table = read_csv(
        "题干,选项A,选项B,答案\n甲,x,y,A\n乙,x,y,AB\n丙,,,√\n丁,正确,错误,B\n戊____。,,,答案\n己,,,".encode()
    )
    reading = read(table)
    found = [
        (o.content.type, o.content.key) if o.content else codes(reading, i)
        for i, o in enumerate(reading.outcomes)
    ]
    assert found[:4] == [("single", ("A",)), ("multiple", ("A", "B")), ("judge", ("T",)), ("judge", ("F",))]
    assert found[4] == ("fill", ())
    assert found[5] == ["type-not-told"]


def test_a_key_in_the_stem_is_taken_out_and_used() -> None:
    """`（C）` in a stem is the key when no other is given, and leaves an empty bracket behind."""
    reading = rows("L1,单选题,水的沸点是（C）度。,90,95,100,105,,1.1,0.8,1")
    content = reading.outcomes[0].content
    assert content is not None
    assert (content.key, content.stem) == (("C",), "水的沸点是（　）度。")
    assert "key-from-stem" in codes(reading)


def test_a_key_in_the_stem_that_agrees_does_not_stay_in_it() -> None:
    """A stem that gives its own key away is cleaned even when the key column says the same."""
    reading = rows("L1,判断题,水在100度沸腾。（√）,,,,,对,1.1,0.8,1")
    content = reading.outcomes[0].content
    assert content is not None
    assert (content.key, "√" in content.stem) == (("T",), False)


def test_a_key_that_differs_from_the_stem_is_doubtful() -> None:
    """Two keys for one item are never chosen between in silence."""
    reading = rows("L1,单选题,水的沸点是（B）度。,90,95,100,105,C,1.1,0.8,1")
    assert reading.outcomes[0].status is RowStatus.DOUBTFUL
    assert "key-differs-from-stem" in codes(reading)


def test_an_abbreviation_in_brackets_is_no_key() -> None:
    """`（AM）` beside four options is text: M is no label of theirs."""
    reading = rows("L1,单选题,调幅（AM）是,一,二,三,四,C,1.1,0.8,1")
    content = reading.outcomes[0].content
    assert reading.outcomes[0].status is RowStatus.IMPORTED
    assert content is not None
    assert "（AM）" in content.stem


def test_a_key_given_as_the_options_text_is_its_label() -> None:
    """A key that repeats the text of exactly one option means that option."""
    reading = rows("L1,单选题,沸点,90度,95度,100度,105度,100度,1.1,0.8,1")
    content = reading.outcomes[0].content
    assert content is not None
    assert content.key == ("C",)


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        ("L1,单选题,,a,b,c,d,A,1.1,0.8,1", "skipped", "item-without-stem"),
        ("L1,连线题,论述,,,,,略,1.1,0.8,1", "skipped", "type-not-held"),
        ("L1,听写,论述,,,,,略,1.1,0.8,1", "skipped", "type-unknown"),
        ("L1,单选题,题,a,b,c,d,E,1.1,0.8,1", "doubtful", "item-key-outside-options"),
        ("L1,单选题,题,a,b,c,d,AB,1.1,0.8,1", "doubtful", "item-single-with-many-keys"),
        ("L1,单选题,题,a,b,c,d,不详,1.1,0.8,1", "doubtful", "item-key-unreadable"),
        ("L1,单选题,题,a,a,c,d,A,1.1,0.8,1", "doubtful", "item-options-equal"),
        ("L1,单选题,题,a,,c,d,A,1.1,0.8,1", "doubtful", "item-option-empty"),
        ("L1,单选题,题,a,b,c,d,A,1.1,3,1", "doubtful", "difficulty-unreadable"),
        ("L1,单选题,题,a,b,c,d,A,1.1,0.8,很多", "doubtful", "score-unreadable"),
        ('"L1, L2",单选题,题,a,b,c,d,A,1.1,0.8,1', "doubtful", "two-labels-in-one-cell"),
        ("L1,单选题,题,A. 一 B. 二,丙,丁,戊,A,1.1,0.8,1", "doubtful", "two-options-in-one-cell"),
        ("L1,填空题,没有空,,,,,答案,1.1,0.8,1", "skipped", "item-without-blank"),
        ("L1,填空题,一____二____,,,,,答案,1.1,0.8,1", "skipped", "blank-count-differs"),
        (",,,,,,,,,,", "", ""),
        ("一、判断题（每题1分）,,,,,,,,,,", "skipped", "row-is-heading"),
    ],
)
def test_each_bad_row_is_reported_with_its_reason_and_the_next_row_comes_in(
    line: str, status: str, code: str
) -> None:
    """A bad row gets its status and reason, and the good row after it is imported all the same."""
    reading = rows(line, "G1,单选题,好题,a,b,c,d,A,1.1,0.8,1")
    assert reading.outcomes[-1].status is RowStatus.IMPORTED
    if code:
        assert (reading.outcomes[0].status, len(reading.outcomes)) == (status, 2)
        assert code in codes(reading)


def test_what_stands_twice_in_a_file_is_marked() -> None:
    """The same item again is skipped; another key, other options or another item's label are doubtful."""
    reading = rows(
        "L1,单选题,题一,a,b,c,d,A,1.1,0.8,1",
        "L2,单选题,题一,b,a,c,d,B,1.1,0.8,1",
        "L3,单选题,题一,a,b,c,d,B,1.1,0.8,1",
        "L4,单选题,题一,a,b,c,e,A,1.1,0.8,1",
        "L1,单选题,题二,a,b,c,d,A,1.1,0.8,1",
    )
    assert [outcome.status.value for outcome in reading.outcomes] == [
        "imported", "skipped", "doubtful", "doubtful", "doubtful"
    ]  # fmt: skip
    last = [codes(reading, place)[-1] for place in range(1, 5)]
    assert last == [
        "item-twice-in-file", "key-disagrees-with-copy", "stem-twice-in-file", "label-twice-in-file"
    ]  # fmt: skip


def test_headings_give_the_type_of_the_rows_below() -> None:
    """After a row that says 二、多项选择题 the rows without a type are multiple choice."""
    reading = read(
        read_csv("题干,选项A,选项B,答案\n一、单选题,,,\n甲,x,y,A\n二、多项选择题,,,\n乙,x,y,A".encode())
    )
    assert [o.content.type if o.content else None for o in reading.outcomes] == [
        None,
        "single",
        None,
        "multiple",
    ]


def test_fill_answers_are_parted_by_blank_and_variants_by_slash() -> None:
    """Two blanks take two answers in order, each with its variants; blanks stand numbered in the stem."""
    reading = rows("L1,填空题,甲是____，乙是（　）。,,,,,一 / 壹；二,1.1,0.8,1")
    content = reading.outcomes[0].content
    assert content is not None
    assert content.accepted == (("一", "壹"), ("二",))
    assert content.stem == (
        '甲是<span class="blank" data-blank="1"></span>，乙是<span class="blank" data-blank="2"></span>。'
    )


@pytest.mark.parametrize(
    "options",
    [
        "A.一 B.二 C.三",
        "A、一\nB、二\nC、三",
        "A.一；B.二；C.三",
        "一|二|三",
        "一\n二\n三",
        '["一","二","三"]',
        '["A. 一","B. 二","C. 三"]',
    ],
)
def test_options_in_one_cell_are_parted(options: str) -> None:
    """Lettered, lined, piped and listed options in one cell give the same three texts."""
    table = SourceTable(
        ("题干", "选项", "答案"), (SourceRow("1", {"题干": "题", "选项": options, "答案": "C"}),)
    )
    content = read(table).outcomes[0].content
    assert content is not None
    assert (content.options, content.key) == (("一", "二", "三"), ("C",))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_csv_is_read_in_each_encoding(encoding: str) -> None:
    """The same Chinese rows come in from UTF-8 with and without a mark, GB18030 and UTF-16."""
    text = f'{HEADER}\nL1,单选题,张三说：“对”，"是",a,b,c,d,A,1.1,0.8,1\n'.replace('"是"', "是")
    reading = read(read_csv(text.encode(encoding)))
    assert reading.outcomes[0].label == "L1"
    assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file-without-rows"),
        (b"\xef\xbb\xbf\n\n", "file-without-rows"),
        (b"\xff\xff\xff\x80", "file-encoding-unknown"),
        (b'a,b\n"open,1', "csv-broken"),
        (b"a\0b", "file-not-text"),
    ],
)
def test_a_csv_that_is_none_is_refused_whole(data: bytes, code: str) -> None:
    """An empty, undecodable or broken file is bad input with the place."""
    with pytest.raises(BadInput, match=code):
        read_csv(data)


def test_json_is_read_as_a_list_an_object_with_a_list_and_lines() -> None:
    """The same two objects come in from all three forms of JSON."""
    items = [
        {
            "id": 7,
            "type": "judge",
            "text": "甲",
            "answer": ["√"],
            "options": [{"label": "√", "text": "正确"}],
        },
        {"id": "b", "type": "multi", "text": "乙", "answer": ["A", "B"], "options": {"A": "x", "B": "y"}},
    ]
    forms = [json.dumps(items), json.dumps({"version": 1, "items": items}), "\n".join(map(json.dumps, items))]
    tables = [read_json(form.encode()) for form in forms]
    assert tables[0] == tables[1] == tables[2]
    contents = [outcome.content for outcome in read(tables[0]).outcomes]
    assert [(c.label, c.type, c.key, c.options) for c in contents if c is not None] == [
        ("7", "judge", ("T",), ()),
        ("b", "multiple", ("A", "B"), ("x", "y")),
    ]


@pytest.mark.parametrize(
    ("data", "code", "place"),
    [
        (b"", "json-broken", "file"),
        (b"[1, 2]", "json-not-objects", "item 1"),
        (b'{"a": 1}\n{"b": ', "json-broken", "line 2"),
        (b'"text"', "json-not-objects", "file"),
        (b"[" * 100_000, "json-broken", "file"),
    ],
)
def test_a_json_that_is_none_is_refused_with_the_place(data: bytes, code: str, place: str) -> None:
    """Broken JSON, JSON of something else and JSON nested without end are bad input."""
    with pytest.raises(BadInput, match=code) as refused:
        read_json(data)
    assert refused.value.facts["place"] == place


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a < b & c", "a &lt; b &amp; c"),
        ("第一行\r\n第二行", "第一行<br>第二行"),
        ("H<sub>2</sub>O", "H<sub>2</sub>O"),
        ("<p onclick='x()'>甲<script>alert(1)</script></p>", "<p>甲</p>"),
        ('<img src="http://x/y.png">乙', "乙"),
        ('<a href="javascript:x">丙</a>', "丙"),
        ("a&nbsp;b", "a&nbsp;b"),
        ('<p style="position:fixed">丁</p>', "<p>丁</p>"),
        ("<math><mi>x</mi></math>", "<math><mi>x</mi></math>"),
        ('<iframe src="x">戊</iframe>', ""),
        ("己\n庚<a>", "己<br>庚"),
    ],
)
def test_text_becomes_safe_html(text: str, html: str) -> None:
    """Text is escaped, allowed markup stays, nothing that loads, links, scripts or styles does, and what is shown
    is shown the same when it comes in again."""
    assert sanitised(text) == html
    assert sanitised(html) == html


def test_a_picture_is_held_in_the_text_or_refused() -> None:
    """A PNG becomes a data URI that survives sanitising; another format or too large a file is bad input."""
    png = b"\x89PNG\r\n\x1a\n" + bytes(40)
    shown = picture_html(png, "图")
    assert 'src="data:image/png;base64,' in sanitised(f"<p>题{shown}</p>")
    with pytest.raises(BadInput, match="picture-format-unknown"):
        picture_html(b"<svg onload=x>", "图")
    with pytest.raises(BadInput, match="picture-too-large"):
        picture_html(png + bytes(600_000), "图")


cells = st.text(
    alphabet=st.sampled_from("AB√×对错（）()_;；、,|\n一二三. 12%<p>&=\"'[]{}单选多判断填空题"), max_size=24
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.lists(cells, min_size=11, max_size=11), min_size=1, max_size=5))
def test_every_row_gets_exactly_one_outcome_whatever_stands_in_it(lines: list[list[str]]) -> None:
    """Random cells under a known header never raise: each row has one outcome with a reason or an item."""
    names = HEADER.split(",")
    table = SourceTable(
        tuple(names),
        tuple(SourceRow(f"row {n}", dict(zip(names, line, strict=True))) for n, line in enumerate(lines)),
    )
    reading = read(table)
    assert [outcome.place for outcome in reading.outcomes] == [row.place for row in table.rows]
    for outcome in reading.outcomes:
        assert outcome.content is not None or outcome.remarks


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=120).map(str.encode)))
def test_random_bytes_raise_only_bad_input(data: bytes) -> None:
    """Whatever the bytes, CSV, JSON and mapping readers return or raise BadInput."""
    for reader in (read_csv, read_json, read_mapping):
        try:
            reader(data)
        except BadInput:
            continue


def test_the_first_column_of_a_field_wins_and_the_other_stays_unread() -> None:
    """Two columns that mean the same are not merged: the second is reported as unread."""
    mapping = guess_columns(("题干", "题目", "答案"))
    assert mapping.column("stem") == "题干"
    assert read(read_csv("题干,题目,答案\n对吗,x,√".encode())).unread_columns == ("题目",)
