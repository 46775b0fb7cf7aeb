"""`gongyuan keys`: the ceremony, what keys there are, the recovery bundle, and the node's fingerprint."""

import argparse
import asyncio
import getpass
import sys
from pathlib import Path

from server.cli import custody
from server.cli.common import add_config, clock_from, settings_from
from server.clock import SHANGHAI
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.migrate import upgrade
from server.errors import BadInput, Fact
from server.keys import ring, service
from server.keys.ceremony import create_bank_key, prepare_custodians, store_custodians
from server.keys.custody import left
from server.keys.identity import Identity
from server.keys.openings import OpeningEvent, OpeningKind
from server.keys.openings_child import harden


def _asked(what: str) -> str:
    first = getpass.getpass(f"{what}: ")
    if getpass.getpass("once more: ") != first:
        raise BadInput("passwords-differ")
    return first


def _asked_people(args: argparse.Namespace) -> list[str]:
    """Ask who the custodians are, when the command line names nobody."""
    if args.passphrases_stdin:
        raise BadInput("ceremony-of-nobody")
    people: list[str] = []
    while text := input(f"custodian {len(people) + 1} as USERNAME=NAME (empty: no more): ").strip():
        people.append(text)
    return people


def _people(args: argparse.Namespace) -> list[tuple[str, str, str]]:
    names: list[tuple[str, str]] = []
    for text in args.custodian or _asked_people(args):
        username, _, name = text.partition("=")
        names.append((username, name or username))
    if not args.passphrases_stdin:
        return [(username, name, _asked(f"passphrase of {name}")) for username, name in names]
    given: dict[str, str] = {}
    for line in sys.stdin.read().splitlines():
        username, colon, passphrase = line.partition(":")
        if not colon:
            raise BadInput("passphrase-line-form")
        given[username] = passphrase
    missing = [username for username, _name in names if username not in given]
    if missing:
        raise BadInput("passphrase-missing", custodian=missing[0])
    return [(username, name, given[username]) for username, name in names]


def _ceremony(args: argparse.Namespace) -> int:
    """The terminal's process is itself short-lived and serves nobody, so it needs no child."""
    harden()
    settings = settings_from(args, "centre")
    settings.folder.mkdir(parents=True, exist_ok=True)
    clock = clock_from(args)
    db = Database(settings.database_url)
    upgrade(db)
    journal = Journal("ceremony")
    actor = f"terminal:{getpass.getuser()}"
    people = _people(args) if args.custodian or not args.bank else []
    purpose = ring.Purpose.REHEARSAL if args.rehearsal else ring.Purpose.LIVE

    async def run() -> dict[str, Fact]:
        try:
            async with db.writing() as session:
                act = Act(session, journal, clock.legal(), actor)
                opening = await service.intend(act, OpeningKind.CEREMONY, None, args.bank or "")
            prepared = await prepare_custodians(people) if people else []
            async with db.writing() as session:
                act = Act(session, journal, clock.legal(), actor)
                made = tuple(username for username, _name, _passphrase in people)
                await service.move(act, opening, OpeningEvent.UNLOCK, custodians=made)
                outcome: dict[str, Fact] = {"custodians": len(people)}
                if people:
                    await store_custodians(act, prepared)
                if args.bank:
                    outcome |= {"bank": args.bank, "purpose": purpose.value}
                    outcome["check"] = (await create_bank_key(act, args.bank, purpose)).check_value.hex()
                await service.move(act, opening, OpeningEvent.FINISH, outcome=outcome)
            return outcome
        finally:
            await db.close()

    for name, value in asyncio.run(run()).items():
        print(f"{name}: {value}")
    return 0


def _list(args: argparse.Namespace) -> int:
    settings = settings_from(args)
    db = Database(settings.database_url)

    async def run() -> None:
        try:
            async with db.reading() as session:
                for person in await ring.custodians(session):
                    print(f"custodian\t{person.username}\t{person.name}")
                for username, name, how in await left(session):
                    print(f"former\t{username}\t{name}\t{how}")
                for key in await ring.keys(session):
                    state = "retired" if key.retired else "in force"
                    check = key.check_value.hex()[:16]
                    print(
                        f"key\t{key.kind}\t{key.subject}\tgeneration {key.generation}\t"
                        f"{len(key.custodians)} shares\tcheck {check}\t{key.purpose}\t"
                        f"wrapping {key.wrapping}\t{state}"
                    )
                for opening in await service.openings(session):
                    moment = opening.intended_at.astimezone(SHANGHAI)
                    names = " ".join(opening.custodians) or "-"
                    print(
                        f"opening\t{opening.kind}\t{opening.subject}\t{opening.state}\t{names}\t{moment:%Y-%m-%d %H:%M}"
                    )
        finally:
            await db.close()

    asyncio.run(run())
    return 0


def _fingerprint(args: argparse.Namespace) -> int:
    settings = settings_from(args)
    print(Identity.open_or_create(settings.folder).fingerprint)
    return 0


def _export(args: argparse.Namespace) -> int:
    harden()
    settings = settings_from(args)
    identity = Identity.open_or_create(settings.folder)
    passphrase = sys.stdin.readline().rstrip("\r\n") if args.passphrase_stdin else _asked("passphrase")
    args.file.write_bytes(identity.recovery_bundle(passphrase))
    args.file.chmod(0o600)
    print(identity.fingerprint)
    return 0


def _restore(args: argparse.Namespace) -> int:
    harden()
    settings = settings_from(args)
    passphrase = (
        sys.stdin.readline().rstrip("\r\n") if args.passphrase_stdin else getpass.getpass("passphrase: ")
    )
    print(Identity.restore(settings.folder, args.file.read_bytes(), passphrase).fingerprint)
    return 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command group."""
    group = commands.add_parser(
        "keys",
        help="custodians, bank keys, the node's own identity",
        description="The item bank is sealed under a key that no one holds: any two custodians can open it together. "
        "The ceremony makes the custodians, each with a passphrase of at least 12 characters, and the key of a bank.",
    )
    acts = group.add_subparsers(required=True, metavar="ACT")
    ceremony = acts.add_parser("ceremony", help="make the custodians, and the key of a bank")
    ceremony.add_argument(
        "--custodian",
        action="append",
        default=[],
        metavar="USERNAME=NAME",
        help="once for each person, two or more",
    )
    ceremony.add_argument("--bank", help="id of the bank to make a key for")
    ceremony.add_argument(
        "--rehearsal", action="store_true", help="a bank for rehearsals: its key never opens for a live plan"
    )
    ceremony.add_argument(
        "--passphrases-stdin", action="store_true", help="read lines username:passphrase from standard input"
    )
    add_config(ceremony)
    ceremony.set_defaults(run=_ceremony)
    custody.add(acts)
    listing = acts.add_parser("list", help="custodians, keys and openings, without any secret")
    add_config(listing)
    listing.set_defaults(run=_list)
    own = acts.add_parser("fingerprint", help="this node's fingerprint, for the filing letter")
    add_config(own)
    own.set_defaults(run=_fingerprint)
    for name, words, run in (
        ("export", "write the node's identity, encrypted under a passphrase, for the safe", _export),
        ("restore", "put an exported identity into an empty data folder", _restore),
    ):
        parser = acts.add_parser(name, help=words)
        parser.add_argument("file", type=Path)
        parser.add_argument("--passphrase-stdin", action="store_true", help="read the passphrase as one line")
        add_config(parser)
        parser.set_defaults(run=run)
