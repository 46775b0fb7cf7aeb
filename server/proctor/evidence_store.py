"""Keeps the picture of a finding, encrypted, under the hash that stands in the journal."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from pathlib import Path

from server.errors import NotFound, Tampered

Wrap = Callable[[bytes, bytes], bytes]


class EvidenceStore:
    """Pictures as files of one folder, each named by the SHA-256 of its JPEG bytes, which is also associated
    data. `put` and `get` block (file and cipher) and belong into a thread.

    `wrap` and `unwrap` encrypt and decrypt (bytes, associated data) under the centre's storage key.
    """

    def __init__(self, folder: Path, wrap: Wrap, unwrap: Wrap) -> None:
        self._folder, self._wrap, self._unwrap = folder, wrap, unwrap

    def put(self, jpeg: bytes) -> str:
        """Keeps a picture and returns its hash (64 hex digits); the same picture is kept once."""
        name = hashlib.sha256(jpeg).hexdigest()
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.sealed"
        if not path.exists():
            temporary = path.with_suffix(f".{threading.get_ident()}.new")
            temporary.write_bytes(self._wrap(jpeg, name.encode()))
            temporary.replace(path)
        return name

    def get(self, name: str) -> bytes:
        """The JPEG bytes of that hash.

        Raises:
            NotFound: nothing is kept under it (`evidence-unknown`); Tampered: the file was changed.
        """
        path = self._folder / f"{name}.sealed"
        if not re.fullmatch(r"[0-9a-f]{64}", name) or not path.is_file():
            raise NotFound("evidence-unknown", picture=name)
        jpeg = self._unwrap(path.read_bytes(), name.encode())
        if hashlib.sha256(jpeg).hexdigest() != name:
            raise Tampered("evidence-changed", picture=name)
        return jpeg
