"""What scoring knows: marks, scripts, entries, results. Points are whole hundredths unless named
otherwise.
"""

from dataclasses import dataclass
from datetime import datetime

from server.scoring.practical import FormTemplate


@dataclass(frozen=True, slots=True)
class Mark:
    """What one answer of one sitting earned, and the most it could."""

    sitting: str
    number: int
    item: str
    version: int
    answered: bool
    correct: bool
    points: int
    most: int


@dataclass(frozen=True, slots=True)
class Script:
    """One sitting's whole."""

    sitting: str
    paper: str
    points: int
    most: int
    answered: int
    correct: int
    items: int


@dataclass(frozen=True, slots=True)
class MarkingOutcome:
    """What a marking did: `repeated` when the same marks stood already and nothing was written."""

    run: str
    slot: str
    sittings: int
    marks: int
    digest: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """The newest entry of one examiner for one candidate."""

    candidate: str
    examiner: str
    version: int
    absent: bool
    scores: dict[str, int]
    total: int
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a practical slot."""

    slot: str
    template: FormTemplate
    made_at: datetime
    made_by: str
