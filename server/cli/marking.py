"""`gongyuan marking serve`: the markers' desk of a centre, in a process of its own that serves no candidate."""

import argparse

from server.cli.desk_serving import add_serve, serve

PORT = 8445


def _serve(args: argparse.Namespace) -> int:
    from server.app import create_marking_app

    return serve(args, lambda settings, clock, _ended: create_marking_app(settings, clock), "/marking")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command group."""
    group = commands.add_parser(
        "marking",
        help="let people mark answers in words in a browser",
        description="The markers' desk runs in its own process on its own port and serves no candidate. It shows "
        "answers and their guides once two custodians have opened the marking of a slot, until its notice.",
    )
    acts = group.add_subparsers(required=True, metavar="ACT")
    desk = acts.add_parser("serve", help="run the markers' desk until it is stopped")
    add_serve(desk, PORT)
    desk.set_defaults(run=_serve)
