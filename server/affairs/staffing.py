"""Are enough of the right people on duty? Heads of the site, invigilators per room, examiner and
quality person.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.affairs.facts import Staff
from server.errors import Fact, Refusal
from server.law.citing import cites, reads
from server.law.pack import Pack

ROLES = frozenset(
    {
        "chief",
        "deputy",
        "invigilator",
        "custodian",
        "exam_office",
        "marker",
        "examiner",
        "quality",
        "technician",
        "remote_officer",
    }
)


@dataclass(frozen=True, slots=True)
class StaffingReview:
    """What stands against a staffing: `refusals` bind; `warnings` are in principle, an officer may set
    them aside.
    """

    refusals: tuple[Refusal, ...]
    warnings: tuple[Refusal, ...]


@cites("BJ-E:15", "BJ-E:17", "BJ-E:27", "BJ-E:A3.1-1", "BJ-E:A3.1-2")
@reads("numbers.candidates_per_invigilator", "numbers.invigilators_per_room")
def review(
    pack: Pack,
    staff: Sequence[Staff],
    in_room: Mapping[str, int],
    recused: Mapping[str, frozenset[str]],
) -> StaffingReview:
    """Review the staff of a plan.

    `in_room` is the greatest number of candidates seated in each room in one slot; `recused` names,
    for a staff id,
    the rooms in which that person must not act because of a relation to a candidate seated there.
    """
    refusals = [*_posts(staff), *_recusals(staff, recused)]
    warnings: list[Refusal] = []
    ratio = pack.number("candidates_per_invigilator")
    pair = pack.number("invigilators_per_room")
    invigilators = Counter(person.room for person in staff if person.role == "invigilator")
    for room, candidates in sorted(in_room.items()):
        needed = -(-candidates // ratio.value)
        facts: dict[str, Fact] = {"room": room, "candidates": candidates, "present": invigilators[room]}
        if invigilators[room] < needed:
            refusals.append(Refusal("staff-invigilators-too-few", ratio.article, {**facts, "needed": needed}))
        elif invigilators[room] < pair.value and candidates:
            warnings.append(
                Refusal("staff-invigilators-below-pair", pair.article, {**facts, "needed": pair.value})
            )
    return StaffingReview(tuple(refusals), tuple(warnings))


def _posts(staff: Sequence[Staff]) -> list[Refusal]:
    found: list[Refusal] = []
    roles = Counter(person.role for person in staff)
    for role in sorted(set(roles) - ROLES):
        found.append(Refusal("staff-role-unknown", "BJ-E:17", {"role": role}))
    for role in ("chief", "deputy"):
        if roles[role] != 1:
            found.append(Refusal("staff-heads-wrong", "BJ-E:A3.1-1", {"role": role, "present": roles[role]}))
    for role in ("examiner", "quality"):
        if not roles[role]:
            # The quality person watches the whole course, so a plan without one has none (BJ-E:27).
            article = "BJ-E:27" if role == "quality" else "BJ-E:15"
            found.append(Refusal("staff-role-missing", article, {"role": role}))
    for username, times in Counter(person.username for person in staff).items():
        if times > 1:
            found.append(Refusal("staff-two-posts", "BJ-E:17", {"username": username}))
    return found


def _recusals(staff: Sequence[Staff], recused: Mapping[str, frozenset[str]]) -> list[Refusal]:
    return [
        Refusal("staff-recused", "BJ-E:17", {"name": person.name, "room": person.room})
        for person in staff
        if person.room is not None and person.room in recused.get(person.id, frozenset())
    ]
