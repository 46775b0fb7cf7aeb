"""What a serving centre does about its standby: may it serve at all, and what runs beside it."""

import os
import signal
import socket
import ssl

from server.clock import Clock
from server.db.engine import SHIPPING_MARKER
from server.errors import BadInput, required
from server.keys.identity import Identity
from server.settings import Settings
from server.standby.epoch import read_epoch, serving_refusal
from server.standby.receiving import DATABASE, Receiver, finish_promotion
from server.standby.shipping import Shipper, promoted_elsewhere


def address_of(settings: Settings) -> tuple[str, int]:
    """Return host and port at which the standby listens; BadInput `standby-address`."""
    named = "" if settings.standby is None else settings.standby.address
    host, _, port = named.rpartition(":")
    if not host or not port.isdecimal():
        raise BadInput("standby-address", address=named)
    return host.strip("[]"), int(port)


def may_serve(settings: Settings) -> None:
    """Refuse a centre that is a standby, or whose standby was promoted; mark a folder whose log is shipped. Finishes
    a promotion that was interrupted."""
    epoch = read_epoch(settings.folder)
    required(serving_refusal(epoch))
    if epoch.role == "promoted":
        finish_promotion(settings.folder)
    marker = settings.folder / SHIPPING_MARKER
    if settings.standby is None or epoch.role == "promoted":
        marker.unlink(missing_ok=True)
        return
    if not settings.database_url.startswith("sqlite"):
        raise BadInput("standby-sqlite-only")
    promoted_elsewhere(address_of(settings), _client(settings), epoch)
    settings.folder.mkdir(parents=True, exist_ok=True)
    marker.touch()


def shipper_of(settings: Settings, identity: Identity, clock: Clock) -> Shipper | None:
    """Return what ships this centre's log, or None without a standby and on a promoted one."""
    standby, epoch = settings.standby, read_epoch(settings.folder)
    if standby is None or epoch.role != "primary":
        return None
    return Shipper(
        settings.folder / DATABASE,
        address_of(settings),
        _client(settings),
        identity.secret_for("standby"),
        epoch,
        clock,
        policy=standby.policy,
        wait_s=standby.wait_ms / 1000,
        on_fenced=lambda: os.kill(os.getpid(), signal.SIGTERM),
    )


def answering_of(settings: Settings, identity: Identity) -> Receiver | None:
    """Return what tells the old server, when it comes back, that this standby was promoted."""
    if settings.standby is None or read_epoch(settings.folder).role != "promoted":
        return None
    return receiver_of(settings, identity)


def receiver_of(settings: Settings, identity: Identity) -> Receiver:
    """Return the standby's receiver, bound to its address; the certificate is the centre's own authority's."""
    host, port = address_of(settings)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(settings.folder / "tls" / "server.pem", settings.folder / "tls" / "server.key")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(4)
    return Receiver(settings.folder, listener, tls, identity.secret_for("standby"))


def _client(settings: Settings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(settings.folder / "tls" / "ca.pem"))
