"""Who and what the demo day is about: one invented organisation, its plan, its people, its dates."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from server.clock import SHANGHAI

BANK_FILE = Path(__file__).parent / "bank" / "electrician-4.xlsx"
BLUEPRINT_FILE = Path(__file__).parent / "bank" / "blueprint.toml"

ORGANISATION = "91110105MA01DEMO7K"
ORGANISATION_NAME = "北京市京东技能评价中心（演示）"
BANK = "electrician-4"
PLACE = "第一考点"
OCCUPATION = ("6-29-03-07", "电工", 4)
ROOMS = ("1", "2")
SEATS = 30


def shanghai(text: str) -> datetime:
    """Return the UTC time of a moment written as 2026-03-14 08:30 in Shanghai."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI).astimezone(UTC)


START = shanghai("2026-01-05 09:00")
THEORY = shanghai("2026-03-14 08:30")
THEORY_MINUTES = 90
PRACTICAL = shanghai("2026-03-28 09:00")
PRACTICAL_MINUTES = 180


@dataclass(frozen=True, slots=True)
class Member:
    """One account of the demo; its password is made at each run and printed."""

    username: str
    name: str
    roles: tuple[str, ...]
    scope: str | None
    password: str


def _member(username: str, name: str, *roles: str, scope: str | None = None) -> Member:
    password = "-".join(secrets.token_hex(2) for _ in range(3))
    return Member(username, name, roles, scope, password)


def administrator() -> Member:
    """Return the first administrator of a server."""
    return _member("admin", "系统管理员", "administrator")


def registry_staff() -> dict[str, Member]:
    """Return the officers and the organisation's account on the registry."""
    members = (
        _member("district", "区鉴定中心 刘科", "district_officer"),
        _member("city", "市鉴定中心 陈处", "city_officer"),
        _member("second", "市鉴定中心 何处", "city_officer"),
        _member("organisation", "评价机构 考务部", "organisation", scope=ORGANISATION),
    )
    return {member.username: member for member in members}


def centre_staff() -> dict[str, Member]:
    """Return the people of the exam centre."""
    members = (
        _member("office", "考务办公室 郑敏", "exam_office"),
        _member("chief", "主考 赵建国", "chief"),
        _member("deputy", "副主考 钱丽", "deputy"),
        _member("tech", "技术员 孙涛", "technician"),
        _member("wang", "监考 王芳", "invigilator", scope="1"),
        _member("li", "监考 李强", "invigilator", scope="1"),
        _member("zhou", "监考 周静", "invigilator", scope="2"),
        _member("wu", "监考 吴磊", "invigilator", scope="2"),
        _member("feng", "考评员 冯军", "examiner"),
        _member("han", "考评员 韩雪", "examiner"),
        _member("quality", "质量督导员 杨平", "quality"),
        _member("cai", "保密员 蔡明", "custodian"),
        _member("deng", "保密员 邓洁", "custodian"),
        _member("xu", "保密员 许刚", "custodian"),
    )
    return {member.username: member for member in members}


def custodian_passphrases() -> dict[str, str]:
    """Return a passphrase for each of the three custodians, made at each run."""
    return {username: " ".join(secrets.token_hex(2) for _ in range(4)) for username in ("cai", "deng", "xu")}


STAFF_ON_DUTY = (
    ("赵建国", "chief", None, "chief"),
    ("钱丽", "deputy", None, "deputy"),
    ("王芳", "invigilator", "1", "wang"),
    ("李强", "invigilator", "1", "li"),
    ("周静", "invigilator", "2", "zhou"),
    ("吴磊", "invigilator", "2", "wu"),
    ("冯军", "examiner", None, "feng"),
    ("韩雪", "examiner", None, "han"),
    ("杨平", "quality", None, "quality"),
)
"""Name, role, room and username as imported with the rooms."""
