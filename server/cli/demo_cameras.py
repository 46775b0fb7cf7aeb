"""`demo-child … demo-cameras`: the drawn cameras of the demo, a child process."""

import argparse
from pathlib import Path

from server.cli.common import clock_from
from server.demo.cameras import serve
from server.errors import BadInput


def _run(args: argparse.Namespace) -> int:
    if args.clock is None:
        raise BadInput("demo-folder-needed", path=str(args.file))
    serve(args.file, args.address, clock_from(args))
    return 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the child's entry."""
    parser = commands.add_parser("demo-cameras", help="(internal) draw the demo's rooms as cameras")
    parser.add_argument("file", type=Path)
    parser.add_argument("address", type=Path)
    parser.set_defaults(run=_run, clock=None)
