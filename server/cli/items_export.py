"""`gongyuan items export`: the bank's items in clear, in a file that only its owner may read."""

import argparse
import asyncio
import os
from pathlib import Path

from server.cli.common import add_config, clock_from, settings_from
from server.cli.desk import add_passphrases, desk, passphrases_from, terminal_actor
from server.db.engine import Database
from server.db.journal import Journal
from server.db.migrate import upgrade
from server.errors import BadInput
from server.itembank.export_service import export_items
from server.itembank.interchange.exporting import EXPORT_FORMS, Exported, ExportForm
from server.keys.openings_child import harden
from server.web.catalogue import say

_SUFFIXES: dict[str, ExportForm] = {
    ".xlsx": "xlsx",
    ".csv": "csv",
    ".json": "json",
    ".gift": "gift",
    ".txt": "gift",
    ".xml": "moodle",
}


def _form(args: argparse.Namespace) -> ExportForm:
    chosen: ExportForm | None = args.format or _SUFFIXES.get(args.file.suffix.lower())
    if chosen is None:
        raise BadInput("file-format-unknown", file=args.file.name)
    return chosen


def _write(path: Path, data: bytes) -> None:
    """Write a file that did not exist, for its owner alone."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadInput("file-unwritable", file=path.name, reason=error.strerror or str(error)) from error
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _export(args: argparse.Namespace) -> int:
    harden()
    form = _form(args)
    if args.file.exists():
        raise BadInput("file-unwritable", file=args.file.name, reason="the file exists")
    db = Database(settings_from(args, "centre").database_url)
    upgrade(db)
    journal = Journal("desk")
    clock = clock_from(args)
    passphrases = passphrases_from(args)

    async def run() -> Exported:
        try:
            async with desk(db, journal, clock, args.bank, passphrases) as (opened, outcome):
                out = await export_items(
                    db, journal, clock, terminal_actor(), args.bank, opened.key, form, args.drafts
                )
                outcome.update({"exported": out.written, "left_out": len(out.left_out)})
            return out
        finally:
            await db.close()

    out = asyncio.run(run())
    _write(args.file, out.data)
    print(f"exported {out.written}, left out {len(out.left_out)}")
    for one in out.left_out:
        print(f"  {one.place}  {say('zh', one.code, one.facts)}")
    return 0


def add_export(acts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `items export`."""
    out = acts.add_parser("export", help="write the bank's approved items in clear (two custodians)")
    out.add_argument("file", type=Path, help="a file that does not exist; its owner alone may read it")
    out.add_argument("--bank", required=True, help="id of the bank")
    out.add_argument("--format", choices=EXPORT_FORMS, help="default: by the file's name")
    out.add_argument("--drafts", action="store_true", help="drafts too")
    add_passphrases(out)
    add_config(out)
    out.set_defaults(run=_export)
