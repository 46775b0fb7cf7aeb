"""How the demo's custodians open something: each encrypts his passphrase to the opening's child himself."""

from collections.abc import Mapping
from typing import Any

from server.demo.client import Person
from server.errors import Tampered, Unavailable
from server.keys.openings_wire import offer_bytes, opening_info
from server.keys.sealing import hpke_seal
from server.keys.signing import verify

WAIT_S = 30


async def _give(person: Person, offer: Mapping[str, Any], custodian: str, passphrase: str) -> dict[str, Any]:
    public = bytes.fromhex(offer["public_key"])
    covered = offer_bytes(offer["id"], offer["kind"], offer["subject"], public)
    try:
        verify(bytes.fromhex(offer["node"]), bytes.fromhex(offer["signature"]), covered)
    except Tampered as error:
        raise Unavailable("opening-child") from error
    sealed = hpke_seal(public, passphrase.encode(), opening_info(offer["id"])).hex()
    path = f"/api/openings/{offer['id']}/passphrases?wait={WAIT_S}"
    answer: dict[str, Any] = await person.post(path, {"custodian": custodian, "sealed": sealed})
    return answer


async def opened(
    offer: Mapping[str, Any], people: Mapping[str, Person], passphrases: Mapping[str, str]
) -> dict[str, Any]:
    """Let each named custodian give his passphrase to a waiting opening; return its outcome.

    Answered when a passphrase is refused; Unavailable when the act behind the opening failed.
    """
    progress: dict[str, Any] = {}
    for username, passphrase in passphrases.items():
        progress = await _give(people[username], offer, username, passphrase)
        if progress["failed"]:
            break
    first = next(iter(people.values()))
    while not progress["done"] and not progress["failed"]:
        progress = await first.get(f"/api/openings/{offer['id']}", wait=WAIT_S)
    if progress["failed"]:
        raise Unavailable("demo-opening-failed", kind=offer["kind"], reason=progress["failed"])
    return progress
