"""A rule pack: what one jurisdiction's texts require, as closed data in which every entry names its article.

A pack decides nothing. Rules stand beside their users in other rooms, read a pack and are marked with what
they read (`server.law.citing`). Three words are kept apart everywhere: `must` binds, `in_principle` (原则上)
warns and an officer may override it with a reason, `may` (视情况) leaves the choice to an officer and never
happens by itself.

A number that the text leaves open stands in the pack with `stated = false`: without a value it is simply
not known (asking for it is an error), with a value it is the house's own default and shown as such.
"""

from datetime import date
from typing import Literal

import msgspec

from server.errors import NotFound, Unavailable
from server.law.certificate_number import CertificatePattern
from server.law.citing import cites
from server.law.closed import Binding, Closed, Text
from server.law.enforcement_entries import (
    ActivityFloor,
    Commendation,
    Escalation,
    InspectionKind,
    RegisterList,
    StandingEffect,
    StarClass,
    TerminationKind,
    Tier,
    Violation,
)
from server.law.exam_entries import (
    PlanStep,
    Proof,
    ResultValue,
    RetentionRule,
    Role,
    RunSheetStep,
    StaffRule,
    SubjectRule,
    YearlyStep,
)
from server.law.filing_entries import (
    Bar,
    BodyKind,
    ChangeRule,
    Criterion,
    Desk,
    FilingStage,
    IntakeRule,
    Material,
    Procedure,
    PublicItem,
    Quota,
    ScopeRule,
    UpwardReport,
    Validity,
)

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
    "bodies",
]


class Document(Closed, frozen=True):
    """One regulation: its short id, as in article ids, its standing, and its dates where it states them.

    `in_force_from` and `issued` are None when the text carries no such date. `numbering` says what the
    dotted numbers of its article ids count: articles that run through, the outline of a letter, or articles
    of a chapter.
    """

    id: str
    title: Text
    status: Literal["in_force", "trial", "draft"]
    numbering: Literal["articles", "sections", "chapters"] = "sections"
    number: str = ""
    issued: date | None = None
    in_force_from: date | None = None
    note: Text | None = None


class Header(Closed, frozen=True):
    """Who the pack speaks for; `default_kind` is the kind of body where none is named."""

    jurisdiction: str
    title: Text
    documents: tuple[Document, ...]
    province: str
    default_kind: str


class DatedNumber(Closed, frozen=True):
    """A number of the law with unit, article and strength, in force from `since` (None: with its document).

    `template` marks a default of a model annex: each body writes its own version.
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


class Pack(Closed, frozen=True):
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
    scope: tuple[ScopeRule, ...] = ()
    changes: tuple[ChangeRule, ...] = ()
    quotas: tuple[Quota, ...] = ()
    reports: tuple[UpwardReport, ...] = ()
    yearly: tuple[YearlyStep, ...] = ()
    plan_steps: tuple[PlanStep, ...] = ()
    subjects: tuple[SubjectRule, ...] = ()
    results: tuple[ResultValue, ...] = ()
    proofs: tuple[Proof, ...] = ()
    roles: tuple[Role, ...] = ()
    staff: tuple[StaffRule, ...] = ()
    run_sheet: tuple[RunSheetStep, ...] = ()
    retention: tuple[RetentionRule, ...] = ()
    tiers: tuple[Tier, ...] = ()
    violations: tuple[Violation, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    floors: tuple[ActivityFloor, ...] = ()
    stars: tuple[StarClass, ...] = ()
    commendations: tuple[Commendation, ...] = ()
    inspections: tuple[InspectionKind, ...] = ()
    lists: tuple[RegisterList, ...] = ()
    terminations: tuple[TerminationKind, ...] = ()
    effects: tuple[StandingEffect, ...] = ()
    public: tuple[PublicItem, ...] = ()

    @property
    def jurisdiction(self) -> str:
        """The jurisdiction's code, which is also the name of its folder."""
        return self.header.jurisdiction

    @cites("BJ-E:32", "AY:8.2", "SC:5.6")
    def not_in_force(self, day: date) -> tuple[Document, ...]:
        """Return the documents that do not bind on a legal day: drafts, and those that start later.

        A document that states no start is taken as in force; a rule that rests on one of the returned
        documents says so to the officer.
        """
        return tuple(
            document
            for document in self.header.documents
            if document.status == "draft"
            or (document.in_force_from is not None and day < document.in_force_from)
        )

    def number(self, name: str, on: date | None = None) -> DatedNumber:
        """Return a number as it stood on a legal day, or the newest when no day is given.

        NotFound when unknown.
        """
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
        raise NotFound("law-violation-unknown", jurisdiction=self.jurisdiction, name=code)

    def termination(self, code: str) -> TerminationKind:
        """Return a way in which a filing ends; NotFound when this jurisdiction does not know it."""
        for kind in self.terminations:
            if kind.code == code:
                return kind
        raise NotFound("law-termination-unknown", jurisdiction=self.jurisdiction, name=code)

    def procedure(self, code: str) -> Procedure:
        """Return a named procedure; NotFound when this jurisdiction does not know it."""
        for procedure in self.procedures:
            if procedure.code == code:
                return procedure
        raise NotFound("law-procedure-unknown", jurisdiction=self.jurisdiction, name=code)

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
        """Return the number pattern in use on a day; NotFound before the oldest one."""
        patterns = (self.certificate, *self.certificate_history)
        found = [pattern for pattern in patterns if pattern.since is None or pattern.since <= day]
        if not found:
            raise NotFound(
                "law-certificate-pattern-unknown", jurisdiction=self.jurisdiction, day=day.isoformat()
            )
        return max(found, key=lambda pattern: pattern.since or date.min)
