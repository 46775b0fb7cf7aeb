"""Is this machine fit for an exam: browser, policies, input method, fonts, disk, server, clock, account."""

import asyncio
import contextlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from kiosk.clock import monotonic, wall
from kiosk.finding import reached
from kiosk.settings import KioskSettings
from server.errors import GongyuanError, Tampered

OLDEST_CHROMIUM = 137
"""The first Chromium whose pages can make Ed25519 keys."""
LEAST_FREE_MB = 2000
CLOCK_OFF_MS = 60_000
"""The page counts by the server's time; a clock further off than this breaks certificates' dates sooner or later."""
_OUTPUT_WITHIN_S = 20

_INPUT_METHODS = (
    ("fcitx5", "fcitx5", ("usr/share/fcitx5/inputmethod/pinyin.conf",)),
    (
        "ibus",
        "ibus-daemon",
        ("usr/share/ibus/component/libpinyin.xml", "usr/share/ibus/component/rime.xml"),
    ),
)
"""Name, programme, and the files of which one says that it knows Chinese."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One point of the check: its code, what was found in words of its own, and the fault's code, or None."""

    check: str
    found: str
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """The findings, and the figures that a health report has."""

    findings: tuple[Finding, ...]
    browser: str
    input_method: str
    disk_free_mb: int
    clock_difference_ms: int | None

    @property
    def faults(self) -> tuple[str, ...]:
        """Codes of what is wrong, in the order of the check."""
        return tuple(one.fault for one in self.findings if one.fault is not None)


async def examine(settings: KioskSettings, root: Path = Path("/")) -> Machine:
    """Check this machine; `root` is where the system's files are looked for."""
    version = await _output(settings.browser, "--version")
    method = input_method(root)
    fonts = await _output("fc-list", ":lang=zh", "family")
    free, writable = _disk(Path(settings.folder))
    server, difference = await _server(settings)
    clock = Finding("kiosk-check-clock", "?" if difference is None else f"{difference / 1000:+.1f} s")
    if difference is not None and abs(difference) > CLOCK_OFF_MS:
        clock = Finding(clock.check, clock.found, "kiosk-clock-off")
    disk = Finding("kiosk-check-disk", f"{free} MB · {settings.folder}")
    if not writable:
        disk = Finding(disk.check, disk.found, "kiosk-folder-read-only")
    elif free < LEAST_FREE_MB:
        disk = Finding(disk.check, disk.found, "kiosk-disk-low")
    findings = (
        _browser(version),
        policies(Path(settings.policies), Path(settings.folder)),
        Finding("kiosk-check-input", method, None if method else "kiosk-input-none"),
        Finding(
            "kiosk-check-fonts", fonts.split("\n")[0].split(",")[0], None if fonts else "kiosk-fonts-none"
        ),
        disk,
        server,
        clock,
        Finding("kiosk-check-account", f"uid {os.getuid()}", "kiosk-root" if os.getuid() == 0 else None),
    )
    return Machine(findings, version[:120], method, free, difference)


def input_method(root: Path = Path("/")) -> str:
    """Return the name of a Chinese input method whose programme and tables stand under `root`, or nothing."""
    for name, programme, tables in _INPUT_METHODS:
        there = any((root / folder / programme).exists() for folder in ("usr/bin", "usr/local/bin"))
        if there and any((root / table).exists() for table in tables):
            return name
    return ""


def policies(path: Path, folder: Path) -> Finding:
    """Compare the managed policies with the kit's own copy (`<folder>/policies.json`)."""
    kept = folder / "policies.json"
    try:
        stands = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Finding("kiosk-check-policies", str(path), "kiosk-policy-missing")
    with contextlib.suppress(OSError, ValueError):
        if stands == json.loads(kept.read_text(encoding="utf-8")):
            return Finding("kiosk-check-policies", str(path))
    return Finding("kiosk-check-policies", str(path), "kiosk-policy-other")


def _browser(version: str) -> Finding:
    number = re.search(r"(\d+)\.", version)
    if number is None:
        return Finding("kiosk-check-browser", version, "kiosk-browser-missing")
    old = int(number[1]) < OLDEST_CHROMIUM
    return Finding("kiosk-check-browser", version, "kiosk-browser-old" if old else None)


def _disk(folder: Path) -> tuple[int, bool]:
    place = folder
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free // 1_000_000, folder.exists() and os.access(folder, os.W_OK)


async def _server(settings: KioskSettings) -> tuple[Finding, int | None]:
    try:
        server, tls = await reached(settings.addresses, settings.pin)
        async with httpx.AsyncClient(verify=tls, timeout=15, trust_env=False) as client:
            asked, before = wall(), monotonic()
            told = (await client.get(f"{server}/api/time")).json()
            half = (monotonic() - before) / 2
        difference = asked.timestamp() + half - datetime.fromisoformat(told["now"]).timestamp()
    except Tampered:
        return Finding("kiosk-check-server", settings.server, "kiosk-server-other"), None
    except (GongyuanError, httpx.HTTPError, ValueError, KeyError):
        return Finding("kiosk-check-server", settings.server, "kiosk-server-lost"), None
    return Finding("kiosk-check-server", server), round(difference * 1000)


async def _output(*command: str) -> str:
    """Return what a programme prints, or nothing where it is missing, fails or hangs."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(_OUTPUT_WITHIN_S):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return out.decode(errors="replace").strip() if process.returncode == 0 else ""
