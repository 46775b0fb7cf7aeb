"""`python -m server proctor-recorder FILE`: one process that records a group of cameras; the centre starts it."""

import argparse
import sys

from server.cli.common import clock_from
from server.proctor.recorder import run


def _run(args: argparse.Namespace) -> int:
    run(args.file, sys.stdin.buffer, sys.stdout.buffer, clock_from(args))
    return 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the child's entry."""
    parser = commands.add_parser("proctor-recorder", help="(internal) record a group of cameras")
    parser.add_argument("file", help="the recorder's configuration, written by the centre")
    parser.set_defaults(run=_run, clock=None)
