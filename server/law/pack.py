"""A rule pack: what one jurisdiction's texts require, as closed data in which every entry names its article.

A pack decides nothing. Rules stand beside their users in other rooms, read a pack and are marked with what they read
(`server.law.citing`). Three words are kept apart everywhere: `must` binds, `in_principle` (原则上) warns and an officer
may override it with a reason, `may` (视情况) leaves the choice to an officer and never happens by itself.

A number that the text leaves open stands in the pack with `stated = false`: without a value it is simply not known
(asking for it is an error), with a value it is the house's own default and shown as such.
"""

from datetime import date
from typing import Literal

import msgspec

from server.errors import NotFound, Unavailable
from server.law.certificate_number import CertificatePattern
from server.law.closed import Closed, Text

Binding = Literal["must", "in_principle", "may"]
Unit = Literal[
    "minutes",
    "days",
    "workdays",
    "months",
    "years",
    "percent",
    "people",
    "seats",
    "rooms",
    "copies",
    "centimetres",
    "times",
]
Level = Literal[1, 2, 3, 4, 5]
Subject = Literal["theory", "practical", "review"]
Act = Literal["enrolment", "plan", "exam_package", "start", "certificate", "publicity", "recruiting", "filing"]
ConsequenceCode = Literal[
    "explain",
    "interview",
    "rectify",
    "warn",
    "written_notice",
    "circulate",
    "suspend",
    "suspend_occupation",
    "hold_certificates",
    "void_results",
    "void_certificates",
    "terminate",
    "remove_from_list",
    "debar",
    "no_further_filing",
    "key_supervision",
    "credit_file",
    "bad_credit",
    "publish",
]


class Document(Closed):
    """One regulation: its short id, as in article ids, its standing, and its dates where it states them.

    `in_force_from` and `issued` are None when the text carries no such date.
    """

    id: str
    title: Text
    status: Literal["in_force", "trial", "draft"]
    number: str = ""
    issued: date | None = None
    in_force_from: date | None = None
    note: Text | None = None


class Header(Closed):
    """Who the pack speaks for; `default_kind` is the kind of body where none is named."""

    jurisdiction: str
    title: Text
    documents: tuple[Document, ...]
    province: str
    default_kind: str


class BodyKind(Closed):
    """A kind of body that may be filed, and whether its filing waits for a call (a round)."""

    code: str
    title: Text
    article: str
    by_round: bool = False


class Desk(Closed):
    """An office of the authority that receives, judges or is told something."""

    code: str
    title: Text
    article: str


class DatedNumber(Closed):
    """A number of the law with unit, article and strength, in force from `since` (None: with its document).

    `template` marks a default of a model annex: each body writes its own version (row R4).
    """

    name: str
    unit: Unit
    article: str
    amount: int | None = msgspec.field(default=None, name="value")
    binding: Binding = "must"
    stated: bool = True
    template: bool = False
    since: date | None = None
    note: Text | None = None

    @property
    def value(self) -> int:
        """The number itself; Unavailable when the text does not state it and the house sets no default."""
        if self.amount is None:
            raise Unavailable("law-number-not-stated", self.article, name=self.name)
        return self.amount


class ClockRule(Closed):
    """How long a step takes: a number of the pack, counted from an event, at least or at most.

    `net_of` names stages whose time is not counted.
    """

    number: str
    starts: str
    limit: Literal["at_least", "within", "before"]
    net_of: tuple[str, ...] = ()


class FilingStage(Closed):
    """One step of a filing, a renewal, a change or a termination, in the order of the pack.

    `kinds` empty means every kind of body; `clocks` empty means that the text sets no time.
    """

    code: str
    title: Text
    desk: str
    article: str
    clocks: tuple[ClockRule, ...] = ()
    kinds: tuple[str, ...] = ()
    checks: tuple[Text, ...] = ()
    binding: Binding = "must"
    note: Text | None = None


class Procedure(Closed):
    """A named order of steps other than the filing itself."""

    code: str
    title: Text
    article: str
    steps: tuple[FilingStage, ...]


class Criterion(Closed):
    """One question of eligibility. `answer` number: at least the pack's number `minimum`.

    `preferred` criteria exclude nobody: they order the applicants. `relaxed_when` names the condition that eases it.
    """

    code: str
    title: Text
    article: str
    answer: Literal["yes", "number"] = "yes"
    minimum: str = ""
    kinds: tuple[str, ...] = ()
    binding: Binding = "must"
    preferred: bool = False
    relaxed_when: Text | None = None


class Bar(Closed):
    """A fact that excludes an applicant; `years` names the number of years it looks back, empty: without limit."""

    code: str
    title: Text
    article: str
    years: str = ""
    kinds: tuple[str, ...] = ()


class Material(Closed):
    """A paper that must be attached. `needed_if` is a condition code; empty: always."""

    code: str
    title: Text
    article: str
    filing: Literal["first", "change", "renewal"] = "first"
    kinds: tuple[str, ...] = ()
    needed_if: str = ""
    copies: int = 1


class IntakeRule(Closed):
    """Which desk receives an application. The first rule whose conditions all hold decides.

    `levels` empty means every level; `applicant` is a condition code, empty: any applicant.
    """

    desk: str
    article: str
    kinds: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()
    applicant: str = ""
    note: Text | None = None


class Validity(Closed):
    """How long a filing lasts and when its renewal is asked for; `number` may be one that is not stated."""

    number: str
    article: str
    renewal_window: str
    renewal_article: str
    renewal: Literal["within_last", "at_least_before"]
    kinds: tuple[str, ...] = ()


class ChangeRule(Closed):
    """When a change of filed facts is reported: before it, within a number of days after it, promptly, or elsewhere."""

    code: str
    title: Text
    article: str
    when: Literal["before", "within_after", "promptly", "other_document"]
    number: str = ""
    kinds: tuple[str, ...] = ()
    note: Text | None = None


class Quota(Closed):
    """How many bodies an area takes; `per_occupation` false counts bodies, true counts bodies of one occupation."""

    code: str
    title: Text
    article: str
    number: str
    per_occupation: bool
    binding: Binding = "in_principle"


class UpwardReport(Closed):
    """What one desk tells another, and how long after which event; `number` empty: promptly, no count stated."""

    code: str
    title: Text
    article: str
    from_desk: str
    to_desk: str
    starts: str
    number: str = ""
    kinds: tuple[str, ...] = ()


class YearlyStep(Closed):
    """What a body sends every year, at the latest on the last day of `month`, `years_ahead` of the year it is for."""

    code: str
    title: Text
    article: str
    month: int
    years_ahead: int


class PlanStep(Closed):
    """A step of an exam plan that must be done so long before an anchor day.

    `consequence` says what the text itself attaches to being late: only `plan_stops`, or that it `not_stated` any.
    """

    code: str
    title: Text
    article: str
    number: str
    anchor: Literal["first_exam_day", "exam_day"]
    consequence: Literal["plan_stops", "not_stated"]
    only_for: Text | None = None


class SubjectRule(Closed):
    """A subject's place in the order; `within` names the months after the end of the subject before it."""

    code: Subject
    title: Text
    article: str
    within: str = ""


class ResultValue(Closed):
    """One of the values a result may take."""

    code: Literal["pass", "fail", "absent", "cheat"]
    title: Text
    article: str


class Proof(Closed):
    """What a candidate shows for a condition of the level; `max_age` names how old it may be."""

    code: str
    title: Text
    article: str
    how: Literal["original", "commitment", "online_code", "certificate_look_up", "official_document"]
    max_age: str = ""


class StaffRule(Closed):
    """How many people of a role: `number` of them per `per`, or one for each `number` rooms or candidates."""

    role: str
    title: Text
    article: str
    number: str
    per: Literal["site", "room", "rooms_each", "candidates_each"]
    binding: Binding = "must"


class RunSheetStep(Closed):
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


class RetentionRule(Closed):
    """How long a kind of record is kept; `number` empty: for ever."""

    record: Literal["paper", "electronic", "video", "roster", "institution"]
    title: Text
    article: str
    number: str = ""
    starts: str = "archived"


class Consequence(Closed):
    """What follows: `must` by itself of the decision, `may` at an officer's choice."""

    code: ConsequenceCode
    article: str
    binding: Binding = "must"


class Tier(Closed):
    """A class of violations with common consequences."""

    code: str
    title: Text
    article: str
    consequences: tuple[Consequence, ...]


class Violation(Closed):
    """One ground of the catalogue. `consequences` empty in the file: those of its tier, filled in when loaded."""

    code: str
    tier: str
    article: str
    text: Text
    consequences: tuple[Consequence, ...] = ()
    judged: Literal["fact", "gravity", "effect"] = "fact"


class TerminationKind(Closed):
    """A way a filing ends, and for how many years (`debarment`) the body then stays out; counted from the end."""

    code: str
    title: Text
    article: str
    debarment: str
    debarment_article: str
    procedure: str
    credit_file: bool = False
    tier: str = ""


class StandingEffect(Closed):
    """What a body in a certain standing may not do, and what goes on or is held all the same."""

    standing: Literal["investigated", "suspended", "terminated"]
    article: str
    stops: tuple[Act, ...]
    holds: tuple[Act, ...] = ()
    goes_on: tuple[Text, ...] = ()


class PublicItem(Closed):
    """Something a body or an authority must show to everybody."""

    code: str
    title: Text
    article: str


class Pack(Closed):
    """Everything one jurisdiction's texts require; sections that a text does not know are empty."""

    header: Header
    kinds: tuple[BodyKind, ...]
    desks: tuple[Desk, ...]
    numbers: tuple[DatedNumber, ...]
    stages: tuple[FilingStage, ...]
    certificate: CertificatePattern
    certificate_history: tuple[CertificatePattern, ...] = ()
    procedures: tuple[Procedure, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    bars: tuple[Bar, ...] = ()
    materials: tuple[Material, ...] = ()
    intake: tuple[IntakeRule, ...] = ()
    validity: tuple[Validity, ...] = ()
    changes: tuple[ChangeRule, ...] = ()
    quotas: tuple[Quota, ...] = ()
    reports: tuple[UpwardReport, ...] = ()
    yearly: tuple[YearlyStep, ...] = ()
    plan_steps: tuple[PlanStep, ...] = ()
    subjects: tuple[SubjectRule, ...] = ()
    results: tuple[ResultValue, ...] = ()
    proofs: tuple[Proof, ...] = ()
    staff: tuple[StaffRule, ...] = ()
    run_sheet: tuple[RunSheetStep, ...] = ()
    retention: tuple[RetentionRule, ...] = ()
    tiers: tuple[Tier, ...] = ()
    violations: tuple[Violation, ...] = ()
    terminations: tuple[TerminationKind, ...] = ()
    effects: tuple[StandingEffect, ...] = ()
    public: tuple[PublicItem, ...] = ()

    @property
    def jurisdiction(self) -> str:
        """The jurisdiction's code, which is also the name of its folder."""
        return self.header.jurisdiction

    def number(self, name: str, on: date | None = None) -> DatedNumber:
        """Return a number as it stood on a legal day, or the newest when no day is given; NotFound when unknown."""
        found = [entry for entry in self.numbers if entry.name == name]
        if on is not None:
            found = [entry for entry in found if entry.since is None or entry.since <= on]
        if not found:
            raise NotFound("law-number-unknown", jurisdiction=self.jurisdiction, name=name)
        return max(found, key=lambda entry: entry.since or date.min)

    def violation(self, code: str) -> Violation:
        """Return one ground of the catalogue; NotFound when the catalogue has none of this code."""
        for violation in self.violations:
            if violation.code == code:
                return violation
        raise NotFound("law-violation-unknown", jurisdiction=self.jurisdiction, code=code)

    def termination(self, code: str) -> TerminationKind:
        """Return a way in which a filing ends; NotFound when this jurisdiction does not know it."""
        for kind in self.terminations:
            if kind.code == code:
                return kind
        raise NotFound("law-termination-unknown", jurisdiction=self.jurisdiction, code=code)

    def procedure(self, code: str) -> Procedure:
        """Return a named procedure; NotFound when this jurisdiction does not know it."""
        for procedure in self.procedures:
            if procedure.code == code:
                return procedure
        raise NotFound("law-procedure-unknown", jurisdiction=self.jurisdiction, code=code)

    def effect(self, standing: str) -> StandingEffect | None:
        """Return what a standing stops, or None when this jurisdiction attaches nothing to it."""
        return next((effect for effect in self.effects if effect.standing == standing), None)

    def stages_for(self, kind: str) -> tuple[FilingStage, ...]:
        """Return the filing stages of one kind of body, in order."""
        return tuple(stage for stage in self.stages if not stage.kinds or kind in stage.kinds)

    def materials_for(self, kind: str, filing: str = "first") -> tuple[Material, ...]:
        """Return the papers that one kind of body attaches to a `first`, `change` or `renewal` filing."""
        return tuple(
            material
            for material in self.materials
            if material.filing == filing and (not material.kinds or kind in material.kinds)
        )

    def certificate_on(self, day: date) -> CertificatePattern:
        """Return the number pattern in force on a day; NotFound before the oldest one."""
        found = [p for p in (self.certificate, *self.certificate_history) if p.since <= day]
        if not found:
            raise NotFound("law-certificate-pattern-unknown", jurisdiction=self.jurisdiction, day=day.isoformat())
        return max(found, key=lambda pattern: pattern.since)
