"""The trial draw of a centre that serves, and the child that makes it."""

import asyncio
import os
import sys

import msgspec

from server.db.engine import Database
from server.errors import Unavailable
from server.itembank import store as bank_store
from server.itembank.blueprint import read_blueprint
from server.papers.trial import BlueprintCheck, check_blueprint
from server.papers.trial_runner import TrialRunner

NICENESS = 10


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the child is asked for, on its standard input; the database's URL may hold a password."""

    database: str
    bank: str
    blueprint: str
    papers: int
    slot: str | None


async def check_apart(
    runner: TrialRunner,
    db: Database,
    url: str,
    bank: str,
    blueprint: str,
    papers: int,
    slot: str | None = None,
) -> BlueprintCheck:
    """Check a blueprint (TOML text) as `trial.check_blueprint` does, in a child that reads the database of `url`.

    Raises:
        BadInput: the blueprint is not of its form; NotFound: no such bank (`bank-unknown`).
        Unavailable: the child failed (`trial-failed`).
    """
    read_blueprint(blueprint.encode())
    async with db.reading() as session:
        await bank_store.bank(session, bank)
    told = await runner.run(msgspec.json.encode(Trial(url, bank, blueprint, papers, slot)))
    try:
        return msgspec.json.decode(told, type=BlueprintCheck)
    except msgspec.DecodeError as error:
        raise Unavailable("trial-failed") from error


async def _checked(asked: Trial) -> BlueprintCheck:
    db = Database(asked.database)
    try:
        async with db.reading() as session:
            blueprint = read_blueprint(asked.blueprint.encode())
            return await check_blueprint(session, asked.bank, blueprint, asked.papers, asked.slot)
    finally:
        await db.close()


def run() -> None:
    """The child: reads a `Trial`, writes the check as JSON, and gives way to every other process."""
    os.nice(NICENESS)
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Trial)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_checked(asked))))
