"""`gongyuan standby`: a second machine that holds every committed answer, and its promotion by a named person."""

import argparse
import getpass
import signal
import sys
import threading
from pathlib import Path

import msgspec

from server.cli.common import add_config, clock_from, settings_from
from server.clock import SHANGHAI
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import BadInput, Refusal, Refused, Tampered
from server.keys.authority import ensure_tls
from server.keys.identity import Identity
from server.keys.openings_child import harden
from server.standby.epoch import Epoch, read_epoch, write_epoch
from server.standby.receiving import promote
from server.standby.serving import address_of, receiver_of

_TLS_AAD = b"gongyuan/standby-tls/1"
_TLS_FILES = ("ca.pem", "ca.key", "server.key")
"""The server's key among them: seats that pin it take both machines for the one they know."""


class _Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="gongyuan-standby/1"):
    """The centre's identity under a passphrase, and its certificate authority under the identity's storage key."""

    identity: bytes
    tls: bytes


def _passphrase(args: argparse.Namespace) -> str:
    if args.passphrase_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return getpass.getpass("passphrase: ")


def _export(args: argparse.Namespace) -> int:
    harden()
    settings = settings_from(args, "centre")
    ensure_tls(settings.folder / "tls", settings.listen.names)
    identity = Identity.open_or_create(settings.folder)
    files = {name: (settings.folder / "tls" / name).read_bytes() for name in _TLS_FILES}
    bundle = _Bundle(
        identity.recovery_bundle(_passphrase(args)),
        identity.storage_wrap(msgspec.msgpack.encode(files), _TLS_AAD),
    )
    args.file.touch(mode=0o600)
    args.file.write_bytes(msgspec.msgpack.encode(bundle))
    print(identity.fingerprint)
    return 0


def _prepare(args: argparse.Namespace) -> int:
    harden()
    settings = settings_from(args, "centre")
    address_of(settings)
    try:
        bundle = msgspec.msgpack.decode(args.file.read_bytes(), type=_Bundle)
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput("standby-bundle-form", reason=str(error)) from error
    identity = Identity.restore(settings.folder, bundle.identity, _passphrase(args))
    files = msgspec.msgpack.decode(identity.storage_unwrap(bundle.tls, _TLS_AAD), type=dict[str, bytes])
    folder = settings.folder / "tls"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in _TLS_FILES:
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(files[name])
    ensure_tls(folder, settings.listen.names)
    if (folder / "ca.pem").read_bytes() != files["ca.pem"]:
        raise Tampered("standby-names")
    write_epoch(settings.folder, Epoch("standby"))
    print(identity.fingerprint)
    return 0


def _serve(args: argparse.Namespace) -> int:
    settings = settings_from(args, "centre")
    epoch = read_epoch(settings.folder)
    if epoch.role != "standby":
        raise Refused(Refusal("standby-none", facts={"role": epoch.role}))
    receiver = receiver_of(settings, Identity.open_or_create(settings.folder))
    ended = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: ended.set())
    receiver.start()
    print("standby", flush=True)
    ended.wait()
    receiver.stop()
    return 0


def _promote(args: argparse.Namespace) -> int:
    settings = settings_from(args, "centre")
    if len(args.reason.strip()) < 2:
        raise BadInput("standby-reason-missing")
    epoch = promote(settings.folder, args.by, args.reason)
    clock = clock_from(args)
    engine = Database(settings.database_url).sync_engine()
    with engine.connect() as connection, connection.begin():
        Journal("standby").append_sync(
            connection,
            clock.legal(),
            "standby:centre:promoted",
            f"terminal:{getpass.getuser()}",
            {"by": args.by, "reason": args.reason, "epoch": epoch.epoch},
        )
    engine.dispose()
    print(f"epoch {epoch.epoch} {clock.legal().astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}")
    return 0


def _status(args: argparse.Namespace) -> int:
    epoch = read_epoch(settings_from(args, "centre").folder)
    print(f"{epoch.role} epoch {epoch.epoch} {epoch.by} {epoch.reason}".rstrip())
    return 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command group."""
    group = commands.add_parser(
        "standby",
        help="a second machine with every committed answer, and its promotion",
        description="A centre on SQLite ships its log to a standby named in the settings ([standby] address). Export "
        "the centre's keys, prepare the second machine with them, and run `standby serve` there. After the loss of "
        "the centre a named person promotes the standby; the old server serves no more.",
    )
    acts = group.add_subparsers(required=True, metavar="ACT")
    for name, words, run in (
        ("export", "write the centre's keys, under a passphrase, for the second machine", _export),
        ("prepare", "make this machine the standby, with the exported keys", _prepare),
    ):
        parser = acts.add_parser(name, help=words)
        parser.add_argument("file", type=Path)
        parser.add_argument("--passphrase-stdin", action="store_true", help="read the passphrase as one line")
        add_config(parser)
        parser.set_defaults(run=run)
    serve = acts.add_parser("serve", help="receive what the centre commits, until stopped")
    add_config(serve)
    serve.set_defaults(run=_serve)
    act = acts.add_parser("promote", help="make the standby the centre; only when the old one is off")
    act.add_argument("--by", required=True, metavar="NAME", help="who decides it")
    act.add_argument("--reason", required=True)
    add_config(act)
    act.set_defaults(run=_promote)
    status = acts.add_parser("status", help="what this machine is, and under which epoch")
    add_config(status)
    status.set_defaults(run=_status)
