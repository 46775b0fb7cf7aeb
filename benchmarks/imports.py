"""An import in the middle of an exam: `python -m benchmarks.imports [--quick] [--kiosks N]`.

While kiosks answer at an even pace, the centre takes in the exam package of another plan with 10,000 candidates.
The acknowledgement times of that stretch stand beside those of the stretch before, in the same run.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import uvloop

from benchmarks.answers import Load, paced
from benchmarks.hall import IMPORTED, Served, prepare, served
from benchmarks.kiosks import Beacons, Kiosk, Line, refused, seat_all
from benchmarks.measure import allow_files, machine, print_figure, quantile

QUICK, FULL = 100, 1000


async def importing(kiosks: list[Kiosk], server: Served, rate: float, seconds: float) -> tuple[Load, float]:
    """Answer while the package is taken in; return the load and the seconds that the import took."""
    running = asyncio.create_task(paced(kiosks, server, rate, seconds))
    told = await server.ask("import")
    return await running, told["end"] - told["begin"]


async def measure(folder: Path, count: int, seconds: float) -> None:
    """Measure one hall and print."""
    guests = await prepare(folder, count, rung=True)
    rate = count / 2
    with served(folder) as server:
        beacons = Beacons()
        kiosks = [Kiosk(guest, beacons) for guest in guests]
        await seat_all(kiosks, Line(server.port))
        await paced(kiosks, server, rate, 1.0)
        alone = await paced(kiosks, server, rate, seconds)
        beside, took = await importing(kiosks, server, rate, seconds)
        for kiosk in kiosks:
            if kiosk.socket is not None:
                kiosk.socket.abort()
    if refusals := refused(kiosks):
        raise RuntimeError(f"answers were refused: {refusals}")
    conditions = machine() | {"kiosks": count, "offered_per_s": rate, "candidates": IMPORTED}
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        floor = quantile(alone.latencies, share)
        print_figure(
            f"acknowledged_{name}_ms_during_import",
            quantile(beside.latencies, share),
            "ms",
            floor,
            conditions,
        )
    print_figure(
        "longest_wait_ms_during_import", max(beside.latencies), "ms", max(alone.latencies), conditions
    )
    print_figure("import_s", took, "s", None, conditions)


def main() -> int:
    """Run the benchmark; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 kiosks in place of 1,000")
    parser.add_argument("--kiosks", type=int)
    arguments = parser.parse_args()
    allow_files()
    with tempfile.TemporaryDirectory(prefix="gongyuan-bench-") as folder:
        count = arguments.kiosks or (QUICK if arguments.quick else FULL)
        uvloop.run(measure(Path(folder), count, 8.0 if arguments.quick else 20.0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
