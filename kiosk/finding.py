"""Where the centre is, and whether it is the right one: an address or a scanned code, and the pin of its key."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from kiosk.vault import spki_of_der
from server.errors import BadInput, Tampered, Unavailable

_PIN = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Found:
    """A centre's address (https://host:port) and the pin of its key, empty where nothing named it."""

    server: str
    pin: str = ""


def scanned(text: str) -> Found:
    """Read an address as typed, or the code on the kit's sheet (https://host:port/exam#pin=…).

    BadInput `kiosk-address-form` for anything else.
    """
    typed = text.strip()
    parts = urlsplit(typed if "://" in typed else f"https://{typed}")
    pin = parse_qs(parts.fragment).get("pin", [""])[0].lower()
    try:
        host, port = parts.hostname, parts.port or 443
    except ValueError as error:
        raise BadInput("kiosk-address-form", address=typed[:100]) from error
    if parts.scheme != "https" or not host or (pin and not _PIN.fullmatch(pin)):
        raise BadInput("kiosk-address-form", address=typed[:100])
    named = f"[{host}]" if ":" in host else host
    return Found(f"https://{named}:{port}", pin)


def sheet_text(server: str, pin: str) -> str:
    """Return what the code on the kit's sheet says; a scanner types it, a telephone's camera shows it."""
    return f"{server}/exam#pin={pin}"


async def reached(servers: Sequence[str], pin: str) -> tuple[str, ssl.SSLContext]:
    """Return the first of these addresses at which the centre answers, and the TLS context for it.

    Unavailable and Tampered as `pinned` raises them, of the last address.
    """
    for server in servers[:-1]:
        with contextlib.suppress(Unavailable):
            return server, await pinned(server, pin)
    return servers[-1], await pinned(servers[-1], pin)


async def pinned(server: str, pin: str) -> ssl.SSLContext:
    """Return a TLS context that trusts the certificate with this pin and nothing else.

    Unavailable `server-unreachable`; Tampered `kiosk-pin-other` where another key answers.
    """
    parts = urlsplit(server)
    open_to_all = ssl.create_default_context()
    open_to_all.check_hostname = False
    open_to_all.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(15):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=open_to_all)
    except (OSError, TimeoutError) as error:
        raise Unavailable("server-unreachable", server=server, reason=str(error)) from error
    told = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    if spki_of_der(told) != pin:
        raise Tampered("kiosk-pin-other", server=server)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The certificate itself is the anchor, so its names say nothing more.
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(told))
    return context
