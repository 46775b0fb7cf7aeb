"""`gongyuan items`: import into the encrypted bank, and what of a bank may be shown without an opening."""

import argparse
import asyncio
import csv
import json
from pathlib import Path
from typing import Any

from server.cli.common import add_config, clock_from, settings_from
from server.cli.desk import add_passphrases, desk, passphrases_from, terminal_actor
from server.cli.items_export import add_export
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.migrate import upgrade
from server.errors import BadInput, Refusal, Refused, required
from server.itembank import service, store
from server.itembank.blueprint import read_blueprint, shortages
from server.itembank.interchange.files import ENCODINGS, FORMATS, FileRead, read_file
from server.itembank.interchange.mapping import read_mapping
from server.itembank.interchange.rows import Reading, Remark, RowOutcome, RowStatus
from server.itembank.items import review_refusal
from server.itembank.merging import counted
from server.keys.openings_child import harden
from server.web.catalogue import say

_ORDER = (RowStatus.IMPORTED, RowStatus.DOUBTFUL, RowStatus.SKIPPED, RowStatus.UNCHANGED)


def _read(args: argparse.Namespace) -> FileRead:
    saved = None
    if args.map is not None:
        try:
            saved = read_mapping(args.map.read_bytes())
        except OSError as error:
            raise BadInput(
                "file-unreadable", file=args.map.name, reason=error.strerror or str(error)
            ) from error
    return read_file(args.file, args.format, saved, args.pictures, args.encoding)


def _sentence(remark: Remark) -> str:
    return say("zh", remark.code, remark.facts)


def _row(outcome: RowOutcome) -> dict[str, Any]:
    return {
        "place": outcome.place,
        "label": outcome.label,
        "status": outcome.status.value,
        "remarks": [
            {"code": one.code, "doubt": one.doubt, "facts": dict(one.facts), "text": _sentence(one)}
            for one in outcome.remarks
        ],
    }


def _write_report(path: Path, source: FileRead, outcomes: tuple[RowOutcome, ...]) -> None:
    """Write every row: as JSON, or as CSV that Excel opens (UTF-8 with a byte order mark), by the file's
    name."""
    rows = [_row(outcome) for outcome in outcomes]
    if path.suffix.lower() == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["place", "label", "status", "remarks"])
            for row in rows:
                said = "；".join(one["text"] for one in row["remarks"])
                writer.writerow(
                    [_unformed(text) for text in (row["place"], row["label"], row["status"], said)]
                )
        return
    whole = {
        "format": source.format,
        "sha256": source.sha256.hex(),
        "columns": dict(source.mapping.fields),
        "option_columns": list(source.mapping.option_columns),
        "unread_columns": list(source.reading.unread_columns),
        "remarks": [{"place": one.place, "text": _sentence(one)} for one in source.reading.remarks],
        "counts": dict(counted(outcomes)),
        "rows": rows,
    }
    path.write_text(json.dumps(whole, ensure_ascii=False, indent=1), encoding="utf-8")


def _unformed(text: str) -> str:
    """Return a text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _show(reading: Reading, outcomes: tuple[RowOutcome, ...], most: int = 20) -> None:
    counts = counted(outcomes)
    print("  ".join(f"{status.value} {counts[status.value]}" for status in _ORDER))
    for remark in reading.remarks:
        print(f"  {remark.place}: {_sentence(remark)}")
    if reading.unread_columns:
        print(f"  columns not read: {', '.join(reading.unread_columns)}")
    looked_at = [one for one in outcomes if one.status in (RowStatus.DOUBTFUL, RowStatus.SKIPPED)]
    for outcome in looked_at[:most]:
        said = "；".join(_sentence(one) for one in outcome.remarks if one.doubt or outcome.content is None)
        print(f"  {outcome.status.value:9} {outcome.place}  {said}")
    if len(looked_at) > most:
        print(f"  … {len(looked_at) - most} more rows: --report FILE writes them all")


def _import(args: argparse.Namespace) -> int:
    if args.dry_run:
        source = _read(args)
        _show(source.reading, source.reading.outcomes)
        if args.report is not None:
            _write_report(args.report, source, source.reading.outcomes)
        return 0
    harden()
    settings = settings_from(args, "centre")
    review = None
    if args.approve:
        required(review_refusal(args.writer or "", args.reviewer or ""))
        review = service.Review(args.writer, args.reviewer)
    elif args.reviewer:
        raise Refused(Refusal("review-without-approve"))
    source = _read(args)
    clock = clock_from(args)
    db = Database(settings.database_url)
    upgrade(db)
    journal = Journal("desk")
    passphrases = passphrases_from(args)

    async def run() -> service.ImportReport:
        try:
            async with desk(db, journal, clock, args.bank, passphrases) as (opened, outcome):
                async with db.writing() as session:
                    act = Act(session, journal, clock.legal(), terminal_actor())
                    await service.create_bank(act, args.bank, args.bank_name or args.bank)
                report = await service.import_items(
                    db,
                    journal,
                    clock,
                    terminal_actor(),
                    args.bank,
                    opened.key,
                    source.reading,
                    service.Source(args.file.name, source.sha256),
                    review,
                    args.writer or terminal_actor(),
                )
                outcome.update({"stored": report.stored, "approved": report.approved, **report.counts})
            return report
        finally:
            await db.close()

    report = asyncio.run(run())
    _show(source.reading, report.outcomes)
    print(f"stored {report.stored}, of these approved {report.approved}")
    print(f"bank root {report.root.hex()}")
    if args.report is not None:
        _write_report(args.report, source, report.outcomes)
    return 0


def _coverage(args: argparse.Namespace) -> int:
    db = Database(settings_from(args, "centre").database_url)
    blueprint = read_blueprint(args.blueprint.read_bytes()) if args.blueprint is not None else None

    async def run() -> int:
        try:
            async with db.reading() as session:
                await store.bank(session, args.bank)
                have = await store.bank_coverage(session, args.bank)
                root = await store.bank_root(session, args.bank)
        finally:
            await db.close()
        print("point\ttype\tband\titems")
        for key in sorted(have, key=lambda one: (one.point, one.type, one.band)):
            print(f"{key.point}\t{key.type}\t{key.band}\t{have[key]}")
        print(f"items {sum(have.values())}")
        print(f"bank root {root.hex()}")
        if blueprint is None:
            return 0
        short = shortages(blueprint, have)
        for one in short:
            print(f"SHORT  {one.key.point} / {one.key.type} / {one.key.band}: {one.have} of {one.need}")
        print(f"blueprint: {blueprint.count} items, {blueprint.total:g} points, {len(short)} cells short")
        return 1 if short else 0

    return asyncio.run(run())


def _list(args: argparse.Namespace) -> int:
    db = Database(settings_from(args, "centre").database_url)

    async def run() -> None:
        try:
            async with db.reading() as session:
                for one in await store.banks(session):
                    root = await store.bank_root(session, one.id)
                    versions = await store.versions(session, one.id)
                    print(f"{one.id}\t{one.name}\t{len(versions)} versions\troot {root.hex()}")
        finally:
            await db.close()

    asyncio.run(run())
    return 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command group."""
    group = commands.add_parser(
        "items",
        help="bring items into the encrypted bank, and see what it covers",
        description="Items lie in the bank under a key that two custodians open together (a desk opening). Every row "
        "of a file is reported: imported, doubtful, skipped with the reason, or unchanged.",
    )
    acts = group.add_subparsers(required=True, metavar="ACT")
    bring = acts.add_parser(
        "import",
        help="import a file of items (Excel, CSV, JSON, Word, plain text, GIFT, Aiken, Moodle XML, QTI)",
    )
    bring.add_argument("file", type=Path)
    bring.add_argument("--bank", required=True, help="id of the bank, as its key was named in the ceremony")
    bring.add_argument("--bank-name", help="name of the bank, when this import creates it")
    bring.add_argument("--format", choices=FORMATS, help="default: by what the file is")
    bring.add_argument("--encoding", choices=ENCODINGS, help="of a text file that does not tell its own")
    bring.add_argument("--map", type=Path, metavar="FILE", help="saved mapping of columns and words (TOML)")
    bring.add_argument("--pictures", type=Path, metavar="FOLDER", help="where picture names are looked up")
    bring.add_argument("--report", type=Path, metavar="FILE", help="write every row as .json or .csv")
    bring.add_argument("--dry-run", action="store_true", help="read and report; open nothing, store nothing")
    bring.add_argument(
        "--approve", action="store_true", help="approve rows without doubt; needs --writer and --reviewer"
    )
    bring.add_argument("--writer", metavar="NAME", help="who wrote the items")
    bring.add_argument("--reviewer", metavar="NAME", help="who reviewed them: another person")
    add_passphrases(bring)
    add_config(bring)
    bring.set_defaults(run=_import)
    add_export(acts)
    cover = acts.add_parser(
        "coverage", help="items by knowledge point, type and difficulty; check a blueprint"
    )
    cover.add_argument("--bank", required=True)
    cover.add_argument(
        "--blueprint", type=Path, metavar="FILE", help="name the cells that the bank cannot fill"
    )
    add_config(cover)
    cover.set_defaults(run=_coverage)
    listing = acts.add_parser("list", help="banks and their Merkle roots")
    add_config(listing)
    listing.set_defaults(run=_list)
