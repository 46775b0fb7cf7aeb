"""Saved mappings of a bank: how the columns of an organisation's files are to be read."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.errors import BadInput, NotFound
from server.itembank.interchange.mapping import ColumnMapping, SavedMapping, read_mapping
from server.itembank.interchange.mapping_text import mapping_text
from server.itembank.review_models import MappingRow

LONGEST_NAME = 80
LARGEST_MAPPING = 100_000


async def saved_names(session: AsyncSession, bank_id: str) -> tuple[str, ...]:
    """Return the names of a bank's saved mappings, ascending."""
    rows = await session.scalars(
        select(MappingRow.name).where(MappingRow.bank == bank_id).order_by(MappingRow.name)
    )
    return tuple(rows)


async def saved_mapping(session: AsyncSession, bank_id: str, name: str) -> SavedMapping:
    """Return one saved mapping; NotFound `mapping-unknown`."""
    row = await session.get(MappingRow, (bank_id, name))
    if row is None:
        raise NotFound("mapping-unknown", mapping=name[:LONGEST_NAME])
    return read_mapping(row.body.encode())


async def save_mapping(act: Act, bank_id: str, name: str, mapping: ColumnMapping, person: str) -> None:
    """Save a mapping under a name, in place of one with the same name; BadInput for a name that cannot be one."""
    name, body = name.strip(), mapping_text(mapping)
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or len(body) > LARGEST_MAPPING:
        raise BadInput("mapping-invalid", reason=f"name: 1 to {LONGEST_NAME} characters")
    row = await act.session.get(MappingRow, (bank_id, name))
    if row is None:
        act.session.add(
            MappingRow(bank=bank_id, name=name, body=body, saved_by=person[:80], saved_at=act.now)
        )
    else:
        row.body, row.saved_by, row.saved_at = body, person[:80], act.now
    await act.session.flush()
    await act.record("itembank:mapping:saved", {"bank": bank_id, "mapping": name})
