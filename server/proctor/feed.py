"""What boards see of the cameras: the newest state in memory, and numbered events since.

A board takes a snapshot and then the events after its id; after a break it asks for the events since the id
it knows and gets either them or, when they are forgotten, a new snapshot.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime

from server.proctor.alerts import Alert, worst_first
from server.proctor.evidence import SeatReading
from server.protocol.proctoring import (
    AlertChanged,
    AlertSeen,
    CameraChanged,
    CameraHealth,
    FeedEvent,
    FeedSnapshot,
    SeatsChanged,
    SeatSeen,
)


class Feed:
    """The feed of one process. `first_id` is the number of its first snapshot: a later start must give a
    higher one.

    All methods are called from the event loop's thread.
    """

    def __init__(self, first_id: int = 0, history: int = 2000) -> None:
        self.epoch = str(uuid.uuid4())
        self._id = first_id
        self._events: deque[FeedEvent] = deque(maxlen=history)
        self._seats: dict[tuple[str, str], SeatSeen] = {}
        self._cameras: dict[str, CameraHealth] = {}
        self._alerts: dict[str, AlertSeen] = {}
        self._facts: dict[str, Alert] = {}
        self._news = asyncio.Event()

    @property
    def id(self) -> int:
        """The number of the newest event."""
        return self._id

    def snapshot(self) -> FeedSnapshot:
        """Everything as of now."""
        return FeedSnapshot(
            id=self._id,
            seats=tuple(self._seats[key] for key in sorted(self._seats)),
            cameras=tuple(self._cameras[key] for key in sorted(self._cameras)),
            alerts=tuple(self._alerts[key] for key in sorted(self._alerts)),
        )

    def since(self, event_id: int) -> tuple[FeedEvent, ...] | None:
        """The events after `event_id`, oldest first; None where they are forgotten or the id is not of this
        feed.
        """
        oldest = self._events[0].id if self._events else self._id + 1
        if not oldest - 1 <= event_id <= self._id:
            return None
        return tuple(event for event in self._events if event.id > event_id)

    async def wait(self, event_id: int) -> None:
        """Returns as soon as there is an event after `event_id`; at once where there is one already."""
        while self._id <= event_id:
            await self._news.wait()

    def seat(self, room: str, seat: str) -> SeatSeen | None:
        """The newest camera state of a seat; None where no camera watches it."""
        return self._seats.get((room, seat))

    def camera(self, camera: str) -> CameraHealth | None:
        """The newest health of a camera; None before its first sign."""
        return self._cameras.get(camera)

    def alerts(self, rooms: Iterable[str] | None = None) -> tuple[Alert, ...]:
        """The alerts known to this process, worst first; of these rooms, or of all."""
        wanted = None if rooms is None else set(rooms)
        return worst_first([a for a in self._facts.values() if wanted is None or a.room_id in wanted])

    def alert(self, key: str) -> Alert | None:
        """The alert of that key, if this process knows it."""
        return self._facts.get(key)

    def pictured(self, key: str) -> bool:
        """True where a picture of the alert is kept."""
        seen = self._alerts.get(key)
        return seen is not None and seen.picture

    def put_seats(self, room: str, readings: Sequence[SeatReading]) -> None:
        """Takes the readings of a sample; an event is made of those whose state or beginning changed."""
        changed = []
        for reading in readings:
            key = (room, reading.seat)
            before = self._seats.get(key)
            seen = SeatSeen(
                room=room, seat=reading.seat, state=reading.state.value, since=reading.since, at=reading.at
            )
            if before is None or (before.state, before.since) != (seen.state, seen.since):
                self._seats[key] = seen
                changed.append(seen)
        if changed:
            self._emit(SeatsChanged(id=self._id + 1, seats=tuple(changed)))

    def put_camera(
        self,
        camera: str,
        room: str,
        *,
        faults: tuple[str, ...],
        online: bool,
        at: datetime,
        faces: int,
        interval_s: float | None,
    ) -> None:
        """Takes the health of a camera; an event is made only where faults or being online changed."""
        health = CameraHealth(
            camera=camera,
            room=room,
            online=online,
            faults=faults,
            last_at=at,
            faces=faces,
            interval_s=interval_s,
        )
        before = self._cameras.get(camera)
        if before is None or (before.online, before.faults) != (online, faults):
            self._cameras[camera] = health
            self._emit(CameraChanged(id=self._id + 1, camera=health))

    def put_alert(self, alert: Alert, picture: bool) -> None:
        """Takes an alert, new or changed; `picture` tells whether a picture of it is kept."""
        seen = AlertSeen(
            key=alert.key,
            room=alert.room_id,
            about=alert.about,
            kind=alert.kind.value,
            score=alert.score,
            state=alert.state.value,
            rings=alert.rings,
            opened_at=alert.opened_at,
            last_at=alert.last_at,
            ended_at=alert.ended_at,
            first_by=alert.first_by,
            needs_second=alert.on_candidate,
            anomalies=len(alert.anomalies),
            picture=picture,
        )
        self._facts[alert.key] = alert
        if self._alerts.get(alert.key) != seen:
            self._alerts[alert.key] = seen
            self._emit(AlertChanged(id=self._id + 1, alert=seen))

    def _emit(self, event: FeedEvent) -> None:
        self._id = event.id
        self._events.append(event)
        news, self._news = self._news, asyncio.Event()
        news.set()
