"""Passwords and passphrases: Argon2id (64 MiB, 3 passes), a few at a time, outside the event loop."""

import asyncio
import os
import threading
from dataclasses import dataclass
from functools import cache

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from server.errors import Refusal, required

MEMORY_KIB = 64 * 1024
PASSES = 3
LANES = 1
SALT_BYTES = 16
LEAST_PASSWORD = 10
"""Characters a password must have at least."""
LEAST_PASSPHRASE = 12
"""The same for a custodian's passphrase, which guards a key at rest."""
_AT_ONCE = threading.BoundedSemaphore(4)  # 4 × 64 MiB: many people signing in at once must not exhaust memory


def password_refusal(password: str, username: str, least: int = LEAST_PASSWORD) -> Refusal | None:
    """Say why a password is too weak: fewer than `least` characters, fewer than 4 different ones, or the
    name."""
    if len(password) < least or len(set(password)) < 4:
        return Refusal("password-short", facts={"least": least})
    if username and username.casefold() in password.casefold() and len(password) < len(username) + 8:
        return Refusal("password-repeats-name")
    return None


def argon2id(secret: bytes, salt: bytes, length: int) -> bytes:
    """Derive `length` bytes from a secret; blocks for about a third of a second."""
    with _AT_ONCE:
        kdf = Argon2id(salt=salt, length=length, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)
        return kdf.derive(secret)


def _hash(password: str) -> str:
    with _AT_ONCE:
        kdf = Argon2id(
            salt=os.urandom(SALT_BYTES), length=32, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB
        )
        return kdf.derive_phc_encoded(password.encode())


def _matches(phc: str, password: str) -> bool:
    with _AT_ONCE:
        try:
            Argon2id.verify_phc_encoded(password.encode(), phc)
        except InvalidKey:
            return False
        return True


@cache
def _nobody() -> str:
    return _hash("no account has this password")


@dataclass(frozen=True, slots=True)
class HashedPassword:
    """A password that was found good enough, as its PHC string."""

    phc: str


async def prepared_password(password: str, username: str) -> HashedPassword:
    """Check a new password and hash it; Refused with `password-short` or `password-repeats-name`."""
    required(password_refusal(password, username))
    return HashedPassword(await hash_password(password))


async def hash_password(password: str) -> str:
    """Return the PHC string of a password under a fresh salt."""
    return await asyncio.to_thread(_hash, password)


async def verify_password(phc: str | None, password: str) -> bool:
    """Tell whether the password matches; with None it does the same work and answers False."""
    if phc is None:
        await asyncio.to_thread(lambda: _matches(_nobody(), password))
        return False
    return await asyncio.to_thread(_matches, phc, password)
