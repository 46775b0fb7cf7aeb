"""`gongyuan serve`: run a registry or a centre."""

import argparse
import contextlib
import ctypes
import gc
import json
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from litestar import Litestar
from msgspec.structs import replace

from server.app import Children, create_app
from server.cli.accounts import ask_for_first_administrator
from server.cli.common import add_config, clock_from, settings_from
from server.cli.further import ENDS_WITH, end_with, kept
from server.clock import Clock
from server.errors import BadInput
from server.keys.authority import TlsFiles, ensure_tls
from server.settings import Settings
from server.web.seat_handshake import SeatDoor, SeatUpgradeProtocol, without_tickets
from server.web.whole_frames import WholeFramesProtocol

_M_MMAP_THRESHOLD = -3
"""Of glibc's malloc.h."""
MAPPED_FROM_BYTES = 128 << 10
"""glibc's own first value; named, it stays."""


def _bound(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.listen.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((settings.listen.host, settings.listen.port))
    listener.listen(2048)
    return listener


def _write_address(settings: Settings, port: int) -> None:
    host = settings.listen.names[0] if settings.listen.names else settings.listen.host
    address = {"url": f"https://{host}:{port}", "host": host, "port": port}
    temporary = settings.folder / "address.new"
    temporary.write_text(json.dumps(address), encoding="utf-8")
    temporary.replace(settings.folder / "address.json")
    print(address["url"], flush=True)


def serving(app: Litestar, tls: TlsFiles | None, stop_within_s: int = 5) -> uvicorn.Config:
    """Return how an application of ours is served: its protocols and limits; without TLS in tests alone."""
    return uvicorn.Config(
        SeatDoor(app),
        loop="uvloop",
        http=SeatUpgradeProtocol,
        ws=WholeFramesProtocol,
        ws_per_message_deflate=False,
        ws_ping_interval=25.0,
        ws_max_size=1 << 20,
        ssl_certfile=None if tls is None else str(tls.certificate),
        ssl_keyfile=None if tls is None else str(tls.key),
        ssl_context_factory=None if tls is None else without_tickets,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=stop_within_s,
        server_header=False,
    )


def _keep_lines_small() -> None:
    """Let the C library map each large buffer by itself, for as long as the process lives.

    uvloop has 256 KiB for every TLS line and uses the first page. glibc raises the size from which it maps a buffer
    once such a one was freed; the next come from the heap, where pages that others had touched stay with them: 49 KB a
    line in place of 25 (mallopt(3), M_MMAP_THRESHOLD). Another C library keeps its own ways.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)


def prepare_process() -> None:
    """Set the process up for thousands of lines on an event loop that shall not stand still while threads work beside
    it."""
    _keep_lines_small()
    # Full collections stopped the loop for up to 374 ms while thousands of kiosks connected, and a young one of
    # 50,000 objects for 20 to 90: the same work in short pieces (performance design 5).
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 200, 10_000)
    # The loop gives the interpreter's lock away at each socket; with the usual 5 ms it got it back that much later
    # each time while a batch was being stored.
    sys.setswitchinterval(0.0005)


def serve_until_stopped(
    settings: Settings, clock: Clock, children: Children, *, seats_only: bool = False
) -> None:
    """Serve over TLS until SIGTERM or SIGINT; once bound the address stands in `<data>/address.json` and on
    standard output, unless the process is one for seats alone.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    tls = ensure_tls(settings.folder / "tls", settings.listen.names)
    listener = _bound(settings)
    app = create_app(settings, clock, children, seats_only=seats_only)
    prepare_process()
    config = serving(app, tls)
    if not seats_only:
        _write_address(settings, listener.getsockname()[1])
    port = listener.getsockname()[1]
    with _announced(settings, port, tls.spki) if settings.listen.mdns and not seats_only else _silent():
        uvicorn.Server(config).run(sockets=[listener])


def _announced(settings: Settings, port: int, pin: str) -> contextlib.AbstractContextManager[None]:
    from server.cli.announcing import announced

    return announced(settings.name, settings.listen.host, port, pin)


def _silent() -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


def _serve(args: argparse.Namespace) -> int:
    settings = settings_from(args, args.role)
    if args.workers > 1 or args.seats:
        _may_share(settings if args.port is None else _on(settings, args.port))
    if not args.seats:
        ask_for_first_administrator(args)
    end_with(args.ends_with)
    config: Path = args.config.resolve()
    own = [sys.executable, "-m", "server"]
    if args.clock is not None:
        own += ["demo-child", "--clock", str(args.clock)]

    def children(entry: str, *words: str) -> Sequence[str]:
        with_config = ["--config", str(config)] if entry == "opening" else []
        return [*own, entry, *words, *with_config]

    if args.port is not None:
        settings = _on(settings, args.port)
    further: tuple[Sequence[str], ...] = ()
    if args.workers > 1 or args.seats:
        words = [*own, "serve", "--role", "centre", "--config", str(config), "--seats", "--port"]
        further = tuple([*words, str(settings.listen.port + n)] for n in range(1, args.workers))
    with kept(further):
        serve_until_stopped(settings, clock_from(args), children, seats_only=args.seats)
    return 0


def _on(settings: Settings, port: int) -> Settings:
    return replace(settings, listen=replace(settings.listen, port=port))


def _may_share(settings: Settings) -> None:
    """Refuse what only one process may serve: a registry, a centre on SQLite, a port that is not fixed."""
    if settings.role != "centre" or settings.database_url.startswith("sqlite"):
        raise BadInput("workers-postgres-only")
    if settings.listen.port == 0:
        raise BadInput("workers-port")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser(
        "serve",
        help="run a registry or a centre",
        description="Run the server of one role over HTTPS until it is stopped. On first start it makes its database, "
        "keys and certificate in the data folder. Stop it with Ctrl-C or SIGTERM.",
    )
    parser.add_argument("--role", choices=("registry", "centre"), help="must agree with the settings file")
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes of a centre on PostgreSQL; the further ones serve seats on the ports that follow",
    )
    parser.add_argument(
        "--seats", action="store_true", help="serve seats only: a further process or host of a running centre"
    )
    parser.add_argument(ENDS_WITH, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help="another port than the settings name")
    add_config(parser)
    parser.set_defaults(run=_serve)
