"""`gongyuan marking serve`: the markers' desk of a centre, in a process of its own that serves no candidate."""

import argparse
import socket
from pathlib import Path

import uvicorn

from server.cli.common import add_config, clock_from, settings_from
from server.keys.authority import ensure_tls

PORT = 8445


def _serve(args: argparse.Namespace) -> int:
    from server.app import create_marking_app

    settings = settings_from(args, "centre")
    settings.folder.mkdir(parents=True, exist_ok=True)
    tls = ensure_tls(settings.folder / "tls", settings.listen.names)
    host = args.host or settings.listen.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, args.port))
    listener.listen(128)
    config = uvicorn.Config(
        create_marking_app(settings, clock_from(args)),
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
    name = settings.listen.names[0] if settings.listen.names else host
    address = f"https://{name}:{listener.getsockname()[1]}/marking"
    if args.address_file is not None:
        temporary = args.address_file.with_suffix(".new")
        temporary.write_text(address, encoding="utf-8")
        temporary.replace(args.address_file)
    print(address, flush=True)
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command group."""
    group = commands.add_parser(
        "marking",
        help="let people mark answers in words in a browser",
        description="The markers' desk runs in its own process on its own port and serves no candidate. It shows "
        "answers and their guides once two custodians have opened the marking of a slot, until its notice.",
    )
    acts = group.add_subparsers(required=True, metavar="ACT")
    serve = acts.add_parser("serve", help="run the markers' desk until it is stopped")
    serve.add_argument("--host", help="address to listen at; default: that of the centre's settings")
    serve.add_argument("--port", type=int, default=PORT, help=f"TCP port, 0 for a free one; default {PORT}")
    serve.add_argument(
        "--address-file", type=Path, metavar="FILE", help="write the desk's address there once it is bound"
    )
    add_config(serve)
    serve.set_defaults(run=_serve)
