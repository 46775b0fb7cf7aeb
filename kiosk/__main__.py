"""`python -m kiosk`: headless kiosks, and the enrolment of one seat."""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

import httpx

from kiosk.agent import enrol
from kiosk.bots import run_bots, tls_of
from kiosk.notebook import export
from kiosk.script import load_script
from kiosk.vault import SeatKey
from server.errors import GongyuanError


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    parser = argparse.ArgumentParser(prog="gongyuan-kiosk", description="Headless kiosks and seat enrolment.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    bots = commands.add_parser("bots", help="run many headless kiosks from one script")
    bots.add_argument("--server", required=True, help="address of the centre, e.g. wss://exam.example:8443")
    bots.add_argument("--ca", type=Path, help="certificate of the centre's own authority (PEM)")
    bots.add_argument("--script", type=Path, required=True, help="what each kiosk does (JSON)")
    bots.add_argument("--ledger", type=Path, help="write every acknowledged answer to this file (JSON lines)")
    bots.set_defaults(run=_bots)
    bots.add_argument("--journals", type=Path, help="keep each seat's sealed local journal in this folder")
    carry = commands.add_parser("journal", help="write a kiosk's sealed journals to one file, to be carried")
    carry.add_argument("--folder", type=Path, required=True, help="where the seat's journals are kept")
    carry.add_argument("--out", type=Path, required=True, help="the file to write")
    carry.set_defaults(run=_journal)
    one = commands.add_parser("enrol", help="enrol this machine to a seat with its one-time code")
    one.add_argument("--server", required=True)
    one.add_argument("--ca", type=Path)
    one.add_argument("--code", required=True, help="code from the printed list")
    one.add_argument("--folder", type=Path, required=True, help="where the seat's key and name are kept")
    one.set_defaults(run=_enrol)
    arguments = parser.parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except GongyuanError as error:
        print(f"gongyuan-kiosk: {error}", file=sys.stderr)
        return 1
    return status


def _bots(arguments: argparse.Namespace) -> int:
    script = load_script(arguments.script)
    return asyncio.run(
        run_bots(arguments.server, arguments.ca, script, arguments.ledger, journals=arguments.journals)
    )


def _journal(arguments: argparse.Namespace) -> int:
    data = export(arguments.folder)
    arguments.out.write_bytes(data)
    print(f"{arguments.out}: {len(data)} bytes")
    return 0


def _enrol(arguments: argparse.Namespace) -> int:
    key = SeatKey.generate()

    async def ask() -> dict[str, str]:
        tls = tls_of(arguments.ca)
        async with httpx.AsyncClient(verify=tls or True, timeout=30, trust_env=False) as client:
            return await enrol(client, arguments.server, arguments.code, key)

    enrolled = asyncio.run(ask())
    arguments.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = arguments.folder / "seat.json"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(enrolled | {"key": key.raw().hex(), "server": arguments.server}, out, ensure_ascii=False)
    print(f"{enrolled['centre']}: {enrolled['room']}-{enrolled['number']}")
    print(enrolled["fingerprint"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
