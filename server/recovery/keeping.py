"""Keeps the recovery file at the second place: after the draw, after each enrolment, through check-in and the bell.

One task of a serving process looks when a signal says that something changed, and every ten seconds by itself, so
that what a child process or a command did is found as well. While check-in goes on it writes at most that often.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.engine import Database
from server.db.journal import heads
from server.db.metadata import Base
from server.db.signals import Signals
from server.delivery.late_models import ReplacementRow
from server.delivery.models import (
    AllowanceRow,
    BellRow,
    MoveRow,
    PauseRow,
    SeatRow,
    SittingRow,
    SlotRow,
)
from server.delivery.receipt_keys import ensure_receipt_key
from server.delivery.sitting import State
from server.errors import GongyuanError, Refusal, Refused
from server.keys.identity import Identity
from server.keys.models import CustodianRow, KeyRow, RecoveryCodeRow
from server.keys.recovery import SecondPlace, recovery_code
from server.papers.models import PaperSet
from server.recovery.contents import (
    CENTRE_FILE,
    PAPER_TABLES,
    TABLES,
    CentreBody,
    Header,
    PapersBody,
    Rows,
    papers_file,
)
from server.recovery.file import sealed, signed_parts

LOOK_S = 10.0
"""Monotonic seconds between two looks without a signal, and between two writings at least."""
COUNTED = (State.PREPARED, State.CHECKED_IN, State.ABSENT, State.HALTED, State.VOIDED)
"""States of a sitting before the bell, and those that only people's acts lead to."""
LOOK_AGAIN_S = 1.0
"""Monotonic seconds between two looks at least."""

log = logging.getLogger(__name__)


async def stamp(session: AsyncSession) -> tuple[Any, ...]:
    """Return what differs whenever the recovery file should be written anew."""
    counts: list[Select[Any]] = [
        select(func.count(SeatRow.id), func.count(SeatRow.revoked_at)),
        select(func.count(CustodianRow.id), func.count(CustodianRow.retired_at)),
        select(func.count(KeyRow.id), func.sum(KeyRow.wrapping), func.count(KeyRow.retired_at)),
        select(func.max(RecoveryCodeRow.number)),
        select(func.count(SlotRow.id), func.count(SlotRow.receipt_key)),
        select(func.count(Base.metadata.tables["packages_incoming"].c.id)),
        # People's acts during the exam: no kiosk knows them.
        select(func.count(AllowanceRow.id), func.count(AllowanceRow.withdrawn_at)),
        select(func.count(PauseRow.id), func.count(PauseRow.resumes_at), func.count(PauseRow.ended_at)),
        select(func.count(MoveRow.id)),
        select(func.count(ReplacementRow.id)),
    ]
    found: list[Any] = [tuple((await session.execute(query)).one()) for query in counts]
    sets = select(PaperSet.id).where(PaperSet.state == "current").order_by(PaperSet.id)
    found.append(tuple(await session.scalars(sets)))
    # Answers and hand-ins are in the kiosks' journals: a hand-in rush shall not write the file again and again.
    states = (
        select(SittingRow.state, func.count())
        .where(SittingRow.state.in_([state.value for state in COUNTED]))
        .group_by(SittingRow.state)
        .order_by(SittingRow.state)
    )
    found.append(tuple(map(tuple, await session.execute(states))))
    found.append(await session.scalar(select(func.count(BellRow.slot))))
    return tuple(found)


async def write(db: Database, identity: Identity, clock: Clock, data: Path, place: Path) -> int:
    """Write the recovery file of this centre into `place`; return its number.

    Refused `recovery-code-missing`, and `recovery-place-other` where the file of another centre stands; OSError
    when the place cannot be written.
    """
    standing = await asyncio.to_thread(_header, place / CENTRE_FILE)
    if standing is not None and standing.signing != identity.public.signing.hex():
        raise Refused(Refusal("recovery-place-other"))
    async with db.reading() as session:
        code = await recovery_code(session)
        slots = list(await session.scalars(select(SlotRow.id).where(SlotRow.receipt_key.is_(None))))
    if code is None:
        raise Refused(Refusal("recovery-code-missing"))
    for slot in slots:
        async with db.writing() as session:
            await ensure_receipt_key(session, identity, slot)
    await asyncio.to_thread(lambda: place.mkdir(parents=True, exist_ok=True, mode=0o700))
    papers: dict[str, str] = {}
    async with db.reading() as session:
        current = list(await session.scalars(select(PaperSet.id).where(PaperSet.state == "current")))
    for set_id in current:
        papers[set_id] = await _write_papers(db, identity, code.public, clock, place, set_id)
    async with db.reading() as session:
        body = CentreBody(
            tables={name: await rows_of(session, name) for name in TABLES},
            node=identity.exported(),
            tls=await asyncio.to_thread(_tls_files, data / "tls"),
            heads={head.chain: f"{head.seq}:{head.hash.hex()}" for head in await heads(session)},
            papers=papers,
        )
    number = 1 + (0 if standing is None else standing.number)
    file, _ = await asyncio.to_thread(
        lambda: sealed(identity, code.public, body, clock.legal(), number=number)
    )
    await asyncio.to_thread(_replace, place / CENTRE_FILE, file)
    return number


async def _write_papers(
    db: Database, identity: Identity, recovery: bytes, clock: Clock, place: Path, set_id: str
) -> str:
    """Write a drawn set's file once for a recovery code; return the SHA-256 of its body."""
    path = place / papers_file(set_id)
    header = await asyncio.to_thread(_header, path)
    wanted = (set_id, recovery.hex(), identity.public.signing.hex())
    if header is not None and (header.set_id, header.recovery, header.signing) == wanted:
        return header.body
    async with db.reading() as session:
        body = PapersBody(tables={name: await rows_of(session, name, set_id) for name in PAPER_TABLES})
    file, digest = await asyncio.to_thread(
        lambda: sealed(identity, recovery, body, clock.legal(), set_id=set_id)
    )
    await asyncio.to_thread(_replace, path, file)
    return digest


async def rows_of(session: AsyncSession, name: str, set_id: str | None = None) -> Rows:
    """Return a table's rows, of one set of papers when it is named."""
    table = Base.metadata.tables[name]
    query = select(table)
    if set_id is not None:
        query = query.where((table.c.id if name == "papers_set" else table.c.set_id) == set_id)
    found: Sequence[Any] = (await session.execute(query)).all()
    return Rows(tuple(column.name for column in table.columns), tuple(tuple(row) for row in found))


def _tls_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*")) if path.is_file()}


def _header(path: Path) -> Header | None:
    """Return the header of a whole file, None where there is none: a damaged one is written anew."""
    if not path.exists():
        return None
    try:
        return signed_parts(path.read_bytes()).header
    except GongyuanError:
        log.warning("the recovery file %s is damaged and is written anew", path.name)
        return None


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole and to the disk itself, so that readers see the old or the new one."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)  # noqa: PTH105
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def keep_recovery_file(
    db: Database,
    identity: Identity,
    clock: Clock,
    signals: Signals,
    data: Path,
    place: Path,
    told: SecondPlace,
) -> None:
    """Keep the file until cancelled; what became of the last try stands in `told`. `app.py` starts it."""
    changed = asyncio.Event()
    unsubscribe = signals.subscribe(lambda _topic, _key: changed.set())
    written: tuple[Any, ...] | None = None
    try:
        while True:
            changed.clear()
            rest = LOOK_AGAIN_S
            try:
                async with db.reading() as session:
                    now = await stamp(session)
                if written is not None and now[-1] != written[-1]:
                    # The bell's first seconds belong to the papers that are opened now.
                    await asyncio.sleep(LOOK_S)
                if now != written:
                    rest = LOOK_S
                    told.number = await write(db, identity, clock, data, place)
                    told.written_at, told.fault, written = clock.legal(), None, now
                    async with db.reading() as session:
                        written = now if await stamp(session) == now else None
            except Refused as error:
                told.fault = error.code
            except Exception as error:
                told.fault = "recovery-not-written"
                log.error("the recovery file was not written: %s", error)
            await asyncio.sleep(rest)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), LOOK_S)
    finally:
        unsubscribe()
