"""Figures of the long forms, appended to docs/measured.md with their date and commit."""

import os
import subprocess
from collections.abc import Mapping
from datetime import timedelta, timezone
from pathlib import Path

from server.clock import SystemClock

FILE = Path(__file__).resolve().parents[2] / "docs" / "measured.md"
_SHANGHAI = timezone(timedelta(hours=8))


def append_measured(what: str, figures: Mapping[str, float | int | str]) -> None:
    """Append one entry: what was done, when (Asia/Shanghai), at which commit, on how many processors, and the
    figures.
    """
    root = FILE.parents[1]
    told = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--", "server", "kiosk"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    commit = told.stdout.strip() or "no commit"
    if changed.stdout.strip():
        commit += " with changes"
    day = SystemClock().legal().astimezone(_SHANGHAI).strftime("%Y-%m-%d %H:%M")
    busy = os.getloadavg()[0]
    lines = [f"\n### {what}\n", f"{day} · {commit} · {os.cpu_count()} processors, {busy:.1f} busy\n"]
    lines += [
        "| figure | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in figures.items()),
    ]
    with FILE.open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
