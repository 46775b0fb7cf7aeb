"""`gongyuan receipt verify`: what a receipt code proves, against answers, journal and anchors."""

import argparse
from pathlib import Path

from server.cli.common import add_config, settings_from
from server.clock import SHANGHAI
from server.db.engine import Database
from server.delivery.receipts import ReceiptCheck, check_code, check_receipt, read_receipt
from server.keys.identity import Identity
from server.web.catalogue import say


def _verify(args: argparse.Namespace) -> int:
    settings = settings_from(args, "centre")
    public = Identity.open_or_create(settings.folder).public.signing
    with Database(settings.database_url).snapshot() as connection:
        if Path(args.receipt).is_file():
            found = check_receipt(connection, read_receipt(Path(args.receipt).read_bytes()), public)
        else:
            found = check_code(connection, args.receipt, public)
    _show(found, args.answers)
    return 1 if found.faults else 0


def _show(found: ReceiptCheck, answers: bool) -> None:
    receipt = found.receipt
    at = receipt.at.astimezone(SHANGHAI)
    print(f"{receipt.code}  {receipt.how}  {at:%Y-%m-%d %H:%M:%S}")
    print(f"{found.room}-{found.seat}  {found.ticket}  {found.name}  {receipt.sitting}")
    print(f"{receipt.count} answers, SHA-256 {receipt.digest}")
    print(f"journal {receipt.head}")
    print(f"anchor {found.anchor[0]} {found.anchor[1]}" if found.anchor else "anchor: none yet")
    if answers:
        for number, value in found.answers.items():
            print(f"  {number}\t{' · '.join(value)}")
    for fault in found.faults:
        print(f"FAULT  {say('zh', fault)}  {say('en', fault)}")
    if not found.faults:
        print(f"{say('zh', 'receipt-holds')}  {say('en', 'receipt-holds')}")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command group."""
    group = commands.add_parser("receipt", help="check a candidate's receipt")
    acts = group.add_subparsers(required=True, metavar="ACT")
    check = acts.add_parser(
        "verify", help="say what was handed in and when; status 1 when anything disagrees"
    )
    check.add_argument(
        "receipt", metavar="CODE|FILE", help="the code on the receipt, or a filed receipt (JSON)"
    )
    check.add_argument("--answers", action="store_true", help="list the answers, too")
    add_config(check)
    check.set_defaults(run=_verify)
