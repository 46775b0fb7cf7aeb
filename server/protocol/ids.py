"""Names and small forms that the wire uses, with the limits both ends keep.

Ids of sittings, seats, papers, plans and slots are UUID texts (36 characters, lower case). A seat's room is
the room number as in the exam package, its number counts from 1. Enrolment codes are read aloud: base32
without I, L, O, U.
"""

import re
from typing import Annotated

import msgspec

VERSION = 1
"""Version of the kiosk protocol; a hello that names another is refused with `version-other` and the socket
closed.
"""

SUBPROTOCOL = "gongyuan.exam.1"
"""WebSocket subprotocol that both ends name."""

CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no I, L, O, U."""

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=36, pattern="^[0-9A-Za-z-]+$")]
Hex32 = Annotated[str, msgspec.Meta(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$")]
"""32 bytes as lower-case hexadecimal."""
Hex44 = Annotated[str, msgspec.Meta(min_length=88, max_length=88, pattern="^[0-9a-f]{88}$")]
"""44 bytes as lower-case hexadecimal."""
Hex64 = Annotated[str, msgspec.Meta(min_length=128, max_length=128, pattern="^[0-9a-f]{128}$")]
"""64 bytes as lower-case hexadecimal."""
Sequence = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
"""Lease or sequence number: from 1, per sitting and per lease."""
ItemNumber = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
"""Number of an item on this paper, from 1."""
AnswerPart = Annotated[str, msgspec.Meta(max_length=10_000)]
"""One part of an answer: a label, the text of a blank, or a whole answer in words (characters)."""
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=7 * 24 * 3600 * 1000)]

_SEPARATORS = re.compile(r"[\s-]+")
_MISREAD = str.maketrans("OIL", "011")


def code_as_typed(text: str) -> str:
    """Return an enrolment or receipt code in its one form: upper case, no separators, O as 0, I and L as
    1.
    """
    return _SEPARATORS.sub("", text).upper().translate(_MISREAD)


def base32(data: bytes, length: int) -> str:
    """Return the first `length` base32 characters (5 bits each, big end first) of `data`, without padding."""
    bits = int.from_bytes(data, "big")
    width = len(data) * 8
    if length * 5 > width:
        raise ValueError("not enough bits for that many characters")
    return "".join(CODE_ALPHABET[(bits >> (width - 5 * (i + 1))) & 31] for i in range(length))


def check_character(code: str) -> str:
    """Return the check character of a base32 code: the sum of digit × position, modulo 31, as a digit.

    31 is prime, so one changed character or two swapped neighbours change it (codes of up to 29 characters;
    the values 0 and 31 of one digit cannot be told apart).
    """
    return CODE_ALPHABET[sum((i + 1) * CODE_ALPHABET.index(c) for i, c in enumerate(code)) % 31]
