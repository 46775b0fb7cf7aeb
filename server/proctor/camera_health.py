"""The kept changes of cameras' health, by hours: what their term erases as whole hours of a camera."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.proctor.models import CameraHealthRow
from server.proctor.timeline import changed_hours


@dataclass(frozen=True, slots=True)
class HealthHour:
    """The `changes` of a camera's health in the whole hour from `start` (UTC), while it watched `room`."""

    camera: str
    room: str
    start: datetime
    changes: int

    @property
    def end(self) -> datetime:
        """Exclusive."""
        return self.start + timedelta(hours=1)


async def cameras_with_changes(session: AsyncSession) -> tuple[tuple[str, str], ...]:
    """The cameras, each with a room, of which any change of health is kept."""
    found = select(CameraHealthRow.camera, CameraHealthRow.room).distinct()
    rows = await session.execute(found.order_by(CameraHealthRow.camera, CameraHealthRow.room))
    return tuple((camera, room) for camera, room in rows)


async def health_hours(session: AsyncSession, camera: str, room: str) -> AsyncIterator[HealthHour]:
    """The hours in which the health of a camera of that room changed, oldest first, each read when asked for."""
    which = CameraHealthRow.camera == camera, CameraHealthRow.room == room
    async for start, changes in changed_hours(session, CameraHealthRow.at, *which):
        yield HealthHour(camera, room, start, changes)


async def erase_hour(session: AsyncSession, hour: HealthHour) -> None:
    """Delete the changes of that hour."""
    of_camera = CameraHealthRow.camera == hour.camera, CameraHealthRow.room == hour.room
    within = CameraHealthRow.at >= hour.start, CameraHealthRow.at < hour.end
    await session.execute(delete(CameraHealthRow).where(*of_camera, *within))
