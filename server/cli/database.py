"""`gongyuan db` and `gongyuan journal`: schema migrations, and the check of the hash-chained journal."""

import argparse

from server.cli.common import add_config, settings_from
from server.db.engine import Database
from server.db.journal import verify
from server.db.migrate import revision, upgrade
from server.delivery.verification import verify_answers


def _upgrade(args: argparse.Namespace) -> int:
    settings = settings_from(args)
    settings.folder.mkdir(parents=True, exist_ok=True)
    upgrade(Database(settings.database_url))
    print("the database is at the newest revision")
    return 0


def _revision(args: argparse.Namespace) -> int:
    from server.tables import load_models

    load_models()
    print(revision(args.message))
    return 0


def _verify(args: argparse.Namespace) -> int:
    with Database(settings_from(args).database_url).snapshot() as connection:
        outcome = verify(connection)
        answers = verify_answers(connection)
    faults = (*outcome.faults, *answers.faults)
    for fault in faults:
        print(f"FAULT  {fault}")
    print(
        f"{outcome.chains} chains, {outcome.records} records, {answers.answers} answers, {len(faults)} faults"
    )
    return 1 if faults else 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command groups."""
    group = commands.add_parser("db", help="bring the database to the newest schema")
    acts = group.add_subparsers(required=True, metavar="ACT")
    up = acts.add_parser("upgrade", help="apply all migrations that are missing (serve does it too)")
    add_config(up)
    up.set_defaults(run=_upgrade)
    new = acts.add_parser("revision", help="for developers: write a migration for changed tables")
    new.add_argument("message")
    new.set_defaults(run=_revision)
    journal = commands.add_parser("journal", help="check the hash-chained journal")
    journal_acts = journal.add_subparsers(required=True, metavar="ACT")
    check = journal_acts.add_parser(
        "verify", help="recompute every chain; status 1 when a record was changed"
    )
    add_config(check)
    check.set_defaults(run=_verify)
