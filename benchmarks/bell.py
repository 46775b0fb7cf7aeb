"""The bell: `python -m benchmarks.bell [--quick] [--kiosks N]`.

Every kiosk is signed in and holds its sealed paper; then the bell is struck in the centre's process. Measured is
the time from just before the bell's transaction until the last kiosk holds the 32 bytes that open its paper, on
one machine and one monotonic clock. The floor comes from the same run and sockets: one frame, encoded once, to
every kiosk, without a database. Every twentieth paper is opened at the end, or the run fails.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop

from benchmarks.hall import ITEMS, Served, prepare, served
from benchmarks.kiosks import Beacons, Kiosk, Line, opened, refused, seat_all
from benchmarks.measure import allow_files, cpu_of, hold_still, machine, print_figure, quantile

QUICK, FULL = 500, 5000
BROADCASTS = 3


async def broadcast_floor(kiosks: Sequence[Kiosk], server: Served) -> float:
    """Return the least milliseconds that one frame takes to the last of all kiosks."""
    times: list[float] = []
    for _ in range(BROADCASTS):
        told = await server.ask("beacon")
        begin = told["begin"]
        await _until(kiosks, lambda kiosk, since=begin: kiosk.beacon_at >= since)  # type: ignore[misc]
        times.append((max(kiosk.beacon_at for kiosk in kiosks) - begin) * 1000)
    return min(times)


async def _until(kiosks: Sequence[Kiosk], has: Callable[[Kiosk], bool]) -> None:
    begin = time.monotonic()
    while not all(has(kiosk) for kiosk in kiosks):
        if time.monotonic() - begin > 60:
            missing = sum(not has(kiosk) for kiosk in kiosks)
            raise RuntimeError(f"{missing} of {len(kiosks)} kiosks heard nothing within a minute")
        await asyncio.sleep(0.002)


async def measure(folder: Path, count: int) -> None:
    """Measure one hall and print."""
    guests = await prepare(folder, count, rung=False)
    with served(folder) as server:
        hold_still()
        beacons = Beacons()
        kiosks = [Kiosk(guest, beacons) for guest in guests]
        await seat_all(kiosks, Line(server.port))
        await _until(kiosks, lambda kiosk: bool(kiosk.paper))
        if any(kiosk.released for kiosk in kiosks):
            raise RuntimeError("a key was out before the bell")
        floor = await broadcast_floor(kiosks, server)
        cpu = cpu_of(server.pid)
        told = await server.ask("bell")
        await _until(kiosks, lambda kiosk: bool(kiosk.released))
        cpu = cpu_of(server.pid) - cpu
        waits = [(kiosk.keyed_at - told["begin"]) * 1000 for kiosk in kiosks]
        for kiosk in kiosks:
            if kiosk.socket is not None:
                kiosk.socket.abort()
    for kiosk in kiosks[::20]:
        if opened(kiosk) != ITEMS:
            raise RuntimeError("a paper opened with another number of items")
    if refusals := refused(kiosks):
        raise RuntimeError(f"kiosks were refused: {refusals}")
    conditions = machine() | {"kiosks": count, "tls": False, "paper_bytes": len(kiosks[0].paper)}
    print_figure("bell_to_last_key_ms", max(waits), "ms", floor, conditions)
    print_figure("bell_to_median_key_ms", quantile(waits, 0.5), "ms", floor, conditions)
    print_figure("bell_transaction_ms", (told["end"] - told["begin"]) * 1000, "ms", None, conditions)
    print_figure("bell_cpu_us_per_kiosk", cpu / count * 1e6, "us", None, conditions)


def main() -> int:
    """Run the benchmark; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="500 kiosks in place of 5,000")
    parser.add_argument("--kiosks", type=int)
    arguments = parser.parse_args()
    allow_files()
    with tempfile.TemporaryDirectory(prefix="gongyuan-bench-") as folder:
        count = arguments.kiosks or (QUICK if arguments.quick else FULL)
        uvloop.run(measure(Path(folder), count))
    return 0


if __name__ == "__main__":
    sys.exit(main())
