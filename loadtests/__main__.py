"""`python -m loadtests`: start a small centre on a temporary folder, run the scenarios against it, stop it, judge.

Exit status 1 when a threshold of `thresholds.toml` is not kept.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from loadtests.report import Figure, judged, table

ROOT = Path(__file__).resolve().parents[1]
SCENARIOS = ("StartRush", "Autosave", "ReconnectStorm", "BoardFanOut", "HandInRush")
"""In the order of an exam: the bell is struck in the first, and the last ends the sittings."""
_MOST_S = 120
"""A scenario ends by itself; it is ended when it has not this many seconds after `--seconds`."""


class Centre:
    """A running centre of its own, and the chief who strikes its bell."""

    def __init__(self, folder: Path, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.folder = folder
        self.url = f"wss://127.0.0.1:{self._heard()['port']}"
        self.rung = False

    def ring(self) -> None:
        """Strike the bell, once."""
        if self.rung or self._process.stdin is None:
            return
        self._process.stdin.write("bell\n")
        self._process.stdin.flush()
        self._heard()
        self.rung = True

    def _heard(self) -> dict[str, float]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise SystemExit("the centre ended by itself")
        facts: dict[str, float] = json.loads(line)
        return facts


@contextlib.contextmanager
def running(folder: Path, users: int) -> Iterator[Centre]:
    """Start a centre with so many checked-in candidates; stop it at the end."""
    command = [sys.executable, "-m", "benchmarks.hall", str(folder), "--tls", "--prepare", str(users)]
    command += ["--early", "0", "--late", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Centre(folder, process)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def run(centre: Centre, scenario: str, users: int, seconds: int) -> tuple[Figure, ...]:
    """Run one scenario; strike the bell as soon as everybody sits."""
    ready, stats = centre.folder / f"{scenario}.ready", centre.folder / scenario
    if scenario != "StartRush":
        centre.ring()
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py"), scenario]
    command += ["--headless", "--host", centre.url, "--users", str(users), "--spawn-rate", str(users)]
    command += ["--run-time", f"{seconds + _MOST_S}s", "--length", str(seconds), "--json-file", str(stats)]
    command += ["--guests", str(centre.folder / "guests.json"), "--ready", str(ready)]
    command += ["--ca", str(centre.folder / "tls" / "ca.pem"), "--only-summary", "--loglevel", "WARNING"]
    with (centre.folder / f"{scenario}.log").open("wb") as log:
        locust = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            while locust.poll() is None:
                if ready.exists():
                    centre.ring()
                time.sleep(0.05)
        finally:
            if locust.poll() is None:
                locust.terminate()
                locust.wait(20)
    figures = judged(scenario, users, Path(f"{stats}.json"))
    if any(one.faults for one in figures):
        print((centre.folder / f"{scenario}.log").read_text(encoding="utf-8"), file=sys.stderr)
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the scenarios; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    parser.add_argument("--users", type=int, default=100, help="candidates at the same time")
    parser.add_argument("--seconds", type=int, default=20, help="how long scenarios go on once all take part")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this one (repeatable)")
    arguments = parser.parse_args(argv)
    figures: tuple[Figure, ...] = ()
    with (
        tempfile.TemporaryDirectory(prefix="gongyuan-load-") as folder,
        running(Path(folder), arguments.users) as centre,
    ):
        for scenario in arguments.scenario or SCENARIOS:
            figures += run(centre, scenario, arguments.users, arguments.seconds)
    print(table(figures))
    return 1 if any(one.faults for one in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
