"""A centre's watch over its rooms: takes what the workers see, compares it with the exam, writes and shows
findings.

One watch runs in one process of a centre. Every finding is committed before a board sees it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.proctor import alerts, store
from server.proctor.alerts import AlarmBudget, Alert
from server.proctor.anomalies import CameraMemory, Comparison, RoomExpectation, compare
from server.proctor.evidence import Anomaly, AnomalyEnd, CameraFault, RoomSample
from server.proctor.evidence_store import EvidenceStore
from server.proctor.feed import Feed
from server.proctor.supervisor import sample_of
from server.protocol.proctoring import (
    CameraPicture,
    CameraSample,
    FromWorker,
    SourceTrouble,
    WorkerAlive,
    WorkerReady,
)

Expectations = Callable[[AsyncSession, Collection[str], datetime], Awaitable[Mapping[str, RoomExpectation]]]
"""What to expect in rooms at a capture time; a room without a sitting is left out: then only cameras are judged.
"""

# Alerts of the last day are known again after a restart.
KNOWN_BACK = timedelta(hours=24)
# What the exam expects in the rooms is asked again after this much capture time; every finding is held far longer.
ASKED_AGAIN = timedelta(seconds=2)


@dataclass(slots=True)
class _CameraState:
    """What the watch keeps of one camera between samples."""

    memory: CameraMemory
    faults: frozenset[CameraFault] | None = None
    last_at: datetime | None = None
    interval_s: float | None = None
    picture: CameraPicture | None = None


@dataclass(frozen=True, slots=True)
class SourceState:
    """Why a camera has no pictures, as its worker told last."""

    camera: str
    reason: str


class Watch:
    """Takes the messages of all workers. `evidence` None keeps no pictures. `expectations` asks the exam.

    All methods are called from the event loop's thread.
    """

    def __init__(
        self,
        db: Database,
        journal: Journal,
        clock: Clock,
        feed: Feed,
        expectations: Expectations,
        evidence: EvidenceStore | None = None,
        budget: AlarmBudget = alerts.BUDGET,
    ) -> None:
        self._db, self._journal, self._clock = db, journal, clock
        self._feed, self._expectations = feed, expectations
        self._evidence, self._budget = evidence, budget
        self._cameras: dict[str, _CameraState] = {}
        self._rung: dict[str, deque[datetime]] = {}
        self._reported: set[str] = set()
        self._known_rooms: dict[str, tuple[datetime, RoomExpectation | None]] = {}
        self.samples = 0
        self.detectors: set[str] = set()
        self.listeners: list[Callable[[FromWorker], None]] = []
        self.troubles: dict[str, str] = {}

    async def recover(self) -> None:
        """Learns from the database what was found before a restart, and ends findings that nobody follows
        any more.

        What still holds is found again and joins its alert.
        """
        now = self._clock.legal()
        async with self._db.writing() as session:
            for kept in await store.open_anomalies(session):
                end = max(now, kept.anomaly.found_at)
                await store.end_anomaly(session, AnomalyEnd(kept.anomaly.key, end))
            known: list[tuple[Alert, bool]] = []
            for alert in await store.alerts(session, since=now - KNOWN_BACK):
                if alert.ended_at is None:
                    alert = alerts.end(alert, (), max(now, alert.last_at))
                    await store.put_alert(session, alert)
                pictures = [kept.picture_sha256 for kept in await store.anomalies(session, alert.key)]
                known.append((alert, any(pictures)))
        for alert, pictured in known:
            if alert.rings:
                self._ring(alert)
            self._feed.put_alert(alert, pictured)

    async def take(self, message: FromWorker) -> None:
        """Takes one message of a worker; whoever else listens has it first."""
        for listener in self.listeners:
            listener(message)
        match message:
            case CameraSample():
                await self._take_sample(message)
            case CameraPicture():
                self._state(message.camera).picture = message
            case SourceTrouble():
                self.troubles[message.camera] = message.reason
            case WorkerReady():
                self.detectors.add(message.detector)
            case WorkerAlive():
                pass

    async def report(self, act: Act, anomaly: Anomaly) -> tuple[Alert, ...]:
        """Takes a finding that no picture shows, in the transaction of `act`; `settle` ends it.

        The alerts it changed are to be shown (`show`) after the commit.
        """
        self._reported.add(anomaly.key)
        alert = alerts.bundle(
            self._known({}), anomaly, list(self._rung.get(anomaly.room_id, ())), self._budget
        )
        alert = await store.put_found(act.session, alert)
        await store.add_anomaly(act.session, anomaly, alert.key, None)
        await act.record("proctor:anomaly:raised", _facts(anomaly, alert, None))
        return (alert,)

    async def settle(self, act: Act, end: AnomalyEnd) -> tuple[Alert, ...]:
        """Ends a finding that was reported; the alerts that ended with it are to be shown after the commit."""
        self._reported.discard(end.key)
        await store.end_anomaly(act.session, end)
        await act.record("proctor:anomaly:ended", {"anomaly": end.key, "at": _iso(end.ended_at)})
        held = [one.key for state in self._cameras.values() for one in state.memory.open]
        changed = []
        for alert in [a for a in self._feed.alerts() if end.key in a.anomalies]:
            after = alerts.end(alert, sorted({*held, *self._reported}), end.ended_at)
            if after != alert:
                changed.append(await store.put_found(act.session, after))
        return tuple(changed)

    def show(self, changed: Sequence[Alert]) -> None:
        """Shows alerts on the boards."""
        for alert in changed:
            before = self._feed.alert(alert.key)
            if alert.rings and (before is None or not before.rings):
                self._ring(alert)
            self._feed.put_alert(alert, self._feed.pictured(alert.key))

    def picture(self, camera: str) -> bytes | None:
        """The newest picture (JPEG) of a camera; None before its first, and while it is lost."""
        state = self._cameras.get(camera)
        if state is None or state.picture is None or CameraFault.LOST in (state.faults or ()):
            return None
        return state.picture.jpeg

    def _state(self, camera: str) -> _CameraState:
        return self._cameras.setdefault(camera, _CameraState(CameraMemory()))

    async def _take_sample(self, message: CameraSample) -> None:
        sample = sample_of(message)
        state = self._state(message.camera)
        self.samples += 1
        if sample.quality.usable:
            self.troubles.pop(message.camera, None)
            if state.last_at is not None:
                state.interval_s = (sample.at - state.last_at).total_seconds()
        state.last_at = sample.at
        expected = await self._expected(message.room, sample.at)
        outcome = compare(state.memory, sample, expected or RoomExpectation(message.room, ()))
        changed = state.faults != sample.quality.faults
        shown: list[tuple[Alert, bool]] = []
        if changed or outcome.raised or outcome.ended:
            pictures = {one.key: await self._keep(one, state) for one in outcome.raised}
            async with self._db.writing() as session:
                act = Act(session, self._journal, self._clock.legal(), f"proctor:{message.camera}")
                if changed:
                    await self._write_health(act, sample)
                shown = await self._write(act, outcome, pictures)
        # Memory moves on only after the commit: a sample whose transaction failed is judged again by the
        # next one.
        state.memory, state.faults = outcome.memory, sample.quality.faults
        for alert, pictured in shown:
            before = self._feed.alert(alert.key)
            if alert.rings and (before is None or not before.rings):
                self._ring(alert)
            self._feed.put_alert(alert, pictured or self._feed.pictured(alert.key))
        self._feed.put_seats(message.room, sample.seats)
        self._feed.put_camera(
            message.camera,
            message.room,
            faults=message.faults,
            online=CameraFault.LOST not in sample.quality.faults,
            at=sample.at,
            faces=len(sample.faces),
            interval_s=state.interval_s,
        )

    async def _expected(self, room: str, at: datetime) -> RoomExpectation | None:
        """What the exam expects in a room. All rooms seen so far are asked for at once and the answer stands for a
        moment of capture time: what serves the answers must not be busy with questions of every camera.
        """
        known = self._known_rooms.get(room)
        if known is not None and abs(at - known[0]) < ASKED_AGAIN:
            return known[1]
        rooms = {room, *self._known_rooms}
        async with self._db.reading() as session:
            expected = await self._expectations(session, rooms, at)
        self._known_rooms |= {one: (at, expected.get(one)) for one in rooms}
        return expected.get(room)

    async def _write_health(self, act: Act, sample: RoomSample) -> None:
        await store.add_health(act.session, sample.quality)
        await act.record(
            "proctor:camera:health",
            {
                "camera": sample.quality.camera_id,
                "faults": sorted(sample.quality.faults),
                "at": _iso(sample.at),
            },
        )

    async def _write(
        self, act: Act, outcome: Comparison, pictures: Mapping[str, str | None]
    ) -> list[tuple[Alert, bool]]:
        """Writes what was raised and what ended; returns the changed alerts, and whether a picture was kept
        now.
        """
        changed: dict[str, Alert] = {}
        pictured: set[str] = set()
        for anomaly in outcome.raised:
            rung = list(self._rung.get(anomaly.room_id, ()))
            rung += [alert.last_at for alert in changed.values() if alert.rings]
            alert = alerts.bundle(self._known(changed), anomaly, rung, self._budget)
            alert = await store.put_found(act.session, alert)
            picture = pictures[anomaly.key]
            await store.add_anomaly(act.session, anomaly, alert.key, picture)
            if picture is not None:
                pictured.add(alert.key)
            await act.record("proctor:anomaly:raised", _facts(anomaly, alert, picture))
            changed[alert.key] = alert
        for end in outcome.ended:
            await store.end_anomaly(act.session, end)
            await act.record("proctor:anomaly:ended", {"anomaly": end.key, "at": _iso(end.ended_at)})
            for alert in [a for a in self._known(changed) if end.key in a.anomalies]:
                after = alerts.end(alert, self._still_open(outcome), end.ended_at)
                if after != alert:
                    changed[alert.key] = await store.put_found(act.session, after)
        return [(alert, key in pictured) for key, alert in changed.items()]

    def _known(self, changed: Mapping[str, Alert]) -> list[Alert]:
        """The alerts as boards know them, which is with people's decisions, and those changed in this
        transaction.
        """
        return list({**{alert.key: alert for alert in self._feed.alerts()}, **changed}.values())

    def _ring(self, alert: Alert) -> None:
        self._rung.setdefault(alert.room_id, deque(maxlen=256)).append(alert.last_at)

    def _still_open(self, outcome: Comparison) -> list[str]:
        """The keys of all findings that hold: of this camera after its sample, of the others as they were."""
        ended = {end.key for end in outcome.ended}
        held = {anomaly.key for state in self._cameras.values() for anomaly in state.memory.open}
        return sorted((held - ended) | {anomaly.key for anomaly in outcome.memory.open} | self._reported)

    async def _keep(self, anomaly: Anomaly, state: _CameraState) -> str | None:
        """Keeps the newest picture taken while the evidence lasted; a lost camera has none."""
        picture = state.picture
        if self._evidence is None or picture is None:
            return None
        if not anomaly.started_at <= picture.captured_at <= anomaly.found_at:
            return None
        return await asyncio.to_thread(self._evidence.put, picture.jpeg)


def _facts(anomaly: Anomaly, alert: Alert, picture: str | None) -> dict[str, object]:
    """What the journal holds of a finding. Numbers are rounded: the journal takes part in hashes on every
    machine.
    """
    numbers = {k: round(v, 4) if isinstance(v, float) else v for k, v in anomaly.facts.items()}
    return {
        "anomaly": anomaly.key,
        "alert": alert.key,
        "kind": anomaly.kind.value,
        "version": anomaly.rule_version,
        "score": round(anomaly.score, 4),
        "started": _iso(anomaly.started_at),
        "found": _iso(anomaly.found_at),
        "picture": picture,
        "facts": msgspec.to_builtins(numbers),
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat()
