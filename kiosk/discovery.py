"""Finding a centre by multicast DNS, only where settings ask for it: many school networks drop multicast.

What is announced is no secret and proves nothing: the kit's pin decides whether the server is the right one.
"""

import asyncio
from collections.abc import Sequence

from zeroconf import IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from kiosk.finding import Found
from server.errors import NotFound, Refusal, Refused
from server.protocol.discovery import PIN, SERVICE

WITHIN_S = 4.0
"""Monotonic seconds to listen."""


async def centres(pin: str = "", within_s: float = WITHIN_S) -> tuple[Found, ...]:
    """Return the centres that announce themselves on this network, only the pinned one where a pin is given.

    With a pin it returns as soon as that one has answered.
    """
    found: dict[str, Found] = {}
    enough = asyncio.Event()
    asking: set[asyncio.Task[None]] = set()

    async def ask(zeroconf: Zeroconf, name: str) -> None:
        info = AsyncServiceInfo(SERVICE, name)
        if not await info.async_request(zeroconf, 3000):
            return
        for address in info.parsed_addresses(IPVersion.V4Only):
            told = (info.decoded_properties.get(PIN) or "").lower()
            if not pin or told == pin:
                found.setdefault(name, Found(f"https://{address}:{info.port}", told))
        if pin and found:
            enough.set()

    def heard(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Added:
            task = asyncio.create_task(ask(zeroconf, name))
            asking.add(task)
            task.add_done_callback(asking.discard)

    async with AsyncZeroconf(ip_version=IPVersion.V4Only) as line:
        browser = AsyncServiceBrowser(line.zeroconf, SERVICE, handlers=[heard])
        try:
            async with asyncio.timeout(within_s):
                await enough.wait()
        except TimeoutError:
            pass
        await browser.async_cancel()
        for task in asking:
            task.cancel()
    return tuple(found.values())


async def the_centre(pin: str = "") -> Found:
    """Return the one centre of this network; NotFound `kiosk-none-found`, Refused `kiosk-several-found`."""
    heard: Sequence[Found] = await centres(pin)
    if not heard:
        raise NotFound("kiosk-none-found")
    if len(heard) > 1:
        raise Refused(Refusal("kiosk-several-found", facts={"count": len(heard)}))
    return heard[0]
