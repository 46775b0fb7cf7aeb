"""`gongyuan peers`: whose packages are taken, and the end of it by two people."""

import argparse
import asyncio
import getpass
import sys

from server.accounts.roles import Role
from server.accounts.service import SignInFailures, verified
from server.cli.common import add_config, clock_from, settings_from
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import NotPermitted
from server.packages import peers

_MAY = frozenset({Role.ADMINISTRATOR, Role.EXAM_OFFICE, Role.CITY_OFFICER})
"""Who may enter a peer may end it."""


async def _list(args: argparse.Namespace) -> int:
    db = Database(settings_from(args).database_url)
    async with db.reading() as session:
        for one in await peers.peers(session):
            print(f"{one.id}\t{one.kind}\t{one.name}\t{one.state.value}\t{one.fingerprint}")
    await db.close()
    return 0


async def _revoke(args: argparse.Namespace) -> int:
    clock = clock_from(args)
    db = Database(settings_from(args).database_url)
    given: dict[str, str] = {}
    if args.passwords_stdin:
        lines = (line.partition(":") for line in sys.stdin.read().splitlines() if line)
        given = {name.strip(): password for name, _colon, password in lines}
    failures = SignInFailures()
    try:
        async with db.reading() as session:
            for username in (args.by, args.second):
                password = (
                    given.get(username, "")
                    if args.passwords_stdin
                    else getpass.getpass(f"password of {username}: ")
                )
                account = await verified(session, failures, username, password, "terminal", clock.monotonic())
                if not account.roles & _MAY:
                    raise NotPermitted("not-permitted", username=username)
        async with db.writing() as session:
            act = Act(session, Journal("peers"), clock.legal(), f"staff:{args.by}")
            await peers.revoke_peer(act, args.peer, args.reason, f"staff:{args.second}")
    finally:
        await db.close()
    print(f"{args.peer}: revoked")
    return 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command group."""
    group = commands.add_parser(
        "peers",
        help="the nodes whose packages are taken",
        description="List the nodes that packages are exchanged with, and revoke one whose keys are lost or whose "
        "filing has ended: nothing of it is taken or sent any more, what came before stays checkable.",
    )
    acts = group.add_subparsers(required=True, metavar="ACT")
    listing = acts.add_parser("list", help="list all peers with their state and fingerprint")
    add_config(listing)
    listing.set_defaults(run=lambda args: asyncio.run(_list(args)))
    revoke = acts.add_parser("revoke", help="revoke a peer, by two people with a reason")
    revoke.add_argument("peer", metavar="ID", help="as `peers list` shows it")
    revoke.add_argument("--reason", required=True, help="why, for the journal")
    revoke.add_argument(
        "--by", required=True, metavar="USERNAME", help="administrator, office or city officer"
    )
    revoke.add_argument("--second", required=True, metavar="USERNAME", help="another of these")
    revoke.add_argument("--passwords-stdin", action="store_true", help="read lines username:password")
    add_config(revoke)
    revoke.set_defaults(run=lambda args: asyncio.run(_revoke(args)))
