"""From a taken package to the room that owns its content, in one transaction; `app.py` gives the handlers."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from server.db.act import Act
from server.db.engine import Database
from server.errors import Unavailable
from server.keys.identity import Identity
from server.packages.outbox import Received, examine, keep, receipt_bytes, receive

Handler = Callable[[Act, Received], Awaitable[None]]
Handlers = dict[str, Handler]
"""By package kind."""
Acting = Callable[[], AbstractAsyncContextManager[Act]]
"""Opens one act: a transaction of its own."""
Stage = Callable[[Acting, Received], Awaitable[object]]
"""Writes a large content ahead of its acceptance, in short transactions; returns what `Received.ahead` shall be."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The signed answer to a package that was taken. `signature` (hex) is over `outbox.receipt_bytes`."""

    kind: str
    plan: str
    number: int
    package: str
    """Hex SHA-256 of the package's bytes."""
    received_at: str
    signature: str


async def accept(
    act: Act, identity: Identity, handlers: Handlers, data: bytes, expected_plan: str | None = None
) -> Receipt:
    """Take a package and hand its content to its room; when the room refuses it, nothing is kept.

    Raises what `outbox.receive` and the room raise; Unavailable `package-kind-here` when no room takes this
    kind.
    """
    return await _hand_on(act, identity, handlers, await receive(act, identity, data, expected_plan))


async def nothing_ahead(_acting: Acting, _received: Received) -> None:
    """Write nothing ahead."""


async def take(
    db: Database,
    acting: Acting,
    identity: Identity,
    handlers: Handlers,
    stage: Stage,
    data: bytes,
    expected_plan: str | None = None,
) -> Receipt:
    """Take a package as `accept` does, in acts of its own: opened outside any transaction, written ahead by
    `stage`, accepted by the last and short one. What was written ahead of a package that is refused is read by
    nobody.
    """
    async with db.reading() as session:
        received = await examine(session, identity, data, expected_plan)
    received = replace(received, ahead=await stage(acting, received))
    async with acting() as act:
        await keep(act, identity, received, data, expected_plan)
        return await _hand_on(act, identity, handlers, received)


async def _hand_on(act: Act, identity: Identity, handlers: Handlers, received: Received) -> Receipt:
    handler = handlers.get(received.kind)
    if handler is None:
        raise Unavailable("package-kind-here", kind=received.kind)
    await handler(act, received)
    moment = act.now.isoformat()
    signature = identity.signing.sign(receipt_bytes(received.hash, moment))
    return Receipt(
        received.kind, received.plan, received.number, received.hash.hex(), moment, signature.hex()
    )
