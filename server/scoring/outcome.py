"""What a candidate's result is: passed only when every required subject reaches its pass mark."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from server.law.citing import cites


class Outcome(StrEnum):
    """The four results of a plan."""

    PASS = "pass"
    FAIL = "fail"
    ABSENT = "absent"
    CHEAT = "cheat"


class Attendance(StrEnum):
    """Whether a candidate sat a required subject; OPEN is not known yet and blocks the notice."""

    OPEN = "open"
    PRESENT = "present"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class SubjectOutcome:
    """One required subject of one candidate; `points` and `pass_mark` in hundredths, points None until
    scored.
    """

    subject: str
    attendance: Attendance
    points: int | None
    pass_mark: int

    @property
    def settled(self) -> bool:
        """True when the subject needs no further score."""
        return self.attendance is Attendance.ABSENT or (
            self.attendance is Attendance.PRESENT and self.points is not None
        )


@cites("BJ-E:25")
def outcome(subjects: Iterable[SubjectOutcome], cheated: bool) -> Outcome:
    """Return the result; a subject exactly at its pass mark is passed.

    A confirmed cheat outweighs everything; absence from any required subject comes next, since a subject
    without a paper has no score. ValueError while a subject is open or there is none: no result is
    guessed.
    """
    required = tuple(subjects)
    if cheated:
        return Outcome.CHEAT
    if not required or not all(subject.settled for subject in required):
        raise ValueError("a result needs every required subject settled")
    if any(subject.attendance is Attendance.ABSENT for subject in required):
        return Outcome.ABSENT
    passed = all(s.points is not None and s.points >= s.pass_mark for s in required)
    return Outcome.PASS if passed else Outcome.FAIL
