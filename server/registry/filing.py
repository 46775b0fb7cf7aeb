"""May an organisation be filed, and what is the next step? States, eligibility and materials of a filing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

from server.errors import Refusal
from server.law.citing import cites, reads
from server.law.pack import Pack
from server.law.workdays import Period, add_years, legal_day, period_of_days


class FilingState(StrEnum):
    """How far a filing has come."""

    APPLIED = "applied"
    RECOMMENDED = "recommended"
    EVALUATED = "evaluated"
    NOTICED = "noticed"
    FILED = "filed"
    PUBLISHED = "published"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    TERMINATED = "terminated"


class FilingEvent(StrEnum):
    """What is done to a filing."""

    RECOMMEND = "recommend"
    EVALUATE = "evaluate"
    NOTICE = "notice"
    ISSUE_LETTER = "issue_letter"
    PUBLISH = "publish"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    TERMINATE = "terminate"


_OPEN = (FilingState.APPLIED, FilingState.RECOMMENDED, FilingState.EVALUATED, FilingState.NOTICED)

TRANSITIONS: Mapping[tuple[FilingState, FilingEvent], FilingState] = MappingProxyType(
    {
        (FilingState.APPLIED, FilingEvent.RECOMMEND): FilingState.RECOMMENDED,
        (FilingState.RECOMMENDED, FilingEvent.EVALUATE): FilingState.EVALUATED,
        (FilingState.EVALUATED, FilingEvent.NOTICE): FilingState.NOTICED,
        (FilingState.NOTICED, FilingEvent.ISSUE_LETTER): FilingState.FILED,
        (FilingState.FILED, FilingEvent.PUBLISH): FilingState.PUBLISHED,
        **{(state, FilingEvent.REFUSE): FilingState.REFUSED for state in _OPEN},
        **{(state, FilingEvent.WITHDRAW): FilingState.WITHDRAWN for state in _OPEN},
        (FilingState.FILED, FilingEvent.TERMINATE): FilingState.TERMINATED,
        (FilingState.PUBLISHED, FilingEvent.TERMINATE): FilingState.TERMINATED,
    }
)

DESKS: Mapping[FilingEvent, str] = MappingProxyType(
    {
        FilingEvent.RECOMMEND: "district_officer",
        FilingEvent.EVALUATE: "city_officer",
        FilingEvent.NOTICE: "city_officer",
        FilingEvent.ISSUE_LETTER: "city_officer",
        FilingEvent.PUBLISH: "city_officer",
    }
)
"""Whose act each step is; refusing is done at the desk that holds the application."""


@cites("BJ-F:2.5.1", "BJ-F:2.5.2", "BJ-F:2.5.3", "BJ-F:2.5.5", "BJ-F:2.5.6")
@reads("stages")
def step(state: FilingState, event: FilingEvent) -> FilingState | Refusal:
    """Return the state after the event, or why the event is not possible in this state."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        return Refusal("filing-step-out-of-order", "BJ-F:2.5.1", {"state": str(state), "event": str(event)})
    return following


@cites("BJ-F:2.4")
def at_desk(district: str, officer: str | None) -> Refusal | None:
    """Refuse the desk of another district than the applicant's registration; an officer bound to none serves all."""
    if officer is None or officer == district:
        return None
    return Refusal("filing-other-district", "BJ-F:2.4", {"district": district, "own": officer})


@dataclass(frozen=True, slots=True)
class Statement:
    """What an applicant states: answers to the pack's criteria, facts that bar it, and the papers attached.

    `answers` maps a criterion to True or to a number; `barred` maps a bar to the last day it applied.
    """

    answers: Mapping[str, bool | int]
    barred: Mapping[str, date]
    materials: frozenset[str]


@reads("criteria", "bars", "materials", "numbers.bar_years")
@cites("BJ-F:2.1.9")
def shortcomings(pack: Pack, kind: str, statement: Statement, today: date) -> tuple[Refusal, ...]:
    """Return everything that speaks against an application: unmet criteria, bars in force, missing papers.

    Criteria that are only preferred exclude nobody. A bar with years looks back so many years from `today`.
    """
    return (
        *_unmet(pack, kind, statement),
        *_bars(pack, kind, statement, today),
        *(
            Refusal("filing-material-missing", material.article, {"material": material.code})
            for material in pack.materials_for(kind)
            if not material.needed_if and material.code not in statement.materials
        ),
    )


def _unmet(pack: Pack, kind: str, statement: Statement) -> Sequence[Refusal]:
    found = []
    for criterion in pack.criteria:
        if criterion.preferred or (criterion.kinds and kind not in criterion.kinds):
            continue
        given = statement.answers.get(criterion.code, False)
        needed = 1 if criterion.answer == "yes" else pack.number(criterion.minimum).value
        if int(given) < needed:
            found.append(Refusal("filing-criterion-unmet", criterion.article, {"criterion": criterion.code}))
    return found


def _bars(pack: Pack, kind: str, statement: Statement, today: date) -> Sequence[Refusal]:
    found = []
    for bar in pack.bars:
        last = statement.barred.get(bar.code)
        if last is None or (bar.kinds and kind not in bar.kinds):
            continue
        until = add_years(last, pack.number(bar.years).value) if bar.years else None
        if until is None or today <= until:
            facts = {"bar": bar.code, "until": until.isoformat() if until else None}
            found.append(Refusal("filing-barred", bar.article, facts))
    return found


@cites("BJ-F:2.5.4")
@reads("numbers.filing_notice_days")
def notice_period(pack: Pack, published_at: datetime) -> Period:
    """Return the notice period of a filing: whole legal days after the day of publication."""
    day = legal_day(published_at)
    return period_of_days(day, pack.number("filing_notice_days", day).value)


def may_issue_letter(pack: Pack, noticed_at: datetime, now: datetime) -> Refusal | None:
    """Refuse the filing letter before the notice period is over, naming the first moment it is allowed."""
    period = notice_period(pack, noticed_at)
    if period.over(now):
        return None
    return Refusal("filing-letter-before-notice-end", "BJ-F:2.5.4", {"allowed_from": period.end.isoformat()})


@cites("BJ-F:4.4.4")
@reads("terminations")
def debarred_until(pack: Pack, termination: str, ended: date) -> date:
    """Return the last day, inclusive, on which a terminated organisation may not apply again."""
    kind = pack.termination(termination)
    return add_years(ended, pack.number(kind.debarment).value)
