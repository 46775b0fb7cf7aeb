"""Finds network cameras by WS-Discovery and asks them for their video addresses (ONVIF Profile S).

Off unless the settings turn it on: a probe goes to every machine of the network. Answers come from strangers:
they are bounded in size and number, XML with a document type is refused, and a camera is asked only at the
address that answered.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import socket
import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import httpx

from server.errors import Unavailable

# WS-Discovery 1.1, section 2.4: the multicast address and port; ONVIF Core Specification, section 7.3.
MULTICAST, PORT = "239.255.255.250", 3702
LONGEST_ANSWER = 256 * 1024
MOST_CAMERAS = 256
REQUEST_S = 5.0
ADVISED = (1280, 720)

_ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
_DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
_MEDIA = "http://www.onvif.org/ver10/media/wsdl"
_DEVICE = "http://www.onvif.org/ver10/device/wsdl"
_SCHEMA = "http://www.onvif.org/ver10/schema"
_SECURITY = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest",
)


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream that a camera offers: its profile's name, size in pixels, encoding and RTSP address."""

    profile: str
    width: int
    height: int
    encoding: str
    address: str


@dataclass(frozen=True, slots=True)
class Found:
    """One camera that answered: its network address, its device service, its name, its streams.

    `reason` says why there are no streams, "" where there are.
    """

    host: str
    service: str
    name: str
    streams: tuple[Stream, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Account:
    """The cameras' own account, as set up on them."""

    user: str
    password: str


def probe(message_id: str) -> bytes:
    """The WS-Discovery probe for network video transmitters."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{_ENVELOPE}" '
        'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"><s:Header>'
        f"<a:MessageID>urn:uuid:{message_id}</a:MessageID>"
        "<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
        f"<a:Action>{_DISCOVERY}/Probe</a:Action></s:Header><s:Body>"
        f'<d:Probe xmlns:d="{_DISCOVERY}" xmlns:dn="http://www.onvif.org/ver10/network/wsdl">'
        "<d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>"
    ).encode()


def parsed(data: bytes) -> ElementTree.Element:
    """The XML of a stranger. ValueError where it is too long, is no XML, or brings a document type."""
    if len(data) > LONGEST_ANSWER:
        raise ValueError("the answer is too long")
    # Without a document type there are no entities to expand (and SOAP 1.2, section 5, forbids one).
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"\x00" in data:
        raise ValueError("the answer has a document type")
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise ValueError(f"the answer is no XML: {error}") from error


def probe_match(data: bytes, host: str) -> tuple[str, str] | None:
    """The device service at the answering host and the camera's name; None where the answer is no such match.

    Only an address at the host that answered counts: nobody is sent elsewhere by an answer.
    """
    try:
        root = parsed(data)
    except ValueError:
        return None
    for match in root.iter(f"{{{_DISCOVERY}}}ProbeMatch"):
        services = (match.findtext(f"{{{_DISCOVERY}}}XAddrs") or "").split()
        own = [one for one in services if _at(one, host)]
        if own:
            return own[0], _name(match.findtext(f"{{{_DISCOVERY}}}Scopes") or "")
    return None


def _at(address: str, host: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and parts.hostname == host and parts.port != 0
    except ValueError:
        return False


def _name(scopes: str) -> str:
    for scope in scopes.split():
        if scope.startswith("onvif://www.onvif.org/name/"):
            return scope.rsplit("/", 1)[1].replace("%20", " ")[:80]
    return ""


async def discover(
    interface: str, wait_s: float, account: Account | None, now: datetime
) -> tuple[Found, ...]:
    """Every camera that answers within `wait_s` real seconds at this server's address `interface`, by host.

    `now` is the legal time (UTC), for the cameras' check of the password.

    Raises:
        Unavailable: the network cannot be asked from that address (`onvif-wrong`).
    """
    answers = await _answers(interface, wait_s)
    services: dict[str, tuple[str, str]] = {}
    for data, host in answers:
        match = probe_match(data, host)
        if match is not None and len(services) < MOST_CAMERAS:
            services.setdefault(host, match)
    limits = httpx.Limits(max_connections=8)
    async with httpx.AsyncClient(
        timeout=REQUEST_S, limits=limits, follow_redirects=False, trust_env=False
    ) as client:
        asked = (_ask(client, host, *services[host], account, now) for host in sorted(services))
        return tuple(await asyncio.gather(*asked))


class _Collecting(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answers: list[tuple[bytes, str]] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(self.answers) < 4 * MOST_CAMERAS:
            self.answers.append((data, addr[0]))


async def _answers(interface: str, wait_s: float) -> list[tuple[bytes, str]]:
    try:
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP)
        line.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, struct.pack("b", 1))
        line.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
        line.bind((interface, 0))
        line.setblocking(False)
        loop = asyncio.get_running_loop()
        transport, collecting = await loop.create_datagram_endpoint(_Collecting, sock=line)
    except OSError as error:
        raise Unavailable("onvif-wrong", reason=f"{interface}: {error}") from error
    try:
        # Sent twice under one id: datagrams are lost (WS-Discovery 1.1, appendix I); cameras answer once.
        message = probe(str(uuid.uuid4()))
        for _ in range(2):
            transport.sendto(message, (MULTICAST, PORT))
            await asyncio.sleep(wait_s / 2)
    finally:
        transport.close()
    return collecting.answers


async def _ask(
    client: httpx.AsyncClient, host: str, service: str, name: str, account: Account | None, now: datetime
) -> Found:
    try:
        media = await _media_service(client, service, host, account, now)
        streams = []
        for token, profile, width, height, encoding in await _profiles(client, media, account, now):
            body = (
                f'<GetStreamUri xmlns="{_MEDIA}"><StreamSetup><Stream xmlns="{_SCHEMA}">RTP-Unicast</Stream>'
                f'<Transport xmlns="{_SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
                f"<ProfileToken>{escape(token)}</ProfileToken></GetStreamUri>"
            )
            answer = await _call(client, media, body, account, now)
            uri = answer.findtext(f".//{{{_SCHEMA}}}Uri") or ""
            if uri.startswith("rtsp://"):
                streams.append(Stream(profile, width, height, encoding, without_account(uri)))
    except (ValueError, httpx.HTTPError) as error:
        return Found(host, service, name, (), str(error) or type(error).__name__)
    return Found(host, service, name, tuple(streams), "" if streams else "no video profile")


async def _media_service(
    client: httpx.AsyncClient, service: str, host: str, account: Account | None, now: datetime
) -> str:
    """The address of the media service; ValueError where it lies at another host."""
    body = f'<GetCapabilities xmlns="{_DEVICE}"><Category>Media</Category></GetCapabilities>'
    answer = await _call(client, service, body, account, now)
    found = answer.findtext(f".//{{{_SCHEMA}}}Media/{{{_SCHEMA}}}XAddr") or ""
    if not _at(found, host):
        raise ValueError("the media service is not at the camera's address")
    return found


async def _profiles(
    client: httpx.AsyncClient, media: str, account: Account | None, now: datetime
) -> list[tuple[str, str, int, int, str]]:
    answer = await _call(client, media, f'<GetProfiles xmlns="{_MEDIA}"/>', account, now)
    found = []
    for profile in list(answer.iter(f"{{{_MEDIA}}}Profiles"))[:8]:
        video = profile.find(f"{{{_SCHEMA}}}VideoEncoderConfiguration")
        if video is None:
            continue
        width = video.findtext(f"{{{_SCHEMA}}}Resolution/{{{_SCHEMA}}}Width") or "0"
        height = video.findtext(f"{{{_SCHEMA}}}Resolution/{{{_SCHEMA}}}Height") or "0"
        encoding = (video.findtext(f"{{{_SCHEMA}}}Encoding") or "")[:20]
        name = (profile.findtext(f"{{{_SCHEMA}}}Name") or "")[:80]
        found.append((profile.get("token", ""), name, int(width), int(height), encoding))
    return found


async def _call(
    client: httpx.AsyncClient, service: str, body: str, account: Account | None, now: datetime
) -> ElementTree.Element:
    """The answer's XML. ValueError for a refusal, an answer too long, or no XML."""
    header = "" if account is None else security(account, now, os.urandom(16))
    message = (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{_ENVELOPE}">'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
    kind = {"content-type": "application/soap+xml; charset=utf-8"}
    async with client.stream("POST", service, content=message.encode(), headers=kind) as answer:
        data = b""
        async for chunk in answer.aiter_bytes():
            data += chunk
            if len(data) > LONGEST_ANSWER:
                raise ValueError("the answer is too long")
        if answer.status_code != 200:
            raise ValueError(f"HTTP {answer.status_code}")
    return parsed(data)


def security(account: Account, now: datetime, nonce: bytes) -> str:
    """The header that proves the password without sending it (WSS UsernameToken Profile 1.0, section 3.1)."""
    created = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha1(
        nonce + created.encode() + account.password.encode(), usedforsecurity=False
    ).digest()
    extension, utility, kind = _SECURITY
    return (
        f'<w:Security xmlns:w="{extension}" xmlns:u="{utility}" s:mustUnderstand="1"><w:UsernameToken>'
        f"<w:Username>{escape(account.user)}</w:Username>"
        f'<w:Password Type="{kind}">{base64.b64encode(digest).decode()}</w:Password>'
        f"<w:Nonce>{base64.b64encode(nonce).decode()}</w:Nonce><u:Created>{created}</u:Created>"
        "</w:UsernameToken></w:Security>"
    )


def without_account(address: str) -> str:
    """The address without a user's name and password in it."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def advised(streams: Iterable[Stream]) -> Stream | None:
    """The stream to use: of those that OpenCV and PyAV read well here (H.264, JPEG) the one nearest 1280 x 720,
    rather smaller than larger; None of none.
    """
    known = [one for one in streams if one.encoding.upper() in ("H264", "JPEG")] or list(streams)
    wanted = ADVISED[0] * ADVISED[1]

    def apart(one: Stream) -> tuple[bool, int]:
        pixels = one.width * one.height
        return pixels > wanted, abs(pixels - wanted)

    return min(known, key=apart, default=None)
