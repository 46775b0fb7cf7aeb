"""`gongyuan keys change|rotate|drill|passphrase`: custody after the ceremony, at the terminal.

The terminal's process is itself short-lived and serves nobody, so it needs no child; the records are the same.
"""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from server.cli.common import add_config, clock_from, settings_from
from server.cli.desk import terminal_actor
from server.conduct.opening_facts import desk_facts
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import BadInput, Fact, GongyuanError, Refusal, Refused, required
from server.keys import custody, ring, service
from server.keys.ceremony import same_passphrase_refusal, wrap_new
from server.keys.changes import Change, change_refusal, words_of
from server.keys.openings import CUSTODIANS_NEEDED, OpeningEvent, OpeningKind, window
from server.keys.openings_child import harden
from server.keys.sealing import wipe

Outcome = dict[str, Fact]


class _Passphrases:
    """Passphrases from standard input (lines `username:passphrase`, `+username:passphrase` for one to be set), or
    asked for in turn."""

    def __init__(self, from_stdin: bool) -> None:
        self._given: dict[str, str] | None = None
        if from_stdin:
            self._given = {}
            for line in sys.stdin.read().splitlines():
                username, colon, passphrase = line.partition(":")
                if not colon:
                    raise BadInput("passphrase-line-form")
                self._given[username.strip()] = passphrase

    def opening(self, lost: tuple[str, ...] = ()) -> dict[str, str]:
        """Return username → passphrase of the two custodians who open."""
        if self._given is not None:
            found = {name: text for name, text in self._given.items() if not name.startswith("+")}
        else:
            found = {}
            for ordinal in ("first", "second"):
                name = input(f"username of the {ordinal} custodian: ").strip()
                found[name] = getpass.getpass(f"passphrase of {name}: ")
        for name in lost:
            if name in found:
                raise Refused(Refusal("custodian-lost", facts={"custodian": name}))
        return found

    def setting(self, username: str) -> str:
        """Return the passphrase that a person sets."""
        if self._given is not None:
            if f"+{username}" not in self._given:
                raise BadInput("passphrase-missing", custodian=username)
            return self._given[f"+{username}"]
        first = getpass.getpass(f"new passphrase of {username}: ")
        if getpass.getpass("once more: ") != first:
            raise BadInput("passwords-differ")
        return first

    def present(self, username: str) -> str:
        """Return the passphrase that a person has now."""
        if self._given is None:
            return getpass.getpass(f"present passphrase of {username}: ")
        if username not in self._given:
            raise BadInput("passphrase-missing", custodian=username)
        return self._given[username]


class _Recorded:
    """One opening at the terminal: the intention before it, its outcome after it, a refusal as well."""

    def __init__(self, args: argparse.Namespace, kind: OpeningKind, subject: str) -> None:
        settings = settings_from(args, "centre")
        self.db = Database(settings.database_url)
        self.clock = clock_from(args)
        self.journal = Journal("custody")
        self.kind, self.subject = kind, subject

    def act(self, session: AsyncSession) -> Act:
        return Act(session, self.journal, self.clock.legal(), terminal_actor())

    async def run(self, openers: tuple[str, ...], work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Do the work between intention and outcome; `openers` are journalled as those who opened."""
        async with self.db.reading() as session:
            required(window(self.kind, await desk_facts(session, self.clock.legal()), self.clock.legal()))
        async with self.db.writing() as session:
            opening = await service.intend(self.act(session), self.kind, None, self.subject)
        try:
            async with self.db.writing() as session:
                await service.move(self.act(session), opening, OpeningEvent.UNLOCK, custodians=openers)
            outcome = await work()
        except GongyuanError as error:
            async with self.db.writing() as session:
                said = service.failure(error)
                await service.move(self.act(session), opening, OpeningEvent.FAIL, outcome=said)
            raise
        async with self.db.writing() as session:
            await service.move(self.act(session), opening, OpeningEvent.FINISH, outcome=outcome)
        return outcome


def _said(recorded: _Recorded, running: Awaitable[Outcome]) -> int:
    async def run() -> Outcome:
        try:
            return await running
        finally:
            await recorded.db.close()

    for name, value in asyncio.run(run()).items():
        print(f"{name}: {value}")
    return 0


async def _privates(recorded: _Recorded, passphrases: Mapping[str, str]) -> dict[str, bytearray]:
    found: dict[str, bytearray] = {}
    for name, text in passphrases.items():
        async with recorded.db.reading() as session:
            wrapped = await ring.wrapped_custodian(session, name)
        found[wrapped.custodian.id] = await asyncio.to_thread(ring.unwrap, wrapped, text)
    if len(found) < CUSTODIANS_NEEDED:
        facts: Outcome = {"needed": CUSTODIANS_NEEDED, "given": len(found)}
        raise Refused(Refusal("two-custodians-needed", facts=facts))
    return found


def _change(args: argparse.Namespace) -> int:
    harden()
    people = [text.partition("=") for text in args.add]
    named = {username: name or username for username, _, name in people}
    change = Change(tuple(named), tuple(args.retire), tuple(args.lost))
    recorded = _Recorded(args, OpeningKind.CUSTODY, words_of(change))

    async def run() -> Outcome:
        async with recorded.db.reading() as session:
            required(change_refusal([one.username for one in await ring.custodians(session)], change))
        given = _Passphrases(args.passphrases_stdin)
        openers = given.opening(change.lost)
        fresh = [(username, name, given.setting(username)) for username, name in named.items()]
        required(same_passphrase_refusal([*openers.values(), *(text for _, _, text in fresh)]))

        async def work() -> Outcome:
            privates = await _privates(recorded, openers)
            try:
                made = [await asyncio.to_thread(wrap_new, *person) for person in fresh]
                async with recorded.db.reading() as session:
                    prepared = await custody.prepare_change(session, change, made, privates)
            finally:
                for private in privates.values():
                    wipe(private)
            async with recorded.db.writing() as session:
                after = await custody.store_change(recorded.act(session), prepared)
            return {"custodians": len(after), "keys": len(prepared.wrappings)}

        return await recorded.run(tuple(sorted(openers)), work)

    return _said(recorded, run())


def _drill(args: argparse.Namespace) -> int:
    harden()
    recorded = _Recorded(args, OpeningKind.DRILL, "")

    async def run() -> Outcome:
        openers = _Passphrases(args.passphrases_stdin).opening()

        async def work() -> Outcome:
            privates = await _privates(recorded, openers)
            try:
                async with recorded.db.reading() as session:
                    return dict(await custody.drill(session, privates))
            finally:
                for private in privates.values():
                    wipe(private)

        return await recorded.run(tuple(sorted(openers)), work)

    return _said(recorded, run())


def _passphrase(args: argparse.Namespace) -> int:
    harden()
    recorded = _Recorded(args, OpeningKind.PASSPHRASE, args.custodian)

    async def run() -> Outcome:
        async with recorded.db.reading() as session:
            wrapped = await ring.wrapped_custodian(session, args.custodian)
        username = wrapped.custodian.username
        given = _Passphrases(args.passphrases_stdin)
        present, new = given.present(username), given.setting(username)

        async def work() -> Outcome:
            made = await custody.rewrapped(wrapped, present, new)
            async with recorded.db.writing() as session:
                await custody.store_passphrase(recorded.act(session), wrapped, made)
            return {"custodian": username}

        return await recorded.run((username,), work)

    return _said(recorded, run())


def add(acts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the commands below `keys`."""
    change = acts.add_parser(
        "change",
        help="add, retire or replace custodians, or report one lost",
        description="Two custodians in office open every key and share it anew among those who hold office "
        "afterwards; old shares open nothing in this database any more. Items, papers and sheets stay as they are.",
    )
    change.add_argument("--add", action="append", default=[], metavar="USERNAME=NAME", help="a new custodian")
    change.add_argument("--retire", action="append", default=[], metavar="USERNAME", help="who leaves office")
    change.add_argument(
        "--lost", action="append", default=[], metavar="USERNAME", help="whose passphrase is lost or known"
    )
    change.set_defaults(run=_change)
    rotate = acts.add_parser("rotate", help="wrap every key anew for the same custodians")
    rotate.set_defaults(run=_change, add=[], retire=[], lost=[])
    drill = acts.add_parser("drill", help="rehearse a recovery: prove that two custodians open every key")
    drill.set_defaults(run=_drill)
    own = acts.add_parser("passphrase", help="change a custodian's own passphrase")
    own.add_argument("custodian", metavar="USERNAME")
    own.set_defaults(run=_passphrase)
    for parser in (change, rotate, drill, own):
        parser.add_argument(
            "--passphrases-stdin",
            action="store_true",
            help="read lines username:passphrase from standard input; +username:passphrase is one to be set",
        )
        add_config(parser)
