"""Further processes of one server: started beside it, started again when they end, and gone when it is.

Each holds the reading end of a pipe whose other end is in the first process alone: however that one ends, killed as
well, the pipe ends with it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

ENDS_WITH = "--ends-with"
"""Option of a further process: the pipe's descriptor follows."""


@contextlib.contextmanager
def kept(commands: Sequence[Sequence[str]]) -> Iterator[None]:
    """Run these processes for the length of the block, and start one that ended again."""
    if not commands:
        yield
        return
    stopping = threading.Event()
    # The server raises the signal that ended it once more; the others shall be ended before this one goes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    reading, writing = os.pipe()

    def keep(command: Sequence[str]) -> None:
        while not stopping.is_set():
            with subprocess.Popen([*command, ENDS_WITH, str(reading)], pass_fds=(reading,)) as process:
                while process.poll() is None and not stopping.wait(0.2):
                    pass
                if process.poll() is None:
                    process.terminate()
            # Not at once: one that cannot start would take a processor for itself.
            stopping.wait(1.0)

    threads = [threading.Thread(target=keep, args=(command,)) for command in commands]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join(30)
        os.close(reading)
        os.close(writing)


def end_with(descriptor: int | None) -> None:
    """End this process by SIGTERM when the pipe ends; None: it was not started by another."""
    if descriptor is None:
        return

    def wait() -> None:
        with contextlib.suppress(OSError):
            os.read(descriptor, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="first-process", daemon=True).start()
