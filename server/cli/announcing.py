"""The announcement of a centre by multicast DNS, only where its settings ask for it (`listen.mdns`)."""

import contextlib
import ipaddress
from collections.abc import Iterator

import ifaddr
from zeroconf import IPVersion, ServiceInfo, Zeroconf

from server.protocol.discovery import PIN, SERVICE


@contextlib.contextmanager
def announced(name: str, host: str, port: int, pin: str) -> Iterator[None]:
    """Announce a centre for the length of the block: its name, the addresses it listens at, the pin of its key.

    `host` is what the server listens on; 0.0.0.0 stands for every IPv4 address of this machine but loopback.
    """
    info = ServiceInfo(
        SERVICE,
        f"{name[:40]}.{SERVICE}",
        port=port,
        addresses=[address.packed for address in _addresses(host)],
        properties={PIN: pin},
        server=f"gongyuan-{pin[:12]}.local.",
    )
    line = Zeroconf(ip_version=IPVersion.V4Only)
    try:
        line.register_service(info, allow_name_change=True)
        yield
    finally:
        line.unregister_service(info)
        line.close()


def _addresses(host: str) -> list[ipaddress.IPv4Address]:
    with contextlib.suppress(ValueError):
        own = ipaddress.IPv4Address(host)
        if not own.is_unspecified:
            return [own]
    found = [
        ipaddress.IPv4Address(str(ip.ip))
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
        if ip.is_IPv4
    ]
    return [address for address in found if not address.is_loopback]
