"""The command line: `gongyuan GROUP ACT …`, and the hidden entries that only child processes use."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from server.errors import GongyuanError
from server.web.catalogue import say

GROUPS = (
    "serve",
    "demo",
    "accounts",
    "keys",
    "items",
    "bank",
    "paper",
    "marking",
    "proctor",
    "certificate",
    "database",
    "receipt",
    "rebuild",
    "rehearse",
    "standby",
    "peers",
    "kiosk",
    "assets",
)
_CHILDREN = {
    "opening": "opening",
    "paper-trial": "paper_trial",
    "proctor-worker": "proctor_worker",
    "proctor-recorder": "proctor_recorder",
    "demo-cameras": "demo_cameras",
}
"""Entries of child processes, by their word on the command line; no person calls them."""

_DESCRIPTION = """\
gongyuan (贡院) delivers exams on a local network: it draws papers from an encrypted item bank, brings them to the
seats, keeps every acknowledged answer on disk, watches the room cameras, scores, publishes and files the results.

  A first look          gongyuan demo
  An authority          gongyuan serve --role registry --config registry.toml
  An exam centre        gongyuan serve --role centre --config centre.toml
  First administrator   gongyuan accounts create-administrator NAME --config centre.toml
  Custodians' keys      gongyuan keys ceremony --custodian A --custodian B --bank BANK --config centre.toml
  Items into the bank   gongyuan items import FILE.xlsx --bank BANK --config centre.toml
  Edit and review       gongyuan bank serve --config centre.toml
  Mark by people        gongyuan marking serve --config centre.toml
  Exam machines         gongyuan kiosk kit --out FOLDER --config centre.toml
  Is the journal whole  gongyuan journal verify --config centre.toml
"""

_EPILOG = """\
Every command ends with status 0 when it did what it says, 1 when it found a fault or was refused (the reason stands
on standard error), 2 when it was called wrongly. `gongyuan GROUP --help` explains a group.
"""


def parser(groups: Sequence[str] = GROUPS) -> argparse.ArgumentParser:
    """Build the parser of all command groups (each group is one module of this package)."""
    top = argparse.ArgumentParser(
        prog="gongyuan",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(title="groups", required=True, metavar="GROUP")
    for name in groups:
        importlib.import_module(f"server.cli.{name}").add(commands)
    return top


def _run(arguments: Sequence[str], groups: Sequence[str], clock: Path | None) -> int:
    args = parser(groups).parse_args(arguments)
    if clock is not None:
        args.clock = clock
    try:
        status: int = args.run(args)
    except GongyuanError as error:
        print(say("zh", error.code, error.facts), file=sys.stderr)
        print(say("en", error.code, error.facts), file=sys.stderr)
        return 1
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    clock: Path | None = None
    if words[:1] == ["demo-child"]:
        # The demo's own processes: the same commands under the demo's clock file, for a demo's folder only.
        clock = Path(words[2])
        words = words[3:]
    return _run(words, _modules(words[0] if words else ""), clock)


def _modules(word: str) -> Sequence[str]:
    """Return the modules to load for the first word: one for a known group: a server starts without the rest."""
    if word in _CHILDREN:
        return (_CHILDREN[word],)
    if word in GROUPS:
        return (word,)
    if word == "recovery":
        return ("rebuild",)
    return ("database",) if word in ("db", "journal") else GROUPS
