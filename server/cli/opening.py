"""`python -m server opening KIND`: the short-lived child of one opening. A serving process starts it, no person does.

The command line names the kind and the settings file; everything else, passphrases as ciphertext included, comes over
standard input. Only here do the keys of bank, start, marking and journals meet the rooms that use them.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, is_dataclass
from functools import partial
from typing import Any

from server.cli.common import add_config, clock_from, settings_from
from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import BadInput, Fact, Refusal, Refused
from server.keys.identity import Identity
from server.keys.openings import OpeningKind
from server.keys.openings_child import Child, Outcome, Unlocked, harden, private_stdout, stdin_reader
from server.keys.recovery import journal_key_info, recovery_code
from server.keys.ring import KeyKind, Purpose, create_key
from server.keys.sealing import generate_receiving, hpke_seal, random_key, wipe

KINDS = tuple(kind for kind in OpeningKind if kind is not OpeningKind.DESK)


def _facts(outcome: Any) -> dict[str, Fact]:
    """Return the plain facts of an outcome, hashes as hex; what has parts of its own stays in its room."""
    named = asdict(outcome) if is_dataclass(outcome) and not isinstance(outcome, type) else dict(outcome)
    plain: dict[str, Fact] = {}
    for name, value in named.items():
        if isinstance(value, bytes):
            plain[name] = value.hex()
        elif value is None or isinstance(value, str | int | float):
            plain[name] = value
    return plain


async def _draw(
    db: Database, journal: Journal, clock: Clock, identity: Identity, unlocked: Unlocked
) -> Outcome:
    from server.affairs import store as affairs
    from server.delivery import late_journals
    from server.itembank.blueprint import read_blueprint
    from server.papers import store as papers
    from server.papers.draw_service import draw_slot

    begin = unlocked.begin
    bank, blueprint_text = begin.parameters.get("bank"), begin.parameters.get("blueprint")
    if not bank or not blueprint_text:
        raise BadInput("draw-parameters", needed="bank, blueprint")
    blueprint = read_blueprint(blueprint_text.encode())
    async with db.reading() as session:
        if await papers.sealed_set(session, begin.subject) is not None:
            raise Refused(Refusal("already-drawn"))
        purpose = Purpose((await affairs.plan(session, begin.plan)).purpose)
    bank_key = await unlocked.key(db, KeyKind.BANK, bank, purpose)
    start_key, marking_key = random_key(), random_key()
    recovery, public = generate_receiving()
    journal_key = bytearray(recovery)
    try:
        # Keys of a draw that died half-way seal nothing that is used, so new ones may take their place.
        async with db.writing() as session:
            act = Act(session, journal, clock.legal(), begin.actor)
            for kind, key in (
                (KeyKind.START, start_key),
                (KeyKind.MARKING, marking_key),
                (KeyKind.JOURNAL, journal_key),
            ):
                await create_key(act, kind, begin.subject, key, purpose=purpose, supersede=True)
            code = await recovery_code(act.session)
            sealed = None
            if code is not None:
                sealed = hpke_seal(code.public, journal_key, journal_key_info(begin.subject))
            await late_journals.keep_recovery_key(act, begin.subject, public, sealed)
        outcome = await draw_slot(
            db,
            journal,
            clock,
            begin.actor,
            begin.plan,
            begin.subject,
            bank_key,
            start_key,
            marking_key,
            blueprint,
            identity=identity,
            bank_id=bank,
        )
    finally:
        for key in (bank_key, start_key, marking_key, journal_key):
            wipe(key)
    return _facts(outcome)


async def _mark(
    db: Database, journal: Journal, clock: Clock, identity: Identity, unlocked: Unlocked
) -> Outcome:
    from server.affairs import store as affairs
    from server.scoring.service import mark_slot

    begin = unlocked.begin
    async with db.reading() as session:
        purpose = Purpose((await affairs.plan(session, begin.plan)).purpose)
    key = await unlocked.key(db, KeyKind.MARKING, begin.subject, purpose)
    try:
        return _facts(await mark_slot(db, journal, clock, begin.actor, begin.subject, key, identity))
    finally:
        wipe(key)


async def _journals(
    db: Database, journal: Journal, clock: Clock, identity: Identity, unlocked: Unlocked
) -> Outcome:
    from server.affairs import store as affairs
    from server.delivery import late_journals

    begin = unlocked.begin
    async with db.reading() as session:
        purpose = Purpose((await affairs.plan(session, begin.plan)).purpose)
        waiting = [
            one.id for one in await late_journals.journals(session, begin.subject) if one.opened < one.entries
        ]
    key = await unlocked.key(db, KeyKind.JOURNAL, begin.subject, purpose)
    node, faults = "".join(identity.fingerprint.split()), 0
    try:
        for one in waiting:
            async with db.writing() as session:
                act = Act(session, journal, clock.legal(), begin.actor)
                faults += await late_journals.open_journal(act, one, key, node, identity.public.signing)
    finally:
        wipe(key)
    return {"journals": len(waiting), "faults": faults}


Worker = Callable[[Database, Journal, Clock, Identity, Unlocked], Awaitable[Outcome]]
_WORKS: dict[OpeningKind, Worker] = {
    OpeningKind.DRAW: _draw,
    OpeningKind.MARKING: _mark,
    OpeningKind.JOURNAL: _journals,
}


async def _child(args: argparse.Namespace) -> int:
    settings = settings_from(args, "centre")
    clock = clock_from(args)
    kind = OpeningKind(args.kind)
    writer = private_stdout()
    db = Database(settings.database_url)
    journal = Journal(f"opening:{kind.value}")
    identity = Identity.open_or_create(settings.folder)
    try:
        child = Child(db, journal, clock, identity, settings.folder, await stdin_reader(), writer)
        worker = _WORKS.get(kind)
        return await child.run(kind, partial(worker, db, journal, clock, identity) if worker else None)
    finally:
        await db.close()


def _run(args: argparse.Namespace) -> int:
    harden()
    from server.tables import load_models

    load_models()
    return asyncio.run(_child(args))


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser("opening", help="one opening, started by a serving process")
    parser.add_argument("kind", choices=[kind.value for kind in KINDS])
    add_config(parser)
    parser.set_defaults(run=_run)
