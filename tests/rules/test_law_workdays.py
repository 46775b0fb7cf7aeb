"""Legal days: calendar days, working days, months, and periods as UTC intervals."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BadInput
from server.law.loader import load_calendar
from server.law.workdays import (
    Calendar,
    Period,
    Provisional,
    YearNotice,
    YearUnknown,
    add_days,
    add_months,
    add_workdays,
    add_years,
    calendar_of,
    day_start,
    due_workday,
    latest_date_before,
    latest_date_months_before,
    latest_workday_before,
    legal_day,
    period_of_days,
    period_of_workdays,
    workdays_between,
)

CALENDAR = load_calendar([2024, 2025, 2026])
KNOWN_DAYS = st.dates(date(2024, 1, 1), date(2026, 12, 28))
DAYS = st.dates(date(1993, 1, 1), date(2120, 1, 1))
COUNTS = st.integers(0, 400)


def notice(year: int, holidays: tuple[date, ...] = (), make_up: tuple[date, ...] = ()) -> YearNotice:
    return YearNotice(year, f"notice {year}", date(year - 1, 11, 1), frozenset(holidays), frozenset(make_up))


@pytest.mark.parametrize(
    ("day", "working"),
    [
        (date(2026, 2, 13), True),  # Friday before the Spring Festival's make-up Saturday
        (date(2026, 2, 14), True),  # Saturday made a working day
        (date(2026, 2, 16), False),  # Monday off
        (date(2026, 2, 23), False),  # last day off, a Monday
        (date(2026, 2, 24), True),
        (date(2026, 2, 28), True),  # Saturday made a working day
        (date(2026, 3, 1), False),  # plain Sunday
        (date(2025, 1, 26), True),  # Sunday made a working day
        (date(2024, 9, 16), False),  # Monday off
    ],
)
def test_days_off_and_make_up_days_follow_the_notice(day: date, working: bool) -> None:
    """A weekday off is no working day and a make-up weekend day is one."""
    assert CALENDAR.is_workday(day) is working


def test_every_day_agrees_with_an_independent_calendar() -> None:
    """From 2024-01-01 to 2026-12-28 no day is judged otherwise than by the package chinesecalendar."""
    other = pytest.importorskip("chinese_calendar", reason="chinesecalendar is not installed here")
    day = date(2024, 1, 1)
    while day <= date(2026, 12, 28):
        assert CALENDAR.is_workday(day) == other.is_workday(day), day
        day += timedelta(days=1)


def test_each_loaded_year_names_its_notice() -> None:
    """Each year's data carry the number and the date of a notice issued before that year began."""
    for year in CALENDAR.years:
        found = CALENDAR.notice(year)
        assert found.number.startswith(f"国办发明电〔{year - 1}〕")
        assert found.issued < date(year, 1, 1)
    assert CALENDAR.years == (2024, 2025, 2026)


def test_year_without_a_notice_is_an_error() -> None:
    """A day of a year without a notice is neither working nor free: asking raises YearUnknown."""
    for day, year in ((date(2023, 12, 28), 2023), (date(2027, 1, 4), 2027)):
        with pytest.raises(YearUnknown) as caught:
            CALENDAR.is_workday(day)
        assert caught.value.year == year
        assert caught.value.code == "law-year-unknown"


def test_last_december_days_wait_for_the_next_notice() -> None:
    """29 December cannot be judged without the next year's notice, and 28 December can."""
    assert CALENDAR.is_workday(date(2026, 12, 28))
    with pytest.raises(YearUnknown):
        CALENDAR.is_workday(date(2026, 12, 29))
    assert CALENDAR.is_workday(date(2025, 12, 31))


def test_next_years_notice_can_move_december_days() -> None:
    """A late December Saturday that the next notice makes a working day is one, its Monday off is not."""
    calendar = calendar_of(
        [notice(2019, (date(2018, 12, 31), date(2019, 1, 1)), (date(2018, 12, 29),)), notice(2018)]
    )
    assert calendar.years == (2018, 2019)
    assert calendar.is_workday(date(2018, 12, 29))
    assert not calendar.is_workday(date(2018, 12, 31))
    assert not calendar.is_workday(date(2018, 12, 30))


@pytest.mark.parametrize(
    ("holidays", "make_up", "fault"),
    [
        ((date(2030, 2, 2),), (date(2030, 2, 2),), "both"),
        ((), (date(2030, 2, 4),), "weekday"),
        ((date(2031, 1, 1),), (), "year"),
        ((date(2029, 12, 28),), (), "year"),
    ],
)
def test_contradictory_notice_is_refused(
    holidays: tuple[date, ...], make_up: tuple[date, ...], fault: str
) -> None:
    """A notice with a day both off and on, a make-up weekday, or a day of another year cannot be made."""
    with pytest.raises(BadInput) as caught:
        notice(2030, holidays, make_up)
    assert caught.value.facts["fault"] == fault


def test_two_notices_of_one_year_are_refused() -> None:
    """A calendar with two notices of the same year cannot be made."""
    with pytest.raises(BadInput) as caught:
        Calendar((notice(2030), notice(2031), notice(2030)))
    assert caught.value.facts["year"] == 2030


@pytest.mark.parametrize(
    ("day", "n", "due"),
    [
        (date(2026, 3, 2), 15, date(2026, 3, 23)),  # defence within 15 working days
        (date(2026, 2, 13), 1, date(2026, 2, 14)),  # a make-up Saturday counts
        (date(2026, 2, 14), 1, date(2026, 2, 24)),  # over nine days off
        (date(2026, 2, 13), 6, date(2026, 2, 28)),
        (date(2026, 9, 30), 1, date(2026, 10, 8)),
        (date(2025, 9, 30), 3, date(2025, 10, 11)),
        (date(2026, 3, 1), 0, date(2026, 3, 1)),
    ],
)
def test_working_days_are_counted_after_the_event(day: date, n: int, due: date) -> None:
    """The day of the event is not counted and the n-th working day after it is the last."""
    assert add_workdays(CALENDAR, day, n) == due


def test_working_days_into_an_unknown_year_are_provisional() -> None:
    """A count past the notices gives no date but the earliest day it can be, and add_workdays raises."""
    due = due_workday(CALENDAR, date(2026, 12, 25), 5)
    assert due == Provisional(not_before=date(2027, 1, 1), year=2027)
    with pytest.raises(YearUnknown):
        add_workdays(CALENDAR, date(2026, 12, 25), 5)


@given(KNOWN_DAYS, st.integers(1, 60))
def test_provisional_day_is_never_later_than_the_true_one(day: date, n: int) -> None:
    """What a calendar of two years calls not_before is never after what the calendar of three years finds."""
    short = due_workday(load_calendar([2024, 2025]), day, n)
    full = due_workday(CALENDAR, day, n)
    earliest = short.not_before if isinstance(short, Provisional) else short
    latest = full.not_before if isinstance(full, Provisional) else full
    assert earliest <= latest


@given(KNOWN_DAYS, st.integers(1, 60))
def test_nth_working_day_has_n_working_days_behind_it(day: date, n: int) -> None:
    """The n-th working day after a day is a working day and exactly n working days lie in (day, it]."""
    due = due_workday(CALENDAR, day, n)
    if isinstance(due, date):
        assert CALENDAR.is_workday(due)
        assert workdays_between(CALENDAR, day, due) == n


@given(st.dates(date(2024, 5, 1), date(2026, 12, 29)), st.integers(0, 40))
def test_latest_working_day_before_is_the_latest(day: date, n: int) -> None:
    """From the latest date n working days lie before the anchor, and from the day after it fewer do."""
    found = latest_workday_before(CALENDAR, day, n)
    if n == 0:
        assert found == day
        return
    one = timedelta(days=1)
    assert workdays_between(CALENDAR, found - one, day - one) == n
    assert workdays_between(CALENDAR, found, day - one) == n - 1


@pytest.mark.parametrize(
    ("anchor", "n", "latest"),
    [
        (date(2026, 3, 16), 3, date(2026, 3, 11)),  # Monday: Friday, Thursday, Wednesday
        (date(2026, 2, 25), 3, date(2026, 2, 13)),  # over the Spring Festival: 24, make-up 14, 13
        (date(2026, 3, 2), 1, date(2026, 2, 28)),  # the make-up Saturday before
    ],
)
def test_change_three_working_days_before_the_exam(anchor: date, n: int, latest: date) -> None:
    """Working days before an anchor skip days off, count make-up days, and do not count the anchor."""
    assert latest_workday_before(CALENDAR, anchor, n) == latest


def test_working_days_between_reversed_days_are_none() -> None:
    """No working day lies between a later and an earlier day, nor between a day and itself."""
    assert workdays_between(CALENDAR, date(2026, 3, 5), date(2026, 3, 2)) == 0
    assert workdays_between(CALENDAR, date(2026, 3, 5), date(2026, 3, 5)) == 0


def test_twenty_days_before_the_first_exam() -> None:
    """A plan with its first exam on 2026-03-21 can be filed on 2026-03-01 and not on 2026-03-02."""
    assert latest_date_before(date(2026, 3, 21), 20) == date(2026, 3, 1)


@given(DAYS, COUNTS)
def test_days_before_undo_days_after(day: date, n: int) -> None:
    """latest_date_before takes back exactly what add_days gave."""
    assert latest_date_before(add_days(day, n), n) == day


@pytest.mark.parametrize(
    ("day", "n", "end"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2026, 2, 28), 1, date(2026, 3, 28)),
        (date(2026, 11, 15), 2, date(2027, 1, 15)),
        (date(2026, 12, 31), 12, date(2027, 12, 31)),
        (date(2026, 5, 31), 0, date(2026, 5, 31)),
    ],
)
def test_month_ends_on_the_same_number_or_the_last_day(day: date, n: int, end: date) -> None:
    """A month ends on the day with the event's number, or on the month's last day where it has none."""
    assert add_months(day, n) == end


@given(DAYS, st.integers(0, 120))
def test_month_arithmetic_moves_only_month_and_clips_the_day(day: date, n: int) -> None:
    """n months later lies n months on, and its day number is the event's or the month's last and smaller."""
    end = add_months(day, n)
    assert (end.year * 12 + end.month) - (day.year * 12 + day.month) == n
    assert end.day == day.day or (end.day < day.day and (end + timedelta(days=1)).day == 1)


@given(st.dates(date(2010, 1, 1), date(2100, 1, 1)), st.integers(0, 120))
def test_months_before_never_reach_past_the_day(day: date, n: int) -> None:
    """A window of n months before a day opens so that n months after its opening is never after the day."""
    opening = latest_date_months_before(day, n)
    assert (day.year * 12 + day.month) - (opening.year * 12 + opening.month) == n
    assert add_months(opening, n) <= day


def test_five_years_from_a_leap_day_end_on_28_february() -> None:
    """Years counted from 29 February end on 28 February of a common year and on the 29th of a leap year."""
    assert add_years(date(2024, 2, 29), 5) == date(2029, 2, 28)
    assert add_years(date(2024, 2, 29), 4) == date(2028, 2, 29)


@pytest.mark.parametrize(
    "count",
    [
        lambda: add_days(date(2026, 1, 1), -1),
        lambda: latest_date_before(date(2026, 1, 1), -1),
        lambda: add_months(date(2026, 1, 1), -1),
        lambda: latest_date_months_before(date(2026, 1, 1), -1),
        lambda: add_years(date(2026, 1, 1), -1),
        lambda: due_workday(CALENDAR, date(2026, 1, 1), -1),
        lambda: latest_workday_before(CALENDAR, date(2026, 1, 1), -1),
    ],
)
def test_negative_count_is_refused(count: object) -> None:
    """No day arithmetic takes a negative number."""
    with pytest.raises(BadInput) as caught:
        count()  # type: ignore[operator]
    assert caught.value.code == "law-count-negative"


def test_notice_of_seven_days_as_an_interval() -> None:
    """A notice stamped 2026-03-02 23:59:59 in Shanghai stands until 2026-03-09 24:00 there, 16:00 UTC."""
    stamped = datetime(2026, 3, 2, 15, 59, 59, tzinfo=UTC)
    period = period_of_days(legal_day(stamped), 7)
    assert period == Period(date(2026, 3, 3), date(2026, 3, 9))
    assert period.start == datetime(2026, 3, 2, 16, tzinfo=UTC)
    assert period.end == datetime(2026, 3, 9, 16, tzinfo=UTC)
    last = period.end - timedelta(microseconds=1)
    assert period.contains(last) and not period.over(last)
    assert not period.contains(period.end) and period.over(period.end)
    assert period.contains(period.start) and not period.contains(period.start - timedelta(microseconds=1))


def test_one_second_later_is_the_next_legal_day() -> None:
    """An instant at 16:00 UTC belongs to the next Shanghai day."""
    assert legal_day(datetime(2026, 3, 2, 15, 59, 59, tzinfo=UTC)) == date(2026, 3, 2)
    assert legal_day(datetime(2026, 3, 2, 16, tzinfo=UTC)) == date(2026, 3, 3)


def test_naive_instant_has_no_legal_day() -> None:
    """An instant without a time zone is refused."""
    with pytest.raises(BadInput) as caught:
        legal_day(datetime(2026, 3, 2))  # noqa: DTZ001
    assert caught.value.code == "law-instant-naive"


def test_working_day_period_spans_the_days_off() -> None:
    """A period of one working day after 2026-02-14 runs from the 15th to the 24th."""
    assert period_of_workdays(CALENDAR, date(2026, 2, 14), 1) == Period(date(2026, 2, 15), date(2026, 2, 24))


def test_period_of_no_days_is_refused() -> None:
    """A period that ends before it begins cannot be made."""
    with pytest.raises(BadInput):
        period_of_days(date(2026, 2, 14), 0)


@given(DAYS)
def test_start_of_a_day_is_its_first_instant(day: date) -> None:
    """The start of a day belongs to it and the microsecond before does not."""
    start = day_start(day)
    assert legal_day(start) == day
    assert legal_day(start - timedelta(microseconds=1)) == day - timedelta(days=1)
