"""What a pack says about filing: who may, with what, at which desk, in which stages, for how long."""

from typing import Literal

from server.law.closed import Binding, Closed, Text

Level = Literal[1, 2, 3, 4, 5]


class BodyKind(Closed, frozen=True):
    """A kind of body that may be filed, and whether its filing waits for a call (a round)."""

    code: str
    title: Text
    article: str
    by_round: bool = False


class Desk(Closed, frozen=True):
    """An office of the authority that receives, judges or is told something."""

    code: str
    title: Text
    article: str


class ClockRule(Closed, frozen=True):
    """How long a step takes: a number of the pack, counted from an event, at least or at most.

    `net_of` names stages whose time is not counted.
    """

    number: str
    starts: str
    limit: Literal["at_least", "within", "before"]
    net_of: tuple[str, ...] = ()


class FilingStage(Closed, frozen=True):
    """One step of a filing, a renewal, a change or a termination, in the order of the pack.

    `desk` empty means that the body itself acts; `kinds` empty means every kind of body; `clocks` empty
    means that the text sets no time; `when_late` is what the text itself makes of a missed clock.
    """

    code: str
    title: Text
    desk: str
    article: str
    clocks: tuple[ClockRule, ...] = ()
    kinds: tuple[str, ...] = ()
    checks: tuple[Text, ...] = ()
    when_late: Literal["not_stated", "deemed_accepted", "deemed_abandoned", "ended"] = "not_stated"
    binding: Binding = "must"
    note: Text | None = None


class Procedure(Closed, frozen=True):
    """A named order of steps other than the filing itself."""

    code: str
    title: Text
    article: str
    steps: tuple[FilingStage, ...]


class Criterion(Closed, frozen=True):
    """One question of eligibility. `answer` number: at least the pack's number `minimum`.

    `preferred` criteria exclude nobody: they order the applicants. `relaxed_when` names the condition that
    eases it.
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


class Bar(Closed, frozen=True):
    """A fact that excludes an applicant.

    `years` names the number of years it looks back, empty: without limit.
    """

    code: str
    title: Text
    article: str
    years: str = ""
    kinds: tuple[str, ...] = ()


class Material(Closed, frozen=True):
    """A paper that must be attached. `needed_if` is a condition code; empty: always."""

    code: str
    title: Text
    article: str
    filing: Literal["first", "change", "renewal"] = "first"
    kinds: tuple[str, ...] = ()
    needed_if: str = ""
    copies: int = 1


class IntakeRule(Closed, frozen=True):
    """Which desk receives an application. The first rule whose conditions all hold decides.

    `levels` empty means every level; `applicant` is a condition code, empty: any applicant.
    """

    desk: str
    article: str
    kinds: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()
    applicant: str = ""
    note: Text | None = None


class Validity(Closed, frozen=True):
    """How long a filing lasts and when its renewal is asked for; `number` may be one that is not stated."""

    number: str
    article: str
    renewal_window: str
    renewal_article: str
    renewal: Literal["within_last", "at_least_before"]
    kinds: tuple[str, ...] = ()


class ScopeRule(Closed, frozen=True):
    """Which occupations or candidates a kind of body may take; `limits` candidates: only its own people."""

    code: str
    title: Text
    article: str
    limits: Literal["occupations", "candidates", "name", "area"]
    kinds: tuple[str, ...] = ()


class ChangeRule(Closed, frozen=True):
    """When a change of filed facts is reported: before it, so long after it, promptly, or elsewhere."""

    code: str
    title: Text
    article: str
    when: Literal["before", "within_after", "promptly", "other_document"]
    number: str = ""
    kinds: tuple[str, ...] = ()
    note: Text | None = None


class Quota(Closed, frozen=True):
    """How many bodies an area takes.

    `per_occupation` false counts bodies, true counts bodies of one occupation.
    """

    code: str
    title: Text
    article: str
    number: str
    per_occupation: bool
    binding: Binding = "in_principle"


class UpwardReport(Closed, frozen=True):
    """What one desk tells another, and how long after which event.

    `number` empty: promptly, no count stated.
    """

    code: str
    title: Text
    article: str
    from_desk: str
    to_desk: str
    starts: str
    number: str = ""
    kinds: tuple[str, ...] = ()


class PublicItem(Closed, frozen=True):
    """Something a body or an authority must show to everybody."""

    code: str
    title: Text
    article: str
