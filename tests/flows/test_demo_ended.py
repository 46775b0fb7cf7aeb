"""A demo that is told to end before its day is over."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def children_of(folder: Path) -> list[bytes]:
    """Return the command lines of running processes that name the folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes()
        except OSError:  # ended while it was looked for
            continue
        if str(folder).encode() in words:
            found.append(words)
    return found


@pytest.mark.timeout(600)
def test_a_demo_told_to_end_leaves_no_process_behind(tmp_path: Path) -> None:
    """SIGTERM ends the demo with all its children, whose pages were being served."""
    folder = tmp_path / "day"
    command = [sys.executable, "-m", "server", "demo", "--port", "0", "--folder", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as demo:
        try:
            assert demo.stdout is not None
            while b"https://" not in (line := demo.stdout.readline()):
                assert line, "the demo ended before its pages were served"
            assert len(children_of(folder)) > 2  # the demo itself, registry and centre
            demo.send_signal(signal.SIGTERM)
            demo.communicate()
        finally:
            demo.kill()
    assert demo.returncode == 130
    assert children_of(folder) == []
