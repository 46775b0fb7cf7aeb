"""Items as people type them: numbered stems, lettered options on lines or in one line, answers in the stem,
after 答案, or in a list at the end. Lines become rows; a line that belongs to no item is remarked on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from server.errors import BadInput
from server.itembank.interchange import answers
from server.itembank.interchange.csv import LARGEST, decoded
from server.itembank.interchange.rows import Cell, Remark, SourceRow, SourceTable
from server.itembank.interchange.typed_keys import Given, KeyList, begins_key_list
from server.itembank.items import LABELS

COLUMNS = ("题型", "题干", "选项", "答案", "解析", "知识点", "难度", "分值")
_NUMBERED = (
    re.compile(r"^\s*(\d{1,4})\s*[.．、:：)）]\s*(\S.*)$"),
    re.compile(r"^\s*第\s*(\d{1,4})\s*题\s*[.．、:：]?\s*(\S.*)$"),
    re.compile(r"^\s*[（(【]\s*(\d{1,4})\s*[）)】]\s*[.．、:：]?\s*(\S.*)$"),
)
_DECIMAL = re.compile(r"^\s*\d{1,4}[.．:：](?=\d)(?!\d{3})")
_STRICT = re.compile(r"(?:^|(?<=[\s。；;）)】]))[（(]?([A-HＡ-Ｈ])\s*(?:[)）]\s*[.．、:：]?|[.．、:：])\s*")
_LOOSE = re.compile(r"[（(]?([A-HＡ-Ｈ])[)）]?[.．、]\s*")
_SPACED = re.compile(r"^\s*([A-HＡ-Ｈ])[\s　]+(?=\S)")
_FIELD = re.compile(
    r"^\s*[【\[（(]?\s*(?P<name>(?:正确|参考|标准)?答案(?:解析)?|试题解析|解析|详解|知识点|考点|难度(?:系数)?|分值)\s*"
    r"(?:[】\]）)]\s*[:：]?|[:：]|是|为)\s*(?P<value>.*)$"
)
_INLINE = re.compile(
    r"(?:(?<=[\s。；;.）)])|(?=[【\[]))[【\[（(]?\s*(?:(?:正确|参考|标准)?答案|答案解析|解析|知识点|考点|难度)\s*"
    r"(?:[】\]）)]\s*[:：]?|[:：])"
)
_NAMES = {
    "答案": "答案",
    "解析": "解析",
    "详解": "解析",
    "知识点": "知识点",
    "考点": "知识点",
    "难度": "难度",
}
_EACH = re.compile(r"每\s*小?题\s*(\d{1,3}(?:\.\d{1,2})?)\s*分")
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
    filled = [(place, text.replace("\u3000", "  ").strip()) for place, text in lines if text.strip()]
    reader = _Typed()
    for index, (place, text) in enumerate(filled):
        following = filled[index + 1][1] if index + 1 < len(filled) else ""
        reader.take(place, text, following)
    return reader.table()


class _Typed:
    def __init__(self) -> None:
        self.questions: list[_Question] = []
        self.remarks: list[Remark] = []
        self.keys: KeyList | None = None
        self.section, self.kind, self.score, self.fresh = 0, "", "", True
        self.form = -1

    def take(self, place: str, text: str, following: str) -> None:
        heading = _heading(text)
        if self.keys is not None:
            if heading is not None:
                self.keys.section(answers.type_of(heading) or heading)
            elif not self.keys.take(place, text):
                self._unread(place, text)
            return
        if heading is not None:
            self.kind, self.fresh, self.form = heading, True, -1
            self.section += 1
            each = _EACH.search(text)
            self.score = each[1] if each is not None else ""
            return
        rest = begins_key_list(text, following) if self.questions else None
        if rest is not None:
            self.keys = KeyList()
            if rest and not self.keys.take(place, rest):
                self._unread(place, rest)
            return
        if not self._begun(place, text):
            if self.questions:
                _read_on(self.questions[-1], text)
            else:
                self._unread(place, text)

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
            self.questions.append(_Question(place, number, self.section, self.kind, cells, []))
            _read_on(self.questions[-1], found[2])
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
        rows = [_row(one, given.get(place)) for place, one in enumerate(self.questions)]
        return SourceTable(COLUMNS, tuple(rows), tuple(self.remarks))


def _heading(text: str) -> str | None:
    """Return the word for a kind of item when a line is the heading of a section."""
    if len(text) > 80:
        return None
    word = re.sub(r"^\s*(?:第[一二三四五六七八九十\d]+部分|[（(]?[一二三四五六七八九十]+[）)]?)\s*[、.．:：]?\s*", "",
                  _TITLE_END.sub("", text) if not text.startswith(("（", "(")) else text)  # fmt: skip
    word = _TITLE_END.sub("", word).strip()
    named = word if word.endswith("题") or answers.folded(word) in ("判断", "单选", "多选", "填空") else ""
    known = answers.type_of(named) is not None or answers.names_other_type(named)
    return named if named and known else None


def _read_on(question: _Question, text: str) -> None:
    """Read a line that belongs to a question: a field, options, or more of what is open."""
    begin = _FIELD.match(text)
    if begin is not None:
        name = next(field for word, field in _NAMES.items() if word in begin["name"].replace("答案解析", "解析")) \
            if "分值" not in begin["name"] else "分值"  # fmt: skip
        value = begin["value"]
        inner = _INLINE.search(value)
        held = value[: inner.start()] if inner is not None else value
        earlier = question.cells.get(name, "") if name == "解析" else ""
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
    cells: dict[str, Cell] = {"题干": "\n".join(question.stem), "题型": question.kind}
    cells |= {name: value for name, value in question.cells.items() if value}
    if question.options:
        cells["选项"] = tuple(question.options)
    remarks: tuple[Remark, ...] = ()
    if listed is not None:
        own = question.cells.get("答案", "")
        if not own:
            cells["答案"] = listed.text
        elif answers.folded(own) != answers.folded(listed.text):
            facts = {"key": own[:60], "listed": listed.text[:60]}
            remarks = (Remark("key-differs-from-list", question.place, True, facts),)
    return SourceRow(question.place, cells, remarks=remarks)
