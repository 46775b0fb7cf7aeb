"""The list of answers at the end of a typed paper: `1.A 2.B`, `1-5 ABCDA`, `1、√`, and to which items they
belong."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from server.itembank.interchange.answers import folded, type_of

_MARK = r"(?:√|×|✓|✗|✔|✘|正确|错误|对|错)"
_LETTERS = r"[A-HＡ-Ｈ](?:[ 、,，;；]{0,2}[A-HＡ-Ｈ])*"
_ONE = re.compile(
    rf"\s*(\d{{1,4}})\s*[.．、:：)）]?\s*({_LETTERS}|{_MARK}|[TF])(?=[\s,，;；。.]|\d|$)[\s,，;；。.]*"
)
_RANGE = re.compile(
    rf"\s*(\d{{1,4}})\s*(?:[-—–~～－]+|至|到)\s*(\d{{1,4}})\s*(?:题)?\s*[.．、:：)）]?\s*"
    rf"((?:(?:[A-HＡ-ＨTF]|{_MARK})[ 、,，;；]*)+)(?=\s|\d|$)\s*"
)
_GROUPS = re.compile(rf"[A-HＡ-ＨTF]+|{_MARK}")
_SINGLES = re.compile(rf"[A-HＡ-ＨTF]|{_MARK}")
_FREE = re.compile(r"^\s*[（(]?(\d{1,4})\s*[.．、:：)）]\s*(\S.*)$")
_SECTION = re.compile(
    r"^\s*(?:[（(]?[一二三四五六七八九十]+[）)]?\s*[、.．])?\s*(?P<kind>[一-龥]{2,10}题)\s*的?(?:参考|标准)?答案\s*[:：]?\s*$"
)
_BEHIND_HEADING = re.compile(
    r"^\s*(?:[（(]?[一二三四五六七八九十]+[）)]?\s*[、.．])?\s*[一-龥]{2,12}(?:[（(][^）)]*[）)])?\s*[:：]?\s*(\d.*)$"
)
_EXPLAINED = re.compile(r"^\s*[【\[（(]?\s*(?:答案|试题|本题)?解析\s*[】\]）)]?\s*[:：]?\s*(?P<text>.*)$")
_TITLE = re.compile(
    r"^\s*(?:附\s*[:：]?|[一-龥]{0,20})?[【\[（(]?\s*(?:参考|标准|正确|试题)?答案\s*(?:及解析|与解析|和解析|部分|列表|表|如下)?\s*"
    r"[】\]）)]?\s*[:：]?\s*(?P<rest>.*)$"
)


@dataclass(frozen=True, slots=True)
class Given:
    """One answer of the list: its place, section of the list (from 0), the section's kind, number and text."""

    place: str
    section: int
    kind: str
    number: int
    text: str
    explanation: str = ""


def section_of_keys(text: str, following: str) -> str | None:
    """Return the type's word of a heading that begins a list of answers of one section (`一、单选题答案`), or None."""
    found = _SECTION.match(text)
    listed = pairs_in(following) is not None or _FREE.match(following) is not None
    return found["kind"] if found is not None and listed and type_of(found["kind"]) is not None else None


def pairs_in(text: str) -> list[tuple[int, str]] | None:
    """Return (number, answer) for a line that holds nothing but numbered answers, or None."""
    found: list[tuple[int, str]] = []
    at = 0
    while at < len(text):
        run = _RANGE.match(text, at)
        one = _ONE.match(text, at) if run is None else None
        if run is not None:
            first, last = int(run[1]), int(run[2])
            groups = _GROUPS.findall(run[3])
            if len(groups) != last - first + 1:
                groups = _SINGLES.findall(run[3])
            if len(groups) != last - first + 1:
                return None
            found += [(first + place, group) for place, group in enumerate(groups)]
            at = run.end()
        elif one is not None:
            found.append((int(one[1]), one[2]))
            at = one.end()
        else:
            return None
    return found or None


def begins_key_list(text: str, following: str, below: str = "") -> str | None:
    """Return what of a line belongs to a list of answers that it begins, or None when it begins none.

    `following` and `below` are the next two lines.
    """
    title = _TITLE.match(text)
    if title is None or len(text[: title.start("rest")]) > 40:
        return None
    rest = title["rest"]
    if rest:
        pairs = pairs_in(rest)
        return rest if pairs is not None and len(pairs) > 1 else None
    begins = pairs_in(following) is not None or _FREE.match(following) is not None
    heading = re.match(r"^\s*[（(]?[一二三四五六七八九十]+[）)]?\s*[、.．]", following)
    own = "参考" in text or "附" in text or len(text.strip(" :：【】[]")) > 2 or pairs_in(below) is not None
    return "" if begins or (heading is not None and own) else None


class KeyList:
    """The answers of a list, taken line by line."""

    def __init__(self) -> None:
        self.given: list[Given] = []
        self._section, self._kind, self._last, self._headed = 0, "", 0, False

    def section(self, kind: str) -> None:
        """Begin a section of the list under a heading."""
        if self.given:
            self._section += 1
        self._kind, self._last, self._headed = kind, 0, True

    def take_rest(self, place: str, text: str) -> None:
        """Take the answers that stand behind a heading on its line: `一、单选题：1-5 ABCDA`."""
        found = _BEHIND_HEADING.match(text)
        if found is not None and pairs_in(found[1]) is not None:
            self.take(place, found[1])

    def take(self, place: str, text: str) -> bool:
        """Take a line of answers, or the explanation of the last one; say whether it was one."""
        explained = _EXPLAINED.match(text)
        if explained is not None and self.given:
            last = self.given[-1]
            self.given[-1] = replace(last, explanation=f"{last.explanation}\n{explained['text']}".strip())
            return True
        pairs = pairs_in(text)
        if pairs is None:
            free = _FREE.match(text)
            if free is None:
                return False
            pairs = [(int(free[1]), free[2])]
        for number, answer in pairs:
            if number <= self._last:
                self._section, self._kind = self._section + 1, ""
            self._last = number
            self.given.append(Given(place, self._section, self._kind, number, answer.strip()))
        return True

    def matched(self, items: Sequence[tuple[int, str, int]]) -> tuple[dict[int, Given], list[Given]]:
        """Return (item's place in the paper → its answer, answers without an item).

        `items` are (section, kind, number). By kind and number where both sides name kinds once, else by number
        where every number stands once, else by the order of sections.
        """
        kinds = {(kind, section) for section, kind, _ in items}
        listed = {(one.kind, one.section) for one in self.given}
        by_kind = all(kind for kind, _ in kinds | listed) and len({k for k, _ in kinds}) == len(kinds) \
            and len({k for k, _ in listed}) == len(listed)  # fmt: skip
        numbers = [number for _, _, number in items]
        places: dict[tuple[object, int], int] = {}
        keys: list[tuple[object, int]]
        if by_kind:
            places = {(folded(kind), number): at for at, (_, kind, number) in enumerate(items)}
            keys = [(folded(one.kind), one.number) for one in self.given]
        elif len(set(numbers)) == len(numbers):
            places = {("", number): at for at, number in enumerate(numbers)}
            keys = [("", one.number) for one in self.given]
        else:
            order = {section: at for at, section in enumerate(sorted({section for section, _, _ in items}))}
            places = {(order[section], number): at for at, (section, _, number) in enumerate(items)}
            keys = [(one.section, one.number) for one in self.given]
        found: dict[int, Given] = {}
        unmatched: list[Given] = []
        for key, one in zip(keys, self.given, strict=True):
            if key in places and places[key] not in found:
                found[places[key]] = one
            else:
                unmatched.append(one)
        return found, unmatched
