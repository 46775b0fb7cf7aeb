"""Use cases of leak tracing: from a typed fragment inside a desk opening, or from the watermark on a screen."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.affairs.facts import Slot
from server.db.act import Act
from server.errors import BadInput, NotFound
from server.itembank.items import FullItem
from server.keys.identity import Identity
from server.keys.sealing import Bytes
from server.papers import store as paper_store
from server.papers.drawing import Draw
from server.papers.tracing import ItemText, Sheet, Suspect, matched, ranked, read_fragment
from server.papers.verification import DrawnAgain, draw_again

AROUND = timedelta(hours=1)
"""How far from a slot's planned time a watermark may still be its."""


@dataclass(frozen=True, slots=True)
class Traced:
    """A suspect with its place: the sitting ("spare" for a spare paper), room and seat (below 1 for a spare)."""

    suspect: Suspect
    sitting: str
    room: str
    seat: int


@dataclass(frozen=True, slots=True)
class Trace:
    """Outcome of a trace: items typed, items recognised, papers compared, and the suspects, best first."""

    slot: str
    typed: int
    known: int
    papers: int
    suspects: tuple[Traced, ...]


@dataclass(frozen=True, slots=True)
class Watermarked:
    """The sitting whose watermark bears a ticket: its place, and the paper that was drawn for it."""

    slot: str
    sitting: str
    ticket: str
    room: str
    seat: int
    paper: str


def text_of(full: FullItem) -> ItemText:
    """Return the texts of an opened item by which a fragment is recognised."""
    content = full.content
    stems = " ".join([content.stem, *(part.stem for part in content.parts)])
    return ItemText(stems, content.options, max(1, len(content.parts)))


def sheets_of(draws: Sequence[Draw], texts: Sequence[ItemText]) -> tuple[Sheet, ...]:
    """Return the papers of a draw with the number of each item's first entry."""
    found: list[Sheet] = []
    for one in draws:
        numbers: list[int] = []
        following = 1
        for item in one.items:
            numbers.append(following)
            following += texts[item].entries
        found.append(Sheet(one.paper, one.items, one.orders, tuple(numbers)))
    return tuple(found)


def trace_in(again: DrawnAgain, slot_id: str, fragment: str) -> Trace:
    """Compare a typed fragment with every paper drawn again; BadInput `fragment-empty` when nothing is in it."""
    typed = read_fragment(fragment)
    if not typed:
        raise BadInput("fragment-empty")
    texts = [text_of(one) for one in again.full]
    sightings = matched(typed, texts)
    suspects = ranked(sightings, sheets_of(again.draws, texts), again.blueprint.shuffle_options)
    places = {one.paper: one.place for one in again.draws}
    traced = tuple(
        Traced(one, places[one.paper].sitting, places[one.paper].room, places[one.paper].seat)
        for one in suspects
    )
    known = sum(bool(one.items) for one in sightings)
    return Trace(slot_id, len(typed), known, len(again.draws), traced)


async def trace_fragment(
    session: AsyncSession, identity: Identity, slot_id: str, bank_key: Bytes, fragment: str
) -> Trace:
    """Find the papers of a slot that show a typed fragment. Runs where the bank is open."""
    return trace_in(await draw_again(session, identity, slot_id, bank_key), slot_id, fragment)


async def record_trace(act: Act, trace: Trace) -> None:
    """Journal a trace: how much was recognised and which paper shows most of it; no text."""
    first = trace.suspects[0] if trace.suspects else None
    await act.record(
        "papers:trace:made",
        {
            "slot": trace.slot,
            "typed": trace.typed,
            "known": trace.known,
            "papers": trace.papers,
            "paper": first.suspect.paper if first else None,
            "sitting": first.sitting if first else None,
            "chance": f"{first.suspect.chance:.3g}" if first else None,
        },
    )


async def trace_watermark(
    act: Act, ticket: str, slot_id: str | None = None, at: datetime | None = None
) -> tuple[Watermarked, ...]:
    """Find the sittings whose screens bear a ticket number, white space left aside, "?" for a digit that cannot be
    read; in one slot, or in those within an hour of which the time `at` (aware) falls; journalled.

    NotFound `watermark-unknown` when there is none.
    """
    wanted = re.compile(re.escape("".join(ticket.split())).replace(r"\?", "."), re.IGNORECASE)
    found: list[Watermarked] = []
    for slot in await _slots(act.session, slot_id, at):
        candidates = {one.id: one for one in await affairs.candidates(act.session, slot.plan)}
        for seat in await affairs.seating(act.session, slot.id):
            candidate = candidates.get(seat.candidate)
            if candidate is None or not wanted.fullmatch(candidate.ticket):
                continue
            sealed = await paper_store.sealed_paper(act.session, seat.sitting)
            paper = sealed.id if sealed is not None else ""
            found.append(Watermarked(slot.id, seat.sitting, candidate.ticket, seat.room, seat.seat, paper))
    if not found:
        raise NotFound("watermark-unknown", ticket=ticket)
    await act.record(
        "papers:trace:watermark",
        {
            "ticket": ticket,
            "at": at.isoformat() if at else None,
            "sittings": [one.sitting for one in found],
        },
    )
    return tuple(found)


async def _slots(session: AsyncSession, slot_id: str | None, at: datetime | None) -> list[Slot]:
    slots = (
        [await affairs.slot(session, slot_id)]
        if slot_id is not None
        else [one for plan in await affairs.plans(session) for one in await affairs.slots(session, plan.id)]
    )
    return [one for one in slots if at is None or one.starts_at - AROUND <= at < one.ends_at + AROUND]
