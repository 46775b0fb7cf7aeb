"""The bytes that signatures, hashes and codes of the kiosk protocol cover, defined once for both ends.

Nothing here signs or checks: `keys/signing` and `kiosk/vault` do. Times are written as ISO 8601 in UTC with
six digits of a second and `Z`. Canonical JSON is RFC 8785, which for arrays of strings and small integers is
exactly what a browser's JSON.stringify writes.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from server.protocol.ids import base32, check_character

RECEIPT_CODE_CHARACTERS = 13
"""65 bits; one check character follows."""


_encoder = msgspec.json.Encoder()


def moment_text(moment: datetime) -> str:
    """Return an aware time as 2026-03-14T01:00:00.000000Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seat_proof(nonce: bytes, seat: str) -> bytes:
    """Return what a seat signs with its Ed25519 key in every hello: the challenge's 32 bytes and its own
    seat id.
    """
    return b"gongyuan/seat/1\x00" + nonce + seat.encode("ascii")


def beacon_bytes(now: datetime, rate: float, node: str, epoch: int = 1) -> bytes:
    """Return what the centre signs in a beacon; a promoted standby's epoch is a line of its own."""
    later = "" if epoch == 1 else f"\n{epoch}"
    return f"gongyuan/beacon/1\n{moment_text(now)}\n{rate!r}\n{node}{later}".encode("ascii")


def answers_digest(answers: Mapping[int, tuple[str, ...]]) -> str:
    """Return SHA-256, in hexadecimal, over the final answers as canonical JSON [[number, [part, …]], …].

    Ascending by item number; an item whose value is empty (never answered, or cleared) is left out.
    """
    rows = [[number, list(answers[number])] for number in sorted(answers) if any(answers[number])]
    return hashlib.sha256(_canonical(rows)).hexdigest()


def answered_count(answers: Mapping[int, tuple[str, ...]]) -> int:
    """Return how many items have a value that is not empty (at least one part with text)."""
    return sum(1 for value in answers.values() if any(value))


def event_bytes(sitting: str, lease: int, seq: int, number: int, value: tuple[str, ...]) -> bytes:
    """Return the canonical bytes of one answer as chained into the sitting's receipts."""
    return _canonical([sitting, lease, seq, number, list(value)])


def chained(previous: bytes, event: bytes) -> bytes:
    """Return the next hash of a sitting's receipt chain: SHA-256(previous 32 bytes ‖ SHA-256(event))."""
    return hashlib.sha256(previous + hashlib.sha256(event).digest()).digest()


def receipt_bytes(sitting: str, lease: int, seq: int, outcome: str, number: int, digest: bytes) -> bytes:
    """Return what a receipt's HMAC-SHA-256 covers: outcome, receipt number and chained hash with sitting, lease
    and seq.
    """
    text = f"gongyuan/receipt/2\n{sitting}\n{lease}\n{seq}\n{outcome}\n{number}\n{digest.hex()}"
    return text.encode("ascii")


def receipt_mac(
    receipt_key: bytes, sitting: str, lease: int, seq: int, outcome: str, number: int, digest: bytes
) -> str:
    """Return the receipt's HMAC-SHA-256 in hexadecimal; the slot's receipt key never leaves the centre."""
    keyed = _keyed(receipt_key).copy()
    keyed.update(receipt_bytes(sitting, lease, seq, outcome, number, digest))
    return keyed.hexdigest()


@lru_cache(maxsize=16)
def _keyed(key: bytes) -> hmac.HMAC:
    """Return HMAC-SHA-256 with the key in it, to be copied for each receipt. Unlike `hmac.digest`, which gives the
    interpreter's lock away and gets it back late, this keeps it."""
    return hmac.new(key, digestmod="sha256")


def resume_token(receipt_key: bytes, sitting: str, lease: int) -> str:
    """Return the token by which a device that already holds a lease takes its sitting up again: 64 hex
    digits.
    """
    return hmac.digest(receipt_key, f"gongyuan/resume/1\n{sitting}\n{lease}".encode("ascii"), "sha256").hex()


def holding(digest: bytes, nonce: bytes) -> str:
    """Return how a device names the sealed paper that it has: hash of the paper in clear and nonce of its sealing, 88
    hex digits. A set drawn anew seals the same paper under another nonce."""
    return digest.hex() + nonce.hex()


def hand_in_bytes(sitting: str, ended_at: datetime, count: int, digest: str, head: str) -> bytes:
    """Return what the centre signs at a hand-in or collection: sitting, time, count and hash of the answers,
    head.
    """
    text = f"gongyuan/hand-in/1\n{sitting}\n{moment_text(ended_at)}\n{count}\n{digest}\n{head}"
    return text.encode("ascii")


def receipt_code(signed: bytes) -> str:
    """Return the code that is read aloud: 13 base32 characters (65 bits) of SHA-256 and a check character."""
    code = base32(hashlib.sha256(signed).digest(), RECEIPT_CODE_CHARACTERS)
    return code + check_character(code)


def receipt_code_holds(code: str) -> bool:
    """Tell whether a typed receipt code (in its one form) has the right length and check character."""
    if len(code) != RECEIPT_CODE_CHARACTERS + 1:
        return False
    try:
        return check_character(code[:-1]) == code[-1]
    except ValueError:
        return False


def _canonical(rows: list[Any]) -> bytes:
    # Arrays of strings and integers only: msgspec writes them as RFC 8785 does, in compiled code.
    return _encoder.encode(rows)
