"""Counts must close: the arithmetic of one slot and of one plan, and every gap named.

A number that nobody has counted yet is None; an equation that needs it is not judged. `complete` says
whether the numbers of a step are there at all.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from server.errors import Refusal
from server.law.citing import cites


@dataclass(frozen=True, slots=True)
class SlotCounts:
    """One subject in one slot.

    `present`: a paper was opened, or for a practical subject an entry was made; `replaced`: papers given
    in place of a faulty one, each with its incident and its spare; `moves` are listed, not counted in any
    equation. Paper counts are None for a subject without papers; `scored` is None before marking.
    """

    slot: str
    subject: str
    enrolled: int
    present: int
    absent: int
    drawn: int | None
    opened: int | None
    returned_unopened: int | None
    spare_unused: int | None
    replaced: int | None
    handed_in: int | None
    collected: int | None
    voided: int | None
    scored: int | None
    moves: int


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """One plan; `uploaded` and `held` are None before the result package."""

    enrolled: int
    published: int | None
    passed: int | None
    failed: int | None
    absent: int | None
    cheat: int | None
    uploaded: int | None
    held: int | None


@dataclass(frozen=True, slots=True)
class Counts:
    """All counts of one plan."""

    plan: str
    slots: tuple[SlotCounts, ...]
    total: PlanCounts


@dataclass(frozen=True, slots=True)
class Gap:
    """An equation that does not hold: its code, its two sides, and the slot, or None for one of the whole
    plan.
    """

    code: str
    left: int
    right: int
    slot: str | None

    def refusal(self) -> Refusal:
        """Return the gap as the reason why the next step is blocked."""
        return Refusal(
            "counts-open", "BJ-E:A5.2-11", {"gap": self.code, "left": self.left, "right": self.right}
        )


def _gap(code: str, slot: str | None, left: int | None, *right: int | None) -> Iterable[Gap]:
    numbers = [number for number in right if number is not None]
    if left is None or len(numbers) < len(right):
        return
    total = sum(numbers)
    if left != total:
        yield Gap(code, left, total, slot)


@cites("BJ-E:A5.2-11", "BJ-E:A5.2-12", "BJ-E:A4.1-7", "BJ-E:A4.2-8")
def slot_gaps(counts: SlotCounts) -> tuple[Gap, ...]:
    """Return every equation of one slot that does not hold, in the order of the exam day."""
    c = counts
    return (
        *_gap("enrolled=present+absent", c.slot, c.enrolled, c.present, c.absent),
        *_gap("drawn=opened+returned+spare", c.slot, c.drawn, c.opened, c.returned_unopened, c.spare_unused),
        *_gap("opened=present+replaced", c.slot, c.opened, c.present, c.replaced),
        *_gap(
            "present=handed_in+collected+voided",
            c.slot,
            c.present if c.handed_in is not None else None,
            c.handed_in,
            c.collected,
            c.voided,
        ),
    )


def scoring_gaps(counts: SlotCounts) -> tuple[Gap, ...]:
    """Return the gap between scored and handed in + collected (practical: present); none before marking."""
    c = counts
    if c.handed_in is None:
        return tuple(_gap("scored=present", c.slot, c.scored, c.present))
    return tuple(_gap("scored=handed_in+collected", c.slot, c.scored, c.handed_in, c.collected))


@cites("BJ-E:25")
def plan_gaps(counts: PlanCounts) -> tuple[Gap, ...]:
    """Return every equation of the plan that does not hold."""
    c = counts
    return (
        *_gap("published=enrolled", None, c.published, c.enrolled),
        *_gap("published=pass+fail+absent+cheat", None, c.published, c.passed, c.failed, c.absent, c.cheat),
        *_gap("published=uploaded+held", None, c.published, c.uploaded, c.held),
    )


def gaps(counts: Counts) -> tuple[Gap, ...]:
    """Return every gap of a plan: slots first, then the whole."""
    return (
        *(gap for slot in counts.slots for gap in (*slot_gaps(slot), *scoring_gaps(slot))),
        *plan_gaps(counts.total),
    )
