"""The candidates of an exam package as rows at the centre: what is new, what differs, and numbers that change hands.

A ticket or identity number is held once in a plan and may go from one candidate to another, known or new, in a ring
as well. So whoever holds a number that another is given gives it up before anybody takes one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Table, insert, select, update

from server.affairs.models import ARRIVING, CandidateRow
from server.db.act import Act
from server.packages.contents import CandidateContent

Values = dict[str, Any]
"""Column values of one row."""


@dataclass(slots=True)
class Differences:
    """What a package says otherwise than the rows do: candidates to insert, and known ones to change."""

    new: list[Values] = field(default_factory=list)
    changed: list[Values] = field(default_factory=list)
    held: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Ticket and identity number that stand in the row of each of the changed, by candidate."""


async def compare(act: Act, plan: str, some: Sequence[CandidateContent], found: Differences) -> None:
    """Add to `found` what differs of these candidates."""
    columns = CandidateRow.__table__.c
    kept = [columns[name] for name in _values(plan, None)]
    rows = await act.session.execute(select(*kept).where(columns.id.in_([one.id for one in some])))
    known = {row.id: dict(row._mapping) for row in rows}
    for values in (_values(plan, one) for one in some):
        before = known.get(values["id"])
        if before is None:
            found.new.append(values)
        elif before != (values | {"state": ARRIVING} if before["state"] == ARRIVING else values):
            found.changed.append(values)
            found.held[values["id"]] = _numbers(before)


def giving_up(found: Differences) -> list[str]:
    """Return which of the changed candidates hold a number that another is given."""
    wanted: dict[tuple[int, str], str] = {}
    for values in (*found.new, *found.changed):
        wanted |= dict.fromkeys(enumerate(_numbers(values)), values["id"])
    return [
        one
        for one, numbers in found.held.items()
        if any(wanted.get(place, one) != one for place in enumerate(numbers))
    ]


def set_aside(found: Differences) -> None:
    """Let new candidates whose numbers are still held be inserted without them, and be changed afterwards."""
    taken = {place for numbers in found.held.values() for place in enumerate(numbers)}
    for at, values in enumerate(found.new):
        if taken.intersection(enumerate(_numbers(values))):
            found.changed.append(values)
            found.new[at] = values | _without_numbers(values["id"])


async def insert_new(act: Act, new: Sequence[Values], state: str) -> None:
    """Insert candidates in a state."""
    if new:
        rows = [values | {"state": state, "enrolled_at": act.now} for values in new]
        await act.session.execute(insert(cast(Table, CandidateRow.__table__)), rows)


async def give_up(act: Act, candidates: Iterable[str]) -> None:
    """Take ticket and identity number from candidates until `write_changed` gives them others."""
    rows = [{"id": one, **_without_numbers(one)} for one in candidates]
    if rows:
        await act.session.execute(update(CandidateRow), rows)


async def write_changed(act: Act, changed: Sequence[Values]) -> None:
    """Write what differs of known candidates, once nobody else holds their numbers."""
    if changed:
        await act.session.execute(update(CandidateRow), list(changed))


async def change(act: Act, changed: Sequence[Values]) -> None:
    """Write what differs of known candidates who exchange numbers only among themselves."""
    columns = CandidateRow.__table__.c
    rows = await act.session.execute(
        select(columns.id, columns.ticket, columns.id_kind, columns.id_number).where(
            columns.id.in_([values["id"] for values in changed])
        )
    )
    held = {row.id: _numbers(dict(row._mapping)) for row in rows}
    await give_up(act, giving_up(Differences(changed=list(changed), held=held)))
    await write_changed(act, changed)


async def admit(act: Act, plan: str) -> None:
    """Let the candidates who wait for the acceptance of their package be seen."""
    await act.session.execute(
        update(CandidateRow)
        .where(CandidateRow.plan == plan, CandidateRow.state == ARRIVING)
        .values(state="confirmed")
        .execution_options(synchronize_session=False)
    )


def _numbers(values: Mapping[str, Any]) -> tuple[str, str]:
    return values["ticket"], f"{values['id_kind']} {values['id_number']}"


def _without_numbers(candidate: str) -> Values:
    return {"ticket": f"~{candidate}", "id_number": f"~{candidate}"}


def _values(plan: str, content: CandidateContent | None) -> Values:
    """Return what a package says of a candidate, by column; without a candidate only the names count."""
    return {
        "id": content and content.id,
        "plan": plan,
        "ticket": content and content.ticket,
        "name": content and content.name,
        "id_kind": content and content.id_kind,
        "id_number": content and content.id_number,
        "subjects": content and ",".join(content.subjects),
        "state": "confirmed",
        "condition": "",
        "committed": True,
    }
