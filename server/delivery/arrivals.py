"""What a device that comes in is told, read for many devices at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.reader import Listing
from server.delivery.facts import Command, Seat, Sitting
from server.delivery.models import SittingRow
from server.delivery.sitting import State
from server.delivery.store import sitting_fact
from server.papers import arriving as papers
from server.protocol.exam import SavedAnswer
from server.protocol.paper import SealedPaper


@dataclass(frozen=True, slots=True)
class Expected:
    """A sitting that is open at a seat, with SHA-256 over it and the candidate's numbers."""

    sitting: Sitting
    credential: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """A sitting with what stands of it on disk; `lease` and `seq` are the newest stored, 0 before the first
    answer.

    `paper` is the id of its sealed paper; `sealed` is None where there is none, or the device holds it already.
    `commands` are those that its kiosk has not done, oldest first, as of the `told`-th command of this process.
    """

    sitting: Sitting
    lease: int
    seq: int
    answers: tuple[SavedAnswer, ...]
    marks: tuple[int, ...]
    paper: str | None
    sealed: SealedPaper | None
    commands: tuple[Command, ...]
    told: int

    @property
    def next_seq(self) -> int:
        """The lowest seq above all that the sitting's newest lease has stored (1 for a new lease)."""
        return self.seq + 1 if self.lease == self.sitting.lease else 1


_MOMENTS = ("s.checked_in_at", "s.opened_at", "s.ended_at")
_SITTING = (
    "s.id",
    "s.slot",
    "s.candidate",
    "s.name",
    "s.ticket",
    "s.room",
    "s.seat",
    "s.time_room",
    "s.state",
    "s.lease",
    "s.paper",
    "s.items",
    *_MOMENTS,
)
_STATE = _SITTING.index("s.state")
_SITTINGS = Listing(
    (*_SITTING, "h.lease", "h.seq"),
    "from delivery_sitting s left join delivery_head h on h.sitting = s.id where s.id in {keys}",
    moments=frozenset(_MOMENTS),
)
_MARKS = Listing(("sitting", "number"), "from delivery_mark where sitting in {keys}")
_COMMANDS = Listing(
    (
        "r.sitting",
        "c.id",
        "c.slot",
        "c.room",
        "c.sitting",
        "c.kind",
        "c.at",
        "c.actor",
        "c.reason",
        "c.undoes",
        "c.undone_by",
    ),
    "from delivery_command_reach r join delivery_command c on c.id = r.command "
    "where r.done_at is null and r.sitting in {keys}",
    moments=frozenset(("c.at",)),
)
# As `store.of_this_paper`: after a replacement, answers of older leases belong to the paper before.
_OF_THIS_PAPER = (
    "(a.sitting not in (select sitting from delivery_replacement) or a.lease >= "
    "(select max(r.lease) from delivery_replacement r where r.sitting = a.sitting))"
)
_ANSWERS_SQLITE = Listing(
    ("g.sitting", "g.told || ''"),
    "from (select a.sitting, json_group_array(json_object('number', a.number, 'value', json(a.value), "
    "'lease', a.lease, 'seq', a.seq)) told from delivery_answer a where "
    f"{_OF_THIS_PAPER} and a.sitting in {{keys}} group by a.sitting) g",
)
_ANSWERS_POSTGRESQL = Listing(
    ("g.sitting", "g.told::text"),
    "from (select a.sitting, json_agg(json_build_object('number', a.number, 'value', a.value::json, "
    "'lease', a.lease, 'seq', a.seq)) told from delivery_answer a where "
    f"{_OF_THIS_PAPER} and a.sitting in {{keys}} group by a.sitting) g",
)
_SEATS = Listing(
    (
        "p.id",
        "p.room",
        "p.number",
        "p.kind",
        "p.public_key",
        "(select count(*) from delivery_sitting s where s.room = p.room and s.seat = p.number "
        "and s.state in ('checked_in', 'opened'))",
    ),
    "from delivery_seat p where p.revoked_at is null and p.id in {keys}",
    blobs=frozenset(("p.public_key",)),
)
_EXPECTED = Listing(
    ("p.id", *_SITTING, "s.credential"),
    "from delivery_seat p join delivery_sitting s on s.room = p.room and s.seat = p.number "
    "and s.state in ('checked_in', 'opened') where p.id in {keys}",
    blobs=frozenset(("s.credential",)),
    moments=frozenset(_MOMENTS),
)


def seats_of(connection: Connection, seats: Sequence[str]) -> Mapping[str, tuple[Seat, bool]]:
    """Return enrolled seats by id, and whether a sitting is open there; unknown and revoked ones are left out."""
    return {row[0]: (Seat(*row[:5]), row[5] > 0) for row in _SEATS.read(connection, seats)}


def expected_of(connection: Connection, seats: Sequence[str]) -> Mapping[str, tuple[Expected, ...]]:
    """Return, by seat's id, the sittings that these seats are open for: checked in there, or opened there."""
    found: dict[str, tuple[Expected, ...]] = {}
    for seat, *parts, credential in _EXPECTED.read(connection, seats):
        found[seat] = (*found.get(seat, ()), Expected(_sitting(parts), credential))
    return found


async def sittings_of(session: AsyncSession, sittings: Sequence[str]) -> Mapping[str, Sitting]:
    """Return sittings by id; unknown ones are left out."""
    rows = await session.scalars(select(SittingRow).where(SittingRow.id.in_(sittings)))
    return {row.id: sitting_fact(row) for row in rows}


async def standing_of(session: AsyncSession, sittings: Sequence[str]) -> Mapping[str, tuple[int, State]]:
    """Return newest lease and state of sittings by id."""
    query = select(SittingRow.id, SittingRow.lease, SittingRow.state).where(SittingRow.id.in_(sittings))
    return {key: (lease, State(state)) for key, lease, state in await session.execute(query)}


def arrivals(
    connection: Connection, asked: Sequence[tuple[str, str]], told: int
) -> Mapping[tuple[str, str], Arrival]:
    """Return, by (sitting, `holding` of the sealed paper that the device has, or ""), what stands of sittings; unknown
    ones are left out."""
    found = {row[0]: row for row in _SITTINGS.read(connection, sorted({sitting for sitting, _ in asked}))}
    sittings = {key: _sitting(row[:-2]) for key, row in found.items()}
    answers = _answers(connection, [key for key, row in found.items() if row[-2]])
    # A first device finds nothing marked either: a read fewer in the rush before the bell.
    again = [one.id for one in sittings.values() if one.lease > 1 or one.id in answers]
    marks: dict[str, list[int]] = {}
    for sitting, number in _MARKS.read(connection, again):
        marks.setdefault(sitting, []).append(number)
    commands: dict[str, list[Command]] = {}
    for sitting, *parts in _COMMANDS.read(connection, list(found)):
        commands.setdefault(sitting, []).append(Command(*parts))
    named = papers.named(connection, {one.id: one.paper for one in sittings.values()})
    wanted = [ask for ask in asked if ask[0] in named and named[ask[0]].holding != ask[1]]
    sealed = papers.sealed(connection, {named[sitting].id for sitting, _ in wanted})
    return {
        ask: Arrival(
            sittings[ask[0]],
            found[ask[0]][-2] or 0,
            found[ask[0]][-1] or 0,
            answers.get(ask[0], ()),
            tuple(sorted(marks.get(ask[0], ()))),
            named[ask[0]].id if ask[0] in named else None,
            sealed.get(named[ask[0]].id) if ask in wanted else None,
            tuple(sorted(commands.get(ask[0], ()), key=attrgetter("at", "id"))),
            told,
        )
        for ask in asked
        if ask[0] in sittings
    }


def _sitting(parts: Sequence[Any]) -> Sitting:
    told = list(parts)
    told[_STATE] = State(told[_STATE])
    return Sitting(*told)


_saved: msgspec.json.Decoder[tuple[SavedAnswer, ...]] = msgspec.json.Decoder(tuple[SavedAnswer, ...])


def _answers(connection: Connection, sittings: Sequence[str]) -> Mapping[str, tuple[SavedAnswer, ...]]:
    """Return the answers that stand, in order of item number; one row a sitting comes over the driver."""
    listing = _ANSWERS_SQLITE if connection.dialect.name == "sqlite" else _ANSWERS_POSTGRESQL
    return {
        sitting: tuple(sorted(_saved.decode(rows), key=attrgetter("number")))
        for sitting, rows in listing.read(connection, sittings)
    }
