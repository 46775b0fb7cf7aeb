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
