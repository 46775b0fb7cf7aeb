"""Runs trial draws in a process of their own, behind the exam. A draw computes for seconds, and what computes in the
serving process keeps candidates waiting. Nothing here knows what is asked or answered.
"""

import asyncio
import contextlib
from collections.abc import Sequence

from server.errors import Unavailable

LONGEST_S = 300.0
"""A trial that takes longer is ended."""


class TrialRunner:
    """The trials of one serving process, one at a time; `command` is how the child is started."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._turn = asyncio.Lock()

    async def run(self, asked: bytes) -> bytes:
        """Give a child its question and return its answer; Unavailable `trial-failed` where it cannot be started, ends
        with another status than 0, or takes longer than 300 s.
        """
        async with self._turn:
            process: asyncio.subprocess.Process | None = None
            try:
                async with asyncio.timeout(LONGEST_S):
                    pipe = asyncio.subprocess.PIPE
                    process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
                    told, _ = await process.communicate(asked)
            # uvloop raises RuntimeError where the child ended before it was written to
            except (TimeoutError, OSError, RuntimeError) as error:
                raise Unavailable("trial-failed") from error
            finally:
                if process is not None and process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
            if process.returncode != 0:
                raise Unavailable("trial-failed")
            return told
