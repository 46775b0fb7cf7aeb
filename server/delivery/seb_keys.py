"""The keys that seats in Safe Exam Browser prove: which ones a centre takes, and the token of a websocket.

A websocket carries no headers of that browser. The socket of such a seat therefore opens only with a token that an
HTTP request with the right headers was given for the socket's own challenge: it serves that one socket and no other,
in every process of the centre, and needs no place to be kept.
"""

import hmac
import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.db.signals import announce
from server.delivery.models import SebKeyRow
from server.errors import BadInput, NotFound
from server.keys.identity import Identity

SEB = "seb"
"""The kind of a seat in Safe Exam Browser, fixed when it is enrolled."""
SEB_KEYS = "delivery.seb-keys"
"""Topic of the signal that a key was added or withdrawn."""
_KEY = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SebKeys:
    """Keys as 64 hexadecimal digits. Without `config` no seat in Safe Exam Browser is let in; without `browser`
    any build of it is."""

    config: tuple[str, ...] = ()
    browser: tuple[str, ...] = ()


async def allow_seb_key(act: Act, kind: str, key: str, note: str = "") -> None:
    """Take a key from now on: `kind` is config or browser; one that was withdrawn counts again."""
    key = key.strip().lower()
    if not _KEY.fullmatch(key) or kind not in ("config", "browser"):
        raise BadInput("seb-key-form")
    row = await act.session.get(SebKeyRow, key)
    if row is None:
        row = SebKeyRow(key=key, kind=kind, note=note[:200], added_at=act.now, withdrawn_at=None)
        act.session.add(row)
    elif row.kind != kind:
        raise BadInput("seb-key-form")
    row.withdrawn_at = None
    await act.record("delivery:seb:key-allowed", {"key": key, "kind": kind, "note": row.note})
    await announce(act.session, SEB_KEYS, key[:16])


async def withdraw_seb_key(act: Act, key: str) -> None:
    """Take a key no more; NotFound `seb-key-unknown`."""
    row = await act.session.get(SebKeyRow, key.strip().lower())
    if row is None or row.withdrawn_at is not None:
        raise NotFound("seb-key-unknown")
    row.withdrawn_at = act.now
    await act.record("delivery:seb:key-withdrawn", {"key": row.key, "kind": row.kind})
    await announce(act.session, SEB_KEYS, row.key[:16])


async def seb_keys(session: AsyncSession) -> SebKeys:
    """Return the keys that count now."""
    rows = list(await session.scalars(select(SebKeyRow).where(SebKeyRow.withdrawn_at.is_(None))))
    return SebKeys(
        tuple(row.key for row in rows if row.kind == "config"),
        tuple(row.key for row in rows if row.kind == "browser"),
    )


def socket_token(identity: Identity, seat: str, nonce: bytes) -> str:
    """Return the token by which a seat's socket with this challenge opens; 64 hexadecimal digits."""
    secret = bytes.fromhex(identity.secret_for("seb-token"))
    return hmac.digest(secret, seat.encode() + b"\x00" + nonce, "sha256").hex()
