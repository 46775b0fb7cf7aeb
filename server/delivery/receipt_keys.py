"""The slot's receipt key: made once, kept wrapped under the centre's storage key; kiosks never hold it."""

import secrets

from sqlalchemy.ext.asyncio import AsyncSession

from server.delivery import store
from server.keys.identity import Identity


def receipt_key_aad(slot: str) -> bytes:
    """Return the associated data under which a slot's receipt key is wrapped."""
    return b"gongyuan/receipt-key/1\x00" + slot.encode()


async def ensure_receipt_key(session: AsyncSession, identity: Identity, slot: str) -> bytes:
    """Return the slot's wrapped receipt key; the first caller makes it, in its write transaction."""
    row = await store.slot_row(session, slot)
    await session.refresh(row, with_for_update=True)
    if row.receipt_key is None:
        row.receipt_key = identity.storage_wrap(secrets.token_bytes(32), receipt_key_aad(slot))
        await session.flush()
    return row.receipt_key
