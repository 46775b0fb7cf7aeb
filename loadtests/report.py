"""Judge what locust wrote against `thresholds.toml`, and say it as a table."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

THRESHOLDS = Path(__file__).with_name("thresholds.toml")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a scenario: how often it happened and failed, median and 99th percentile in ms, what is
    wrong.
    """

    scenario: str
    name: str
    count: int
    failures: int
    p50_ms: float
    p99_ms: float
    faults: tuple[str, ...]


def percentile(times: Mapping[str, int], share: float) -> float:
    """Return the least time, in ms, that a share of the counted ones does not exceed; 0 without any."""
    total, seen = sum(times.values()), 0
    for time, count in sorted((float(time), count) for time, count in times.items()):
        seen += count
        if seen >= share * total:
            return time
    return 0.0


def judged(scenario: str, users: int, stats: Path, thresholds: Path = THRESHOLDS) -> tuple[Figure, ...]:
    """Read a run's statistics (locust's `--json-file`) and judge them; what has a threshold and did not happen
    is a figure with a fault, and a failure without a threshold is a fault.
    """
    wanted: Mapping[str, Mapping[str, float]] = tomllib.loads(thresholds.read_text(encoding="utf-8"))[
        scenario
    ]
    rows: list[dict[str, Any]] = json.loads(stats.read_text(encoding="utf-8")) if stats.exists() else []
    found = {row["name"]: row for row in rows}
    return tuple(
        _figure(scenario, name, found.get(name, {}), wanted.get(name, {"failures": 0}), users)
        for name in sorted(found.keys() | wanted.keys())
    )


def _figure(
    scenario: str, name: str, row: Mapping[str, Any], wanted: Mapping[str, float], users: int
) -> Figure:
    count, failures = int(row.get("num_requests", 0)), int(row.get("num_failures", 0))
    times: Mapping[str, int] = row.get("response_times", {})
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    faults = []
    if count < wanted.get("least", 0) * users:
        faults.append(f"happened {count} times, wanted {wanted['least'] * users:.0f}")
    if failures > wanted.get("failures", failures):
        faults.append(f"{failures} failed")
    if p99 > wanted.get("p99_ms", p99):
        faults.append(f"p99 over {wanted['p99_ms']:.0f} ms")
    return Figure(scenario, name, count, failures, p50, p99, tuple(faults))


def table(figures: tuple[Figure, ...]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| scenario | what | count | failed | p50 ms | p99 ms | |", "|---|---|--:|--:|--:|--:|---|"]
    lines += [
        f"| {one.scenario} | {one.name} | {one.count} | {one.failures} | {one.p50_ms:.0f} | {one.p99_ms:.0f} "
        f"| {'; '.join(one.faults) or 'kept'} |"
        for one in figures
    ]
    return "\n".join(lines)
