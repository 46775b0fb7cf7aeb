"""`gongyuan paper`: the centre's commitment for a plan, the check of a blueprint, the seals of a slot, the proof of a
draw, and the trace of a leak."""

import argparse
import asyncio
from datetime import datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from server.cli.common import add_config, clock_from, settings_from
from server.cli.desk import add_passphrases, desk, passphrases_from, terminal_actor
from server.clock import SHANGHAI
from server.conduct.opening_facts import bells_of
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.delivery import store as delivery
from server.delivery.service import start_key_aad
from server.errors import BadInput, NotFound, Tampered, required
from server.itembank.blueprint import read_blueprint
from server.keys.identity import Identity
from server.keys.openings_child import harden
from server.papers import draw_service, draw_store, store, verification
from server.papers.drawing import SPARE
from server.papers.trace_service import Trace, Watermarked, record_trace, trace_fragment, trace_watermark
from server.papers.trial import BlueprintCheck, check_blueprint
from server.web.catalogue import say


async def _checked(db: Database, args: argparse.Namespace) -> BlueprintCheck:
    blueprint = read_blueprint(args.blueprint.read_bytes())
    async with db.reading() as session:
        return await check_blueprint(session, args.bank, blueprint, args.papers)


def _check(args: argparse.Namespace) -> int:
    db = Database(settings_from(args, "centre").database_url)

    async def run() -> BlueprintCheck:
        try:
            return await _checked(db, args)
        finally:
            await db.close()

    found = asyncio.run(run())
    print(f"bank root {found.root.hex()}")
    for one in found.short:
        key = f"{one.key.point} / {one.key.type} / {one.key.band}"
        print(f"SHORT  {key}: {one.have} of {one.need} ({one.cause}), {one.missing} items missing")
    if found.refusal is not None:
        print(say("zh", found.refusal.code, found.refusal.facts))
        return 1
    print(
        f"{found.papers} papers can be drawn from {found.items} items, {found.solved} of them by the solver"
    )
    return 0


def _commitment(args: argparse.Namespace) -> int:
    if (args.bank is None) != (args.blueprint is None):
        raise BadInput("draw-parameters", needed="bank, blueprint")
    settings = settings_from(args, "centre")
    clock = clock_from(args)
    identity = Identity.open_or_create(settings.folder)
    db = Database(settings.database_url)

    async def run() -> str:
        try:
            if args.blueprint is not None:  # a commitment to a draw that cannot be made helps nobody
                required((await _checked(db, args)).refusal)
            async with db.writing() as session:
                act = Act(session, Journal("paper"), clock.legal(), terminal_actor())
                return await draw_service.commit(act, identity, args.plan)
        finally:
            await db.close()

    print(asyncio.run(run()))
    return 0


def _seals(args: argparse.Namespace) -> int:
    db = Database(settings_from(args, "centre").database_url)

    async def run() -> int:
        try:
            async with db.reading() as session:
                listed = await store.seals(session, args.slot)
        finally:
            await db.close()
        print(store.seals_text(listed), end="")
        return 0 if listed else 1

    return asyncio.run(run())


def _verify(args: argparse.Namespace) -> int:
    harden()
    settings = settings_from(args, "centre")
    clock = clock_from(args)
    identity = Identity.open_or_create(settings.folder)
    db = Database(settings.database_url)
    passphrases = passphrases_from(args)

    async def run() -> int:
        try:
            async with db.reading() as session:
                drawn = await draw_store.draw(session, args.slot)
            if drawn is None:
                raise NotFound("papers-not-drawn", slot=args.slot)
            async with desk(db, Journal("paper"), clock, drawn.bank, passphrases) as (opened, outcome):
                async with db.reading() as session:
                    start_key, why_closed = await _start_key(session, identity, args.slot)
                    found = await verification.verify_slot(
                        session, identity, args.slot, opened.key, start_key, why_closed
                    )
                outcome.update({"slot": args.slot, "papers": found.papers, "faults": len(found.faults)})
                outcome.update({"opened": found.opened, "tagged": found.tagged})
        finally:
            await db.close()
        for fault in found.faults:
            print(f"FAULT  {fault}")
        print(f"{found.papers} papers drawn again, {len(found.faults)} faults")
        print(f"{found.opened} of them opened with the start key, {found.tagged} with the right item tags")
        for one in found.unchecked:
            print(f"NOT CHECKED  {one}")
        if found.solved:
            print(f"{found.solved} of them hold items of a recorded solution, checked against every bound")
        return 1 if found.faults else 0

    return asyncio.run(run())


async def _start_key(session: AsyncSession, identity: Identity, slot: str) -> tuple[bytes | None, str]:
    """Return the start key that the bell stored, or None and why it is closed."""
    wrapped = await delivery.wrapped_start_key(session, slot)
    if wrapped is not None:
        try:
            return identity.storage_unwrap(wrapped, start_key_aad(slot)), ""
        except Tampered:
            return None, "the start key stored at the bell does not open with this centre's own key"
    if await bells_of(session, slot):
        return None, "this centre was rebuilt and has the bell without the start key"
    return None, "the bell was not struck, and the start key stays closed until then"


def _trace(args: argparse.Namespace) -> int:
    if args.watermark is not None:
        return _trace_watermark(args)
    if args.slot is None:
        raise BadInput("trace-without-slot")
    harden()
    settings = settings_from(args, "centre")
    clock = clock_from(args)
    try:
        fragment = args.fragment.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("file-unreadable", file=args.fragment.name, reason=str(error)) from error
    identity = Identity.open_or_create(settings.folder)
    db = Database(settings.database_url)
    journal = Journal("paper")
    passphrases = passphrases_from(args)

    async def run() -> tuple[Trace, dict[str, str]]:
        try:
            async with db.reading() as session:
                drawn = await draw_store.draw(session, args.slot)
            if drawn is None:
                raise NotFound("papers-not-drawn", slot=args.slot)
            async with desk(db, journal, clock, drawn.bank, passphrases) as (opened, outcome):
                async with db.reading() as session:
                    trace = await trace_fragment(session, identity, args.slot, opened.key, fragment)
                    given = {
                        one.paper: one.id
                        for one in await delivery.sittings(session, args.slot)
                        if one.paper is not None
                    }
                async with db.writing() as session:
                    await record_trace(Act(session, journal, clock.legal(), terminal_actor()), trace)
                outcome.update({"slot": args.slot, "typed": trace.typed, "known": trace.known})
            return trace, given
        finally:
            await db.close()

    trace, given = asyncio.run(run())
    print(f"{trace.typed} items typed, {trace.known} recognised, {trace.papers} papers compared")
    print("items\tnumbers\toptions\tby coincidence\troom\tseat\tsitting\tpaper")
    for one in trace.suspects:
        seen = one.suspect
        sitting = given.get(seen.paper, "spare, not given out") if one.sitting == SPARE else one.sitting
        seat = "spare" if one.sitting == SPARE else str(one.seat)
        print(
            f"{seen.items}/{seen.of_items}\t{seen.numbers}/{seen.of_numbers}\t{seen.orders}/{seen.of_orders}\t"
            f"{seen.chance:.2g}\t{one.room}\t{seat}\t{sitting}\t{seen.paper}"
        )
    return 0 if trace.suspects else 1


def _trace_watermark(args: argparse.Namespace) -> int:
    at = None
    if args.at is not None:
        try:
            at = datetime.strptime(args.at, "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI)
        except ValueError as error:
            raise BadInput("time-form", given=args.at) from error
    settings = settings_from(args, "centre")
    clock = clock_from(args)
    db = Database(settings.database_url)

    async def run() -> tuple[Watermarked, ...]:
        try:
            async with db.writing() as session:
                act = Act(session, Journal("paper"), clock.legal(), terminal_actor())
                return await trace_watermark(act, args.watermark, args.slot, at)
        finally:
            await db.close()

    for one in asyncio.run(run()):
        print(f"{one.ticket}\t{one.room}\t{one.seat}\t{one.sitting}\t{one.paper}\t{one.slot}")
    return 0


def _add_check(parser: argparse.ArgumentParser, *, needed: bool) -> None:
    parser.add_argument("--bank", required=needed, help="id of the bank")
    parser.add_argument("--blueprint", required=needed, type=Path, metavar="FILE", help="blueprint (TOML)")
    parser.add_argument("--papers", type=int, default=30, metavar="N", help="candidates (default 30)")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command group."""
    group = commands.add_parser(
        "paper",
        help="check a blueprint, commit to a draw, list the seals, prove a draw, trace a leak",
        description="A slot's papers follow from a seed that neither side chose: SHA-256 of the centre's secret, "
        "committed before, the registry's nonce, given after it, and the hash of the list drawn from.",
    )
    acts = group.add_subparsers(required=True, metavar="ACT")
    commitment = acts.add_parser("commitment", help="commit to a plan's draws; print the commitment (hex)")
    commitment.add_argument("plan", help="id of the plan at the registry")
    _add_check(commitment, needed=False)
    add_config(commitment)
    commitment.set_defaults(run=_commitment)
    check = acts.add_parser(
        "check",
        help="say whether a bank can fill a blueprint: short cells by how many, then a trial draw; opens nothing",
    )
    _add_check(check, needed=True)
    add_config(check)
    check.set_defaults(run=_check)
    seals = acts.add_parser("seals", help="list the sealed papers of a slot with their hashes")
    seals.add_argument("slot")
    add_config(seals)
    seals.set_defaults(run=_seals)
    verify = acts.add_parser(
        "verify", help="draw a slot again from its seed and bank version; compare every hash and item tag"
    )
    verify.add_argument("slot")
    add_passphrases(verify)
    add_config(verify)
    verify.set_defaults(run=_verify)
    trace = acts.add_parser(
        "trace",
        help="find the sitting from a typed fragment of a leaked paper, or from the watermark of a screen",
        description="A fragment is a text file: of each item its number, some words of the stem, and option lines with "
        "their labels as they were displayed. Each line of the answer says how many items, numbers and orders of "
        "options agree, and how many papers would be expected to agree as much by coincidence.",
    )
    trace.add_argument("slot", nargs="?", help="may be left out with --watermark")
    by = trace.add_mutually_exclusive_group(required=True)
    by.add_argument(
        "--fragment", type=Path, metavar="FILE", help="what was typed; two custodians open the bank"
    )
    by.add_argument("--watermark", metavar="TICKET", help='ticket number as seen, "?" for an unread digit')
    trace.add_argument(
        "--at", metavar="TIME", help='time on the watermark, "2026-03-14 09:41", with --watermark'
    )
    add_passphrases(trace)
    add_config(trace)
    trace.set_defaults(run=_trace)
