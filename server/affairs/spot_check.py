"""Whom does the district check? A share of the candidates, rounded up, drawn by a seed that nobody can
choose.
"""

import hashlib
from collections.abc import Sequence

from server.law.citing import cites, reads
from server.law.pack import Pack


def list_hash(candidates: Sequence[str]) -> bytes:
    """Return SHA-256 over the sorted candidate ids, each followed by a line feed; 32 bytes."""
    return hashlib.sha256("".join(f"{candidate}\n" for candidate in sorted(candidates)).encode()).digest()


def commitment(secret: bytes) -> bytes:
    """Return the commitment to a secret: its SHA-256."""
    return hashlib.sha256(secret).digest()


def seed(secret: bytes, nonce: bytes, candidates: Sequence[str]) -> bytes:
    """Return SHA-256(secret ‖ nonce ‖ hash of the list), 32 bytes."""
    return hashlib.sha256(secret + nonce + list_hash(candidates)).digest()


@cites("BJ-E:13", "BJ-E:4-2")
@reads("numbers.spot_check_percent")
def drawn(pack: Pack, seed: bytes, candidates: Sequence[str]) -> tuple[str, ...]:
    """Return the candidates to be checked: at least the pack's percentage, rounded up, the same on any
    machine.

    Ordered by SHA-256(seed ‖ id); the first are taken.
    """
    percent = pack.number("spot_check_percent").value
    count = -(-len(candidates) * percent // 100)
    ordered = sorted(candidates, key=lambda candidate: hashlib.sha256(seed + candidate.encode()).digest())
    return tuple(ordered[:count])
