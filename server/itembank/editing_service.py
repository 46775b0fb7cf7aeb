"""The use case of the desk's editor: an edit is cleaned, checked and stored as a new version, a draft."""

import re
import uuid
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.errors import NotFound, Refusal, Refused, required
from server.itembank import store
from server.itembank.interchange.blanks import STORED_BLANK, blank
from server.itembank.interchange.cells import plain
from server.itembank.interchange.sanitising import sanitised
from server.itembank.items import ItemContent, ItemState, SubItem, fault_of
from server.itembank.models import BatchRow, VersionRow
from server.itembank.open_bank import OpenBank
from server.itembank.review_models import ReviewRow
from server.itembank.service import sealed_columns

_TYPED_BLANK = re.compile(r"\[\[\s*\d*\s*\]\]")
_OURS = re.compile(r"[\ue000\ue001]|&#(?:x0*e00[01](?![0-9a-f])|0*5734[45](?![0-9]));?", re.IGNORECASE)
"""The characters that hold a blank's place while its stem is cleaned, typed as they are or by number."""
LONGEST_LABEL, LONGEST_POINT, LONGEST_ANSWER = 100, 200, 500
Asked = TypeVar("Asked", ItemContent, SubItem)
"""What asks something: an item, or a sub-item of a case."""


def typed_stem(stem: str) -> str:
    """Return a stored stem as an editor shows it: each blank as `[[1]]`."""
    numbers = iter(range(1, 1 + len(STORED_BLANK.findall(stem))))
    return STORED_BLANK.sub(lambda _: f"[[{next(numbers)}]]", stem)


def stored_stem(stem: str) -> str:
    """Return a typed stem as it is stored: cleaned, its blanks `[[…]]` numbered from 1 in their order."""
    pieces = _TYPED_BLANK.split(_OURS.sub(" ", stem))
    if len(pieces) == 1:
        return sanitised(pieces[0])
    with_blanks = pieces[0]
    for number, piece in enumerate(pieces[1:], start=1):
        with_blanks += f"\ue000{number}\ue001{piece}"
    cleaned = sanitised(with_blanks)
    return sanitised(re.sub("\ue000(\\d+)\ue001", lambda found: blank(int(found[1])), cleaned))


def cleaned(content: ItemContent) -> ItemContent:
    """Return what was typed as it is stored: safe HTML, plain labels, answers on one line."""
    return replace(
        _cleaned_question(content),
        label=plain(content.label)[:LONGEST_LABEL],
        point=plain(content.point)[:LONGEST_POINT],
        parts=tuple(_cleaned_question(part) for part in content.parts),
    )


def _cleaned_question(one: Asked) -> Asked:
    return replace(
        one,
        stem=stored_stem(one.stem) if one.type == "fill" else sanitised(one.stem),
        options=tuple(sanitised(option) for option in one.options),
        accepted=_answers(one.accepted),
        explanation=sanitised(one.explanation),
        model=sanitised(one.model),
        rubric=tuple(replace(point, text=sanitised(point.text)) for point in one.rubric),
    )


def _answers(accepted: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(text for one in texts if (text := plain(one)[:LONGEST_ANSWER])) for texts in accepted)


def typed_fault(content: ItemContent) -> Refusal | None:
    """Return why cleaned content may not be stored: no well-formed item, or blanks and answers that do not match."""
    fault = fault_of(content)
    if fault is not None:
        return fault
    questions: tuple[ItemContent | SubItem, ...] = (content, *content.parts)
    for number, one in enumerate(questions):
        if one.type != "fill":
            continue
        blanks = len(STORED_BLANK.findall(one.stem))
        if blanks != len(one.accepted):
            facts = {"blanks": blanks, "answers": len(one.accepted), **({"part": number} if number else {})}
            return Refusal("blank-count-differs", facts=facts)
    return None


async def store_version(
    act: Act, bank: OpenBank, content: ItemContent, writer: str, base: tuple[str, int] | None = None
) -> tuple[str, int]:
    """Store typed content as a new item, or as the next version of `base`; return (item, version), a draft.

    Refused as `typed_fault` refuses, `item-unchanged`, and `item-edited-meanwhile` when `base` is not the newest
    version any more; NotFound `item-unknown`.
    """
    await store.bank(act.session, bank.id)
    content = cleaned(content)
    required(typed_fault(content))
    item, version = str(uuid.uuid4()), 1
    if base is not None:
        item, version = base[0], base[1] + 1
        await _require_newest(act.session, bank, base, content)
    columns = sealed_columns(bank.id, bank.key, item, version, content)
    batch = _batch(bank.id, columns["hash"], act.now)
    act.session.add(batch)
    await act.session.flush()
    await act.session.execute(
        insert(VersionRow).values(
            **columns, batch=batch.id, state=ItemState.DRAFT.value, writer=writer[:80], reviewer=None
        )
    )
    act.session.add(
        ReviewRow(
            bank=bank.id,
            item=item,
            version=version,
            act="written",
            person=writer[:80],
            at=act.now,
            nonce=None,
            note=None,
        )
    )
    await act.record(
        "itembank:item:written",
        {"bank": bank.id, "item": item, "version": version, "hash": columns["hash"].hex(), "writer": writer},
    )
    return item, version


async def _require_newest(
    session: AsyncSession, bank: OpenBank, base: tuple[str, int], content: ItemContent
) -> None:
    versions = await bank.versions(session, base[0])
    newest, full = versions[-1]
    if newest.public.version != base[1]:
        found = newest.public.version
        raise Refused(
            Refusal("item-edited-meanwhile", facts={"version": base[1], "newest": found, "by": newest.writer})
        )
    if newest.public.state is ItemState.RETIRED:
        raise Refused(Refusal("item-state-refused", facts={"state": "retired", "event": "edit"}))
    if full.content == content:
        raise Refused(Refusal("item-unchanged"))


def _batch(bank_id: str, digest: bytes, now: datetime) -> BatchRow:
    return BatchRow(
        id=str(uuid.uuid4()),
        bank=bank_id,
        state="done",
        source="desk",
        sha256=digest,
        counts="{}",
        started_at=now,
        done_at=now,
    )


async def version_row(session: AsyncSession, bank_id: str, item: str, version: int) -> VersionRow:
    """Return one finished version's row; NotFound `item-version-unknown`."""
    row = await session.scalar(
        select(VersionRow)
        .join(BatchRow, BatchRow.id == VersionRow.batch)
        .where(
            VersionRow.bank == bank_id,
            BatchRow.state == "done",
            VersionRow.item == item,
            VersionRow.version == version,
        )
    )
    if row is None:
        raise NotFound("item-version-unknown", item=item, version=version)
    return row
