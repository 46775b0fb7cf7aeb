"""The Merkle root of a bank: one value that names every item version in it and tells no text.

Leaf = SHA-256(0x00 ‖ version hash); node = SHA-256(0x01 ‖ left ‖ right); the split is at the largest
power of two below the count (the tree of RFC 6962). Leaves stand in ascending order of (item id, version).
"""

import hashlib
from collections.abc import Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the 32-byte root over the leaves in their order; SHA-256 of nothing for no leaf."""
    if not leaves:
        return EMPTY_ROOT
    return _subtree([hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves])


def _subtree(nodes: Sequence[bytes]) -> bytes:
    if len(nodes) == 1:
        return nodes[0]
    split = 1 << (len(nodes) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + _subtree(nodes[:split]) + _subtree(nodes[split:])).digest()
