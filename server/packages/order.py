"""Which package may come now, by kind, sender, plan and number. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.errors import Refusal
from server.packages.envelope import Header

FROM_REGISTRY = frozenset({"exam", "correction", "standing", "objection"})
FROM_CENTRE = frozenset({"head", "notice", "result"})
_AFTER_EXAM = frozenset({"correction", "objection"})
_OF_EXAM_SENT = frozenset({"notice", "result"})


@dataclass(frozen=True, slots=True)
class Arrived:
    """One package of the same sender, kind and plan that was accepted before."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """What the receiver knows of the sender and the plan of a package."""

    sender_kind: str
    """registry or centre."""
    plan_peer: str | None
    """Id of the peer that the plan's exam package came from (centre) or went to (registry); None when there
    was none."""
    sender: str
    """Id of the sending peer."""
    arrived: Sequence[Arrived]


def order_refusal(
    header: Header, digest: bytes, known: Standing, expected_plan: str | None
) -> Refusal | None:
    """Say whether this package may be taken.

    `package-wrong-side` for a kind that this sender may not send; `package-other-plan` when it is not for the
    plan that was asked for or that binds sender and receiver; `package-repeated`, `package-number-taken`
    (same number, other content) and `package-superseded` (a higher number is here) by the numbers.
    """
    allowed = FROM_REGISTRY if known.sender_kind == "registry" else FROM_CENTRE
    if header.kind not in allowed:
        return Refusal("package-wrong-side", facts={"kind": header.kind, "sender": known.sender_kind})
    if expected_plan is not None and header.plan != expected_plan:
        return Refusal("package-other-plan", facts={"plan": header.plan, "expected": expected_plan})
    if header.kind in _AFTER_EXAM | _OF_EXAM_SENT and known.plan_peer != known.sender:
        return Refusal("package-other-plan", facts={"plan": header.plan, "expected": expected_plan or ""})
    if header.kind == "exam" and known.plan_peer not in (None, known.sender):
        return Refusal("package-other-plan", facts={"plan": header.plan, "expected": expected_plan or ""})
    for before in known.arrived:
        if before.number == header.number:
            code = "package-repeated" if before.hash == digest else "package-number-taken"
            return Refusal(code, facts={"kind": header.kind, "number": header.number})
    newest = max((before.number for before in known.arrived), default=0)
    if header.number < newest:
        facts = {"kind": header.kind, "number": header.number, "newest": newest}
        return Refusal("package-superseded", facts=facts)
    return None
