"""What the public sees of results, for how long, and whether a notice is complete and coherent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from server.affairs.facts import Candidate, Slot
from server.errors import Refusal
from server.law.citing import cites, reads
from server.law.pack import Pack
from server.law.workdays import Period, legal_day, period_of_days

RESULTS = ("pass", "fail", "absent", "cheat")
HIDDEN = "＊"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One candidate's result; a score is None where the subject was not taken. `result` is one of RESULTS."""

    candidate: str
    ticket: str
    theory: float | None
    practical: float | None
    review: float | None
    result: str

    def score(self, subject: str) -> float | None:
        """Return the score of a subject."""
        scores = {"theory": self.theory, "practical": self.practical, "review": self.review}
        return scores[subject]


@dataclass(frozen=True, slots=True)
class Notice:
    """A published notice. Its period is whole legal days after the day of publication, both ends included."""

    id: str
    plan: str
    number: int
    published_at: datetime
    period: Period
    journal_head: str
    rows: tuple[Outcome, ...]


@cites("BJ-E:25")
@reads("numbers.result_notice_days")
def notice_period(pack: Pack, published_at: datetime) -> Period:
    """Return the period: the pack's number of days after the day of publication, to 24:00 of the last."""
    day = legal_day(published_at)
    return period_of_days(day, pack.number("result_notice_days", day).value)


@cites("BJ-E:25")
def complete(outcomes: Sequence[Outcome], candidates: Sequence[Candidate]) -> Refusal | None:
    """Refuse a notice that misses an enrolled candidate, names a stranger, or names one twice.

    Counts close: published = enrolled = pass + fail + absent + cheat.
    """
    enrolled = {candidate.id: candidate for candidate in candidates}
    seen: set[str] = set()
    for outcome in outcomes:
        if outcome.candidate not in enrolled or outcome.ticket != enrolled[outcome.candidate].ticket:
            return Refusal("notice-candidate-unknown", "BJ-E:25", {"ticket": outcome.ticket})
        if outcome.candidate in seen:
            return Refusal("notice-candidate-twice", "BJ-E:25", {"ticket": outcome.ticket})
        if outcome.result not in RESULTS:
            return Refusal("notice-result-unknown", "BJ-E:25", {"result": outcome.result})
        seen.add(outcome.candidate)
    missing = [candidate.ticket for candidate in candidates if candidate.id not in seen]
    if missing:
        return Refusal(
            "notice-incomplete",
            "BJ-E:25",
            {
                "missing": len(missing),
                "ticket": missing[0],
                "enrolled": len(enrolled),
                "published": len(seen),
            },
        )
    return None


def passed(outcome: Outcome, subjects: Sequence[str], marks: Mapping[str, float]) -> bool:
    """Tell whether every subject the candidate took has a score at or above the subject's pass mark."""
    scores = [(outcome.score(subject), marks[subject]) for subject in subjects]
    return all(score is not None and score >= mark for score, mark in scores)


def coherent(
    outcomes: Sequence[Outcome], candidates: Sequence[Candidate], slots: Sequence[Slot]
) -> Refusal | None:
    """Refuse a result that its own scores contradict: pass exactly when every subject reaches its mark."""
    marks: dict[str, float] = {slot.subject: slot.pass_mark for slot in slots}
    totals: dict[str, float] = {slot.subject: slot.total for slot in slots}
    subjects = {candidate.id: candidate.subjects for candidate in candidates}
    for outcome in outcomes:
        taken = subjects[outcome.candidate]
        for subject in taken:
            score = outcome.score(subject)
            if score is not None and not 0 <= score <= totals[subject]:
                return Refusal(
                    "notice-score-impossible", "BJ-E:24", {"ticket": outcome.ticket, "score": score}
                )
        reached = passed(outcome, taken, marks)
        if (outcome.result == "pass" and not reached) or (outcome.result == "fail" and reached):
            facts = {"ticket": outcome.ticket, "result": outcome.result}
            return Refusal("notice-result-contradicts-scores", "BJ-E:25", facts)
    return None


def masked_name(name: str) -> str:
    """Return the name with everything hidden but its first character (and its last, from three on)."""
    if len(name) < 3:
        return name[:1] + HIDDEN
    return name[0] + HIDDEN * (len(name) - 2) + name[-1]


def masked_ticket(ticket: str) -> str:
    """Return the ticket with its middle hidden: the first two and the last four characters stay."""
    return ticket[:2] + HIDDEN * max(len(ticket) - 6, 1) + ticket[-4:]


@cites("BJ-E:25")
def may_upload(period: Period, now: datetime) -> Refusal | None:
    """Refuse a result before the whole notice period lies behind, naming the first moment it is allowed."""
    if period.over(now):
        return None
    return Refusal(
        "result-before-notice-end",
        "BJ-E:25",
        {"allowed_from": period.end.isoformat(), "last_day": period.last.isoformat()},
    )


@reads("numbers.result_upload_days")
def upload_until(pack: Pack, period: Period) -> date:
    """Return the last legal day, inclusive, on which a result is uploaded in time."""
    return period_of_days(period.last, pack.number("result_upload_days", period.last).value).last
