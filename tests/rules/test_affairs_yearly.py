"""The yearly texts: what is due for which year, and by which day."""

from datetime import UTC, date, datetime

import pytest

from server.affairs import yearly
from server.affairs.yearly import Lodged
from server.errors import Refusal
from server.law.loader import load_pack

PACK = load_pack("beijing")
PLAN, NOTICE = PACK.yearly


@pytest.mark.parametrize(
    ("today", "plan", "notice"),
    [
        (date(2026, 1, 31), (2027, date(2026, 11, 30)), (2026, date(2026, 1, 31))),
        (date(2026, 2, 1), (2027, date(2026, 11, 30)), (2027, date(2027, 1, 31))),
        (date(2026, 11, 30), (2027, date(2026, 11, 30)), (2027, date(2027, 1, 31))),
        (date(2026, 12, 1), (2028, date(2027, 11, 30)), (2027, date(2027, 1, 31))),
    ],
)
def test_the_next_plan_is_due_in_november_and_the_notice_in_january(
    today: date, plan: tuple[int, date], notice: tuple[int, date]
) -> None:
    """BJ-E:6, BJ-E:7: next year's plan by the last of November, the year's notice by the last of January, inclusive."""
    found = {(due.code, due.year): due.latest for due in yearly.dues(PACK, (), today)}
    assert found[(PLAN.code, plan[0])] == plan[1]
    assert found[(NOTICE.code, notice[0])] == notice[1]
    assert not yearly.is_late(PACK, NOTICE.code, notice[0], today)


def test_what_was_missed_stays_due_until_it_is_lodged() -> None:
    """BJ-E:7: after January a notice that is missing is shown as missed; lodged late it no longer is, and is marked."""
    today = date(2026, 3, 2)
    missed = [due for due in yearly.dues(PACK, (), today) if due.missed(today)]
    assert (NOTICE.code, 2026) in [(due.code, due.year) for due in missed]
    late = Lodged(
        "o", NOTICE.code, 2026, 1, "x", bytes(32), True, datetime(2026, 3, 2, tzinfo=UTC), "staff:a"
    )
    assert (NOTICE.code, 2026) not in [(due.code, due.year) for due in yearly.dues(PACK, [late], today)]
    assert yearly.is_late(PACK, NOTICE.code, 2026, today)


def test_a_notice_says_all_six_things() -> None:
    """BJ-E:7: scope, conditions, fees, schedule, procedure and remarks; a notice without one of them is refused."""
    assert yearly.notice_text(list("abcdef")) == "a\n\nb\n\nc\n\nd\n\ne\n\nf"
    outcome = yearly.notice_text(["a", "b", " ", "d", "e", "f"])
    assert isinstance(outcome, Refusal)
    assert outcome.article == "BJ-E:7"


@pytest.mark.parametrize(
    ("code", "year", "text", "refused"),
    [
        ("yearly_notice", 2026, "notice", None),
        ("yearly_notice", 2026, " ", "yearly-text-missing"),
        ("yearly_notice", 2030, "notice", "yearly-year"),
        ("monthly_notice", 2026, "notice", "yearly-unknown"),
    ],
)
def test_what_may_be_lodged(code: str, year: int, text: str, refused: str | None) -> None:
    """An unknown step, a far year and an empty text are refused by name."""
    refusal = yearly.may_lodge(PACK, code, year, text, date(2026, 3, 2))
    assert (refusal.code if refusal else None) == refused
