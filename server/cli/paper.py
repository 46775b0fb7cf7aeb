"""`gongyuan paper`: the centre's commitment for a plan, the seals of a slot, and the proof of a draw."""

import argparse
import asyncio

from server.cli.common import add_config, clock_from, settings_from
from server.cli.desk import add_passphrases, desk, passphrases_from, terminal_actor
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import NotFound
from server.keys.identity import Identity
from server.keys.openings_child import harden
from server.papers import draw_service, draw_store, store, verification


def _commitment(args: argparse.Namespace) -> int:
    settings = settings_from(args, "centre")
    clock = clock_from(args)
    identity = Identity.open_or_create(settings.folder)
    db = Database(settings.database_url)

    async def run() -> str:
        try:
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
        for seal in listed:
            print(f"{seal.room}\t{seal.sitting}\t{seal.paper}\t{seal.hash.hex()}")
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
                    found = await verification.verify_slot(session, identity, args.slot, opened.key)
                outcome.update({"slot": args.slot, "papers": found.papers, "faults": len(found.faults)})
        finally:
            await db.close()
        for fault in found.faults:
            print(f"FAULT  {fault}")
        print(f"{found.papers} papers drawn again, {len(found.faults)} faults")
        return 1 if found.faults else 0

    return asyncio.run(run())


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command group."""
    group = commands.add_parser(
        "paper",
        help="commit to a draw, list the seals, prove a draw",
        description="A slot's papers follow from a seed that neither side chose: SHA-256 of the centre's secret, "
        "committed before, the registry's nonce, given after it, and the hash of the list drawn from.",
    )
    acts = group.add_subparsers(required=True, metavar="ACT")
    commitment = acts.add_parser("commitment", help="commit to a plan's draws; print the commitment (hex)")
    commitment.add_argument("plan", help="id of the plan at the registry")
    add_config(commitment)
    commitment.set_defaults(run=_commitment)
    seals = acts.add_parser("seals", help="list the sealed papers of a slot with their hashes")
    seals.add_argument("slot")
    add_config(seals)
    seals.set_defaults(run=_seals)
    verify = acts.add_parser(
        "verify", help="draw a slot again from its seed and bank version; compare every hash"
    )
    verify.add_argument("slot")
    add_passphrases(verify)
    add_config(verify)
    verify.set_defaults(run=_verify)
