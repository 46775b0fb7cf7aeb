"""Use cases of review: submitted by its writer, approved or returned by another person, retired."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.errors import BadInput, NotFound, Refusal, Refused, required
from server.itembank.items import ItemEvent, ItemState, review_refusal, step
from server.itembank.models import BatchRow, VersionRow
from server.itembank.open_bank import HeldVersion, OpenBank, held_versions
from server.itembank.review_models import ReviewRow
from server.keys.sealing import Bytes, seal, unseal

LONGEST_NOTE = 2000
MOST_AT_ONCE = 50
"""Versions in one transaction: under 20 ms on SQLite."""

Places = Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class ReviewAct:
    """One act on a version. `note` is empty where nothing was said, None where it was not opened."""

    item: str
    version: int
    act: str
    person: str
    at: datetime
    note: str | None


def _note_aad(bank: str, item: str, version: int) -> bytes:
    return msgspec.json.encode(
        {"bank": bank, "item": item, "note": "review", "version": version}, order="sorted"
    )


async def submit(act: Act, bank_id: str, places: Places, person: str) -> int:
    """Give drafts, named as (item, version), to review; return how many. All or none, at most MOST_AT_ONCE.

    Refused `item-state-refused` for what is no draft, `item-version-older` for what is not its item's newest version.
    """
    return await _move_all(act, bank_id, places, ItemEvent.SUBMIT, person)


async def approve(act: Act, bank_id: str, places: Places, reviewer: str) -> int:
    """Approve submitted versions; return how many. All or none, at most MOST_AT_ONCE.

    From now on the newest approved version of an item is drawn, an older one no more. Refused `review-by-writer`
    when the reviewer wrote one of them, and as `submit` refuses.
    """
    return await _move_all(act, bank_id, places, ItemEvent.APPROVE, reviewer)


async def send_back(
    act: Act, bank_id: str, bank_key: Bytes, place: tuple[str, int], reviewer: str, note: str
) -> None:
    """Return a submitted version to its writer with a note; refused as `approve`, BadInput without a note."""
    if not note.strip():
        raise BadInput("review-note-missing")
    await _move_all(act, bank_id, (place,), ItemEvent.RETURN, reviewer, (bank_key, note))


async def retire(
    act: Act, bank_id: str, item: str, person: str, note: tuple[Bytes, str] | None = None
) -> None:
    """Retire an item: none of its versions can be drawn again; Refused when none of them was in use.

    `note`: bank key and the reason, which lies under that key.
    """
    held = [
        one
        for one in await held_versions(act.session, bank_id, item)
        if one.public.state is not ItemState.RETIRED
    ]
    if not held:
        raise Refused(Refusal("item-state-refused", facts={"state": "retired", "event": "retire"}))
    rows = await _rows(act.session, bank_id, [(item, one.public.version) for one in held])
    for row in rows:
        _move(row, ItemEvent.RETIRE)
    _write(act, bank_id, (item, held[-1].public.version), ItemEvent.RETIRE.value, person, note)
    await act.session.flush()
    await act.record(
        "itembank:item:retired",
        {"bank": bank_id, "item": item, "versions": [one.public.version for one in held], "by": person},
    )


async def _move_all(
    act: Act,
    bank_id: str,
    places: Places,
    event: ItemEvent,
    person: str,
    note: tuple[Bytes, str] | None = None,
) -> int:
    wanted = sorted(set(places))
    if len(wanted) > MOST_AT_ONCE:
        raise BadInput("too-many-items-at-once", items=len(wanted), limit=MOST_AT_ONCE)
    newest = await _newest(act.session, bank_id, {item for item, _ in wanted})
    rows = {(row.item, row.version): row for row in await _rows(act.session, bank_id, wanted)}
    for place in wanted:
        row = rows.get(place)
        if row is None:
            raise NotFound("item-version-unknown", item=place[0], version=place[1])
        if newest[place[0]] != place[1]:
            facts = {"version": place[1], "newest": newest[place[0]]}
            raise Refused(Refusal("item-version-older", facts=facts))
        if event in (ItemEvent.APPROVE, ItemEvent.RETURN):
            required(review_refusal(row.writer, person))
            row.reviewer = person[:80]
        _move(row, event)
        _write(act, bank_id, place, event.value, person, note)
    await act.session.flush()
    await act.record(
        f"itembank:items:{_DONE[event]}",
        {
            "bank": bank_id,
            "items": [f"{item}/{version}" for item, version in wanted],
            "count": len(wanted),
            "by": person,
        },
    )
    return len(wanted)


_DONE: Mapping[ItemEvent, str] = {
    ItemEvent.SUBMIT: "submitted",
    ItemEvent.APPROVE: "approved",
    ItemEvent.RETURN: "returned",
}


def _move(row: VersionRow, event: ItemEvent) -> None:
    following = step(ItemState(row.state), event)
    if isinstance(following, Refusal):
        raise Refused(following)
    row.state = following.value


def _write(
    act: Act, bank_id: str, place: tuple[str, int], what: str, person: str, note: tuple[Bytes, str] | None
) -> None:
    nonce: bytes | None = None
    text: bytes | None = None
    if note is not None and note[1].strip():
        plain = note[1].strip()[:LONGEST_NOTE].encode()
        nonce, text = seal(note[0], plain, _note_aad(bank_id, *place))
    act.session.add(
        ReviewRow(
            bank=bank_id,
            item=place[0],
            version=place[1],
            act=what,
            person=person[:80],
            at=act.now,
            nonce=nonce,
            note=text,
        )
    )


async def _rows(session: AsyncSession, bank_id: str, places: Places) -> list[VersionRow]:
    rows = await session.scalars(
        select(VersionRow)
        .join(BatchRow, BatchRow.id == VersionRow.batch)
        .where(
            VersionRow.bank == bank_id,
            BatchRow.state == "done",
            VersionRow.item.in_({item for item, _ in places}),
        )
    )
    wanted = set(places)
    return [row for row in rows if (row.item, row.version) in wanted]


async def _newest(session: AsyncSession, bank_id: str, items: Iterable[str]) -> dict[str, int]:
    rows = await session.execute(
        select(VersionRow.item, VersionRow.version)
        .join(BatchRow, BatchRow.id == VersionRow.batch)
        .where(VersionRow.bank == bank_id, BatchRow.state == "done", VersionRow.item.in_(set(items)))
        .order_by(VersionRow.version)
    )
    return dict(rows.tuples().all())


async def review_acts(session: AsyncSession, bank: OpenBank, item: str) -> tuple[ReviewAct, ...]:
    """Return what people did to an item's versions with their notes, oldest first."""
    rows = await session.scalars(
        select(ReviewRow).where(ReviewRow.bank == bank.id, ReviewRow.item == item).order_by(ReviewRow.id)
    )
    found = []
    for row in rows:
        note = ""
        if row.nonce is not None and row.note is not None:
            note = unseal(bank.key, row.nonce, row.note, _note_aad(bank.id, row.item, row.version)).decode()
        found.append(ReviewAct(row.item, row.version, row.act, row.person, row.at, note))
    return tuple(found)


def awaits(one: HeldVersion, reviewer: str) -> bool:
    """Say whether a version stands in this person's review queue: submitted, and not written by him."""
    return one.public.state is ItemState.SUBMITTED and review_refusal(one.writer, reviewer) is None
