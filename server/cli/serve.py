"""`gongyuan serve`: run a registry or a centre."""

import argparse
import gc
import json
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from server.app import Children, create_app
from server.cli.accounts import ask_for_first_administrator
from server.cli.common import add_config, clock_from, settings_from
from server.clock import Clock
from server.keys.authority import ensure_tls
from server.settings import Settings


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


def serve_until_stopped(settings: Settings, clock: Clock, children: Children) -> None:
    """Serve over TLS until SIGTERM or SIGINT; the address stands in `<data>/address.json` once bound."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    tls = ensure_tls(settings.folder / "tls", settings.listen.names)
    listener = _bound(settings)
    app = create_app(settings, clock, children)
    # Full collections stopped the loop for up to 374 ms while thousands of kiosks connected (performance design 5).
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 10_000)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=25.0,
        ws_max_size=1 << 20,
        ssl_certfile=str(tls.certificate),
        ssl_keyfile=str(tls.key),
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    _write_address(settings, listener.getsockname()[1])
    uvicorn.Server(config).run(sockets=[listener])


def _serve(args: argparse.Namespace) -> int:
    settings = settings_from(args, args.role)
    ask_for_first_administrator(args)
    config: Path = args.config.resolve()
    own = [sys.executable, "-m", "server"]
    if args.clock is not None:
        own += ["demo-child", "--clock", str(args.clock)]

    def children(entry: str, *words: str) -> Sequence[str]:
        with_config = ["--config", str(config)] if entry == "opening" else []
        return [*own, entry, *words, *with_config]

    serve_until_stopped(settings, clock_from(args), children)
    return 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = commands.add_parser(
        "serve",
        help="run a registry or a centre",
        description="Run the server of one role over HTTPS until it is stopped. On first start it makes its database, "
        "keys and certificate in the data folder. Stop it with Ctrl-C or SIGTERM.",
    )
    parser.add_argument("--role", choices=("registry", "centre"), help="must agree with the settings file")
    add_config(parser)
    parser.set_defaults(run=_serve)
