"""Further processes of a server whose first process is killed."""

import signal
import subprocess
import sys

from tests.support.centre import ROOT

FURTHER = """
import sys, threading
from server.cli.further import end_with
end_with(int(sys.argv[-1]))
print("up", flush=True)
threading.Event().wait()
"""
FIRST = """
import sys, threading
from server.cli.further import kept
with kept([[sys.executable, "-c", sys.argv[1]]] * 2):
    threading.Event().wait()
"""


def test_further_processes_end_with_the_first_however_it_ends() -> None:
    """When the first process is killed with -9 its further processes end by themselves: their output closes."""
    first = subprocess.Popen([sys.executable, "-c", FIRST, FURTHER], cwd=ROOT, stdout=subprocess.PIPE)
    assert first.stdout is not None
    assert [first.stdout.readline() for _ in range(2)] == [b"up\n"] * 2
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert first.stdout.read() == b""  # comes only when the last of them has closed it
    first.stdout.close()
