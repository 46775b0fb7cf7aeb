"""Serves a desk (item bank, marking) in a process of its own: one listener, TLS, no dump of its memory."""

import argparse
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from litestar import Litestar

from server.cli.common import add_config, clock_from, settings_from
from server.clock import Clock
from server.keys.authority import ensure_tls
from server.keys.openings_child import harden
from server.settings import Settings

MakeApp = Callable[[Settings, Clock, Callable[[], None]], Litestar]
"""Makes a desk's application; the last argument ends the process when called."""


def add_serve(parser: argparse.ArgumentParser, port: int) -> None:
    """Register the options of a desk's `serve`; `port` is the port without `--port`."""
    parser.add_argument("--host", help="address to listen at; default: that of the centre's settings")
    parser.add_argument("--port", type=int, default=port, help=f"TCP port, 0 for a free one; default {port}")
    parser.add_argument(
        "--address-file", type=Path, metavar="FILE", help="write the desk's address there once it is bound"
    )
    add_config(parser)


def serve(args: argparse.Namespace, make_app: MakeApp, path: str) -> int:
    """Serve until ended; the address with `path` goes to standard output and the address file."""
    harden()
    settings = settings_from(args, "centre")
    settings.folder.mkdir(parents=True, exist_ok=True)
    tls = ensure_tls(settings.folder / "tls", settings.listen.names)
    host = args.host or settings.listen.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, args.port))
    listener.listen(128)
    running: list[uvicorn.Server] = []

    def ended() -> None:
        running[0].should_exit = True

    config = uvicorn.Config(
        make_app(settings, clock_from(args), ended),
        loop="uvloop",
        http="httptools",
        ws="none",
        ssl_certfile=str(tls.certificate),
        ssl_keyfile=str(tls.key),
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    running.append(uvicorn.Server(config))
    name = settings.listen.names[0] if settings.listen.names else host
    address = f"https://{name}:{listener.getsockname()[1]}{path}"
    if args.address_file is not None:
        temporary = args.address_file.with_suffix(".new")
        temporary.write_text(address, encoding="utf-8")
        temporary.replace(args.address_file)
    print(address, flush=True)
    running[0].run(sockets=[listener])
    return 0
