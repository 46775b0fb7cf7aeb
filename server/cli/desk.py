"""What the commands share that open a bank at the desk: passphrases from terminal or standard input, and
the opening."""

import argparse
import getpass
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from server.clock import Clock
from server.conduct.opening_facts import desk_facts
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import BadInput, Fact
from server.keys.service import Desk, close_desk, open_desk


def add_passphrases(parser: argparse.ArgumentParser) -> None:
    """Give a command the arguments by which two custodians open the bank."""
    parser.add_argument(
        "--passphrases-stdin", action="store_true", help="read lines custodian:passphrase from standard input"
    )


def passphrases_from(args: argparse.Namespace) -> dict[str, str]:
    """Return custodian → passphrase: from standard input, or asked one custodian after the other."""
    given: dict[str, str] = {}
    if args.passphrases_stdin:
        for line in sys.stdin.read().splitlines():
            if not line:
                continue
            custodian, colon, passphrase = line.partition(":")
            if not colon:
                raise BadInput("passphrase-line-form")
            given[custodian.strip()] = passphrase
        return given
    for ordinal in ("first", "second"):
        custodian = input(f"username of the {ordinal} custodian: ").strip()
        given[custodian] = getpass.getpass(f"passphrase of {custodian}: ")
    return given


def terminal_actor() -> str:
    """Return who acts at this terminal, for the journal."""
    return f"terminal:{getpass.getuser()}"


@asynccontextmanager
async def desk(
    db: Database, journal: Journal, clock: Clock, bank: str, passphrases: Mapping[str, str]
) -> AsyncIterator[tuple[Desk, dict[str, Fact]]]:
    """Open a bank under two custodians; give (desk, facts to be recorded at its close); the key is wiped
    after."""
    async with db.reading() as session:
        facts = await desk_facts(session, clock.legal())
    opened = await open_desk(db, journal, clock, terminal_actor(), bank, passphrases, facts)
    outcome: dict[str, Fact] = {}
    try:
        yield opened, outcome
    except BaseException as error:
        await close_desk(
            db, journal, clock, terminal_actor(), opened, {**outcome, "error": type(error).__name__}
        )
        raise
    await close_desk(db, journal, clock, terminal_actor(), opened, outcome)
