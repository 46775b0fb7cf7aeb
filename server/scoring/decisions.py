"""What is decided about a faulty question, and what that does to the marks.

An erratum tells candidates what to read instead; it changes no mark. A voided question is scored by one of two
policies, the same for every voided question of a slot, since unlike scoring within a batch is a violation:
`credit` gives everybody who had it full points; `scale` takes it out and scales each paper that had it to its
old total, rounded half up to a hundredth. Both keep every total and the pass mark comparable.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from server.errors import Refusal
from server.law.citing import cites
from server.scoring.facts import Mark, Script


class DecisionKind(StrEnum):
    """What is decided."""

    ERRATUM = "erratum"
    VOID = "void"


class VoidPolicy(StrEnum):
    """How a voided question is scored."""

    CREDIT = "credit"
    SCALE = "scale"


class DecisionState(StrEnum):
    """Where a decision stands; only STANDING and REVOKING ones count."""

    PROPOSED = "proposed"
    STANDING = "standing"
    REVOKING = "revoking"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"

    @property
    def counts(self) -> bool:
        """True while the decision is in force."""
        return self in (DecisionState.STANDING, DecisionState.REVOKING)

    @property
    def waits(self) -> bool:
        """True while a second person is still to speak."""
        return self in (DecisionState.PROPOSED, DecisionState.REVOKING)


class DecisionEvent(StrEnum):
    """What a person does with a decision; `confirm` is always the second person's."""

    CONFIRM = "confirm"
    WITHDRAW = "withdraw"
    REVOKE = "revoke"
    KEEP = "keep"


TRANSITIONS: Mapping[tuple[DecisionState, DecisionEvent], DecisionState] = {
    (DecisionState.PROPOSED, DecisionEvent.CONFIRM): DecisionState.STANDING,
    (DecisionState.PROPOSED, DecisionEvent.WITHDRAW): DecisionState.WITHDRAWN,
    (DecisionState.STANDING, DecisionEvent.REVOKE): DecisionState.REVOKING,
    (DecisionState.REVOKING, DecisionEvent.CONFIRM): DecisionState.REVOKED,
    (DecisionState.REVOKING, DecisionEvent.KEEP): DecisionState.STANDING,
}


def step(state: DecisionState, event: DecisionEvent, asked_by: str, actor: str) -> DecisionState | Refusal:
    """Return the state after the event; what one person asked for only another person confirms."""
    after = TRANSITIONS.get((state, event))
    if after is None:
        return Refusal("decision-not-now", None, {"state": state.value, "event": event.value})
    if event is DecisionEvent.CONFIRM and asked_by == actor:
        return Refusal("decision-second-person", None, {"first": asked_by})
    return after


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the bank: item and version, and the sub-item of a case from 1; part 0 names all of it."""

    item: str
    version: int
    part: int = 0

    def covers(self, mark: Mark) -> bool:
        """Tell whether a mark is for this question."""
        return (self.item, self.version) == (mark.item, mark.version) and self.part in (0, mark.part)


@cites("AY:6.2-2", "GX:A3.1.1-3")
def policy_fault(policy: VoidPolicy | None, others: Iterable[VoidPolicy]) -> Refusal | None:
    """Refuse a void without a policy, or with another one than the voids that stand in the slot."""
    if policy is None:
        return Refusal("void-policy-needed", "AY:6.2-2")
    other = next((one for one in others if one is not policy), None)
    if other is not None:
        return Refusal("void-policy-differs", "AY:6.2-2", {"policy": other.value})
    return None


def rescored(
    paper: str,
    marks: Sequence[Mark],
    voided: Iterable[Question],
    policy: VoidPolicy | None,
    people: Mapping[int, int],
) -> tuple[Script, tuple[Mark, ...]] | Refusal:
    """Return one sitting's script and marks under the voids in force and the points that people gave.

    `people`: item number → hundredths, settled marks of answers in words. Starts from what each answer earned
    by itself, never from points that an earlier decision had changed. Refuses where `scale` leaves nothing.
    """
    questions = tuple(voided)
    made = tuple(_one(mark, questions, policy, people) for mark in marks)
    total = sum(mark.most for mark in made)
    points = sum(mark.points for mark in made)
    if policy is VoidPolicy.SCALE:
        left = sum(mark.most for mark in made if not mark.voided)
        if left == 0 and total:
            return Refusal("void-nothing-left", None, {"sitting": marks[0].sitting})
        points = _half_up(points * total, left) if total else 0
    script = Script(
        sitting=marks[0].sitting if marks else "",
        paper=paper,
        points=points,
        most=total,
        answered=sum(mark.answered for mark in made),
        correct=sum(mark.correct and not mark.voided for mark in made),
        items=len(made),
        pending=sum(mark.pending for mark in made),
    )
    return script, made


def _one(
    mark: Mark, voided: Sequence[Question], policy: VoidPolicy | None, people: Mapping[int, int]
) -> Mark:
    earned, correct = mark.earned, mark.correct
    if mark.by_people:
        earned = people.get(mark.number)
        correct = earned == mark.most
    if any(question.covers(mark) for question in voided):
        given = mark.most if policy is VoidPolicy.CREDIT else 0
        return replace(mark, earned=earned, correct=correct, points=given, voided=True)
    return replace(mark, earned=earned, correct=correct, points=earned or 0, voided=False)


def _half_up(numerator: int, denominator: int) -> int:
    return int((Decimal(numerator) / denominator).to_integral_value(rounding=ROUND_HALF_UP))
