"""The people of the demo day: invented names and well-formed, invented numbers; no real person is meant."""

from dataclasses import dataclass
from datetime import date, timedelta

_SURNAMES = "王李张刘陈杨黄赵周吴徐孙马胡朱郭何高林罗郑梁谢宋唐许韩冯邓曹"
_GIVEN = (
    "明",
    "丽",
    "强",
    "伟",
    "芳",
    "娟",
    "敏",
    "静",
    "磊",
    "军",
    "洋",
    "勇",
    "艳",
    "杰",
    "涛",
    "超",
    "秀兰",
    "霞",
    "平",
    "刚",
)
_SECOND = ("建国", "晓峰", "海燕", "志强", "玉梅", "文博", "思远", "雨桐", "春生", "国庆")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643
_CHECK = "10X98765432"


@dataclass(frozen=True, slots=True)
class Somebody:
    """One candidate of the demo: name, resident identity number (well-formed), and how likely he knows an answer."""

    name: str
    id_number: str
    ability: float


def identity_number(region: str, born: date, serial: int) -> str:
    """Return an 18-character resident identity number with the right check character (GB 11643-1999)."""
    body = f"{region}{born:%Y%m%d}{serial:03d}"
    return body + _CHECK[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]


def candidates(count: int) -> tuple[Somebody, ...]:
    """Return so many different people, the same at every call; abilities spread from 0.45 to 0.95."""
    people = []
    for number in range(count):
        surname = _SURNAMES[number % len(_SURNAMES)]
        given = (
            _GIVEN[(number * 7) % len(_GIVEN)]
            if number % 3
            else _SECOND[(number // 3 + number // len(_SURNAMES)) % len(_SECOND)]
        )
        born = date(1982, 1, 7) + timedelta(days=(number * 211) % 7000)
        ability = 0.45 + 0.5 * ((number * 37) % 61) / 60
        people.append(
            Somebody(surname + given, identity_number("110105", born, 101 + number), round(ability, 3))
        )
    assert len({one.name for one in people}) == count, "the demo tells its people apart by name"
    return tuple(people)
