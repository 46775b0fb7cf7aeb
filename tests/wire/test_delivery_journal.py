"""The sealed local journal on the wire: the bytes that both ends sign, and what a changed byte does."""

import hashlib

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kiosk.vault import JournalBook, SeatKey
from server.errors import BadInput
from server.keys.sealing import generate_receiving, hpke_open
from server.protocol import codec
from server.protocol.exam import Answer
from server.protocol.journal import (
    JournalFile,
    entry_aad,
    entry_bytes,
    head_bytes,
    link,
    read_file,
    settled_bytes,
    wrap_info,
)


def test_what_the_journal_signs() -> None:
    """Head, entry, associated data and wrapping info are exactly these bytes; the page's are held to them."""
    assert wrap_info("s1", 2, "seat-1") == b"gongyuan/journal-key/1\ns1\n2\nseat-1"
    assert head_bytes("s1", 2, "seat-1", "ab") == b"gongyuan/journal/1\ns1\n2\nseat-1\nab"
    assert entry_aad("s1", 2, 9) == b"gongyuan/journal-answer/1\ns1\n2\n9"
    digest = hashlib.sha256(b"iv" + b"data").hexdigest()
    signed = entry_bytes(bytes(32), 9, b"iv", b"data")
    assert signed == f"gongyuan/journal-entry/1\n{'00' * 32}\n9\n{digest}".encode()
    assert link(signed) == hashlib.sha256(signed).digest()
    told = settled_bytes("s1", 2, 9, "counted", 4, "ab", "cd")
    assert told == b"gongyuan/journal-receipt/1\ns1\n2\n9\ncounted\n4\nab\ncd"


def test_a_written_journal_opens_with_the_recovery_key_alone() -> None:
    """What the Python kiosk wrote is opened by the recovery key, in order, under the seat's signatures."""
    private, public = generate_receiving()
    seat = SeatKey.generate()
    book = JournalBook(seat, "seat-1", "s1", 2, public)
    answers = [Answer(lease=2, seq=n, number=n, value=("文", "A")) for n in (1, 3)]
    for answer in answers:
        book.write(answer)
    copy = read_file(msgspec.json.encode(JournalFile(journals=(book.copy(),)))).journals[0]
    seat_public = Ed25519PublicKey.from_public_bytes(seat.public)
    last = head_bytes("s1", 2, "seat-1", copy.head.wrapped)
    seat_public.verify(bytes.fromhex(copy.head.signature), last)
    key = AESGCM(hpke_open(private, bytes.fromhex(copy.head.wrapped), wrap_info("s1", 2, "seat-1")))
    for entry, answer in zip(copy.entries, answers, strict=True):
        signed = entry_bytes(link(last), entry.seq, entry.iv, entry.data)
        seat_public.verify(bytes.fromhex(entry.signature), signed)
        captured = codec.captured(key.decrypt(entry.iv, entry.data, entry_aad("s1", 2, entry.seq)))
        assert (captured.number, captured.value) == (answer.number, answer.value)
        last = signed
    with pytest.raises(InvalidSignature):
        seat_public.verify(bytes.fromhex(copy.entries[1].signature), entry_bytes(bytes(32), 3, b"", b""))


@pytest.mark.parametrize("data", [b"", b"{}", b'{"type":"gongyuan-journal/1","journals":[{}]}', b"\xff"])
def test_what_is_no_journal_file_is_refused(data: bytes) -> None:
    """Any other bytes than a journal file's are BadInput."""
    with pytest.raises(BadInput, match="journal-file-form"):
        read_file(data)
