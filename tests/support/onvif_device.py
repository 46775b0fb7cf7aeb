"""A simulated ONVIF camera in a network of its own, asked by the true discovery; prints what was found as JSON.

Run inside a fresh network namespace: it configures loopback there and never reaches another network.
"""

import asyncio
import base64
import hashlib
import json
import re
import socket
import struct
import subprocess
import sys
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

from server.proctor.onvif import Account, Found, advised, discover

ADDRESS, STRANGER, ASKER = "10.77.0.2", "10.77.0.3", "10.77.0.1"
USER, PASSWORD = "exam", "a <good> password"
NOW = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
SOAP = '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{}</s:Body></s:Envelope>'
T, M = "http://www.onvif.org/ver10/schema", "http://www.onvif.org/ver10/media/wsdl"
SIZES = {"main": (2560, 1440), "sub": (1280, 720), "small": (640, 360)}


class Device(BaseHTTPRequestHandler):
    """The device and media services of one camera; it answers only to the right password digest."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.asked.append(body)
        if not _allowed(body):
            self._answer(401, "")
        elif "GetCapabilities" in body:
            at = f"http://{ADDRESS}:{self.server.server_address[1]}/media"
            self._answer(200, f'<r xmlns:t="{T}"><t:Media><t:XAddr>{at}</t:XAddr></t:Media></r>')
        elif "GetProfiles" in body:
            self._answer(200, "".join(_profile(name, *size) for name, size in SIZES.items()))
        else:
            name = re.search("<ProfileToken>(.*?)</ProfileToken>", body)[1]
            uri = f"rtsp://{USER}:secret@{ADDRESS}/{name}"
            self._answer(200, f'<r xmlns:t="{T}"><t:MediaUri><t:Uri>{uri}</t:Uri></t:MediaUri></r>')

    def _answer(self, status: int, body: str) -> None:
        data = SOAP.format(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


def _allowed(body: str) -> bool:
    """Check the digest as a camera does: SHA-1 over nonce, time and password."""

    def text(name: str) -> str:
        found = re.search(rf"<\w+:{name}(?: [^>]*)?>(.*?)</", body)
        return found[1] if found else ""

    nonce = base64.b64decode(text("Nonce"))
    wanted = hashlib.sha1(nonce + text("Created").encode() + PASSWORD.encode()).digest()
    return text("Username") == USER and base64.b64decode(text("Password")) == wanted


def _profile(name: str, width: int, height: int) -> str:
    return (
        f'<m:Profiles xmlns:m="{M}" xmlns:t="{T}" token="{name}"><t:Name>{name}</t:Name>'
        "<t:VideoEncoderConfiguration><t:Encoding>H264</t:Encoding><t:Resolution>"
        f"<t:Width>{width}</t:Width><t:Height>{height}</t:Height></t:Resolution>"
        "</t:VideoEncoderConfiguration></m:Profiles>"
    )


def _listen(address: str, service: str) -> None:
    """Answer probes from one address; a stranger names a service at somebody else's."""
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    line.bind(("239.255.255.250", 3702))
    joined = struct.pack("4s4s", socket.inet_aton("239.255.255.250"), socket.inet_aton("10.77.0.1"))
    line.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
    back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    back.bind((address, 0))
    answer = SOAP.format(
        '<d:ProbeMatches xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><d:ProbeMatch>'
        "<d:Scopes>onvif://www.onvif.org/name/Hall%20camera</d:Scopes>"
        f"<d:XAddrs>{service}</d:XAddrs></d:ProbeMatch></d:ProbeMatches>"
    ).encode()

    def serve() -> None:
        while True:
            probe, who = line.recvfrom(65536)
            if b"NetworkVideoTransmitter" in probe:
                back.sendto(b"<!DOCTYPE x><x/>", who)
                back.sendto(answer, who)

    threading.Thread(target=serve, daemon=True).start()


async def _found(account: Account) -> tuple[Found, ...]:
    """Ask as a technician does: again, and for longer, when nobody answered in time."""
    wait_s, found = 0.6, tuple[Found, ...]()
    while not found:
        found = await discover(ASKER, wait_s, account, NOW)
        wait_s *= 2
    return found


def main() -> int:
    for words in (
        ("link", "set", "lo", "up"),
        ("link", "set", "lo", "multicast", "on"),
        *(("addr", "add", f"{one}/24", "dev", "lo") for one in (ASKER, ADDRESS, STRANGER)),
        ("route", "add", "239.0.0.0/8", "dev", "lo"),
    ):
        subprocess.run(("ip", *words), check=True)
    server = HTTPServer((ADDRESS, 0), Device)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    service = f"http://{ADDRESS}:{server.server_address[1]}/device"
    _listen(ADDRESS, service)
    _listen(STRANGER, service)
    found, wrong = (asyncio.run(_found(Account(USER, given))) for given in (PASSWORD, "wrong"))
    best = advised(found[0].streams) if found else None
    json.dump(
        {
            "found": [asdict(one) for one in found],
            "wrong": [asdict(one) for one in wrong],
            "advised": None if best is None else best.profile,
            "sent_password": any(PASSWORD in body or "a &lt;good" in body for body in Device.asked),
        },
        sys.stdout,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
