"""A second draw: from seed, bank version and record, compared with what was sealed."""

from dataclasses import dataclass

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.errors import NotFound, Refused, Tampered
from server.itembank import service as itembank
from server.itembank import store as bank_store
from server.itembank.blueprint import Blueprint, blueprint_from_bytes
from server.itembank.items import FullItem
from server.keys.identity import Identity
from server.keys.sealing import Bytes, paper_key, unseal
from server.papers import draw_store
from server.papers import store as paper_store
from server.papers.assembly import recorded
from server.papers.draw_service import draw_items, secret_of
from server.papers.draw_store import DrawFact, SealedRow
from server.papers.drawing import Draw, DrawItem, Given, Place, draw_solved, list_hash, seed_of
from server.papers.item_tags import ItemTags, TagsCompared
from server.papers.sealed import Composer, associated_data, paper_hash

TOGETHER = 64
"""Sealed papers read at once."""


@dataclass(frozen=True, slots=True)
class PaperVerification:
    """Outcome of a second draw: papers compared, and each fault in words (paper id and what differs)."""

    slot: str
    papers: int
    faults: tuple[str, ...]
    solved: int = 0
    """Papers whose items the solver chose: checked against every bound, not computed again."""
    opened: int = 0
    """Papers that the start key opened, and that hold word for word what was drawn again."""
    tagged: int = 0
    """Papers in whose item tags nothing is wrong, as far as they could be checked."""
    unchecked: tuple[str, ...] = ()
    """What could not be checked, and why, in words."""


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
    session: AsyncSession,
    identity: Identity,
    slot_id: str,
    bank_key: Bytes,
    start_key: Bytes | None = None,
    why_closed: str = "the start key was not given",
) -> PaperVerification:
    """Draw a slot again from its seed and bank version, and compare every paper's place, hash and item tags with what
    was sealed. With the slot's start key every paper is opened, too, and every tag judged by itself; without it
    `why_closed` is told with what could not be checked."""
    try:
        again = await draw_again(session, identity, slot_id, bank_key)
    except Refused as error:  # a record that does not meet the bounds proves nothing
        left = ("papers, hashes and tags: without a draw there is nothing to compare them with",)
        return PaperVerification(slot_id, 0, (f"drawing again is refused: {error}",), unchecked=left)
    faults = list(again.faults)
    facts = again.facts
    contents = [one.content for one in again.full]
    composer = Composer(facts.plan, slot_id, facts.title, again.blueprint, again.bank, contents)
    parts = [len(one.parts) for one in contents]
    made = None if start_key is None else ItemTags(start_key, slot_id, again.bank, parts)
    tags = TagsCompared(made, parts)
    held = {one.paper for one in await paper_store.seals(session, slot_id)}
    opened = tagged = 0
    for at in range(0, len(again.draws), TOGETHER):
        some = again.draws[at : at + TOGETHER]
        rows = await draw_store.sealed_rows(session, facts.set_id, [one.paper for one in some])
        for one in some:
            row = rows.get(one.paper)
            if row is None:
                faults.append(f"{one.paper}: drawn for {one.place.sitting}, but not among the sealed papers")
                continue
            held.discard(one.paper)
            if row.sitting != one.place.sitting or row.room != one.place.room:
                faults.append(f"{one.paper}: sealed for another place")
            data = composer.paper_data(one)
            if paper_hash(data) != row.hash:
                faults.append(f"{one.paper}: the sealed paper's hash differs from the paper drawn again")
            aad = associated_data(one.paper, facts.plan, one.place.sitting, paper_hash(data), row.policy)
            if row.aad != aad:
                faults.append(f"{one.paper}: the associated data differ from the place and paper drawn again")
            if start_key is not None:
                fault = _opening_fault(start_key, row, data, aad)
                opened += fault is None
                faults += [] if fault is None else [fault]
            wrong = tags.faults(one, row.tags)
            tagged += not wrong
            faults += wrong
    faults.extend(f"{paper}: sealed, but not drawn" for paper in sorted(held))
    unchecked = ["marking sheets: their key is opened by a marking opening alone"]
    if start_key is None:
        unchecked += [
            f"what is in the sealed papers beside their hashes: {why_closed}",
            f"item tags by themselves, only papers with each other: {why_closed}",
        ]
    return PaperVerification(
        slot_id, len(again.draws), tuple(faults), again.solved, opened, tagged, tuple(unchecked)
    )


def _opening_fault(start_key: Bytes, row: SealedRow, data: bytes, aad: bytes) -> str | None:
    """Say what is wrong with a sealed paper once it is opened as a seat opens it; None when it is the drawn one."""
    try:
        found = unseal(paper_key(start_key, row.paper), row.nonce, row.ciphertext, aad)
    except Tampered:
        return f"{row.paper}: the start key does not open it as the paper drawn again for this place"
    return (
        None if found == data else f"{row.paper}: the sealed paper's text differs from the paper drawn again"
    )
