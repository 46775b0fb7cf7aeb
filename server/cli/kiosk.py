"""`gongyuan kiosk`: the kit of a centre and the keys of Safe Exam Browser; everything else is the machine's own
command (`python -m kiosk`), which this one starts.
"""

import argparse
import asyncio
import getpass
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from server.cli.common import add_config, clock_from, settings_from
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.migrate import upgrade
from server.delivery.seb_keys import allow_seb_key, seb_keys, withdraw_seb_key
from server.errors import BadInput, Unavailable
from server.keys.authority import served_spki

MACHINE = ("find", "setup", "doctor", "run", "seb", "enrol", "journal", "bots")
"""Words that go to the machine's command as they stand."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the group."""
    group = commands.add_parser(
        "kiosk", help="exam machines: kit, set-up, check, run; keys of Safe Exam Browser"
    )
    acts = group.add_subparsers(title="acts", required=True, metavar="ACT")
    kit = acts.add_parser(
        "kit",
        help="make a centre's kit",
        description="Make a folder with everything for this centre's exam machines: certificate, Chromium policies, "
        "launcher settings, install script, Safe Exam Browser configuration, instructions, a code to scan. The "
        "configuration's key counts at this centre from then on. Two passwords are asked for (of the .seb file, and "
        "to leave Safe Exam Browser); either may be empty.",
    )
    add_config(kit)
    kit.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new or empty folder")
    kit.add_argument("--address", metavar="URL", help="https://NAME:PORT as the seats reach it")
    kit.add_argument("--mdns", action="store_true", help="seats look for the server by multicast")
    kit.add_argument("--passwords-stdin", action="store_true", help="read both passwords from standard input")
    kit.set_defaults(run=_kit)
    keys = acts.add_parser("keys", help="list the keys of Safe Exam Browser that count")
    add_config(keys)
    keys.set_defaults(run=_keys)
    allow = acts.add_parser("allow", help="take a Browser Exam Key (or a Config Key) from now on")
    add_config(allow)
    allow.add_argument("key", help="64 hexadecimal digits, as the browser's settings window shows them")
    allow.add_argument("--config-key", action="store_true", help="it is a Config Key")
    allow.add_argument("--note", default="", help="what it is of, e.g. SEB 3.8 for Windows")
    allow.set_defaults(run=_allow)
    withdraw = acts.add_parser("withdraw", help="take a key no more")
    add_config(withdraw)
    withdraw.add_argument("key")
    withdraw.set_defaults(run=_withdraw)
    for word in MACHINE:
        # No prefix for options here: all that follows is the machine's.
        own = acts.add_parser(
            word,
            help=f"the machine's own command: python -m kiosk {word}",
            description=f"Options: python -m kiosk {word} --help",
            add_help=False,
            prefix_chars="\0",
        )
        own.add_argument("words", nargs="*", action=_Words)
        own.set_defaults(run=_machine, word=word)


class _Words(argparse.Action):
    """Keep the machine's words as they stand; help says where their own help is."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        words = [str(word) for word in values] if isinstance(values, list) else []
        if "--help" in words or "-h" in words:
            parser.print_help()
            sys.exit(0)
        setattr(namespace, self.dest, words)


def _machine(args: argparse.Namespace) -> int:
    return subprocess.call([sys.executable, "-m", "kiosk", args.word, *args.words])


def _in_act(args: argparse.Namespace, work: Callable[[Act], Awaitable[object]]) -> None:
    settings, clock = settings_from(args, "centre"), clock_from(args)
    db = Database(settings.database_url)
    upgrade(db)

    async def run() -> None:
        try:
            async with db.writing() as session:
                await work(Act(session, Journal("kiosk"), clock.legal(), f"terminal:{getpass.getuser()}"))
        finally:
            await db.close()

    asyncio.run(run())


def _kit(args: argparse.Namespace) -> int:
    settings = settings_from(args, "centre")
    pin, authority = served_spki(settings.folder / "tls"), settings.folder / "tls" / "ca.pem"
    if pin is None or not authority.exists():
        raise Unavailable("kit-not-started")
    address = args.address or f"https://{settings.listen.names[0]}:{settings.listen.port}"
    host = urlsplit(address).hostname or ""
    if host not in {name.lower() for name in settings.listen.names}:
        raise BadInput("kit-address-foreign", host=host)
    if args.passwords_stdin:
        seb, leave = (sys.stdin.readline().rstrip("\r\n") for _ in range(2))
    else:
        seb, leave = (getpass.getpass(f"{what}: ") for what in (".seb", "SEB quit"))
    order = {
        "name": settings.name,
        "address": address,
        "standby": next((one for one in settings.servers if one != address), ""),
        "pin": pin,
        "authority": authority.read_text(encoding="ascii"),
        "seb_password": seb,
        "quit_password": leave,
        "mdns": args.mdns,
    }
    command = [sys.executable, "-m", "kiosk", "kit", "--out", str(args.out)]
    done = subprocess.run(command, input=json.dumps(order).encode(), stdout=subprocess.PIPE)
    if done.returncode:
        raise Unavailable("kit-failed")
    made = json.loads(done.stdout)

    async def keep(act: Act) -> None:
        await allow_seb_key(act, "config", made["config_key"], f"kit {address}")

    _in_act(args, keep)
    print(args.out)
    for name in made["files"]:
        print(f"  {name}")
    print(f"Config Key {made['config_key']}")
    return 0


def _keys(args: argparse.Namespace) -> int:
    async def show(act: Act) -> None:
        found = await seb_keys(act.session)
        for kind, keys in (("config", found.config), ("browser", found.browser)):
            for key in keys:
                print(f"{kind} {key}")

    _in_act(args, show)
    return 0


def _allow(args: argparse.Namespace) -> int:
    kind = "config" if args.config_key else "browser"
    _in_act(args, lambda act: allow_seb_key(act, kind, args.key, args.note))
    return 0


def _withdraw(args: argparse.Namespace) -> int:
    _in_act(args, lambda act: withdraw_seb_key(act, args.key))
    return 0
