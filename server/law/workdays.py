"""Counting legal days: dates in Asia/Shanghai, working days by the State Council's yearly notices.

The texts do not say how to count, so these are the house's own defaults: the day of the event is not
counted; a period ends at 24:00 of its last day; "at least n days before D" is met on D − n and on every day
before it; a month ends on the same day number or, where that number is missing, on the month's last day. A
year whose official notice is not loaded is an error or a `Provisional`, never a guess.
"""

import calendar as month_lengths
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

from server.errors import BadInput, Unavailable

# China has kept UTC+8 without daylight saving since 1992; a fixed offset needs no time-zone database on the
# machine.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

# The notice of a year may also move days at the end of the December before it: the notice for 2019 made
# Saturday 2018-12-29 a working day, the one for 2012 Saturday 2011-12-31. From this day on, the next notice
# must be there too.
_NEXT_NOTICE_FROM = (12, 29)

_DAY = timedelta(days=1)


class YearUnknown(Unavailable):
    """No official notice of working days is loaded for `year`; nothing is guessed."""

    def __init__(self, year: int) -> None:
        super().__init__("law-year-unknown", year=year)
        self.year = year


@dataclass(frozen=True, slots=True)
class YearNotice:
    """One year's notice: number, date of issue, days off, and the weekend days it makes working days."""

    year: int
    number: str
    issued: date
    holidays: frozenset[date]
    make_up: frozenset[date]

    def __post_init__(self) -> None:
        both = self.holidays & self.make_up
        if both:
            raise BadInput("law-calendar-faulty", year=self.year, day=min(both).isoformat(), fault="both")
        weekdays = sorted(day for day in self.make_up if day.weekday() < 5)
        if weekdays:
            raise BadInput(
                "law-calendar-faulty", year=self.year, day=weekdays[0].isoformat(), fault="weekday"
            )
        strange = sorted(day for day in self.holidays | self.make_up if not self._governs(day))
        if strange:
            raise BadInput("law-calendar-faulty", year=self.year, day=strange[0].isoformat(), fault="year")

    def _governs(self, day: date) -> bool:
        return day.year == self.year or (
            day.year == self.year - 1 and (day.month, day.day) >= _NEXT_NOTICE_FROM
        )


@dataclass(frozen=True, slots=True)
class Provisional:
    """A day that cannot be fixed yet: the notice for `year` is missing.

    `not_before` is certain whatever that notice will say, because no calendar day counts as more than one
    working day.
    """

    not_before: date
    year: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """The notices that are loaded, one per year."""

    notices: tuple[YearNotice, ...]

    def __post_init__(self) -> None:
        years = [notice.year for notice in self.notices]
        if len(set(years)) != len(years):
            raise BadInput("law-calendar-faulty", year=max(years, key=years.count), day=None, fault="twice")

    @property
    def years(self) -> tuple[int, ...]:
        """The years whose notice is loaded, ascending."""
        return tuple(sorted(notice.year for notice in self.notices))

    def notice(self, year: int) -> YearNotice:
        """Return the notice of a year; YearUnknown when it is not loaded."""
        for notice in self.notices:
            if notice.year == year:
                return notice
        raise YearUnknown(year)

    def is_workday(self, day: date) -> bool:
        """Say whether offices work on this day.

        YearUnknown when a notice that may govern it is not loaded.
        """
        governing = [self.notice(day.year)]
        if (day.month, day.day) >= _NEXT_NOTICE_FROM:
            governing.append(self.notice(day.year + 1))
        # The later notice is asked first: it is the newer act where two speak of one day.
        for notice in reversed(governing):
            if day in notice.holidays:
                return False
            if day in notice.make_up:
                return True
        return day.weekday() < 5


def legal_day(instant: datetime) -> date:
    """Return the Shanghai date of an aware instant; BadInput for a naive one."""
    if instant.tzinfo is None:
        raise BadInput("law-instant-naive", instant=instant.isoformat())
    return instant.astimezone(SHANGHAI).date()


def day_start(day: date) -> datetime:
    """Return 00:00 of the day in Shanghai as an aware UTC datetime."""
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


def add_days(day: date, n: int) -> date:
    """Return the n-th calendar day after `day` (the day itself is not counted); n ≥ 0."""
    return day + timedelta(days=_counted(n))


def latest_date_before(day: date, n: int) -> date:
    """Return the last date that is at least n calendar days before `day`, which is day − n; n ≥ 0."""
    return day - timedelta(days=_counted(n))


def add_months(day: date, n: int) -> date:
    """Return the same day number n months later, or that month's last day where the number is missing.

    N ≥ 0.
    """
    years, month0 = divmod(day.month - 1 + _counted(n), 12)
    year, month = day.year + years, month0 + 1
    return date(year, month, min(day.day, month_lengths.monthrange(year, month)[1]))


def latest_date_months_before(day: date, n: int) -> date:
    """Return the same day number n months earlier, or that month's last day where the number is missing.

    N ≥ 0.
    """
    years, month0 = divmod(day.month - 1 - _counted(n), 12)
    year, month = day.year + years, month0 + 1
    return date(year, month, min(day.day, month_lengths.monthrange(year, month)[1]))


def add_years(day: date, n: int) -> date:
    """Return the same date n years later; 29 February becomes 28 February in a common year; n ≥ 0."""
    return add_months(day, 12 * _counted(n))


def due_workday(calendar: Calendar, day: date, n: int) -> date | Provisional:
    """Return the n-th working day after `day`, which is not counted, or Provisional past the notices; n ≥ 0.

    With n = 0 it is `day` itself, working or not.
    """
    reached, left = day, _counted(n)
    try:
        while left:
            left -= calendar.is_workday(reached + _DAY)
            reached += _DAY
    except YearUnknown as unknown:
        return Provisional(not_before=reached + timedelta(days=left), year=unknown.year)
    return reached


def add_workdays(calendar: Calendar, day: date, n: int) -> date:
    """Return the n-th working day after `day`.

    YearUnknown where `due_workday` would be provisional; n ≥ 0.
    """
    due = due_workday(calendar, day, n)
    if isinstance(due, Provisional):
        raise YearUnknown(due.year)
    return due


def latest_workday_before(calendar: Calendar, day: date, n: int) -> date:
    """Return the last date with n working days in [date, `day`), counting that date and not `day`; n ≥ 0.

    An act "at least 3 working days before" a Monday is in time on the Wednesday before it. With n = 0 it is
    `day`. Raises YearUnknown when a notice on the way is not loaded.
    """
    reached, left = day, _counted(n)
    while left:
        reached -= _DAY
        left -= calendar.is_workday(reached)
    return reached


def workdays_between(calendar: Calendar, after: date, until: date) -> int:
    """Count the working days in (after, until].

    0 when `until` ≤ `after`; YearUnknown when a notice is not loaded.
    """
    days = (until - after).days
    return sum(calendar.is_workday(after + timedelta(days=k)) for k in range(1, days + 1))


@dataclass(frozen=True, slots=True)
class Period:
    """Whole legal days from `first` to `last`, both included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise BadInput("law-period-empty", first=self.first.isoformat(), last=self.last.isoformat())

    @property
    def start(self) -> datetime:
        """00:00 of the first day in Shanghai, as UTC; inclusive."""
        return day_start(self.first)

    @property
    def end(self) -> datetime:
        """24:00 of the last day in Shanghai, as UTC; exclusive."""
        return day_start(self.last + _DAY)

    def contains(self, instant: datetime) -> bool:
        """Say whether start ≤ instant < end."""
        return self.start <= instant < self.end

    def over(self, now: datetime) -> bool:
        """Say whether the whole period lies behind: end ≤ now."""
        return self.end <= now


def period_of_days(event: date, n: int) -> Period:
    """Return the n calendar days after the event's day, which is not counted; n ≥ 1."""
    return Period(event + _DAY, add_days(event, n))


def period_of_workdays(calendar: Calendar, event: date, n: int) -> Period:
    """Return the period that ends with the n-th working day after the event.

    N ≥ 1; YearUnknown as `add_workdays`.
    """
    return Period(event + _DAY, add_workdays(calendar, event, n))


def calendar_of(notices: Iterable[YearNotice]) -> Calendar:
    """Return the calendar of these notices in order of year."""
    return Calendar(tuple(sorted(notices, key=lambda notice: notice.year)))


def _counted(n: int) -> int:
    if n < 0:
        raise BadInput("law-count-negative", n=n)
    return n
