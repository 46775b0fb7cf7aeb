"""A centre's server built anew after total loss: from the recovery file first, then from the kiosks' journals.

Everything is read and judged before anything is written: `read` opens the recovery file with both halves of the code
and the journals' first entries with the slots' journal recovery keys. `write` then makes the data folder: identity,
certificates, the file's rows, the bells, and from the journals every entry under its seat's signature. An acknowledged
answer is the centre's again, with the receipt that the kiosk was given (`acknowledged.py`); what was never
acknowledged waits, as a late journal, for two named people.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, inspect, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import SHANGHAI, Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.metadata import Base
from server.db.migrate import upgrade
from server.delivery import late_journals
from server.delivery.answers import Capture
from server.delivery.models import BellRow, LeaseRow, SeatRow, SittingRow
from server.delivery.service import start_key_aad
from server.delivery.sitting import State
from server.errors import BadInput, GongyuanError, Refusal, Refused, Tampered
from server.keys.identity import Identity
from server.keys.recovery import journal_key_info
from server.keys.sealing import hpke_open, unseal
from server.keys.signing import verify
from server.protocol import codec
from server.protocol.exam import Captured
from server.protocol.journal import (
    JournalCopy,
    JournalFile,
    entry_aad,
    entry_bytes,
    head_bytes,
    link,
    wrap_info,
)
from server.recovery.acknowledged import Rebuilt, acknowledge
from server.recovery.bells import Opened
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
from server.recovery.file import node_of, opened, private_of, signed_parts

CHUNK = 500
"""Rows of one statement at most."""
_BEGUN = (State.PREPARED, State.CHECKED_IN, State.ABSENT, State.HALTED)
"""States in which a sitting may stand in the file although its paper was opened afterwards."""


@dataclass(frozen=True, slots=True)
class Second:
    """What stands at the second place, opened: nothing is written yet."""

    header: Header
    private: bytes
    body: CentreBody
    papers: tuple[PapersBody, ...]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return a table's rows by column."""
        found = self.body.tables[table]
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]

    def journal_key(self, slot: str) -> bytes | None:
        """Return the private half of a slot's journal recovery key, None when this code was made after the draw."""
        for row in self.rows("delivery_journal_key"):
            if row["slot"] == slot and row["recovery"] is not None:
                try:
                    return hpke_open(self.private, row["recovery"], journal_key_info(slot))
                except Tampered:
                    return None
        return None


@dataclass(frozen=True, slots=True)
class SlotToRing:
    """A slot of which journals were brought: its rooms with the bells that the file itself knows, and its day."""

    slot: str
    title: str
    day: date
    rooms: tuple[str, ...]
    bells: Mapping[str, datetime]


@dataclass(slots=True)
class Report:
    """What became of the journals: how many were kept, each that was refused with the code why, and the sittings."""

    journals: int = 0
    entries: int = 0
    faults: int = 0
    refused: list[tuple[str, int, str]] = field(default_factory=list)
    sittings: tuple[Rebuilt, ...] = ()
    kept: list[JournalCopy] = field(default_factory=list)
    """Every copy that was taken, also where one journal came twice."""

    @property
    def whole(self) -> bool:
        """Tell whether nothing was refused and everything acknowledged is there as the kiosks were told it."""
        return not self.refused and all(one.whole for one in self.sittings)


def read(place: Path, first: str, second: str) -> Second:
    """Open the recovery file at the second place with both halves of the code.

    BadInput `recovery-file-missing` names the file; Tampered `recovery-file-changed` or `recovery-halves-wrong`.
    """
    parts = signed_parts(_bytes(place / CENTRE_FILE))
    private = private_of(parts.header, first, second)
    body = opened(parts, private, CentreBody)
    papers = []
    for set_id, digest in body.papers.items():
        found = signed_parts(_bytes(place / papers_file(set_id)))
        if (found.header.body, found.header.signing) != (digest, parts.header.signing):
            raise Tampered("recovery-file-changed")
        papers.append(opened(found, private, PapersBody))
    return Second(parts.header, private, body, tuple(papers))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput("recovery-file-missing", path=path.name) from error


def slots_to_ring(second: Second, files: Sequence[JournalFile]) -> tuple[SlotToRing, ...]:
    """Return the slots that the journals belong to, by planned start; each needs its bells."""
    sittings = {row["id"]: row for row in second.rows("delivery_sitting")}
    brought = {copy.head.sitting for file in files for copy in file.journals}
    wanted = {sittings[one]["slot"] for one in brought if one in sittings}
    found = []
    for slot in sorted(second.rows("delivery_slot"), key=lambda row: (row["starts_at"], row["id"])):
        if slot["id"] not in wanted:
            continue
        rooms = {
            row["time_room"] for key, row in sittings.items() if row["slot"] == slot["id"] and key in brought
        }
        bells = {row["room"]: row["at"] for row in second.rows("delivery_bell") if row["slot"] == slot["id"]}
        day = slot["starts_at"].astimezone(SHANGHAI).date()
        found.append(SlotToRing(slot["id"], slot["title"], day, tuple(sorted(rooms | bells.keys())), bells))
    return tuple(found)


def openings(
    second: Second, files: Sequence[JournalFile], keys: Mapping[str, bytes]
) -> dict[str, list[Opened]]:
    """Return, by slot, when devices opened their papers: from first entries that the seat signed and beacons that
    the centre signed. Sittings that were given a late start are left out. `keys` are the journal keys by slot."""
    sittings = {row["id"]: row for row in second.rows("delivery_sitting")}
    seats = {row["id"]: row["public_key"] for row in second.rows("delivery_seat")}
    delayed = {row["sitting"] for row in second.rows("delivery_allowance") if row["kind"] == "delay"}
    node = node_of(second.header)
    name = "".join(node.fingerprint.split())
    found: dict[str, list[Opened]] = {}
    for copy in (copy for file in files for copy in file.journals):
        sitting = sittings.get(copy.head.sitting)
        if sitting is None or copy.head.sitting in delayed or copy.head.seat not in seats:
            continue
        try:
            first = _first_entry(copy, seats[copy.head.seat], keys[sitting["slot"]])
        except GongyuanError:
            continue
        beacon = None if first is None else first.opened
        if first is None or beacon is None or not late_journals.true_beacon(beacon, name, node.signing):
            continue
        at = Capture(beacon.now, first.opened_ms, beacon.rate).at
        found.setdefault(sitting["slot"], []).append(Opened(sitting["time_room"], at))
    return found


def _first_entry(copy: JournalCopy, public: bytes, key: bytes) -> Captured | None:
    if not copy.entries:
        return None
    head, entry = copy.head, copy.entries[0]
    signed = head_bytes(head.sitting, head.lease, head.seat, head.wrapped)
    verify(public, bytes.fromhex(head.signature), signed)
    signed = entry_bytes(link(signed), entry.seq, entry.iv, entry.data)
    verify(public, bytes.fromhex(entry.signature), signed)
    info = wrap_info(head.sitting, head.lease, head.seat)
    data_key = hpke_open(key, bytes.fromhex(head.wrapped), info)
    aad = entry_aad(head.sitting, head.lease, entry.seq)
    return codec.captured(unseal(data_key, entry.iv, entry.data, aad))


async def write(
    db: Database,
    folder: Path,
    clock: Clock,
    second: Second,
    files: Sequence[JournalFile],
    people: tuple[str, str],
    bells: Mapping[str, Mapping[str, datetime]],
    journal_keys: Mapping[str, bytes],
    start_keys: Mapping[str, bytes],
) -> Report:
    """Make the data folder and write all that was read; the bells (by slot and room) were judged before.

    Refused `rebuild-folder-used` or `rebuild-database-used` when folder or database hold a centre already.
    """
    if await asyncio.to_thread(_used, db, folder):
        raise Refused(Refusal("rebuild-folder-used", facts={"path": str(folder)}))
    if await _holds_rows(db):
        raise Refused(Refusal("rebuild-database-used"))
    await asyncio.to_thread(lambda: folder.mkdir(parents=True, exist_ok=True))
    await asyncio.to_thread(upgrade, db)
    identity = await asyncio.to_thread(Identity.take_over, folder, second.body.node)
    await asyncio.to_thread(_write_tls, folder / "tls", second.body.tls)
    journal = Journal("rebuild")
    async with db.writing() as session:
        act = Act(session, journal, clock.legal(), f"rebuild:{people[0]}+{people[1]}")
        await _write_rows(session, second)
        await act.record(
            "recovery:centre:restored",
            {
                "file": second.header.number,
                "written_at": second.header.written_at.isoformat(),
                "first": people[0],
                "second": people[1],
                "heads": second.body.heads,
            },
        )
        for slot, by_room in bells.items():
            await _ring(act, identity, slot, by_room, start_keys.get(slot))
        report = await _take(act, files)
        report.faults = await _open(act, identity, journal_keys)
        report.sittings = await acknowledge(act, identity, report.kept)
        await act.record(
            "recovery:centre:rebuilt",
            {
                "journals": report.journals,
                "entries": report.entries,
                "refused": [f"{sitting} {lease} {code}" for sitting, lease, code in report.refused],
                "answers": sum(one.answers for one in report.sittings),
                "missing": sum(len(one.missing) for one in report.sittings),
            },
        )
    return report


def _used(db: Database, folder: Path) -> bool:
    file = Path(db.url.database) if db.is_sqlite and db.url.database else None
    return (folder / "keys" / "node.json").exists() or (file is not None and file.exists())


async def _holds_rows(db: Database) -> bool:
    """Tell whether a PostgreSQL database holds anything of a centre; tables alone are none."""
    if db.is_sqlite:
        return False
    async with db.engine.connect() as connection:
        there = set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))
        for name in ("journal_record", *TABLES, *PAPER_TABLES):
            any_row = select(literal(1)).select_from(Base.metadata.tables[name]).limit(1)
            if name in there and (await connection.execute(any_row)).first() is not None:
                return True
    return False


def _write_tls(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, data in files.items():
        if Path(name).name != name:
            raise BadInput("recovery-file-form", reason=name)
        path = folder / name
        path.touch(mode=0o600)
        path.write_bytes(data)


async def _write_rows(session: AsyncSession, second: Second) -> None:
    for name in TABLES:
        await _insert(session, name, second.body.tables[name])
    for one in second.papers:
        for name in PAPER_TABLES:
            await _insert(session, name, one.tables[name])
    fresh = [
        {"sitting": row["id"], "lease": 0, "seq": 0, "receipt": 0, "digest": bytes(32)}
        for row in second.rows("delivery_sitting")
    ]
    if fresh:
        await session.execute(insert(Base.metadata.tables["delivery_head"]), fresh)


async def _insert(session: AsyncSession, name: str, found: Rows) -> None:
    table = Base.metadata.tables[name]
    unknown = set(found.columns) - set(table.columns.keys())
    if unknown:
        raise BadInput("recovery-file-form", reason=f"{name}: {', '.join(sorted(unknown))}")
    for at in range(0, len(found.rows), CHUNK):
        some = [dict(zip(found.columns, row, strict=True)) for row in found.rows[at : at + CHUNK]]
        await session.execute(insert(table), some)


async def _ring(
    act: Act, identity: Identity, slot: str, bells: Mapping[str, datetime], start_key: bytes | None
) -> None:
    """Record the bells that the file does not have; without a start key no paper can be opened any more."""
    known = set(await act.session.scalars(select(BellRow.room).where(BellRow.slot == slot)))
    wrapped = await act.session.scalar(select(BellRow.wrapped_start_key).where(BellRow.slot == slot).limit(1))
    if start_key is not None:
        wrapped = identity.storage_wrap(start_key, start_key_aad(slot))
    new = {room: at for room, at in sorted(bells.items()) if room not in known}
    act.session.add_all(
        BellRow(slot=slot, room=room, at=at, actor=act.actor, wrapped_start_key=wrapped or b"")
        for room, at in new.items()
    )
    await act.session.flush()
    if new:
        facts = {room: at.isoformat() for room, at in new.items()}
        await act.record("recovery:bell:typed", {"slot": slot, "bells": facts})


async def _take(act: Act, files: Sequence[JournalFile]) -> Report:
    """Keep every journal whose seat and sitting are known, under the lease that it names; one whose signatures do
    not hold is refused by itself. Sittings with a journal count as opened where their newest lease is."""
    report, sittings = Report(), set()
    kept: dict[tuple[str, int, str], int] = {}
    seats = {row.id: row for row in await act.session.scalars(select(SeatRow))}
    for copy in (copy for file in files for copy in file.journals):
        head = copy.head
        try:
            async with act.session.begin_nested():
                await _lease(act, copy, seats)
                entries = await late_journals.keep(act, head, 0, copy.entries, "file", lost=True)
        except GongyuanError as error:
            report.refused.append((head.sitting, head.lease, error.code))
            continue
        sittings.add(head.sitting)
        kept[(head.sitting, head.lease, head.seat)] = entries
        report.kept.append(copy)
    report.journals, report.entries = len(kept), sum(kept.values())
    for sitting in sorted(sittings):
        row = await act.session.get_one(SittingRow, sitting)
        held = await act.session.get(LeaseRow, (sitting, row.lease))
        seat = None if held is None or held.seat is None else seats.get(held.seat)
        if seat is not None:
            row.room, row.seat = seat.room, seat.number
    await act.session.flush()
    return report


async def _lease(act: Act, copy: JournalCopy, seats: Mapping[str, SeatRow]) -> None:
    """Give the seat the lease that its own signed journal names, unless another holds it."""
    head = copy.head
    late_journals.require_signed(seats.get(head.seat), head)
    row = await act.session.get(SittingRow, head.sitting)
    if row is None:
        raise BadInput("journal-sitting-unknown")
    if await act.session.get(LeaseRow, (head.sitting, head.lease)) is None:
        act.session.add(LeaseRow(sitting=head.sitting, lease=head.lease, seat=head.seat, taken_at=act.now))
    values: dict[str, Any] = {"lease": max(row.lease, head.lease)}
    if State(row.state) in _BEGUN:
        bell = await act.session.get(BellRow, (row.slot, row.time_room))
        values |= {"state": State.OPENED.value, "opened_at": act.now if bell is None else bell.at}
    await act.session.execute(update(SittingRow).where(SittingRow.id == row.id).values(**values))
    await act.session.flush()


async def _open(act: Act, identity: Identity, keys: Mapping[str, bytes]) -> int:
    """Open every kept journal; return how many entries hold a fault."""
    node, faults = "".join(identity.fingerprint.split()), 0
    for slot, key in keys.items():
        for one in await late_journals.journals(act.session, slot):
            faults += await late_journals.open_journal(act, one.id, key, node, identity.public.signing)
    return faults
