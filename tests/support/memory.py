"""A search of another process's writable memory for secrets."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

_CHUNK = 1 << 24
_OVERLAP = 256


def _writable(pid: int) -> Iterator[tuple[int, int]]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, rights, *_rest = line.split()
        if rights.startswith("rw") and "[vvar]" not in line:
            start, end = span.split("-")
            yield int(start, 16), int(end, 16)


def _forms(secret: bytes) -> tuple[bytes, ...]:
    """Return how a secret could stand in memory: raw, hex in both cases, base64, and as a wide string."""
    text = secret.hex()
    wide = secret.decode("utf-8", "replace").encode("utf-32-le")
    return secret, text.encode(), text.upper().encode(), base64.b64encode(secret).rstrip(b"="), wide


class _Search:
    """Looks for many strings at once: positions whose first four bytes fit two tables are compared in full."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self._first = np.zeros(1 << 16, dtype=bool)
        self._second = np.zeros(1 << 16, dtype=bool)
        self._by_start: dict[bytes, list[tuple[str, bytes]]] = {}
        for name, secret in secrets.items():
            for form in _forms(secret):
                first, second = np.frombuffer(form[:4], dtype="<u2")
                self._first[first] = self._second[second] = True
                self._by_start.setdefault(form[:4], []).append((name, form))

    def names(self, chunk: bytes) -> set[str]:
        """Return the names of the secrets of which one form stands in the chunk."""
        found: set[str] = set()
        if len(chunk) < 4:
            return found
        for odd in (0, 1):
            pairs = np.frombuffer(chunk, dtype="<u2", offset=odd, count=(len(chunk) - odd) // 2)
            at = np.flatnonzero(self._first[pairs[:-1]])
            for place in (at[self._second[pairs[at + 1]]] * 2 + odd).tolist():
                for name, form in self._by_start.get(chunk[place : place + 4], ()):
                    if chunk.startswith(form, place):
                        found.add(name)
        return found


def found_in_memory(pid: int, secrets: Mapping[str, bytes]) -> set[str]:
    """Return the names of those secrets that stand in the writable memory of a running process, in any form."""
    search = _Search(secrets)
    found: set[str] = set()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end in _writable(pid):
            for at in range(start, end, _CHUNK):
                try:
                    memory.seek(at)
                    chunk = memory.read(min(_CHUNK + _OVERLAP, end - at))
                except OSError:
                    continue  # a guard page, or unmapped meanwhile
                found |= search.names(chunk)
    return found
