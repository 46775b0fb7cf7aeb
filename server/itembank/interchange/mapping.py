"""Which column of a file means what: by the common wordings of headers, or by a saved mapping (`--map
FILE`)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from server.errors import BadInput
from server.itembank.interchange.answers import folded, words
from server.protocol.paper import ItemType

_WORDS: Mapping[str, frozenset[str]] = {
    "label": words(
        "编号 题目编号 试题编号 题编号 编码 试题编码 题目编码 题目id 试题id 题目代码 试题代码 代码 标识 "
        "label id code itemid itemcode questionid questioncode uid key_id"
    ),
    "type": words(
        "题型 类型 题目类型 试题类型 题型名称 试题题型 "
        "题目题型 题类 type kind itemtype questiontype "
        "question_type item_type"
    ),
    "stem": words(
        "题干 题目 试题 题目内容 试题内容 题干内容 试题题干 题目题干 问题 内容 "
        "题面 试题描述 题目描述 题目正文 试卷题目 考题 考题内容 题目文本 试题正文 题目题面 题干描述 "
        "stem question text title content questiontext question_text body prompt 题目名称 试题名称"
    ),
    "answer": words(
        "答案 正确答案 标准答案 参考答案 试题答案 题目答案 正确选项 正解 正确答案选项 答案选项 标答 标准答案选项 "
        "参考答案选项 答案内容 answer answers key correct correctanswer correctanswers correct_answer "
        "correct_answers rightanswer right_answer solution correctoption"
    ),
    "options": words(
        "选项 备选项 选项内容 备选答案 候选项 可选项 全部选项 候选答案 题目选项 选择项 各选项 "
        "options choices 试题选项"
    ),
    "point": words(
        "知识点 考点 鉴定点 考核点 知识点名称 所属知识点 知识点代码 "
        "鉴定点代码 鉴定点名称 认定点 认定点名称 认定点代码 考点名称 考核点名称 考核知识点 所属考点 技能点 知识要点 "
        "所属章节 章节名称 所属分类 知识模块 章节 分类 题目分类 试题分类 类别 模块 "
        "category point knowledgepoint knowledge_point topic chapter knowledge 考核要点 鉴定范围"
    ),
    "difficulty": words(
        "难度 难度系数 难易度 难易程度 难度等级 试题难度 题目难度 难度值 难易系数 难易 题目难度系数 "
        "试题难度系数 难度级别 难度级 题目难易度 试题难易度 题目难度等级 "
        "difficulty facility difficultylevel level_of_difficulty"
    ),
    "score": words(
        "分值 分数 题分 每题分值 试题分值 题目分值 得分 单题分值 配分 题目分数 试题分数 默认分值 每题分数 "
        "score points mark marks"
    ),
    "explanation": words(
        "解析 答案解析 试题解析 题目解析 详解 解释 说明 答题解析 本题解析 试题详解 答案说明 答案详解 题解 "
        "explanation rationale analysis comment feedback 依据"
    ),
    "picture": words("图片 题图 附图 插图 图 图片文件 图片路径 image picture img imagepath figure"),
    "markup": words("文本格式 内容格式 markup"),
    "rubric": words(
        "评分要点 评分标准 评分细则 得分点 采分点 评分点 得分要点 采分标准 rubric markingpoints scoring"
    ),
    "policy": words("记分办法 计分方式 计分办法 记分方式 计分规则 得分规则 policy scoringpolicy"),
    "parent": words(
        "父题编号 所属案例 所属大题 大题编号 母题编号 父题 母题 父试题编号 案例编号 材料编号 所属材料 上级题目 "
        "parent parentid parent_id case caseid case_id"
    ),
    "parts": words(
        "小题 子题 小题列表 子题列表 子题目 子试题 parts subitems sub_items subquestions sub_questions"
    ),
    "blank": words("序号 题号 行号 no number 顺序 排序 #"),
}
_LETTER = re.compile(
    r"^(?:选项|备选项?|备选答案|候选答案|候选项|选择项|答案|option|choice|opt|item|answer)?[_\-]?([a-h])(?:选项|项|答案)?$"
)
_FURTHER = re.compile(r"^(?:选项|option[_\-])([i-z])$")
_NUMBER = re.compile(
    r"^(?:选项|备选项?|备选答案|候选答案|候选项|选择项|option|choice|opt|alternative)[_\-]?([1-8一二三四五六七八])$"
)
_ANSWER_NUMBER = re.compile(
    r"^(?:答案|空|第|填空|answer|blank)[_\-]?([1-8一二三四五六七八])(?:空|答案|空答案)?$"
)
_POINT_LEVEL = re.compile(r"^([一二三四五])级(?:知识点|考点|鉴定点|分类|目录|章节|要点)$")
_CHINESE = "一二三四五六七八"
FIELDS = (
    "label",
    "type",
    "stem",
    "answer",
    "options",
    "point",
    "difficulty",
    "score",
    "explanation",
    "picture",
    "rubric",
    "policy",
    "parent",
    "parts",
    "markup",
)


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Field → column name; `option_columns` in order of label; `defaults` and word tables for values.
    `answer_columns`: one column for each blank, where no single column holds the answer. `numbered`: the options'
    columns are named by numbers, so that a number in the answer names one of them.

    `ignored` are columns known to carry nothing of an item (row numbers); `placeholders` are texts that
    stand in the label's column for "no label".
    """

    fields: Mapping[str, str]
    option_columns: tuple[str, ...]
    ignored: frozenset[str] = frozenset()
    answer_columns: tuple[str, ...] = ()
    numbered: bool = False
    placeholders: frozenset[str] = frozenset()
    default_type: ItemType | None = None
    default_point: str = ""
    default_difficulty: float = 0.6
    default_score: float = 1.0
    types: Mapping[str, ItemType] = field(default_factory=dict)
    difficulties: Mapping[str, float] = field(default_factory=dict)
    points: Mapping[str, str] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """A mapping must know at least the stem."""
        return "stem" in self.fields

    def column(self, name: str) -> str:
        """Column of a field, or an empty text."""
        return self.fields.get(name, "")


class _Fields(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    stem: str
    label: str | None = None
    type: str | None = None
    answer: str | None = None
    options: str | list[str] | None = None
    point: str | None = None
    difficulty: str | None = None
    score: str | None = None
    explanation: str | None = None
    picture: str | None = None
    rubric: str | None = None
    policy: str | None = None
    parent: str | None = None
    parts: str | None = None
    markup: str | None = None
    ignore: list[str] = []
    no_label: list[str] = []


class _Defaults(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    type: ItemType | None = None
    point: str = ""
    difficulty: float = 0.6
    score: float = 1.0


class _MapFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    fields: _Fields | None = None
    defaults: _Defaults = _Defaults()
    types: dict[str, ItemType] = {}
    difficulties: dict[str, float] = {}
    points: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class SavedMapping:
    """A mapping file: columns named outright (or None: by their wording), defaults and word tables."""

    columns: ColumnMapping | None
    defaults: ColumnMapping

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that the file must have; empty when columns go by their wording."""
        if self.columns is None:
            return ()
        return (*self.columns.fields.values(), *self.columns.option_columns)


def read_mapping(data: bytes) -> SavedMapping:
    """Read a mapping file (TOML: [fields], [defaults], [types], [difficulties], [points]); BadInput names
    the place."""
    try:
        file = msgspec.toml.decode(data, type=_MapFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput("mapping-invalid", reason=str(error)) from error
    if not 0.0 <= file.defaults.difficulty <= 1.0 or not file.defaults.score > 0:
        raise BadInput("mapping-invalid", reason="defaults: difficulty 0 to 1, score above 0")
    fields: dict[str, str] = {}
    options: tuple[str, ...] = ()
    ignored: frozenset[str] = frozenset()
    placeholders: frozenset[str] = frozenset()
    if file.fields is not None:
        for name in FIELDS:
            value = getattr(file.fields, name)
            if isinstance(value, list):
                options = tuple(value)
            elif value is not None:
                fields[name] = value
        ignored = frozenset(file.fields.ignore)
        placeholders = frozenset(file.fields.no_label)
    defaults = ColumnMapping(
        fields=fields,
        option_columns=options,
        ignored=ignored,
        placeholders=placeholders,
        default_type=file.defaults.type,
        default_point=file.defaults.point,
        default_difficulty=file.defaults.difficulty,
        default_score=file.defaults.score,
        types={folded(word): kind for word, kind in file.types.items()},
        difficulties={folded(word): value for word, value in file.difficulties.items()},
        points=dict(file.points),
    )
    return SavedMapping(defaults if file.fields is not None else None, defaults)


def header_word(text: str) -> str:
    """Return a header as it is compared: folded, without remarks in brackets, marks of duty and
    punctuation."""
    word = re.sub(r"[（(【\[].*?[）)】\]]", "", folded(text))
    return word.strip("*:：.。、 ")


def guess_columns(columns: Sequence[str], defaults: ColumnMapping | None = None) -> ColumnMapping:
    """Map columns by their wording; the first column of a field wins, others stay unread."""
    fields: dict[str, str] = {}
    lettered: dict[str, str] = {}
    counted: dict[int, str] = {}
    numbered: dict[int, str] = {}
    levels: dict[int, str] = {}
    ignored: set[str] = set()
    for column in columns:
        word = header_word(column)
        letter = _LETTER.match(word) or _FURTHER.match(word)
        if letter is not None:
            lettered.setdefault(letter[1], column)
        elif (number := _NUMBER.match(word)) is not None:
            counted.setdefault(_digit(number[1]), column)
        elif (number := _ANSWER_NUMBER.match(word)) is not None:
            numbered.setdefault(_digit(number[1]), column)
        elif (level := _POINT_LEVEL.match(word)) is not None:
            levels.setdefault(_digit(level[1]), column)
        elif word in _WORDS["blank"]:
            ignored.add(column)
        else:
            for name in FIELDS:
                if word in _WORDS[name] and name not in fields:
                    fields[name] = column
                    break
    if levels:
        fields.setdefault("point", levels[max(levels)])  # the narrowest one
    if "answer" in fields and not lettered and not counted:
        counted, numbered = numbered, {}  # `Answer 1`, `Answer 2`, `Correct answer`
    base = defaults or ColumnMapping({}, ())
    options = {ord(letter) - ord("a") + 1: column for letter, column in lettered.items()}
    for place, column in counted.items():
        options.setdefault(place, column)
    return ColumnMapping(
        fields=fields,
        option_columns=tuple(options[place] for place in sorted(options)),
        ignored=frozenset(ignored),
        answer_columns=tuple(numbered[place] for place in sorted(numbered)) if "answer" not in fields else (),
        numbered=bool(counted) and not lettered,
        default_type=base.default_type,
        default_point=base.default_point,
        default_difficulty=base.default_difficulty,
        default_score=base.default_score,
        types=base.types,
        difficulties=base.difficulties,
        points=base.points,
    )


def _digit(text: str) -> int:
    return _CHINESE.index(text) + 1 if text in _CHINESE else int(text)


def is_option_header(text: str) -> bool:
    """Say whether a header names one option: `A`, `选项B`, `选项3`."""
    word = header_word(text)
    return any(pattern.match(word) is not None for pattern in (_LETTER, _FURTHER, _NUMBER))


def known_columns(columns: Sequence[str]) -> int:
    """Return how many of the names are known wordings: a row with a stem and two more is taken for a
    header."""
    mapping = guess_columns(columns)
    if not mapping.usable:
        return 0
    return len(mapping.fields) + len(mapping.option_columns) + len(mapping.answer_columns)


def columns_of(columns: Sequence[str], saved: SavedMapping | None) -> ColumnMapping:
    """Return the mapping for a file's columns; BadInput `columns-unknown` when no stem is among them."""
    if saved is not None and saved.columns is not None:
        missing = [name for name in saved.named if name not in columns]
        if missing:
            raise BadInput("mapping-column-missing", columns=", ".join(missing), found=", ".join(columns))
        return saved.columns
    mapping = guess_columns(columns, saved.defaults if saved else None)
    if not mapping.usable:
        raise BadInput("columns-unknown", found=", ".join(columns)[:300])
    return mapping
