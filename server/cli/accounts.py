"""`gongyuan accounts`: the first administrator, further accounts, passwords, closing."""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable

from server.accounts import service, store
from server.accounts.roles import Role
from server.cli.common import add_config, clock_from, settings_from
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.migrate import upgrade
from server.errors import BadInput
from server.keys.passwords import HashedPassword, prepared_password


def _password(args: argparse.Namespace) -> str:
    """Take the password from standard input (one line) or ask for it twice; never from the command line."""
    if args.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("password: ")
    if getpass.getpass("once more: ") != first:
        raise BadInput("passwords-differ")
    return first


def _in_act(args: argparse.Namespace, work: Callable[[Act], Awaitable[object]]) -> None:
    settings = settings_from(args)
    settings.folder.mkdir(parents=True, exist_ok=True)
    clock = clock_from(args)
    db = Database(settings.database_url)
    upgrade(db)

    async def run() -> None:
        try:
            async with db.writing() as session:
                actor = f"terminal:{getpass.getuser()}"
                await work(Act(session, Journal("accounts"), clock.legal(), actor))
        finally:
            await db.close()

    asyncio.run(run())


def _hashed(args: argparse.Namespace) -> HashedPassword:
    return asyncio.run(prepared_password(_password(args), args.username))


def _create_administrator(args: argparse.Namespace) -> int:
    hashed = _hashed(args)

    async def work(act: Act) -> None:
        await service.create_first_administrator(act, args.username, args.name or args.username, hashed)

    _in_act(args, work)
    print(f"{args.username}: administrator")
    return 0


def ask_for_first_administrator(args: argparse.Namespace) -> None:
    """At a first start: ask at the terminal for the first administrator's password, as username `admin`.

    Without a terminal (a service) nothing is asked; a line on standard error says how to make one.
    """
    missing = False

    async def look(act: Act) -> None:
        nonlocal missing
        missing = await store.count_open_with_role(act.session, Role.ADMINISTRATOR) == 0

    _in_act(args, look)
    if not missing:
        return
    if not sys.stdin.isatty():
        print(
            "no administrator yet: gongyuan accounts create-administrator NAME --config FILE", file=sys.stderr
        )
        return
    print("first start: choose the password of the first administrator (username: admin)")
    asked = argparse.Namespace(**vars(args), username="admin", name="admin", password_stdin=False)
    _create_administrator(asked)


def _add(args: argparse.Namespace) -> int:
    hashed = _hashed(args)
    roles = {Role(value) for value in args.role}

    async def work(act: Act) -> None:
        await service.create_account(
            act, args.username, args.name or args.username, hashed, roles, args.scope
        )

    _in_act(args, work)
    print(f"{args.username}: {' '.join(sorted(roles))}")
    return 0


def _change(args: argparse.Namespace) -> int:
    hashed = _hashed(args)
    _in_act(args, lambda act: service.change_password(act, args.username, hashed))
    print(f"{args.username}: password changed, all logins ended")
    return 0


def _close(args: argparse.Namespace) -> int:
    _in_act(args, lambda act: service.close_account(act, args.username))
    print(f"{args.username}: closed")
    return 0


def _list(args: argparse.Namespace) -> int:
    async def work(act: Act) -> None:
        for account in await store.accounts(act.session):
            state = "closed" if account.closed else "open"
            roles = " ".join(sorted(account.roles))
            print(f"{account.username}\t{account.display_name}\t{roles}\t{account.scope or '-'}\t{state}")

    _in_act(args, work)
    return 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command group."""
    group = commands.add_parser(
        "accounts",
        help="people who may sign in",
        description="Make and close accounts at the server's own terminal. Passwords have at least 10 characters; they "
        "are asked for, or read as one line with --password-stdin, and never stand on the command line.",
    )
    acts = group.add_subparsers(required=True, metavar="ACT")
    _act(acts, "create-administrator", "make the first administrator", _create_administrator, name=True)
    adding = _act(acts, "add", "make a further account", _add, name=True)
    adding.add_argument(
        "--role",
        action="append",
        required=True,
        choices=[role.value for role in Role],
        help="may be repeated",
    )
    adding.add_argument("--scope", help="room number or organisation id that the account is limited to")
    _act(acts, "password", "set a new password and end all logins of the account", _change)
    closing = acts.add_parser("close", help="close an account for good")
    closing.add_argument("username")
    add_config(closing)
    closing.set_defaults(run=_close)
    listing = acts.add_parser("list", help="list all accounts with their roles")
    add_config(listing)
    listing.set_defaults(run=_list)


def _act(
    acts: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name_of_act: str,
    words: str,
    run: Callable[[argparse.Namespace], int],
    name: bool = False,
) -> argparse.ArgumentParser:
    parser = acts.add_parser(name_of_act, help=words)
    parser.add_argument("username", help="2 to 63 of a-z, 0-9, '.', '_', '-'")
    if name:
        parser.add_argument("--name", help="name shown on pages (default: the username)")
    parser.add_argument("--password-stdin", action="store_true", help="read the password as one line")
    add_config(parser)
    parser.set_defaults(run=run)
    return parser
