"""What goes over the line by itself: packages that wait, and the centre's signed journal heads.

Nothing here is needed for an exam: without a line everything waits, and the same packages can be carried as files.
"""

import asyncio
import logging
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import GongyuanError
from server.keys.anchors import newest_anchor
from server.keys.identity import Identity
from server.packages.contents import HeadContent
from server.packages.models import OutgoingRow
from server.packages.outbox import pack
from server.packages.peers import Peer, PeerState, peers
from server.packages.transport import send_pending

TRY_EVERY_S = 30.0
TRY_SELDOM_S = 1800.0
"""Monotonic seconds between two tries: doubled after each try that failed, up to this."""
HEAD_EVERY = timedelta(minutes=10)
"""Legal time between two head packages."""
ACTOR = "timer:packages"
_log = logging.getLogger("gongyuan.packages")


async def _registry_on_line(session: AsyncSession) -> Peer | None:
    found = [
        peer
        for peer in await peers(session)
        if peer.kind == "registry" and peer.state is PeerState.TRUSTED and peer.url and peer.tls_spki
    ]
    return found[0] if found else None


async def pack_head(act: Act, identity: Identity) -> bool:
    """Pack the newest signed head for the registry on the line; False when there is nothing new to say."""
    peer, anchor = await _registry_on_line(act.session), await newest_anchor(act.session)
    if peer is None or anchor is None:
        return False
    newest = (
        select(OutgoingRow.created_at)
        .where(OutgoingRow.kind == "head")
        .order_by(OutgoingRow.created_at.desc())
    )
    before = await act.session.scalar(newest.limit(1))
    if before is not None and anchor.at - before < HEAD_EVERY:
        return False
    content = HeadContent(
        number=anchor.number,
        at=anchor.at,
        heads=dict(anchor.heads),
        previous=anchor.previous.hex(),
        hash=anchor.hash.hex(),
        signature=anchor.signature.hex(),
        code=anchor.code,
    )
    await pack(act, identity, peer.id, "head", "", content)
    return True


async def exchange_once(db: Database, journal: Journal, identity: Identity, clock: Clock) -> bool:
    """Pack a head when one is due and send what waits; return whether everything tried was taken."""
    async with db.writing() as session:
        await pack_head(Act(session, journal, clock.legal(), ACTOR), identity)
    sent = await send_pending(db, journal, clock, ACTOR)
    return all(one.acknowledged for one in sent)


async def keep_exchanging(db: Database, journal: Journal, identity: Identity, clock: Clock) -> None:
    """Exchange until cancelled; `app.py` starts it. A failed try is logged and the next one comes later."""
    wait = TRY_EVERY_S
    while True:
        await asyncio.sleep(wait)
        try:
            good = await exchange_once(db, journal, identity, clock)
        except GongyuanError as error:
            _log.warning("the exchange of packages failed: %s", error)
            good = False
        wait = TRY_EVERY_S if good else min(wait * 2, TRY_SELDOM_S)
