"""What a candidate's side can reach: its own paper, and nothing else of the draw."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from server.db.journal import Journal
from server.errors import Tampered
from server.itembank import service as itembank
from server.itembank.store import bank_root
from server.keys.identity import Identity
from server.keys.sealing import paper_key, unseal
from server.papers import store
from server.papers.draw_models import MarkingSheetRow
from server.papers.models import SealedPaperRow
from server.protocol.paper import Paper
from tests.support.clock import FakeClock
from tests.support.database import act_on, database
from tests.support.papers import (
    BANK,
    BANK_KEY,
    START_KEY,
    drawn,
    filed_plan,
    reading_of,
    small_bank,
)


def stored(folder: Path) -> bytes:
    """Return all bytes of the database's files."""
    return b"".join(file.read_bytes() for file in folder.glob("test.db*"))


async def test_no_byte_of_keys_explanations_or_others_items_is_within_a_candidates_reach(
    tmp_path: Path, clock: FakeClock
) -> None:
    """With the key that the bell releases to a sitting and every row that the centre holds sealed, its own paper opens
    and nothing else does; its clear bytes hold no explanation, no accepted text, no item id, and no stem or option of
    an item that is not on it; no key and no text stands in clear in any table or file of the database."""
    journal = Journal("test")
    identity = Identity.open_or_create(tmp_path / "data")
    contents = tuple(
        replace(
            one,
            explanation=f"because-{one.label}-of-this",
            accepted=tuple((f"key-{one.label}-text",) for _ in one.accepted),
        )
        for one in small_bank()
    )
    path = tmp_path / "test.db"
    async with database(f"sqlite:///{path}") as db:
        async with act_on(db, journal=journal) as act:
            await itembank.create_bank(act, BANK, "bank")
        await itembank.import_items(
            db, journal, clock, "test", BANK, BANK_KEY, reading_of(contents),
            itembank.Source("small.json", bytes(32)), itembank.Review("writer", "reviewer"),
        )  # fmt: skip
        async with db.reading() as session:
            root = await bank_root(session, BANK)
        await filed_plan(db, journal, identity, root)
        await drawn(db, journal, clock, identity)
        async with db.reading() as session:
            own = await store.sealed_paper(session, "sitting-2")
            assert own is not None
            papers = (await session.scalars(select(SealedPaperRow))).all()
            sheets = (await session.scalars(select(MarkingSheetRow))).all()
            key = paper_key(START_KEY, own.id)
            opened = unseal(key, own.nonce, own.ciphertext, own.aad)
            assert len(papers) == len(sheets) == 10
            for row in [*papers, *sheets]:
                if row.ciphertext == own.ciphertext:
                    continue
                with pytest.raises(Tampered):
                    unseal(key, row.nonce, row.ciphertext, row.aad)
            for sheet in sheets:  # not even the whole start key, from which the released key is derived
                for tried in (START_KEY, paper_key(START_KEY, sheet.paper)):
                    with pytest.raises(Tampered):
                        unseal(tried, sheet.nonce, sheet.ciphertext, sheet.aad)
            with pytest.raises(Tampered):
                unseal(key, own.nonce, own.ciphertext, own.aad.replace(b"sitting-2", b"sitting-3"))
    mine = msgspec.json.decode(opened, type=Paper)
    stems = {item.stem for item in mine.items}
    text = opened.decode()
    assert len(stems) == 8
    for content in contents:
        assert content.explanation not in text
        assert not any(one in text for texts in content.accepted for one in texts)
        if content.stem not in stems:
            assert msgspec.json.encode(content.stem).decode() not in text
            assert not any(f'"{option}"' in text for option in content.options)
    held = stored(tmp_path)
    for content in contents:
        for secret in (content.stem, content.explanation, *content.options):
            assert secret.encode() not in held
    assert b"sitting-2" in held  # the bytes searched are the database's
    assert START_KEY not in held
    assert BANK_KEY not in held
