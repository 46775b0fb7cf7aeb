"""What scoring knows: marks, scripts, entries, results. Points are whole hundredths unless named
otherwise.
"""

from dataclasses import dataclass
from datetime import datetime

from server.scoring.practical import FormTemplate


@dataclass(frozen=True, slots=True)
class Mark:
    """What one answer of one sitting earned, and the most it could.

    `earned` is what the answer earned by itself, None while people have still to mark it; `points` is what
    counts once the decisions in force are applied. `part` is the sub-item of a case from 1, else 0.
    """

    sitting: str
    number: int
    item: str
    version: int
    answered: bool
    correct: bool
    points: int
    most: int
    part: int = 0
    earned: int | None = 0
    by_people: bool = False
    voided: bool = False

    @property
    def pending(self) -> bool:
        """True while the points are not known."""
        return self.earned is None and not self.voided


@dataclass(frozen=True, slots=True)
class Script:
    """One sitting's whole; final when `pending`, the answers that people have still to mark, is 0."""

    sitting: str
    paper: str
    points: int
    most: int
    answered: int
    correct: int
    items: int
    pending: int = 0


@dataclass(frozen=True, slots=True)
class MarkingOutcome:
    """What a marking did: `repeated` when the same marks stood already and nothing was written; `replaced`
    names the earlier run whose place this one took.
    """

    run: str
    slot: str
    sittings: int
    marks: int
    digest: str
    repeated: bool
    replaced: str | None = None
    pending: int = 0


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
