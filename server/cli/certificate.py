"""`gongyuan certificate`: check a certificate without any network."""

import argparse
import sys
from pathlib import Path

from server.errors import BadInput
from server.registry.certificate_form import verified


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the group."""
    group = commands.add_parser("certificate", help="check a certificate offline")
    acts = group.add_subparsers(title="acts", required=True, metavar="ACT")
    act = acts.add_parser("verify", help="check the registry's signature on a certificate")
    act.add_argument(
        "file", type=Path, metavar="FILE", help="signed certificate (JSON) or the scanned code; - reads it"
    )
    act.add_argument(
        "--registry-key",
        required=True,
        metavar="HEX",
        help="the registry's signing key, 64 hex digits, from its letter",
    )
    act.set_defaults(run=_verify)


def _verify(args: argparse.Namespace) -> int:
    try:
        key = bytes.fromhex(args.registry_key)
    except ValueError as error:
        raise BadInput("certificate-key-form") from error
    if len(key) != 32:
        raise BadInput("certificate-key-form")
    if str(args.file) == "-":
        data = sys.stdin.buffer.read()
    else:
        try:
            data = args.file.read_bytes()
        except OSError as error:
            raise BadInput("certificate-unreadable", path=str(args.file), reason=str(error)) from error
    certificate = verified(data, key)
    for field in (
        "number",
        "name",
        "occupation",
        "occupation_code",
        "level",
        "organisation",
        "issued_at",
        "authority",
    ):
        print(f"{field}: {certificate.get(field)}")
    return 0
