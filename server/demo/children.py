"""The demo's processes: every server, kiosk hall, camera and command is a child, as it would be in real use."""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from server.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished command left: status, standard output and standard error."""

    status: int
    output: str
    errors: str


class Child:
    """One long-running child with its log file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    async def stop(self, seconds: float = 8.0) -> None:
        """Ask it to end; kill it after the given seconds."""
        if self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), seconds)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once (SIGKILL), as a power cut would."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def last_words(self, lines: int = 15) -> str:
        """Return the end of its log."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class Children:
    """Starts children of one demo folder and ends them all."""

    def __init__(self, folder: Path, clock: Path) -> None:
        self._folder = folder
        self._clock = clock
        self._running: list[Child] = []

    def _server(self, arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "server", "demo-child", "--clock", str(self._clock), *arguments]

    async def start(self, name: str, *arguments: str, module: str = "server") -> Child:
        """Start a long-running child: a server command under the demo's clock, or another module as it is."""
        command = (
            self._server(arguments) if module == "server" else [sys.executable, "-m", module, *arguments]
        )
        log = self._folder / f"{name}.log"
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE if module != "server" else sink,
                stderr=sink, limit=1 << 22,
            )  # fmt: skip
        child = Child(name, process, log)
        self._running.append(child)
        return child

    async def run(self, *arguments: str, stdin: str = "") -> Outcome:
        """Run one server command under the demo's clock to its end."""
        process = await asyncio.create_subprocess_exec(
            *self._server(arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate(stdin.encode())
        return Outcome(process.returncode or 0, output.decode(), errors.decode())

    async def command(self, *arguments: str, stdin: str = "") -> str:
        """Run one command that must succeed; return its output, Unavailable with its words when it does not."""
        outcome = await self.run(*arguments, stdin=stdin)
        if outcome.status != 0:
            raise Unavailable(
                "demo-command-failed", command=" ".join(arguments), reason=outcome.errors.strip()[-600:]
            )
        return outcome.output

    async def address(self, child: Child, data: Path, seconds: float = 180.0) -> str:
        """Wait until a server child has bound its port; return its base URL."""
        path = data / "address.json"
        for _ in range(int(seconds * 20)):
            if child.process.returncode is not None:
                break
            if path.exists():
                return str(json.loads(path.read_text(encoding="utf-8"))["url"])
            await asyncio.sleep(0.05)
        raise Unavailable("demo-child-not-up", name=child.name, reason=child.last_words())

    async def stop_all(self) -> None:
        """End all children, the newest first."""
        for child in reversed(self._running):
            await child.stop()
