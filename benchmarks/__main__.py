"""`python -m benchmarks [--full] [NAME …]`: every benchmark, each in a process of its own, one after the other.

One that fails does not stop the others; exit status 1 names them at the end.
"""

import argparse
import subprocess
import sys
from pathlib import Path

NAMES = ("answers", "bell", "reconnect", "imports", "draw", "journal", "cameras", "beside")
"""In the order of the day; each is `python -m benchmarks.NAME [--quick]`."""
QUICK_S, FULL_S = 180, 3600
"""When a run is ended as failed; the short forms are made for 45 s on a quiet machine with two processors."""


def run(name: str, *, full: bool) -> bool:
    """Run one; tell whether it ended well."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *([] if full else ["--quick"])]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).resolve().parents[1], timeout=FULL_S if full else QUICK_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main() -> int:
    """Run them; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--full", action="store_true", help="the full form in place of the short one")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark is named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    failed = [name for name in arguments.names or NAMES if not run(name, full=arguments.full)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
