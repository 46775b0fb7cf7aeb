"""Queries of proctoring: rows in, facts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.proctor.alerts import Alert, AlertAct, AlertState
from server.proctor.evidence import Anomaly, AnomalyEnd, AnomalyKind, Quality
from server.proctor.models import (
    AlertNoteRow,
    AlertRow,
    AnomalyRow,
    CameraHealthRow,
    CameraRow,
    SeatRegionRow,
)
from server.proctor.seats import CameraLayout, layout_from_table, layout_to_table

_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera as it is set up."""

    id: str
    room: str
    kind: str
    source: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class AlertNote:
    """What a person did with an alert, and the words."""

    at: datetime
    person: str
    act: AlertAct
    text: str


@dataclass(frozen=True, slots=True)
class KeptAnomaly:
    """A stored anomaly with its end (exclusive) and the hash of its picture, if one was kept."""

    anomaly: Anomaly
    ended_at: datetime | None
    picture_sha256: str | None


async def put_camera(
    session: AsyncSession, camera: Camera, layout: CameraLayout | None, now: datetime
) -> None:
    """Stores the camera and its seat regions in place of what was there."""
    row = await session.get(CameraRow, camera.id)
    if row is None:
        row = CameraRow(id=camera.id)
        session.add(row)
    row.room, row.kind, row.source = camera.room, camera.kind, camera.source
    row.width, row.height, row.registered_at = camera.width, camera.height, now
    await session.flush()
    await session.execute(delete(SeatRegionRow).where(SeatRegionRow.camera == camera.id))
    for table in layout_to_table(layout)["seats"] if layout is not None else ():
        region = _json.encode(table).decode()
        session.add(
            SeatRegionRow(camera=camera.id, seat=table["seat"], region=region, sureness=table["sureness"])
        )
    await session.flush()


async def cameras(session: AsyncSession) -> tuple[Camera, ...]:
    """All cameras, by room and id."""
    rows = await session.scalars(select(CameraRow).order_by(CameraRow.room, CameraRow.id))
    return tuple(Camera(r.id, r.room, r.kind, r.source, r.width, r.height) for r in rows)


async def seats_of_cameras(session: AsyncSession) -> dict[str, tuple[str, ...]]:
    """The seats on each camera's picture, by camera, in the order of the set-up."""
    found: dict[str, tuple[str, ...]] = {}
    rows = await session.execute(
        select(SeatRegionRow.camera, SeatRegionRow.seat).order_by(SeatRegionRow.camera, SeatRegionRow.id)
    )
    for camera, seat in rows:
        found[camera] = (*found.get(camera, ()), seat)
    return found


async def layout(session: AsyncSession, camera: str) -> CameraLayout | None:
    """The seats of a camera as they are set up now; None for an unknown camera, or one without seats."""
    row = await session.get(CameraRow, camera)
    regions = await session.scalars(
        select(SeatRegionRow.region).where(SeatRegionRow.camera == camera).order_by(SeatRegionRow.id)
    )
    seats = [msgspec.json.decode(region) for region in regions]
    if row is None or not seats:
        return None
    table = {"camera": row.id, "room": row.room, "width": row.width, "height": row.height, "seats": seats}
    return layout_from_table(table)


async def add_health(session: AsyncSession, quality: Quality) -> None:
    """Stores a change of a camera's health."""
    session.add(
        CameraHealthRow(
            camera=quality.camera_id,
            room=quality.room_id,
            at=quality.at,
            faults=_json.encode(sorted(quality.faults)).decode(),
            measures=_json.encode(dict(quality.measures)).decode(),
        )
    )
    await session.flush()


async def add_anomaly(
    session: AsyncSession, anomaly: Anomaly, alert: str, picture_sha256: str | None
) -> None:
    """Stores a finding under its alert, which must be there."""
    session.add(
        AnomalyRow(
            key=anomaly.key,
            alert=alert,
            kind=anomaly.kind.value,
            rule_version=anomaly.rule_version,
            room=anomaly.room_id,
            camera=anomaly.camera_id,
            seat=anomaly.seat,
            started_at=anomaly.started_at,
            found_at=anomaly.found_at,
            ended_at=None,
            score=anomaly.score,
            facts=_json.encode(dict(anomaly.facts)).decode(),
            picture_sha256=picture_sha256,
        )
    )
    await session.flush()


async def end_anomaly(session: AsyncSession, end: AnomalyEnd) -> None:
    """Stores the end of a finding."""
    await session.execute(update(AnomalyRow).where(AnomalyRow.key == end.key).values(ended_at=end.ended_at))


async def open_anomalies(session: AsyncSession) -> tuple[KeptAnomaly, ...]:
    """The findings without an end, oldest first."""
    rows = await session.scalars(
        select(AnomalyRow).where(AnomalyRow.ended_at.is_(None)).order_by(AnomalyRow.started_at)
    )
    return tuple(_kept(row) for row in rows)


async def anomalies(session: AsyncSession, alert: str) -> tuple[KeptAnomaly, ...]:
    """The findings of an alert, oldest first."""
    rows = await session.scalars(
        select(AnomalyRow).where(AnomalyRow.alert == alert).order_by(AnomalyRow.started_at, AnomalyRow.key)
    )
    return tuple(_kept(row) for row in rows)


async def put_alert(session: AsyncSession, alert: Alert) -> None:
    """Stores an alert, new or changed."""
    row = await session.get(AlertRow, alert.key)
    if row is None:
        row = AlertRow(key=alert.key, room=alert.room_id, about=alert.about, opened_at=alert.opened_at)
        session.add(row)
    row.kind, row.score, row.state = alert.kind.value, alert.score, alert.state.value
    row.last_at, row.ended_at, row.rings = alert.last_at, alert.ended_at, alert.rings
    row.first_by, row.decided_by = alert.first_by, alert.decided_by
    await session.flush()


async def put_found(session: AsyncSession, alert: Alert) -> Alert:
    """Stores what the machine knows of an alert, and returns it with where it stands with people by the
    database.

    A person may decide an alert between two samples: that part is never written from here.
    """
    row = await session.scalar(select(AlertRow).where(AlertRow.key == alert.key).with_for_update())
    if row is None:
        await put_alert(session, alert)
        return alert
    row.kind, row.score, row.rings = alert.kind.value, alert.score, alert.rings
    row.last_at, row.ended_at = alert.last_at, alert.ended_at
    await session.flush()
    return replace(alert, state=AlertState(row.state), first_by=row.first_by, decided_by=row.decided_by)


async def alert(session: AsyncSession, key: str) -> Alert | None:
    """One alert, or None; the row is locked until the transaction ends (PostgreSQL)."""
    row = await session.scalar(select(AlertRow).where(AlertRow.key == key).with_for_update())
    return None if row is None else (await _alerts(session, [row]))[0]


async def alerts(
    session: AsyncSession, rooms: Sequence[str] | None = None, since: datetime | None = None
) -> tuple[Alert, ...]:
    """Alerts opened at or after `since`, of these rooms or of all, oldest first."""
    query = select(AlertRow).order_by(AlertRow.opened_at, AlertRow.key)
    if rooms is not None:
        query = query.where(AlertRow.room.in_(rooms))
    if since is not None:
        query = query.where(AlertRow.opened_at >= since)
    return await _alerts(session, list(await session.scalars(query)))


async def decided(session: AsyncSession, kind: AnomalyKind, room: str) -> tuple[int, int]:
    """How many alerts of a rule in a room people ever confirmed, and how many they confirmed or dismissed."""
    rows = await session.execute(
        select(AlertRow.state, func.count())
        .where(
            AlertRow.room == room,
            AlertRow.kind == kind.value,
            AlertRow.state.in_((AlertState.CONFIRMED.value, AlertState.DISMISSED.value)),
        )
        .group_by(AlertRow.state)
    )
    counts = {AlertState(state): count for state, count in rows}
    return counts.get(AlertState.CONFIRMED, 0), sum(counts.values())


async def add_note(session: AsyncSession, key: str, note: AlertNote) -> None:
    """Stores what a person did with an alert."""
    session.add(AlertNoteRow(alert=key, at=note.at, person=note.person, act=note.act.value, text=note.text))
    await session.flush()


async def notes(session: AsyncSession, key: str) -> tuple[AlertNote, ...]:
    """What people did with an alert, oldest first."""
    rows = await session.scalars(
        select(AlertNoteRow).where(AlertNoteRow.alert == key).order_by(AlertNoteRow.id)
    )
    return tuple(AlertNote(r.at, r.person, AlertAct(r.act), r.text) for r in rows)


async def _alerts(session: AsyncSession, rows: Sequence[AlertRow]) -> tuple[Alert, ...]:
    keys = [row.key for row in rows]
    found = await session.execute(
        select(AnomalyRow.alert, AnomalyRow.key)
        .where(AnomalyRow.alert.in_(keys))
        .order_by(AnomalyRow.found_at, AnomalyRow.key)
    )
    members: dict[str, list[str]] = {}
    for owner, key in found:
        members.setdefault(owner, []).append(key)
    return tuple(
        Alert(
            key=row.key,
            room_id=row.room,
            about=row.about,
            kind=AnomalyKind(row.kind),
            score=row.score,
            anomalies=tuple(members.get(row.key, ())),
            opened_at=row.opened_at,
            last_at=row.last_at,
            ended_at=row.ended_at,
            rings=row.rings,
            state=AlertState(row.state),
            first_by=row.first_by,
            decided_by=row.decided_by,
        )
        for row in rows
    )


def _kept(row: AnomalyRow) -> KeptAnomaly:
    anomaly = Anomaly(
        key=row.key,
        kind=AnomalyKind(row.kind),
        rule_version=row.rule_version,
        room_id=row.room,
        camera_id=row.camera,
        seat=row.seat,
        started_at=row.started_at,
        found_at=row.found_at,
        score=row.score,
        facts=msgspec.json.decode(row.facts, type=dict[str, float | str]),
    )
    return KeptAnomaly(anomaly, row.ended_at, row.picture_sha256)
