"""`gongyuan demo`: one whole exam day on this machine."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from server.demo.run import demo
from server.errors import BadInput

SPEED = 72.0


def _demo(args: argparse.Namespace) -> int:
    if not 1 <= args.speed <= 600:
        raise BadInput("demo-speed", speed=args.speed)
    day = demo(args.folder, args.speed, args.port, args.report, args.stay, args.power_cut)
    try:
        return asyncio.run(_until_told(day))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print(file=sys.stderr)
        return 130


async def _until_told(day: Coroutine[Any, Any, int]) -> int:
    """Run the day; a closed terminal or SIGTERM ends it as Ctrl+C does, with its children."""
    running = asyncio.create_task(day)
    for told in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(told, running.cancel)
    return await running


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser(
        "demo",
        help="run one whole exam day on this machine: item bank to certificate",
        description="Starts a registry, a centre, sixty kiosks and two drawn room cameras as processes of this "
        "machine, and acts one exam day out under an accelerated legal clock. Nothing is scripted but what the "
        "people do. Ends with a table whose counts must close; status 1 when one does not.",
    )
    parser.add_argument(
        "--speed",
        type=float,
        default=SPEED,
        help="legal seconds a second from the bell to the collection (72)",
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("demo-data"), help="made anew at each run (demo-data)"
    )
    parser.add_argument(
        "--port", type=int, default=8443, help="registry's port, the centre has the next; 0: any free"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the summary as JSON")
    parser.add_argument("--stay", action="store_true", help="keep serving after the day")
    parser.add_argument(
        "--power-cut", type=float, metavar="MINUTE", help="kill the centre at this minute of the exam"
    )
    parser.set_defaults(run=_demo)
