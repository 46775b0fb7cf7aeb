"""What all command groups share: settings and clock from the arguments, and the guard between demo and real use.

A data folder that the demo made carries a marker. Every command refuses such a folder unless it runs as
`demo-child` with the clock file that lies in the same demo; `demo-child` refuses every other folder.
"""

import argparse
from pathlib import Path

from server.clock import KEPT_LINE, Clock, DemoClock, SystemClock
from server.errors import BadInput
from server.settings import DEMO_MARKER, Role, Settings, load_settings


def add_config(parser: argparse.ArgumentParser) -> None:
    """Give a command the `--config FILE` argument (and the hidden clock that only `demo-child` sets)."""
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="settings of the server (TOML)"
    )
    parser.set_defaults(clock=None)


def _is_demo(folder: Path) -> bool:
    return any((place / DEMO_MARKER).exists() for place in (folder, folder.parent))


def settings_from(args: argparse.Namespace, role: Role | None = None) -> Settings:
    """Read the settings; refuse a demo's folder in real use, and a real folder in the demo."""
    settings = load_settings(args.config, role)
    clock: Path | None = args.clock
    if clock is None and _is_demo(settings.folder):
        raise BadInput("demo-folder-refused", path=settings.data)
    if clock is not None and not (_is_demo(settings.folder) and _is_demo(clock.parent)):
        raise BadInput("demo-folder-needed", path=settings.data)
    return settings


def clock_from(args: argparse.Namespace) -> Clock:
    """Return the clock of this command: the demo's shared one under `demo-child`; else the system's, or the line of
    the exam that is on at this server."""
    if args.clock is not None:
        return DemoClock(args.clock)
    config: Path | None = getattr(args, "config", None)
    return SystemClock(None if config is None else load_settings(config).folder / KEPT_LINE)
