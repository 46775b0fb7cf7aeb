"""A piece of a recording on disk: encrypted as it grows, readable when cut, refused when changed."""

import errno
import os
from pathlib import Path

import pytest

from server.errors import Tampered
from server.proctor.segment_file import SegmentHeader, SegmentWriter, read_segment

KEY = bytes(range(32))


def unwrap(wrapped: bytes, aad: bytes) -> bytes:
    return wrapped


def written(path: Path, chunks: int = 4) -> bytes:
    writer = SegmentWriter(path, SegmentHeader(segment="s1", camera="c", wrapped=KEY), KEY)
    for number in range(chunks):
        writer.write(bytes([number]) * 1000)
        writer.flush()
    writer.close()
    return b"".join(bytes([number]) * 1000 for number in range(chunks))


def test_a_cut_segment_is_read_to_its_last_whole_chunk(tmp_path: Path) -> None:
    """Cut at any byte, a segment gives a prefix of what was written in whole chunks, and says that it was cut."""
    path = tmp_path / "s"
    data = written(path)
    whole = path.read_bytes()
    assert b"\x01" * 100 not in whole
    assert read_segment(path, unwrap)[0] == data
    assert read_segment(path, unwrap)[1].complete
    head = len(whole) - 4 * (1000 + 16 + 5) - (16 + 5)
    for cut in range(head, len(whole), 97):
        path.write_bytes(whole[:cut])
        found, on_disk = read_segment(path, unwrap)
        assert (found, on_disk.complete) == (data[: 1000 * ((cut - head) // 1021)], False)


def test_a_changed_segment_is_refused(tmp_path: Path) -> None:
    """A flipped bit, an exchanged, repeated or dropped chunk and an end moved forward are all Tampered."""
    path = tmp_path / "s"
    written(path)
    whole = path.read_bytes()
    head = len(whole) - 4 * 1021 - 21
    start, chunks, last = (
        whole[:head],
        [whole[head + 1021 * n : head + 1021 * (n + 1)] for n in range(4)],
        whole[-21:],
    )
    bad = [
        start + bytes([whole[head], *whole[head + 1 : head + 50], whole[head + 50] ^ 1]) + whole[head + 51 :],
        start + chunks[1] + chunks[0] + chunks[2] + chunks[3] + last,
        start + chunks[0] + chunks[0] + chunks[2] + chunks[3] + last,
        start + chunks[0] + chunks[2] + chunks[3] + last,
        start + chunks[0] + last,
        start + b"\x01" + chunks[0][1:],
        whole + b"x",
        start.replace(b'"s1"', b'"s2"') + whole[head:],
    ]
    for content in bad:
        path.write_bytes(content)
        with pytest.raises(Tampered):
            read_segment(path, unwrap)


def test_a_write_that_failed_makes_a_cut_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece whose disk was full for one chunk gets no end, even when there is room again: it is cut, not changed."""
    path = tmp_path / "s"
    writer = SegmentWriter(path, SegmentHeader(segment="s1", camera="c", wrapped=KEY), KEY)
    writer.write(b"a" * 1000)
    writer.flush()
    writer.write(b"b" * 1000)

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="No space"):
            writer.flush()
    with pytest.raises(OSError, match="No space"):
        writer.close()
    found, on_disk = read_segment(path, unwrap)
    assert found.startswith(b"a" * 1000)
    assert not on_disk.complete
