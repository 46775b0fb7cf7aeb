"""Zip containers from others: their parts by name, read only while they are safe."""

import io
import zipfile

from server.errors import BadInput

LARGEST_FILE = 64 * 1024 * 1024
LARGEST_UNPACKED = 256 * 1024 * 1024
LARGEST_RATIO = 200
MOST_PARTS = 5000


class Archive:
    """A checked container. BadInput `archive-unsafe` for a bomb, a swarm of parts or a part that lies outside;
    `archive-unreadable` when it is broken."""

    def __init__(self, data: bytes) -> None:
        if len(data) > LARGEST_FILE:
            raise BadInput("file-too-large", bytes=len(data), limit=LARGEST_FILE)
        try:
            self._file = zipfile.ZipFile(io.BytesIO(data))
            parts = [part for part in self._file.infolist() if not part.is_dir()]
        except Exception as error:  # zipfile raises what its parts raise
            raise BadInput("archive-unreadable", place="file", reason=_said(error)) from error
        if len(parts) > MOST_PARTS:
            raise BadInput("archive-unsafe", reason="too many parts", place=str(len(parts)))
        if sum(part.file_size for part in parts) > LARGEST_UNPACKED:
            raise BadInput("archive-unsafe", reason="unpacks too large", place="file")
        self._parts: dict[str, zipfile.ZipInfo] = {}
        for part in parts:
            name = part.filename.replace("\\", "/")
            if name.startswith("/") or ".." in name.split("/") or ":" in name:
                raise BadInput("archive-unsafe", reason="part outside the file", place=name[:100])
            if (
                part.file_size > 4 * 1024 * 1024
                and part.file_size // max(part.compress_size, 1) > LARGEST_RATIO
            ):
                raise BadInput("archive-unsafe", reason="packed too densely", place=name[:100])
            if name in self._parts:
                raise BadInput("archive-unsafe", reason="two parts of one name", place=name[:100])
            self._parts[name] = part

    @property
    def names(self) -> tuple[str, ...]:
        """The parts in the container's order, without folders."""
        return tuple(self._parts)

    def size(self, name: str) -> int:
        """Return the unpacked bytes of a part; 0 when there is none."""
        part = self._parts.get(name)
        return part.file_size if part is not None else 0

    def read(self, name: str) -> bytes | None:
        """Return a part, or None when there is none; BadInput `archive-unreadable` when it is broken."""
        part = self._parts.get(name)
        if part is None:
            return None
        try:
            return self._file.read(part)
        except Exception as error:  # zlib, lzma, password, checksum: no common parent
            raise BadInput("archive-unreadable", place=name[:100], reason=_said(error)) from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
