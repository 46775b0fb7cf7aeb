"""A search of another process's writable memory for secrets."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

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


def found_in_memory(pid: int, secrets: Mapping[str, bytes]) -> set[str]:
    """Return the names of those secrets that stand in the writable memory of a running process, in any form."""
    wanted = {name: _forms(secret) for name, secret in secrets.items()}
    found: set[str] = set()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end in _writable(pid):
            for at in range(start, end, _CHUNK):
                try:
                    memory.seek(at)
                    chunk = memory.read(min(_CHUNK + _OVERLAP, end - at))
                except OSError:
                    continue  # a guard page, or unmapped meanwhile
                for name, forms in wanted.items():
                    if name not in found and any(form in chunk for form in forms):
                        found.add(name)
    return found
