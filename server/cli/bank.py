"""`gongyuan bank serve`: the desk of a centre's item banks, in a process of its own that serves no candidate."""

import argparse

from server.cli.desk_serving import add_serve, serve

PORT = 8444


def _serve(args: argparse.Namespace) -> int:
    from server.app import create_desk_app

    return serve(args, create_desk_app, "/desk")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command group."""
    group = commands.add_parser(
        "bank",
        help="work on the item bank in a browser: open the desk, edit, review, import, export",
        description="The desk runs in its own process on its own port and serves no candidate. Two custodians open a "
        "bank there for at most 8 hours; when the time is up or the desk is closed the key is forgotten and the "
        "process ends.",
    )
    acts = group.add_subparsers(required=True, metavar="ACT")
    desk = acts.add_parser("serve", help="run the desk until its opening is over")
    add_serve(desk, PORT)
    desk.set_defaults(run=_serve)
