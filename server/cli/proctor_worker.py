"""`python -m server proctor-worker FILE`: one process for a group of cameras; the centre starts it."""

import argparse
import sys

from server.cli.common import clock_from
from server.proctor.worker import run


def _run(args: argparse.Namespace) -> int:
    run(args.file, sys.stdout.buffer, clock_from(args))
    return 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the child's entry."""
    parser = commands.add_parser("proctor-worker", help="(internal) watch a group of cameras")
    parser.add_argument("file", help="the worker's configuration, written by the centre")
    parser.set_defaults(run=_run, clock=None)
