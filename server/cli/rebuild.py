"""`gongyuan recovery` and `gongyuan rebuild`: the printed code, the recovery file, and the server built anew."""

import argparse
import asyncio
import getpass
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import insert

from server.cli.common import add_config, clock_from, settings_from
from server.clock import SHANGHAI, Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.metadata import Base
from server.errors import BadInput, Refusal, Refused, required
from server.keys import ring
from server.keys.identity import Identity
from server.keys.openings_child import harden
from server.keys.recovery import make_code
from server.keys.ring import KeyKind
from server.protocol.journal import JournalFile, read_file
from server.recovery import rebuilding
from server.recovery.bells import TOLERANCE, Opened, bells_refusal, typed_bell
from server.recovery.contents import CENTRE_FILE
from server.recovery.file import node_of, signed_parts
from server.recovery.keeping import write
from server.recovery.rebuilding import Second, SlotToRing
from server.settings import Settings
from server.tables import load_models

Ask = Callable[[str, bool], str]
"""Ask a person; True when what is typed must not be seen."""


def _asking(args: argparse.Namespace) -> Ask:
    if not args.stdin:
        return lambda prompt, hidden: getpass.getpass(prompt) if hidden else input(prompt)

    def line(prompt: str, _hidden: bool) -> str:
        text = sys.stdin.readline()
        if not text:
            raise BadInput("rebuild-line-missing", prompt=prompt)
        return text.rstrip("\r\n")

    return line


def _code(args: argparse.Namespace) -> int:
    harden()
    settings = settings_from(args, "centre")
    load_models()
    db, clock = Database(settings.database_url), clock_from(args)
    identity = Identity.open_or_create(settings.folder)

    async def run() -> tuple[str, str]:
        try:
            async with db.writing() as session:
                act = Act(session, Journal("recovery"), clock.legal(), f"terminal:{getpass.getuser()}")
                return await make_code(act, identity.fingerprint)
        finally:
            await db.close()

    for number, half in enumerate(asyncio.run(run()), 1):
        print(f"{number}/2  {half}  {settings.name}  {identity.fingerprint[:9]}")
    return 0


def _write(args: argparse.Namespace) -> int:
    harden()
    settings = settings_from(args, "centre")
    place = _place(args, settings)
    load_models()
    db, clock = Database(settings.database_url), clock_from(args)
    identity = Identity.open_or_create(settings.folder)

    async def run() -> int:
        try:
            return await write(db, identity, clock, settings.folder, place)
        except OSError as error:
            raise BadInput("recovery-place-unwritable", path=str(place), reason=str(error)) from error
        finally:
            await db.close()

    print(f"{place / CENTRE_FILE}: {asyncio.run(run())}")
    return 0


def _show(args: argparse.Namespace) -> int:
    header = signed_parts(args.file.read_bytes()).header
    print(f"{header.kind} {header.number} {header.written_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}")
    print(node_of(header).fingerprint)
    return 0


def _place(args: argparse.Namespace, settings: Settings) -> Path:
    if args.place is not None:
        return Path(args.place)
    if settings.recovery is None:
        raise BadInput("recovery-place-missing")
    return Path(settings.recovery.folder)


def _journals(paths: Sequence[Path]) -> list[JournalFile]:
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.json")) if path.is_dir() else [path]
    return [read_file(path.read_bytes()) for path in files]


def _bells(
    slot: SlotToRing, people: tuple[str, str], ask: Ask, opened: Sequence[Opened]
) -> dict[str, datetime]:
    """Ask both people for every room's bell; a bell that the file knows to the fraction of a second is kept."""
    typed = [
        {
            room: typed_bell(ask(f"{person}: {slot.title}, {slot.day}, {room}, HH:MM:SS: ", False), slot.day)
            for room in slot.rooms
        }
        for person in people
    ]
    required(bells_refusal(typed[0], typed[1], opened))
    for room, known in slot.bells.items():
        if abs(typed[0][room] - known) > TOLERANCE:
            told = f"{known.astimezone(SHANGHAI):%H:%M:%S}"
            raise Refused(Refusal("bell-file-differs", facts={"room": room, "file": told}))
    return typed[0] | dict(slot.bells)


async def _unlocked(
    second: Second, custodians: Sequence[str], ask: Ask, wanted: Sequence[tuple[KeyKind, str]]
) -> dict[tuple[KeyKind, str], bytes]:
    """Open keys with the custodians' shares in the recovery file, in a database that lives only meanwhile."""
    if not wanted:
        return {}
    phrases = {name: ask(f"{name}: ", True) for name in custodians}
    with tempfile.TemporaryDirectory() as folder:
        db = Database(f"sqlite:///{folder}/keys.db")
        try:
            async with db.engine.begin() as connection:
                await connection.run_sync(Base.metadata.create_all)
            async with db.writing() as session:
                for name in ("keys_custodian", "keys_key", "keys_share"):
                    if rows := second.rows(name):
                        await session.execute(insert(Base.metadata.tables[name]), rows)
            async with db.reading() as session:
                return {
                    (kind, slot): bytes(await ring.unlock(session, kind, slot, phrases))
                    for kind, slot in wanted
                }
        finally:
            await db.close()


def _rebuild(args: argparse.Namespace) -> int:
    harden()
    settings = settings_from(args, "centre")
    people: tuple[str, str] = (args.first, args.second)
    if people[0].strip().casefold() == people[1].strip().casefold():
        raise Refused(Refusal("rebuild-two-people"))
    load_models()
    ask = _asking(args)
    second = rebuilding.read(args.source, *(ask(f"{one}: recovery code: ", True) for one in people))
    files = _journals(args.journals)
    report = asyncio.run(_written(args, settings, clock_from(args), second, files, people, ask))
    print(f"recovery file {second.header.number} of {second.header.written_at.astimezone(SHANGHAI)}")
    print(f"{report.journals} journals, {report.entries} entries, {report.faults} faults")
    for one in report.sittings:
        state = "whole" if one.whole else f"missing {len(one.missing)}" if one.missing else "not whole"
        print(
            f"{one.sitting}\t{one.answers} acknowledged\t{one.unacknowledged} not\t{one.false} false\t{state}"
        )
    for sitting, lease, code in report.refused:
        print(f"REFUSED\t{sitting}\t{lease}\t{code}")
    return 0 if report.whole else 1


async def _written(
    args: argparse.Namespace,
    settings: Settings,
    clock: Clock,
    second: Second,
    files: Sequence[JournalFile],
    people: tuple[str, str],
    ask: Ask,
) -> rebuilding.Report:
    slots = rebuilding.slots_to_ring(second, files)
    keys = {slot.slot: second.journal_key(slot.slot) for slot in slots}
    wanted = [(KeyKind.JOURNAL, slot) for slot, key in keys.items() if key is None]
    if wanted and not args.custodian:
        raise Refused(Refusal("recovery-journal-key-missing"))
    if args.custodian:
        wanted += [(KeyKind.START, slot.slot) for slot in slots if not slot.bells]
    unlocked = await _unlocked(second, args.custodian, ask, wanted)
    journal_keys = {
        slot: unlocked[(KeyKind.JOURNAL, slot)] if key is None else key for slot, key in keys.items()
    }
    start_keys = {slot: key for (kind, slot), key in unlocked.items() if kind is KeyKind.START}
    opened: Mapping[str, Sequence[Opened]] = rebuilding.openings(second, files, journal_keys)
    bells = {slot.slot: _bells(slot, people, ask, opened.get(slot.slot, ())) for slot in slots}
    db = Database(settings.database_url)
    try:
        return await rebuilding.write(
            db, settings.folder, clock, second, files, people, bells, journal_keys, start_keys
        )
    finally:
        await db.close()


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command groups."""
    group = commands.add_parser("recovery", help="the printed recovery code and the recovery file")
    acts = group.add_subparsers(required=True, metavar="ACT")
    code = acts.add_parser("code", help="make a recovery code and print its two halves, once")
    add_config(code)
    code.set_defaults(run=_code)
    now = acts.add_parser("write", help="write the recovery file now (serve does it by itself)")
    now.add_argument("--place", type=Path, help="another folder than the settings name")
    add_config(now)
    now.set_defaults(run=_write)
    show = acts.add_parser("show", help="say which centre wrote a recovery file, and when")
    show.add_argument("file", type=Path)
    show.set_defaults(run=_show, clock=None)
    parser = commands.add_parser(
        "rebuild",
        help="build a centre's server anew from the recovery file and the kiosks' journals",
        description="After total loss of a centre's server: on a new machine two people, each with half of the printed "
        "recovery code, read the recovery file and the journals that were exported at the kiosks, and type the bells "
        "from the printed room records. Status 1 when a journal was refused or a receipt is missing or false.",
    )
    parser.add_argument("--from", dest="source", type=Path, required=True, help="the second place's folder")
    parser.add_argument("--first", required=True, metavar="NAME", help="who holds one half of the code")
    parser.add_argument("--second", required=True, metavar="NAME", help="who holds the other half")
    parser.add_argument(
        "--journals",
        type=Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="journal files, or folders of them",
    )
    parser.add_argument(
        "--custodian", action="append", default=[], metavar="USERNAME",
        help="twice, where the code was made after the draw or the bell is not in the file",
    )  # fmt: skip
    parser.add_argument(
        "--stdin", action="store_true", help="read what would be asked as lines, in that order"
    )
    add_config(parser)
    parser.set_defaults(run=_rebuild)
