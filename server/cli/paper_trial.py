"""`python -m server paper-trial`: one trial draw for a serving process, asked for on standard input."""

import argparse

from server.papers.trial_process import run
from server.tables import load_models


def _run(_args: argparse.Namespace) -> int:
    load_models()
    run()
    return 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the child's entry."""
    parser = commands.add_parser("paper-trial", help="(internal) try a draw for a serving process")
    parser.set_defaults(run=_run, clock=None)
