"""From a taken package to the room that owns its content, in one transaction; `app.py` gives the handlers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from server.db.act import Act
from server.errors import Unavailable
from server.keys.identity import Identity
from server.packages.outbox import Received, receipt_bytes, receive

Handler = Callable[[Act, Received], Awaitable[None]]
Handlers = dict[str, Handler]
"""By package kind."""


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
    received = await receive(act, identity, data, expected_plan)
    handler = handlers.get(received.kind)
    if handler is None:
        raise Unavailable("package-kind-here", kind=received.kind)
    await handler(act, received)
    moment = act.now.isoformat()
    signature = identity.signing.sign(receipt_bytes(received.hash, moment))
    return Receipt(
        received.kind, received.plan, received.number, received.hash.hex(), moment, signature.hex()
    )
