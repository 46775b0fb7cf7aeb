"""Free ports."""

import socket

_kept: list[socket.socket] = []
"""Sockets that keep the ports given, open as long as this process: nobody else is given one of them meanwhile."""


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens, and which the system gives to nobody else while this process
    runs; a server that sets SO_REUSEADDR, as all of ours do, may listen on it, and do so again after it was killed.
    """
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", 0))
    _kept.append(probe)
    return int(probe.getsockname()[1])
