"""Sealing and opening of marking sheets under the slot's marking key."""

from server.keys.sealing import Bytes, hmac_sha256, seal, unseal
from server.papers.draw_store import SealedMarkingSheet
from server.papers.marking_sheet import MarkingSheet, open_sheet
from server.papers.sealed import sheet_associated_data


def sheet_key(marking_key: Bytes, paper: str) -> bytes:
    """Return the 32-byte key of one marking sheet of the slot that this marking key belongs to."""
    return hmac_sha256(marking_key, b"gongyuan/marking/1" + paper.encode())


def seal_sheet(
    marking_key: Bytes, plan: str, slot: str, paper: str, sitting: str, data: bytes
) -> SealedMarkingSheet:
    """Encrypt the canonical bytes of a paper's marking sheet."""
    aad = sheet_associated_data(paper, plan, slot, sitting)
    nonce, ciphertext = seal(sheet_key(marking_key, paper), data, aad)
    return SealedMarkingSheet(paper, sitting, nonce, aad, ciphertext)


def unseal_sheet(marking_key: Bytes, sealed: SealedMarkingSheet) -> MarkingSheet:
    """Decrypt a marking sheet; Tampered `seal-broken` when key or bytes differ from what was sealed."""
    data = unseal(sheet_key(marking_key, sealed.paper), sealed.nonce, sealed.ciphertext, sealed.aad)
    return open_sheet(data)
