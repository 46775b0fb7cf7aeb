"""A second draw: from seed, bank version and record, compared with what was sealed."""

from dataclasses import dataclass

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.errors import NotFound, Refused
from server.itembank import service as itembank
from server.itembank import store as bank_store
from server.itembank.blueprint import blueprint_from_bytes
from server.keys.identity import Identity
from server.keys.sealing import Bytes
from server.papers import draw_store
from server.papers import store as paper_store
from server.papers.assembly import recorded
from server.papers.draw_service import draw_items, secret_of
from server.papers.drawing import Given, Place, draw_solved, list_hash, seed_of
from server.papers.sealed import Composer, paper_hash


@dataclass(frozen=True, slots=True)
class PaperVerification:
    """Outcome of a second draw: papers compared, and each fault in words (paper id and what differs)."""

    slot: str
    papers: int
    faults: tuple[str, ...]


async def verify_slot(
    session: AsyncSession, identity: Identity, slot_id: str, bank_key: Bytes
) -> PaperVerification:
    """Draw a slot again from its seed and bank version, and compare every paper's hash with what was
    sealed."""
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
    given = Given(
        tuple(msgspec.json.decode(facts.enemies, type=list[tuple[str, str]])),
        {
            (item, version): papers
            for item, version, papers in msgspec.json.decode(facts.exposures, type=list[tuple[str, int, int]])
        },
    )
    listed = list_hash(slot_id, facts.title, bank, blueprint, places, given)
    if listed != facts.list_hash:
        faults.append("the list drawn from differs from the recorded one")
    kept = dict(msgspec.json.decode(facts.solution, type=list[tuple[int, tuple[int, ...]]]))
    seed = seed_of(secret, facts.nonce, listed)
    try:
        draws, used = draw_solved(seed, bank, blueprint, places, given, recorded(kept))
    except Refused as error:  # a record that does not meet the bounds proves nothing
        return PaperVerification(slot_id, 0, (*faults, f"drawing again is refused: {error}"))
    if kept and not used:
        faults.append("a solution is recorded where exchanges suffice")
    composer = Composer(facts.plan, slot_id, facts.title, blueprint, bank, [one.content for one in full])
    held = {one.paper: one for one in await paper_store.seals(session, slot_id)}
    for one in draws:
        found = held.pop(one.paper, None)
        if found is None:
            faults.append(f"{one.paper}: drawn for {one.place.sitting}, but not among the sealed papers")
            continue
        if found.sitting != one.place.sitting or found.room != one.place.room:
            faults.append(f"{one.paper}: sealed for another place")
        if paper_hash(composer.paper_data(one)) != found.hash:
            faults.append(f"{one.paper}: the sealed paper's hash differs from the paper drawn again")
    faults.extend(f"{paper}: sealed, but not drawn" for paper in held)
    return PaperVerification(slot_id, len(draws), tuple(faults))
