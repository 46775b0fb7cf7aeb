"""What a pack says about enforcement: violations, their consequences, the end of a filing."""

from typing import Literal

from server.law.closed import Binding, Closed, Text

Act = Literal[
    "enrolment", "plan", "exam_package", "start", "certificate", "publicity", "recruiting", "filing"
]
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


class Consequence(Closed, frozen=True):
    """What follows: `must` by itself of the decision, `may` at an officer's choice."""

    code: ConsequenceCode
    article: str
    binding: Binding = "must"


class Tier(Closed, frozen=True):
    """A class of violations with common consequences."""

    code: str
    title: Text
    article: str
    consequences: tuple[Consequence, ...]


class Violation(Closed, frozen=True):
    """One ground of the catalogue.

    `consequences` empty in the file: those of its tier, filled in when loaded.
    """

    code: str
    tier: str
    article: str
    text: Text
    consequences: tuple[Consequence, ...] = ()
    judged: Literal["fact", "gravity", "effect"] = "fact"


class Escalation(Closed, frozen=True):
    """An act of `from_tier` that becomes the ground `ground`: repeated, grave, or not put right in time.

    `within` names how long after the first act a repetition counts; empty: without limit.
    """

    code: str
    title: Text
    article: str
    from_tier: str
    ground: str
    trigger: Literal["repeated", "grave", "not_rectified"]
    within: str = ""


class ActivityFloor(Closed, frozen=True):
    """How long a body may be idle or how few people it may assess before `ground` is looked into.

    `idle` and `people` name numbers, either may be empty; of both, one suffices. With scope `occupation` the
    occupation is dropped from the filing and `ground` is empty.
    """

    code: str
    title: Text
    article: str
    scope: Literal["body", "occupation"]
    idle: str = ""
    people: str = ""
    ground: str = ""
    unless: Text | None = None


class StarClass(Closed, frozen=True):
    """What a number of stars means for a body; `ground` empty: nothing follows."""

    stars: int
    outcome: Literal["qualified", "basic", "failed"]
    article: str
    ground: str = ""


class Commendation(Closed, frozen=True):
    """A merit; the three names are of numbers to reach or exceed, empty where the text asks for none."""

    code: str
    title: Text
    article: str
    years: str = ""
    people_over: str = ""
    certificates_over: str = ""


class InspectionKind(Closed, frozen=True):
    """A kind of inspection; `report`: the text asks for a written one, `starts`: what must start it."""

    code: str
    title: Text
    article: str
    report: bool = False
    starts: Text | None = None


class RegisterList(Closed, frozen=True):
    """A list that bodies are entered on, public or not as the text says."""

    code: Literal["credit_file", "key_supervision", "bad_credit", "star", "commendation", "cancelled"]
    title: Text
    article: str
    public: Literal["must", "may", "not_stated"]


class TerminationKind(Closed, frozen=True):
    """A way a filing ends, and for how many years (`debarment`) the body then stays out.

    Counted from the end.
    """

    code: str
    title: Text
    article: str
    debarment: str
    debarment_article: str
    procedure: str
    credit_file: bool = False
    tier: str = ""


class StandingEffect(Closed, frozen=True):
    """What a body in a certain standing may not do, and what goes on or is held all the same."""

    standing: Literal["investigated", "suspended", "terminated"]
    article: str
    stops: tuple[Act, ...]
    holds: tuple[Act, ...] = ()
    goes_on: tuple[Text, ...] = ()
