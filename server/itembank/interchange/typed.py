"""Items as people type them: numbered stems, lettered options on lines or in one line, answers in the stem,
after 答案, or in a list at the end. Lines become rows; a line that belongs to no item is remarked on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from server.errors import BadInput, Fact
from server.itembank.interchange import answers
from server.itembank.interchange.csv import LARGEST, decoded
from server.itembank.interchange.rows import Cell, Remark, SourceRow, SourceTable
from server.itembank.interchange.typed_cases import (
    case_head,
    kind_of,
    parted_answer,
    points_behind,
    sub_question,
)
from server.itembank.interchange.typed_keys import Given, KeyList, begins_key_list, section_of_keys
from server.itembank.interchange.typed_lines import (
    OUTSTANDING,
    is_beside,
    judged_behind,
    prepared,
    right_marked,
    set_off,
    tagged,
    with_mark_behind,
    with_right_mark,
)
from server.itembank.items import LABELS

COLUMNS = ("题型", "题干", "选项", "答案", "评分要点", "解析", "知识点", "难度", "分值")
_NUMBERED = (
    re.compile(r"^\s*(\d{1,4})\s*[.．、:：)）]\s*(\S.*)$"),
    re.compile(r"^\s*第\s*(\d{1,4})\s*题\s*[.．、:：]?\s*(\S.*)$"),
    re.compile(r"^\s*[（(【]\s*(\d{1,4})\s*[）)】]\s*[.．、:：]?\s*(\S.*)$"),
)
_DECIMAL = re.compile(r"^\s*\d{1,4}[.．:：](?=\d)(?!\d{3})")
_STRICT = re.compile(r"(?:^|(?<=[\s。；;）)】]))[（(]?([A-HＡ-Ｈ])\s*(?:[)）]\s*[.．、:：]?|[.．、:：])\s*")
_LOOSE = re.compile(r"[（(]?([A-HＡ-Ｈ])[)）]?[.．、]\s*")
_LOWER = re.compile(r"(?:^|(?<=[\s;；]))[（(]?([a-h])[)）.．、]\s*")
_GLUED = re.compile(r"(?:^|(?<=\s))([A-HＡ-Ｈ])(?=[一-龥])")
_OWN_LINE = re.compile(r"^\s*[（(]?([A-HＡ-Ｈ])\s*[)）]?\s*[.．、:：]")
_SPACED = re.compile(r"^\s*([A-HＡ-Ｈ])[\s　]+(?=\S)")
_FIELD = re.compile(
    r"^\s*[【\[（(]?\s*(?P<name>(?:正确|参考|标准)?答案(?:解析)?|(?:试题|本题|题目)解析|解析|详解|知识点|考点|难度(?:系数)?|分值|"
    r"评分(?:标准|要点|细则)|得分(?:点|要点)|采分点|答(?=\s*[:：])|(?i:(?:correct\s)?answers?|key|explanation|rationale)(?=\s*[:：]))\s*"
    r"(?:[】\]）)]\s*[:：]?|[:：]|是|为)\s*(?P<value>.*)$"
)
_INLINE = re.compile(
    r"(?:(?<=[\s。；;.）)])|(?=[【\[]))[【\[（(]?\s*(?:(?:正确|参考|标准)?答案|答案解析|解析|知识点|考点|难度|"
    r"评分(?:标准|要点|细则))\s*"
    r"(?:[】\]）)]\s*[:：]?|[:：])"
)
_NAMES = {
    "答案": "答案",
    "解析": "解析",
    "详解": "解析",
    "知识点": "知识点",
    "考点": "知识点",
    "难度": "难度",
    "评分": "评分要点",
    "得分": "评分要点",
    "采分": "评分要点",
    "答": "答案",
    "answer": "答案",
    "key": "答案",
    "explanation": "解析",
    "rationale": "解析",
}
_EACH = re.compile(r"每\s*小?题\s*(\d{1,3}(?:\.\d{1,2})?)\s*分")
_HEAD = re.compile(r"^\s*(?:第[一二三四五六七八九十\d]+部分|[（(]?[一二三四五六七八九十]+[）)]?\s*[、.．])")
_SHORT_HEADS = ("判断", "单选", "多选", "填空", "简答", "论述", "名词解释", "案例分析")
_WORD_OF = {
    "single": "单选题", "multiple": "多选题", "judge": "判断题", "fill": "填空题", "short": "简答题", "case": "案例题"
}  # fmt: skip
_BARE = re.compile(
    r"^\s*(?:正确|参考|标准)?答案\s*(?P<value>[A-HＡ-Ｈ](?:[\s、,，]*[A-HＡ-Ｈ])*|√|×|对|错|正确|错误)\s*[。.]?\s*$"
)
_TITLE_END = re.compile(r"[（(:：,，。].*$", re.DOTALL)


@dataclass(slots=True)
class _Question:
    """One question while its lines are read."""

    place: str
    number: int
    section: int
    kind: str
    cells: dict[str, str]
    stem: list[str]
    options: list[str] = field(default_factory=list)
    open: str = "stem"
    headed: bool = False
    parts: list["_Question"] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    @property
    def reading(self) -> "_Question":
        """The question that further lines belong to: the last one of a case, or this one."""
        return self.parts[-1] if self.parts else self

    def go_on(self, text: str) -> None:
        """Add a further line to the part that is open."""
        if self.open == "stem":
            self.stem.append(text)
        elif self.open == "options":
            self.options[-1] = f"{self.options[-1]}\n{text}"
        else:
            self.cells[self.open] = f"{self.cells[self.open]}\n{text}".strip()


def read_text(data: bytes, encoding: str | None = None) -> SourceTable:
    """Read a plain text of typed items; BadInput `text-without-items` when no numbered stem stands in it."""
    if len(data) > LARGEST:
        raise BadInput("file-too-large", bytes=len(data), limit=LARGEST)
    text = decoded(data, encoding)
    if "\0" in text:
        raise BadInput("file-not-text", place=f"character {text.index(chr(0)) + 1}")
    return table_of_lines(
        [(f"line {number}", line) for number, line in enumerate(text.splitlines(), start=1)]
    )


def table_of_lines(lines: Sequence[tuple[str, str]]) -> SourceTable:
    """Return the rows of typed lines, each given as (place, text)."""
    filled = prepared(lines)
    reader = _Typed([text for _, text in filled])
    for index, (place, text) in enumerate(filled):
        reader.at = index
        following = filled[index + 1][1] if index + 1 < len(filled) else ""
        reader.take(place, text, following)
    return reader.table()


class _Typed:
    def __init__(self, texts: Sequence[str]) -> None:
        self.texts, self.at = texts, 0
        self.questions: list[_Question] = []
        self.remarks: list[Remark] = []
        self.keys: KeyList | None = None
        self.section, self.kind, self.score, self.fresh = 0, "", "", True
        self.form = -1

    def take(self, place: str, text: str, following: str) -> None:
        if is_beside(text):
            self._unread(place, text)
            return
        heading = _heading(text)
        keyed = section_of_keys(text, following) if self.questions else None
        if keyed is not None:  # `一、单选题答案`
            self.keys = self.keys or KeyList()
            self.keys.section(answers.type_of(keyed) or keyed)
            return
        if self.keys is not None:
            if heading is not None:
                self.keys.section(answers.type_of(heading) or heading)
                self.keys.take_rest(place, text)
            elif not self.keys.take(place, text):
                self._unread(place, text)
            return
        if heading is not None:
            self.kind, self.fresh, self.form = heading, True, -1
            self.section += 1
            each = _EACH.search(text)
            self.score = each[1] if each is not None else ""
            return
        below = self.texts[self.at + 2] if self.at + 2 < len(self.texts) else ""
        rest = begins_key_list(text, following, below) if self.questions else None
        if rest is not None:
            self.keys = KeyList()
            if rest and not self.keys.take(place, rest):
                self._unread(place, rest)
            return
        text = with_right_mark(text)
        if answers.type_of(self.kind) == "judge":
            text = with_mark_behind(text)
        if self._begun_in_case(place, text):
            return
        if not self._goes_on_in_words(place, text) and self._begun(place, text):
            return
        if self.questions:
            _read_on(self.questions[-1].reading, text)
        else:
            self._unread(place, text)

    def _begun_in_case(self, place: str, text: str) -> bool:
        """Begin a case by its head, or a question of the case that is being read."""
        if answers.type_of(self.kind) != "case":
            return False
        head = case_head(text)
        if head is not None:
            number = self.questions[-1].number + 1 if self.questions and not self.fresh else 1
            self.fresh = False
            cells = {"分值": self.score} if self.score else {}
            case = _Question(place, number, self.section, self.kind, cells, [], headed=True)
            case.stem += [head] if head else []
            self.questions.append(case)
            return True
        if self.fresh or not self.questions:
            return False
        case = self.questions[-1]
        found = sub_question(text, case.headed)
        held = case.reading
        answering = held.open not in ("stem", "options")
        if found is None:
            return False
        following = found[0] == len(case.parts) + 1 and (case.parts or not answering)
        point = answering and _counted(held) == found[0] - 1  # of an answer that counts its points
        if following and (not point or self._is_asked()):
            case.parts.append(_Question(place, found[0], self.section, "", {}, []))
            _read_on(case.parts[-1], found[1])
            return True
        if answering:
            held.go_on(text)  # a point of an answer, or one of the answers to all questions, parted later
        return answering

    def _is_asked(self) -> bool:
        """Say whether the line that is being read has an answer of its own below it, before the next number."""
        for text in self.texts[self.at + 1 :]:
            begin = _FIELD.match(text)
            if begin is not None:
                return "答" in begin["name"]
            if _number_of(text) is not None or _heading(text) is not None:
                return False
        return False

    def _goes_on_in_words(self, place: str, text: str) -> bool:
        """Say whether a numbered line is a point of the answer in words above it, and not the next question."""
        if not self.questions or self.fresh or answers.type_of(self.kind) not in ("short", "case"):
            return False
        question = self.questions[-1]
        held = question.reading
        if held.open not in ("答案", "评分要点", "解析"):
            return False
        number = _number_of(text)
        if number is None or number != question.number + 1 or _counted(held) != question.number:
            return number is not None and number != question.number + 1
        # The next point of this answer, or the next question: only a question is answered.
        if self._is_asked():
            return False
        question.remarks.append(Remark("answer-may-go-on", place, True, {"text": text[:60]}))
        return True

    def _unread(self, place: str, text: str) -> None:
        self.remarks.append(Remark("line-not-read", place, False, {"text": text[:60]}))

    def _begun(self, place: str, text: str) -> bool:
        """Begin a question when the line is a numbered stem; the first form of number in a section counts."""
        for form, pattern in enumerate(_NUMBERED):
            found = pattern.match(text)
            if found is None or (self.form >= 0 and form != self.form) or _DECIMAL.match(text):
                continue
            number = int(found[1])
            if not self.fresh and self.questions and number <= self.questions[-1].number:
                self.section += 1
            self.form, self.fresh = form, False
            cells = {"分值": self.score} if self.score else {}
            stem, kind, points = tagged(found[2])
            cells |= {"分值": points} if points else {}
            self.questions.append(_Question(place, number, self.section, kind or self.kind, cells, []))
            _read_on(self.questions[-1], stem)
            return True
        return False

    def table(self) -> SourceTable:
        if not self.questions:
            raise BadInput("text-without-items")
        numbers = [(one.section, answers.type_of(one.kind) or one.kind, one.number) for one in self.questions]
        given: dict[int, Given] = {}
        if self.keys is not None:
            given, unmatched = self.keys.matched(numbers)
            for one in unmatched:
                self.remarks.append(Remark("answer-without-item", one.place, True, {"answer": one.text[:60]}))
        self._doubt_last()
        rows = [_row(one, given.get(place)) for place, one in enumerate(self.questions)]
        return SourceTable(COLUMNS, tuple(rows), tuple(self.remarks))

    def _doubt_last(self) -> None:
        """Doubt an answer of several labels that stands below the last question when no other one has an answer."""
        last = self.questions[-1]
        labels = answers.choice_key(last.cells.get("答案", ""))
        others = [one for one in self.questions[:-1] if one.options and not one.parts]
        if self.keys is not None or labels is None or len(labels) < 2 or not others:
            return
        if not any(one.cells.get("答案") or answers.key_in_stem("\n".join(one.stem)) for one in others):
            last.remarks.append(Remark("answer-may-be-list", last.place, True, {}))


def _number_of(text: str) -> int | None:
    """Return the number that a line begins with, or None."""
    found = next((one for one in (pattern.match(text) for pattern in _NUMBERED) if one is not None), None)
    return int(found[1]) if found is not None else None


def _counted(question: _Question) -> int | None:
    """Return the number that the last line of an open answer bears, or None."""
    return _number_of(question.cells.get(question.open, "").rsplit("\n", 1)[-1])


def _heading(text: str) -> str | None:
    """Return the word for a kind of item when a line is the heading of a section."""
    if len(text) > 80:
        return None
    word = re.sub(r"^\s*(?:第[一二三四五六七八九十\d]+部分|[（(]?[一二三四五六七八九十]+[）)]?)\s*[、.．:：]?\s*", "",
                  _TITLE_END.sub("", text) if not text.startswith(("（", "(")) else text)  # fmt: skip
    word = _TITLE_END.sub("", word).strip()
    counted = _HEAD.match(text) is not None
    named = word if word.endswith("题") or counted or answers.folded(word) in _SHORT_HEADS else ""
    if named and (answers.type_of(named) is not None or answers.names_other_type(named)):
        return named
    kind = answers.type_titled(word) if counted and len(word) <= 20 and "答案" not in word else None
    return _WORD_OF[kind] if kind is not None else None


def _read_on(question: _Question, text: str) -> None:
    """Read a line that belongs to a question: a field, options, or more of what is open."""
    begin = _FIELD.match(text)
    bare = _BARE.match(text) if begin is None else None
    if bare is not None and not question.cells.get("答案"):
        question.cells["答案"], question.open = bare["value"], "答案"
        return
    if begin is not None:
        said = begin["name"].lower().replace("答案解析", "解析")
        name = next(field for word, field in _NAMES.items() if word in said) \
            if "分值" not in begin["name"] else "分值"  # fmt: skip
        value = begin["value"]
        inner = _INLINE.search(value)
        held = value[: inner.start()] if inner is not None else value
        earlier = question.cells.get(name, "") if name == "解析" else ""
        before = question.cells.get(name, "") if name == "答案" else ""
        if before and held.strip() and answers.folded(before) != answers.folded(held):
            facts: dict[str, Fact] = {"text": held.strip()[:60]}
            question.remarks.append(Remark("answer-given-twice", question.place, True, facts))
            held = before
        question.cells[name] = f"{earlier}\n{held.strip()}".strip(" \n；;")
        question.open = name
        if inner is not None:
            _read_on(question, value[inner.start() :])
        return
    inner = _INLINE.search(text)
    after = text[inner.start() :] if inner is not None else ""
    if inner is not None:
        text = text[: inner.start()].rstrip()
    if question.open in ("stem", "options"):
        again = _OWN_LINE.match(text) if question.options else None
        if again is not None and answers.folded(again[1]).upper() in LABELS[: len(question.options)]:
            question.remarks.append(Remark("option-letter-twice", question.place, True, {"text": text[:60]}))
        before, options = options_in(text, len(question.options))
        if options:
            if before:
                question.go_on(before)
            question.options += options
            question.open = "options"
            text = ""
    if text:
        question.go_on(text)
    if after:
        _read_on(question, after)


def options_in(text: str, held: int) -> tuple[str, list[str]]:
    """Return (text before the options, options) of a line; `held` options stand before it."""
    strict = _sequence(_STRICT, text, held)
    loose = _sequence(_LOOSE, text, held)
    if not strict and not loose:
        lower = _sequence(_LOWER, text, held)
        glued = _sequence(_GLUED, text, held)
        if lower and (held or len(lower) > 1 or lower[0].start() == 0):
            strict = lower
        elif len(glued) > 1 and glued[0].start() == 0:
            strict = glued
    leads = loose if len(loose) > max(len(strict), 2) else strict
    if held == 0 and len(leads) < 2 and not (leads and leads[0].start() == 0):
        leads = []  # one letter amid a stem is no option
    if held and leads and leads[0].start() > 0:
        leads = []
    if not leads:
        spaced = _SPACED.match(text)
        if spaced is None or held >= len(LABELS) or answers.folded(spaced[1]).upper() != LABELS[held]:
            return text, []
        return "", _spaced(text, held)
    ends = [lead.start() for lead in leads[1:]] + [len(text)]
    found = [text[lead.end() : end].strip(" \t;；") for lead, end in zip(leads, ends, strict=True)]
    return text[: leads[0].start()].strip(), found


def _sequence(pattern: re.Pattern[str], text: str, held: int) -> list[re.Match[str]]:
    """Return the leads whose letters go on from the options that are held."""
    found: list[re.Match[str]] = []
    for lead in pattern.finditer(text):
        following = held + len(found)
        if following < len(LABELS) and answers.folded(lead[1]).upper() == LABELS[following]:
            found.append(lead)
    return found


def _spaced(text: str, held: int) -> list[str]:
    """Return the options of a line such as `A 90  B 95`, letters parted from texts by space alone."""
    parts = re.split(r"\s+(?=[A-HＡ-Ｈ]\s+\S)", text.strip())
    letters = [answers.folded(part[0]).upper() for part in parts]
    if letters != list(LABELS[held : held + len(parts)]):
        return [text.strip()[1:].strip()]
    return [part[1:].strip() for part in parts]


def _row(question: _Question, listed: Given | None) -> SourceRow:
    stem = "\n".join(question.stem)
    kind = answers.type_of(question.kind)
    own_score = {}
    if kind in ("short", "case"):
        stem, points = points_behind(stem)
        own_score = {"分值": points} if points else {}
    stem = stem.replace(OUTSTANDING, "")
    question.cells = {name: text.replace(OUTSTANDING, "") for name, text in question.cells.items()}
    question.options, outstanding = set_off(question.options)
    options, marked = right_marked(question.options)
    remarks = list(question.remarks)
    own = question.cells.get("答案", "") or (listed.text if listed is not None else "")
    if kind == "judge" and not own and answers.key_in_stem(stem) is None:
        stem, mark = judged_behind(stem)
        question.cells |= {"答案": mark} if mark else {}
    if marked and not own and answers.key_in_stem(stem) is None:
        question.cells["答案"] = marked
        remarks.append(Remark("key-from-option-mark", question.place, False, {"key": marked}))
    elif outstanding and not own and answers.key_in_stem(stem) is None:
        question.cells["答案"] = outstanding
        remarks.append(Remark("key-from-marking", question.place, True, {"key": outstanding}))
    elif marked and answers.choice_key(own) != tuple(marked):
        options = question.options  # the sign belongs to the option's text
    cells: dict[str, Cell] = {"题干": stem, "题型": question.kind}
    cells |= {name: value for name, value in {**question.cells, **own_score}.items() if value}
    if options:
        cells["选项"] = tuple(options)
    if listed is not None and listed.explanation and "解析" not in cells:
        cells["解析"] = listed.explanation
    if listed is not None:
        own = question.cells.get("答案", "")
        if not own:
            cells["答案"] = listed.text
        elif answers.folded(own) != answers.folded(listed.text):
            facts = {"key": own[:60], "listed": listed.text[:60]}
            remarks.append(Remark("key-differs-from-list", question.place, True, facts))
    parts = _parts(question, str(cells.get("答案", "")))
    return SourceRow(question.place, cells, remarks=tuple(remarks), parts=parts)


def _parts(case: _Question, whole: str) -> tuple[SourceRow, ...]:
    """Return the rows of a case's questions; answers that were given to all of them together are parted."""
    if not case.parts:
        return ()
    answered = [one for one in case.parts if one.cells.get("答案")]
    together = answered[0].cells["答案"] if answered == [case.parts[-1]] else "" if answered else whole
    parted = parted_answer(together, len(case.parts))
    rows: list[SourceRow] = []
    for place, one in enumerate(case.parts):
        stem, points = points_behind("\n".join(one.stem).replace(OUTSTANDING, ""))
        one.options, _ = set_off(one.options)
        texts = {**one.cells, "题干": stem, **({"分值": points} if points else {})}
        if parted is not None:
            texts["答案"] = parted[place]
        cells: dict[str, Cell] = {name: value for name, value in texts.items() if value}
        cells["题型"] = kind_of(texts, one.options)
        if one.options:
            cells["选项"] = tuple(one.options)
        rows.append(SourceRow(one.place, cells))
    return tuple(rows)
