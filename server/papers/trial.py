"""Whether a bank can fill a blueprint, told before the day and without an opening: short cells by name and number,
then a trial draw over what is public of the items, by a seed that no real draw has."""

import asyncio
import hashlib
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.errors import Refusal, Refused
from server.itembank import exposure
from server.itembank import store as bank_store
from server.itembank.blueprint import Blueprint
from server.itembank.feasibility import CellShortage, refusal_of
from server.papers.assembly import assemble
from server.papers.drawing import DrawItem, Given, Place, places_of, select, short_cells

SEED = hashlib.sha256(b"gongyuan/trial/1").digest()
SEATS_A_ROOM = 30


@dataclass(frozen=True, slots=True)
class BlueprintCheck:
    """What a bank can do for a blueprint: `items` that may be drawn, `papers` with spares; short cells; why the
    bounds cannot be met, if so; papers of the trial that only the solver could fill."""

    bank: str
    root: bytes
    items: int
    papers: int
    short: tuple[CellShortage, ...]
    refusal: Refusal | None
    solved: int


def trial_places(papers: int, spares: int) -> tuple[Place, ...]:
    """Return places for so many candidates, thirty a room, with the spares of each room."""
    seats = [
        Place(f"trial-{number}", f"{number // SEATS_A_ROOM:04}", number % SEATS_A_ROOM + 1)
        for number in range(papers)
    ]
    return places_of(seats, spares)


async def check_blueprint(
    session: AsyncSession, bank_id: str, blueprint: Blueprint, papers: int, slot_id: str | None = None
) -> BlueprintCheck:
    """Check a blueprint for `papers` candidates, or for the seating of a slot where it has one; NotFound
    `bank-unknown`."""
    await bank_store.bank(session, bank_id)
    public = await bank_store.drawable_versions(session, bank_id)
    bank = tuple(
        DrawItem(one.item, one.version, one.hash, one.type, one.point, one.difficulty, 0) for one in public
    )
    given = Given(await exposure.enemies(session, bank_id), await exposure.exposures(session, bank_id))
    seated = await affairs.seating(session, slot_id) if slot_id is not None else ()
    places = (
        places_of([Place(one.sitting, one.room, one.seat) for one in seated], blueprint.spares)
        if seated
        else trial_places(papers, blueprint.spares)
    )
    root = await bank_store.bank_root(session, bank_id)
    short = short_cells(bank, blueprint, len(places), given)
    refusal = refusal_of(blueprint, short)
    solved = 0
    if refusal is None:
        try:
            _, solution = await asyncio.to_thread(select, SEED, bank, blueprint, places, given, assemble)
            solved = len(solution)
        except Refused as error:
            refusal = error.refusal
    return BlueprintCheck(bank_id, root, len(bank), len(places), short, refusal, solved)
