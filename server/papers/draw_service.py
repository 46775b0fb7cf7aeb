"""Use cases of the draw: the commitment, drawing and sealing a slot, the reveal.

`draw_slot` runs in the draw opening's child process. Papers and marking sheets are written in chunks into
a set that nobody reads; one last transaction makes the set current and journals its figures.
"""

import hashlib
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.affairs.facts import DrawTerms, Plan, Slot
from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import NotFound, Refusal, Refused, Tampered, required
from server.itembank import exposure
from server.itembank import service as itembank
from server.itembank import store as bank_store
from server.itembank.blueprint import Blueprint, blueprint_bytes
from server.itembank.items import FullItem
from server.itembank.store import SealedItem
from server.keys.identity import Identity
from server.keys.sealing import Bytes, paper_key, seal
from server.papers import draw_store
from server.papers import store as paper_store
from server.papers.assembly import assemble
from server.papers.draw_models import Commitment, DrawRow, MarkingSheetRow
from server.papers.draw_state import SetEvent, SetState, step
from server.papers.drawing import (
    Draw,
    DrawItem,
    Given,
    Place,
    Solution,
    commitment_of,
    draw_solved,
    list_hash,
    places_of,
    seed_of,
)
from server.papers.figures import DrawFigures, exposure_of, figures_as_facts, figures_of
from server.papers.item_tags import ItemTags
from server.papers.models import PaperSet, SealedPaperRow
from server.papers.sealed import Composer, associated_data, paper_hash
from server.papers.sheet_seal import seal_sheet
from server.papers.terms import blueprint_refusal, terms_refusal

SECRET_BYTES = 32
CHUNK_BYTES = 128 * 1024
"""Bytes of ciphertext in one transaction: under 20 ms on SQLite."""
SUBJECT_TITLES = {"theory": "理论知识考试", "practical": "操作技能考核", "review": "综合评审"}


@dataclass(frozen=True, slots=True)
class DrawOutcome:
    """What was drawn and sealed for a slot. The seed is not in it: it stays unknown until the reveal."""

    set_id: str
    plan: str
    slot: str
    bank: str
    bank_root: bytes
    list_hash: bytes
    papers: int
    spares: int
    items: int
    """Items on a paper."""
    figures: DrawFigures


@dataclass(frozen=True, slots=True)
class Reveal:
    """What lets anyone check a plan's draws: the centre's secret, the other side's nonce, each slot's
    seed; hex."""

    plan: str
    commitment: str
    secret: str
    nonce: str
    seeds: Mapping[str, str]
    """Slot id → seed of its current papers."""


def _secret_aad(plan: str) -> bytes:
    return b"gongyuan/draw-secret/1\0" + plan.encode()


async def commit(act: Act, identity: Identity, plan: str) -> str:
    """Make the centre's secret for a plan's draws and return its commitment (hex SHA-256); once a plan.

    A second call returns the same commitment: a secret is never replaced, so it cannot be chosen after
    the nonce.
    """
    held = await draw_store.commitment(act.session, plan)
    if held is not None:
        return held.commitment
    secret = secrets.token_bytes(SECRET_BYTES)
    commitment = commitment_of(secret).hex()
    act.session.add(
        Commitment(
            plan=plan,
            commitment=commitment,
            wrapped=identity.storage_wrap(secret, _secret_aad(plan)),
            made_at=act.now,
            revealed_at=None,
        )
    )
    await act.session.flush()
    await act.record("papers:commitment:made", {"plan": plan, "commitment": commitment})
    return commitment


async def secret_of(session: AsyncSession, identity: Identity, plan: str) -> tuple[bytes, str]:
    """Return the centre's secret of a plan and its commitment (hex); NotFound `commitment-missing`, Tampered
    `commitment-broken`."""
    held = await draw_store.commitment(session, plan)
    if held is None:
        raise NotFound("commitment-missing", plan=plan)
    secret = bytes(identity.storage_unwrap(held.wrapped, _secret_aad(plan)))
    if commitment_of(secret).hex() != held.commitment:
        raise Tampered("commitment-broken", plan=plan)
    return secret, held.commitment


@dataclass(frozen=True, slots=True)
class _Prepared:
    """All that a draw needs, gathered before it begins."""

    plan: Plan
    slot: Slot
    terms: DrawTerms
    seed: bytes
    listed: bytes
    title: str
    bank: tuple[DrawItem, ...]
    full: tuple[FullItem, ...]
    places: tuple[Place, ...]
    root: bytes
    given: Given


def draw_items(full: Sequence[FullItem]) -> tuple[DrawItem, ...]:
    """Return what the draw knows of opened items, ascending by (item, version)."""
    ordered = sorted(full, key=lambda one: (one.item, one.version))
    return tuple(
        DrawItem(
            one.item,
            one.version,
            one.hash,
            one.content.type,
            one.content.point,
            one.content.difficulty,
            len(one.content.options),
            tuple(len(part.options) for part in one.content.parts),
        )
        for one in ordered
    )


async def _prepare(
    session: AsyncSession,
    identity: Identity,
    plan_id: str,
    slot_id: str,
    bank_id: str,
    bank_key: Bytes,
    blueprint: Blueprint,
) -> _Prepared:
    slot = await affairs.slot(session, slot_id)
    plan = await affairs.plan(session, plan_id)
    if slot.plan != plan.id:
        raise NotFound("slot-unknown", slot=slot_id)
    if await paper_store.sealed_set(session, slot_id) is not None:
        raise Refused(Refusal("papers-already-drawn", facts={"slot": slot_id}))
    required(
        blueprint_refusal(blueprint, plan.occupation, plan.level, slot.minutes, slot.total, slot.pass_mark)
    )
    terms = await affairs.draw_terms(session, plan_id)
    secret, commitment = await secret_of(session, identity, plan_id)
    root = await bank_store.bank_root(session, bank_id)
    required(terms_refusal(commitment, terms.commitment.hex(), root, terms.bank_root))
    sealed: tuple[SealedItem, ...] = await bank_store.drawable(session, bank_id)
    full = itembank.open_items(bank_id, bank_key, sealed)
    bank = draw_items(full)
    seated = await affairs.seating(session, slot_id)
    if not seated:
        raise Refused(Refusal("slot-without-seating", facts={"slot": slot_id}))
    places = places_of([Place(one.sitting, one.room, one.seat) for one in seated], blueprint.spares)
    title = f"{plan.name} {SUBJECT_TITLES[slot.subject]}"
    given = Given(
        await exposure.enemies(session, bank_id),
        _of_bank(await exposure.exposures(session, bank_id), bank),
    )
    listed = list_hash(slot_id, title, bank, blueprint, places, given)
    seed = seed_of(secret, terms.nonce, listed)
    return _Prepared(plan, slot, terms, seed, listed, title, bank, full, places, root, given)


def _of_bank(
    exposures: Mapping[tuple[str, int], int], bank: Sequence[DrawItem]
) -> Mapping[tuple[str, int], int]:
    held = {(one.item, one.version) for one in bank}
    return {key: papers for key, papers in exposures.items() if key in held}


async def draw_slot(
    db: Database,
    journal: Journal,
    clock: Clock,
    actor: str,
    plan_id: str,
    slot_id: str,
    bank_key: Bytes,
    start_key: Bytes,
    marking_key: Bytes,
    blueprint: Blueprint,
    *,
    identity: Identity,
    bank_id: str,
) -> DrawOutcome:
    """Draw and seal one paper for every sitting of a slot and the spares of each room; write them as one set.

    Refused when the slot is drawn already, when the blueprint is not the slot's, cannot be filled or its bounds
    cannot be met, and when commitment or bank root are not those of the exam package (BJ-E:18).
    """
    async with db.reading() as session:
        made = await _prepare(session, identity, plan_id, slot_id, bank_id, bank_key, blueprint)
    draws, solution = draw_solved(made.seed, made.bank, blueprint, made.places, made.given, assemble)
    figures = figures_of(draws, blueprint.seat_rows)
    set_id = str(uuid.uuid4())
    await _begin(db, journal, clock, actor, set_id, bank_id, made, blueprint, figures, solution)
    await exposure.stage_exposures(db, set_id, exposure_of(draws, made.bank))
    composer = Composer(
        plan_id, slot_id, made.title, blueprint, made.bank, [full.content for full in made.full]
    )
    tags = ItemTags(start_key, slot_id, made.bank, [len(full.content.parts) for full in made.full])
    papers: list[dict[str, Any]] = []
    sheets: list[dict[str, Any]] = []
    held = 0
    for number, one in enumerate(draws):
        paper, sheet = _sealed_rows(set_id, number, one, composer, made.slot, start_key, marking_key)
        papers.append(paper | {"tags": tags.of(one)})
        sheets.append(sheet)
        held += len(paper["ciphertext"]) + len(sheet["ciphertext"])
        if held >= CHUNK_BYTES:
            await _write(db, papers, sheets)
            papers, sheets, held = [], [], 0
    await _write(db, papers, sheets)
    await _finish(db, journal, clock, actor, set_id, bank_id, made, figures)
    return DrawOutcome(
        set_id,
        plan_id,
        slot_id,
        bank_id,
        made.root,
        made.listed,
        figures.papers,
        figures.spares,
        figures.items,
        figures,
    )


def _sealed_rows(
    set_id: str,
    number: int,
    one: Draw,
    composer: Composer,
    slot: Slot,
    start_key: Bytes,
    marking_key: Bytes,
) -> tuple[dict[str, Any], dict[str, Any]]:
    data = composer.paper_data(one)
    digest = paper_hash(data)
    aad = associated_data(one.paper, slot.plan, one.place.sitting, digest, slot.policy)
    nonce, ciphertext = seal(paper_key(start_key, one.paper), data, aad)
    paper = {
        "id": one.paper,
        "set_id": set_id,
        "sitting": one.place.sitting,
        "room": one.place.room,
        "number": number,
        "policy": slot.policy,
        "hash": digest,
        "nonce": nonce,
        "aad": aad,
        "ciphertext": ciphertext,
    }
    sealed = seal_sheet(
        marking_key, slot.plan, slot.id, one.paper, one.place.sitting, composer.sheet_data(one)
    )
    sheet = {
        "paper": sealed.paper,
        "set_id": set_id,
        "sitting": sealed.sitting,
        "number": number,
        "nonce": sealed.nonce,
        "aad": sealed.aad,
        "ciphertext": sealed.ciphertext,
    }
    return paper, sheet


async def _begin(
    db: Database,
    journal: Journal,
    clock: Clock,
    actor: str,
    set_id: str,
    bank_id: str,
    made: _Prepared,
    blueprint: Blueprint,
    figures: DrawFigures,
    solution: Solution,
) -> None:
    """Write the staging set with all that it is drawn from (intention before act)."""
    places = msgspec.json.encode([[place.sitting, place.room, place.seat] for place in made.places])
    versions = msgspec.json.encode([[item.item, item.version] for item in made.bank]).decode()
    earlier = sorted((*key, papers) for key, papers in made.given.exposures.items())
    solved = msgspec.json.encode(sorted(solution.items())).decode()
    async with db.writing() as session:
        act = Act(session, journal, clock.legal(), actor)
        await session.execute(  # what a broken draw left behind is never served and never finished
            update(PaperSet)
            .where(PaperSet.slot == made.slot.id, PaperSet.state == SetState.STAGING.value)
            .values(state=SetState.WITHDRAWN.value)
        )
        session.add(
            PaperSet(
                id=set_id,
                plan=made.plan.id,
                slot=made.slot.id,
                state=SetState.STAGING.value,
                sealed_at=None,
            )
        )
        await session.flush()
        session.add(
            DrawRow(
                set_id=set_id,
                bank=bank_id,
                bank_root=made.root,
                nonce=made.terms.nonce,
                list_hash=made.listed,
                title=made.title,
                blueprint=blueprint_bytes(blueprint),
                places=places,
                versions=versions,
                enemies=msgspec.json.encode(made.given.enemies).decode(),
                exposures=msgspec.json.encode(earlier).decode(),
                solution=solved,
                facts=msgspec.json.encode(figures_as_facts(figures)).decode(),
            )
        )
        exposure.begin_draw(act, bank_id, set_id)
        await session.flush()
        await act.record(
            "papers:draw:begun",
            {
                "set": set_id,
                "plan": made.plan.id,
                "slot": made.slot.id,
                "bank": bank_id,
                "root": made.root.hex(),
                "list": made.listed.hex(),
                "commitment": made.terms.commitment.hex(),
                "solved": len(solution),
                "solution": hashlib.sha256(solved.encode()).hexdigest(),
            },
        )


async def _write(db: Database, papers: list[dict[str, Any]], sheets: list[dict[str, Any]]) -> None:
    if not papers:
        return
    async with db.writing() as session:
        await session.execute(insert(SealedPaperRow), papers)
        await session.execute(insert(MarkingSheetRow), sheets)


async def _finish(
    db: Database,
    journal: Journal,
    clock: Clock,
    actor: str,
    set_id: str,
    bank_id: str,
    made: _Prepared,
    figures: DrawFigures,
) -> None:
    async with db.writing() as session:
        act = Act(session, journal, clock.legal(), actor)
        if await paper_store.sealed_set(session, made.slot.id) is not None:
            raise Refused(Refusal("papers-already-drawn", facts={"slot": made.slot.id}))
        await _move(session, set_id, SetEvent.FINISH)
        await session.execute(update(PaperSet).where(PaperSet.id == set_id).values(sealed_at=act.now))
        await exposure.count_draw(act, set_id)
        await act.record(
            "papers:draw:sealed",
            {"set": set_id, "slot": made.slot.id, "bank": bank_id, **figures_as_facts(figures)},
        )


async def _move(session: AsyncSession, set_id: str, event: SetEvent) -> None:
    """Take one step of a set by compare-and-set."""
    state = await session.scalar(select(PaperSet.state).where(PaperSet.id == set_id))
    if state is None:
        raise NotFound("paper-set-unknown", set=set_id)
    following = step(SetState(state), event)
    if isinstance(following, Refusal):
        raise Refused(following)
    moved = await session.execute(
        update(PaperSet)
        .where(PaperSet.id == set_id, PaperSet.state == state)
        .values(state=following.value)
        .returning(PaperSet.id)
    )
    if moved.scalar_one_or_none() is None:
        raise Refused(Refusal("paper-set-state-refused", facts={"state": state, "event": event.value}))


async def withdraw(act: Act, slot_id: str, reason: str) -> None:
    """Withdraw a slot's papers so that it can be drawn again; the caller has made sure that no bell was
    struck."""
    held = await paper_store.sealed_set(act.session, slot_id)
    if held is None:
        raise NotFound("papers-not-drawn", slot=slot_id)
    await _move(act.session, held.id, SetEvent.WITHDRAW)
    await exposure.uncount_draw(act, held.id)
    await act.record("papers:draw:withdrawn", {"set": held.id, "slot": slot_id, "reason": reason})


async def reveal(act: Act, identity: Identity, plan_id: str) -> Reveal:
    """Publish the centre's secret of a plan; journalled at its first time. The caller judges when: after
    marking."""
    secret, commitment = await secret_of(act.session, identity, plan_id)
    terms = await affairs.draw_terms(act.session, plan_id)
    held = await draw_store.commitment(act.session, plan_id)
    if held is not None and held.revealed_at is None:
        await act.session.execute(
            update(Commitment).where(Commitment.plan == plan_id).values(revealed_at=act.now)
        )
        await act.record(
            "papers:secret:revealed",
            {"plan": plan_id, "secret": secret.hex(), "nonce": terms.nonce.hex(), "commitment": commitment},
        )
    seeds: dict[str, str] = {}
    for slot in await affairs.slots(act.session, plan_id):
        drawn = await draw_store.draw(act.session, slot.id)
        if drawn is not None:
            seeds[slot.id] = seed_of(secret, drawn.nonce, drawn.list_hash).hex()
    return Reveal(plan_id, commitment, secret.hex(), terms.nonce.hex(), seeds)
