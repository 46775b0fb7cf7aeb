"""What a pack says about exam affairs: plans, subjects, proofs, staff, the exam day, results, retention."""

from typing import Literal

from server.law.closed import Binding, Closed, Text

Subject = Literal["theory", "practical", "review"]


class YearlyStep(Closed, frozen=True):
    """What a body sends by the last day of `month`, `years_ahead` years before the year it is for."""

    code: str
    title: Text
    article: str
    month: int
    years_ahead: int


class PlanStep(Closed, frozen=True):
    """A step of an exam plan that must be done so long before an anchor day.

    `consequence` says what the text itself attaches to being late: only `plan_stops`, or that it
    `not_stated` any.
    """

    code: str
    title: Text
    article: str
    number: str
    anchor: Literal["first_exam_day", "exam_day"]
    consequence: Literal["plan_stops", "not_stated"]
    only_for: Text | None = None


class SubjectRule(Closed, frozen=True):
    """A subject's place in the order; `within` names the months after the end of the subject before it."""

    code: Subject
    title: Text
    article: str
    within: str = ""


class ResultValue(Closed, frozen=True):
    """One of the values a result may take."""

    code: Literal["pass", "fail", "absent", "cheat"]
    title: Text
    article: str


class Proof(Closed, frozen=True):
    """What a candidate shows for a condition of the level; `max_age` names how old it may be."""

    code: str
    title: Text
    article: str
    how: Literal["original", "commitment", "online_code", "certificate_look_up", "official_document"]
    max_age: str = ""


class Role(Closed, frozen=True):
    """Somebody who does a part of the exam day."""

    code: str
    title: Text
    article: str


class StaffRule(Closed, frozen=True):
    """How many people of a role: `number` of them per `per`, or one for each `number` rooms or candidates."""

    role: str
    article: str
    number: str
    per: Literal["site", "room", "rooms_each", "candidates_each"]
    binding: Binding = "must"


class RunSheetStep(Closed, frozen=True):
    """A step of the exam day: `minutes` after (+) or before (−) the anchor, in Annex order."""

    code: str
    anchor: Literal["start", "end"]
    minutes: int
    title: Text
    who: tuple[str, ...]
    article: str

    def from_start(self, exam_minutes: int) -> int:
        """Return minutes after (+) or before (−) the start of an exam that lasts `exam_minutes`."""
        return self.minutes if self.anchor == "start" else exam_minutes + self.minutes


class RetentionRule(Closed, frozen=True):
    """How long a kind of record is kept; `number` empty: for ever."""

    record: Literal["paper", "electronic", "video", "roster", "institution"]
    title: Text
    article: str
    number: str = ""
    starts: str = "archived"
