"""The recovery code: two printed halves, of which the centre keeps only a public key.

What must outlive the server is sealed to that key, so that writing it needs nobody and reading it needs both
halves. The key is derived for this node's fingerprint: a code opens what its own centre wrote and nothing else.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.errors import BadInput, Refusal, Refused
from server.keys.models import RecoveryCodeRow
from server.keys.sealing import derive, receiving_public
from server.protocol.ids import base32, check_character, code_as_typed

HALF_CHARACTERS = 20
"""100 random bits; one check character follows."""


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """The code in force, as known without its halves."""

    public: bytes
    made_at: datetime
    actor: str


@dataclass(slots=True)
class SecondPlace:
    """How far the recovery file is: number and time of the newest one written, and why the last try failed."""

    number: int = 0
    written_at: datetime | None = None
    fault: str | None = None


def new_half() -> str:
    """Return one fresh half with its check character, in groups of seven."""
    code = base32(secrets.token_bytes(13), HALF_CHARACTERS)
    code += check_character(code)
    return "-".join(code[at : at + 7] for at in range(0, len(code), 7))


def plain_half(text: str) -> str:
    """Return a typed half in its one form; BadInput `recovery-half-form` when it was misread."""
    code = code_as_typed(text)
    try:
        right = len(code) == HALF_CHARACTERS + 1 and check_character(code[:-1]) == code[-1]
    except ValueError:
        right = False
    if not right:
        raise BadInput("recovery-half-form")
    return code


def recovery_private(first: str, second: str, fingerprint: str) -> bytes:
    """Return the private key that both halves give for a node, in whichever order; Refused `recovery-halves-same`."""
    halves = sorted((plain_half(first), plain_half(second)))
    if halves[0] == halves[1]:
        raise Refused(Refusal("recovery-halves-same"))
    info = b"gongyuan/recovery-code/1\x00" + "".join(fingerprint.split()).encode("ascii")
    return derive("".join(halves).encode("ascii"), info)


def journal_key_info(slot: str) -> bytes:
    """Return the HPKE info under which a slot's journal recovery key is sealed to the recovery code."""
    return b"gongyuan/recovery-journal-key/1\x00" + slot.encode()


async def recovery_code(session: AsyncSession) -> RecoveryCode | None:
    """Return the code in force, or None when none was made."""
    row = await session.scalar(select(RecoveryCodeRow).order_by(RecoveryCodeRow.number.desc()).limit(1))
    return None if row is None else RecoveryCode(row.public, row.made_at, row.actor)


async def make_code(act: Act, fingerprint: str) -> tuple[str, str]:
    """Make a new code and keep its public key; return its halves, which are printed once and kept nowhere.

    What was sealed to an earlier code stays readable with that one alone.
    """
    halves = new_half(), new_half()
    public = receiving_public(recovery_private(*halves, fingerprint))
    before = await act.session.scalar(
        select(RecoveryCodeRow.number).order_by(RecoveryCodeRow.number.desc()).limit(1)
    )
    row = RecoveryCodeRow(number=(before or 0) + 1, public=public, made_at=act.now, actor=act.actor)
    act.session.add(row)
    await act.session.flush()
    await act.record("keys:recovery-code:made", {"number": row.number, "public": public.hex()})
    return halves
