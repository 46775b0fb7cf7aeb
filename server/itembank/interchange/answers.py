"""How keys, types and difficulties are written in the files that organisations keep, and what they mean.

Everything returns None where the text is not one of the known forms: nothing is guessed.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from server.itembank.items import JUDGE_FALSE, JUDGE_TRUE, LABELS
from server.protocol.paper import ItemType


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


_TRUE = words("√ ✓ ✔ ☑ 对 正确 是 t true y yes 1 真 r right 对的 是的 √正确 正确√ 打√ 对√ √对 v")
_FALSE = words("× ✗ ✘ x ╳ 错 错误 否 f false n no 0 假 w wrong 错的 不正确 不对 不是 ×错误 错误× 打× 错× ×错")

_TYPES: tuple[tuple[ItemType, frozenset[str]], ...] = (
    (
        "single",
        words(
            "单选 单选题 单项选择 单项选择题 选择题 选择 单选选择题 single singlechoice radio sc 单 "
            "single_choice choice singleselect"
        ),
    ),
    (
        "multiple",
        words(
            "多选 多选题 多项选择 多项选择题 不定项 不定项选择 不定项选择题 multiple multi multiplechoice mc "
            "multiple_choice checkbox multiselect 多 multiple_response multipleresponse"
        ),
    ),
    (
        "judge",
        words(
            "判断 判断题 判断正误 是非 是非题 对错题 正误题 正误判断 judge judgement judgment truefalse "
            "true_false tf bool boolean 判"
        ),
    ),
    (
        "fill",
        words(
            "填空 填空题 fill fillin fill_in blank blanks completion fillblank fill_in_blank "
            "fillintheblank 填"
        ),
    ),
    (
        "short",
        words(
            "简答 简答题 问答 问答题 论述 论述题 名词解释 名词解释题 计算 计算题 分析 分析题 简述 简述题 主观题 "
            "essay short shortanswer short_answer shorttext longtext open openended 简"
        ),
    ),
    (
        "case",
        words(
            "案例 案例题 案例分析 案例分析题 材料 材料题 材料分析题 综合 综合题 综合分析题 组合题 阅读理解 阅读理解题 "
            "case casestudy case_study composite group passage"
        ),
    ),
)
_OTHER_TYPES = re.compile(
    r"^(操作|实操|作图|编程|匹配|连线|排序|matching|ordering|description|numerical|weighted|unreadable)题?$"
)
_DIFFICULTY = {
    "易": 0.85,
    "容易": 0.85,
    "简单": 0.85,
    "低": 0.85,
    "easy": 0.85,
    "较易": 0.75,
    "较容易": 0.75,
    "较简单": 0.75,
    "中": 0.6,
    "中等": 0.6,
    "一般": 0.6,
    "适中": 0.6,
    "普通": 0.6,
    "medium": 0.6,
    "normal": 0.6,
    "较难": 0.45,
    "难": 0.3,
    "困难": 0.3,
    "高": 0.3,
    "hard": 0.3,
    "difficult": 0.3,
    "很难": 0.2,
}
_SEPARATORS = re.compile(r"[\s,，、;；|｜/／+&和.。]+")
_IN_STEM = re.compile(
    r"[（(【\[]\s*(?P<key>[A-HＡ-Ｈ](?:[\s,，、;；]*[A-HＡ-Ｈ])*|√|×|✓|✗|✔|✘|对|错|正确|错误|[TFＴＦ])\s*[）)】\]]"
)
_STEPS = ((1, 0.85), (2, 0.75), (3, 0.6), (4, 0.45), (5, 0.3))


def folded(text: str) -> str:
    """Return a text for comparison: NFKC, lower case, without white space."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


def type_of(text: str) -> ItemType | None:
    """Return the item type that a word names, or None."""
    word = folded(text).strip("[]【】()<>:：.-")
    word = re.sub(
        r"^(?:第[一二三四五六七八九十\d]+(?:部分|章|节)[、.:]?|[一二三四五六七八九十\d]+[、.．])", "", word
    )
    word = re.sub(r"(?<=.)[（(【\[].*$", "", word)
    word = re.sub(r"(?<=题)(?:库|部分)?共?\d*[道题个]*$", "", word)
    for found, words in _TYPES:
        if word in words:
            return found
    return None


_TITLES: tuple[tuple[ItemType, re.Pattern[str]], ...] = (
    ("single", re.compile("单选|单项选择")),
    ("multiple", re.compile("多选|多项选择|不定项")),
    ("judge", re.compile("判断|是非题")),
    ("fill", re.compile("填空")),
    ("short", re.compile("简答|问答|论述|名词解释|计算题")),
    ("case", re.compile("案例|材料分析|综合分析")),
)


def type_titled(text: str) -> ItemType | None:
    """Return the one item type that a title speaks of (`电工四级-单选`), or None for none or several."""
    word = folded(text)
    named = type_of(word)
    found = [kind for kind, pattern in _TITLES if pattern.search(word)]
    return named or (found[0] if len(found) == 1 and len(word) <= 30 else None)


def names_other_type(text: str) -> bool:
    """Say whether a word names a kind of item that this bank does not hold (matching, ordering, …)."""
    return _OTHER_TYPES.match(folded(text)) is not None


def judge_key(text: str) -> str | None:
    """Return T or F for a judgement in any common writing, or None."""
    word = folded(text).replace("\ufe0f", "").strip("()[]{}【】\"'.。;；")
    if word in _TRUE:
        return JUDGE_TRUE
    return JUDGE_FALSE if word in _FALSE else None


def judge_word(text: str) -> str | None:
    """Return T or F for an option that is a judgement in words or marks; letters and digits alone are
    none."""
    judged = judge_key(text)
    return None if folded(text).strip("()").isascii() and len(folded(text).strip("()")) == 1 else judged


def choice_key(text: str) -> tuple[str, ...] | None:
    """Return ascending labels for `A`, `ABC`, `A;B;C`, `["A"]`, `Ａ、Ｃ`, `(b)`; None when it is none of
    these."""
    listed = json_texts(text)
    if listed is not None:
        labels = [folded(part).upper() for part in listed]
    else:
        plain = unicodedata.normalize("NFKC", text).upper().strip()
        plain = re.sub(r"^(正确)?答案(是|为)?[:：]?|^(应|故)?选(择)?[:：]?(?=\s*[A-Z])", "", plain)
        plain = plain.strip(" ()[]{}【】\"'.。;；")
        labels = list(_SEPARATORS.sub("", plain))
    if not labels or any(len(label) != 1 or label not in LABELS for label in labels):
        return None
    if len(set(labels)) != len(labels):
        return None
    return tuple(sorted(labels))


_NUMBERS = re.compile(r"^[(（]?[1-8](?:[\s,，、;；|]*[1-8])*[)）]?[.。]?$")
_ALL = frozenset({"全选", "全部", "全部选项", "全部正确"})
_PARTS_OF_KEY = re.compile(r"[;；|｜\n]+")
_LABELLED = re.compile(r"^([A-H])\s*[.．、:：)）]?\s*(.+)$", re.DOTALL)


def key_by_number(text: str, options: int) -> tuple[str, ...] | None:
    """Return the labels of options that are told by their place: `2`, `1,3`, `①③`; None for another text."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if _NUMBERS.match(plain) is None:
        return None
    places = [int(one) for one in re.findall(r"[1-8]", plain)]
    fit = len(set(places)) == len(places) and max(places) <= options
    return tuple(sorted(LABELS[place - 1] for place in places)) if fit else None


def key_in_words(text: str, options: Sequence[str]) -> tuple[str, ...] | None:
    """Return the labels of options that are told by their own words, `铜；铁` or `A.铜`, or all by `全选`; None when
    a part names none or more than one option, or its letter another one."""
    if folded(text) in _ALL:
        return tuple(LABELS[: len(options)])
    known = [folded(option) for option in options]

    def one(part: str) -> str | None:
        sought = folded(part)
        if known.count(sought) == 1:
            return LABELS[known.index(sought)]
        led = _LABELLED.match(unicodedata.normalize("NFKC", part.strip()).upper())
        if led is not None and LABELS.index(led[1]) < len(known):
            sought = folded(part.strip()[led.start(2) :])
            if sought == known[LABELS.index(led[1])]:
                return led[1]
        return None

    whole = one(text)
    labels = (
        [whole] if whole is not None else [one(part) for part in _PARTS_OF_KEY.split(text) if part.strip()]
    )
    told = [label for label in labels if label is not None]
    fit = told and len(told) == len(labels) == len(set(told))
    return tuple(sorted(told)) if fit else None


def json_texts(text: str) -> list[str] | None:
    """Return the texts of a JSON list written in one cell, or None when the cell holds no such list."""
    if not text.lstrip().startswith("["):
        return None
    try:
        return [
            str(part) for part in msgspec.json.decode(text.replace("'", '"').encode(), type=list[str | int])
        ]
    except (msgspec.DecodeError, UnicodeError):
        return None


def json_lists(text: str) -> list[list[str]] | None:
    """Return the lists of a JSON list of lists written in one cell, or None when the cell holds no such list."""
    if not text.lstrip().startswith("[["):
        return None
    try:
        return msgspec.json.decode(text.encode(), type=list[list[str]])
    except (msgspec.DecodeError, UnicodeError):
        return None


def key_in_stem(stem: str) -> tuple[str, str] | None:
    """Return (key text, stem with the key taken out) for a key in brackets in the stem, `（C）`; the last
    one counts.

    None when no bracket holds only labels or a judgement.
    """
    brackets = list(_IN_STEM.finditer(stem))
    if not brackets:
        return None
    found = brackets[-1]
    opening, closing = found.group()[0], found.group()[-1]
    return found["key"], f"{stem[: found.start()]}{opening}　{closing}{stem[found.end() :]}"


def difficulty_of(text: str) -> float | None:
    """Return the facility (0 to 1, higher is easier) for a number within 0 and 1, a percentage or a word."""
    word = folded(text)
    if word in _DIFFICULTY:
        return _DIFFICULTY[word]
    percent = word.endswith("%")
    try:
        value = float(word.removesuffix("%"))
    except ValueError:
        return None
    value = value / 100 if percent else value
    # 1 alone may be the first of five steps as well as a facility; only a written decimal is taken.
    if not percent and "." not in word:
        return None
    return value if 0.0 <= value <= 1.0 else None


def difficulty_steps(texts: Iterable[str]) -> Mapping[str, float]:
    """Return what the whole numbers of a difficulty column mean, from all of its texts.

    Beside decimals within 0 and 1 they are facilities themselves; where only 1 to 5 stand, 4 or 5 among them, they
    are five steps of which 1 is the easiest. Otherwise nothing is told and the mapping is empty. A text of stars
    counts like its number.
    """
    told = {folded(text) for text in texts if text.strip()}
    numbers = {text: stars or text for text in told for stars in [_stars(text)]}
    if told and all(re.fullmatch(r"[01]|[01]?\.\d+", text) for text in told):
        return {"0": 0.0, "1": 1.0} if any("." in text for text in told) else {}
    if all(one in "12345" and len(one) == 1 for one in numbers.values()) and {"4", "5"} & set(
        numbers.values()
    ):
        steps = {str(step): facility for step, facility in _STEPS}
        return {text: steps[one] for text, one in numbers.items()}
    return {}


def _stars(text: str) -> str:
    return str(text.count("★")) if text and not text.strip("★☆") and "★" in text else ""
