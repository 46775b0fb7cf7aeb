"""What every benchmark needs: the line it prints, what a process used, and a child process to measure."""

import gc
import json
import os
import platform
import resource
import sqlite3
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def print_figure(
    figure: str, value: float, unit: str, floor: float | None, conditions: Mapping[str, Any]
) -> None:
    """Print one figure as a JSON line; `ratio` is value over floor, null where there is no floor."""
    line = {
        "figure": figure,
        "value": _rounded(value),
        "unit": unit,
        "floor": None if floor is None else _rounded(floor),
        "ratio": None if not floor else round(value / floor, 4),
        "conditions": dict(conditions),
    }
    print(json.dumps(line, ensure_ascii=False), flush=True)


def machine() -> dict[str, Any]:
    """Return the conditions that every figure shares; `busy` is the mean number of runnable processes of the
    last minute, so that a figure taken on a busy machine can be told.
    """
    return {
        "cpus": os.cpu_count(),
        "busy": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def cpu_of(pid: int) -> float:
    """Return user and system CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    """Return the resident bytes of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies; ValueError without values."""
    if not values:
        raise ValueError("there is nothing to take a quantile of")
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=1000, method="inclusive")[min(998, round(share * 1000) - 1)]


def allow_files() -> int:
    """Let this process and its children open as many files as the system permits; return how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def hold_still() -> None:
    """End the collector of this process, which makes the load: a full collection over 5,000 kiosks stopped it for
    half a second, and the benchmark took its own stop for the server's. What it leaves uncollected is small.
    """
    gc.collect()
    gc.freeze()
    gc.disable()


def _rounded(value: float) -> float:
    """Three significant places at least, and no false precision of large figures."""
    return round(value, 2 if abs(value) >= 1 else 5)
