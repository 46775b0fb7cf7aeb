"""A second draw: from seed, bank version and record, compared with what was sealed."""

from dataclasses import dataclass

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.errors import NotFound, Refused
from server.itembank import service as itembank
from server.itembank import store as bank_store
from server.itembank.blueprint import Blueprint, blueprint_from_bytes
from server.itembank.items import FullItem
from server.keys.identity import Identity
from server.keys.sealing import Bytes
from server.papers import draw_store
from server.papers import store as paper_store
from server.papers.assembly import recorded
from server.papers.draw_service import draw_items, secret_of
from server.papers.draw_store import DrawFact
from server.papers.drawing import Draw, DrawItem, Given, Place, draw_solved, list_hash, seed_of
from server.papers.sealed import Composer, paper_hash


@dataclass(frozen=True, slots=True)
class PaperVerification:
    """Outcome of a second draw: papers compared, and each fault in words (paper id and what differs)."""

    slot: str
    papers: int
    faults: tuple[str, ...]
    solved: int = 0
    """Papers whose items the solver chose: checked against every bound, not computed again."""


@dataclass(frozen=True, slots=True)
class DrawnAgain:
    """A slot's papers drawn again in an opening, and what was wrong with the record."""

    facts: DrawFact
    blueprint: Blueprint
    bank: tuple[DrawItem, ...]
    full: tuple[FullItem, ...]
    draws: tuple[Draw, ...]
    solved: int
    """Papers whose items the solver chose; their part of the record was checked against every bound."""
    faults: tuple[str, ...]


async def draw_again(session: AsyncSession, identity: Identity, slot_id: str, bank_key: Bytes) -> DrawnAgain:
    """Draw a slot's papers again from secret, nonce, bank version and record; NotFound `papers-not-drawn`,
    Refused when the record does not fill the blueprint within its bounds."""
    facts = await draw_store.draw(session, slot_id)
    if facts is None:
        raise NotFound("papers-not-drawn", slot=slot_id)
    secret, commitment = await secret_of(session, identity, facts.plan)
    terms = await affairs.draw_terms(session, facts.plan)
    faults: list[str] = []
    if commitment != terms.commitment.hex():
        faults.append("the commitment differs from the exam package's")
    if facts.nonce != terms.nonce:
        faults.append("the nonce differs from the exam package's")
    if facts.bank_root != terms.bank_root:
        faults.append("the bank root differs from the exam package's")
    blueprint = blueprint_from_bytes(facts.blueprint)
    wanted = msgspec.json.decode(facts.versions, type=list[tuple[str, int]])
    sealed = await bank_store.sealed_versions(session, facts.bank, dict(wanted))
    full = itembank.open_items(facts.bank, bank_key, sealed)
    bank = draw_items(full)
    rows = msgspec.json.decode(facts.places, type=list[tuple[str, str, int]])
    places = tuple(Place(*row) for row in rows)
    earlier = msgspec.json.decode(facts.exposures, type=list[tuple[str, int, int]])
    given = Given(
        tuple(msgspec.json.decode(facts.enemies, type=list[tuple[str, str]])),
        {(item, version): papers for item, version, papers in earlier},
    )
    listed = list_hash(slot_id, facts.title, bank, blueprint, places, given)
    if listed != facts.list_hash:
        faults.append("the list drawn from differs from the recorded one")
    kept = dict(msgspec.json.decode(facts.solution, type=list[tuple[int, tuple[int, ...]]]))
    draws, used = draw_solved(
        seed_of(secret, facts.nonce, listed), bank, blueprint, places, given, recorded(kept)
    )
    if kept and not used:
        faults.append("a solution is recorded where exchanges suffice")
    return DrawnAgain(facts, blueprint, bank, full, draws, len(used), tuple(faults))


async def verify_slot(
    session: AsyncSession, identity: Identity, slot_id: str, bank_key: Bytes
) -> PaperVerification:
    """Draw a slot again from its seed and bank version, and compare every paper's hash with what was
    sealed."""
    try:
        again = await draw_again(session, identity, slot_id, bank_key)
    except Refused as error:  # a record that does not meet the bounds proves nothing
        return PaperVerification(slot_id, 0, (f"drawing again is refused: {error}",))
    faults = list(again.faults)
    facts = again.facts
    composer = Composer(
        facts.plan,
        slot_id,
        facts.title,
        again.blueprint,
        again.bank,
        [one.content for one in again.full],
    )
    held = {one.paper: one for one in await paper_store.seals(session, slot_id)}
    for one in again.draws:
        found = held.pop(one.paper, None)
        if found is None:
            faults.append(f"{one.paper}: drawn for {one.place.sitting}, but not among the sealed papers")
            continue
        if found.sitting != one.place.sitting or found.room != one.place.room:
            faults.append(f"{one.paper}: sealed for another place")
        if paper_hash(composer.paper_data(one)) != found.hash:
            faults.append(f"{one.paper}: the sealed paper's hash differs from the paper drawn again")
    faults.extend(f"{paper}: sealed, but not drawn" for paper in held)
    return PaperVerification(slot_id, len(again.draws), tuple(faults), again.solved)
