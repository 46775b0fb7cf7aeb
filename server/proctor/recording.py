"""The recordings of a centre: which cameras record now, the index of their pieces, their chains and their gaps.

One process of a centre keeps them. A piece counts once its row and its journal record are committed; a gap is a
finding that boards show and the room record lists.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import GongyuanError
from server.keys.sealing import random_key
from server.proctor import recording_store as store
from server.proctor import store as proctor
from server.proctor.alerts import Alert
from server.proctor.capture import SourceConfig
from server.proctor.clips import Clips
from server.proctor.course import TOLERANCE, Course, DiskPlan, at_hand, chained, disk_plan
from server.proctor.evidence import Anomaly, AnomalyEnd, AnomalyKind
from server.proctor.evidence_store import EvidenceStore
from server.proctor.recorder import RecordedCamera, RecorderConfig
from server.proctor.recorder_process import RecorderProcess
from server.proctor.recording_store import RecordingGap, Segment
from server.proctor.remux import RECORDED_KINDS, measured
from server.proctor.segment_file import RUN_AAD, read_segment
from server.proctor.watch import Watch
from server.protocol.recording import (
    CaptionText,
    FromRecorder,
    RecorderAlive,
    RecorderTrouble,
    RunKey,
    SegmentClosed,
    SegmentOpened,
)
from server.settings import CameraSettings, Settings

Courses = Callable[[AsyncSession, datetime], Awaitable[tuple[Course, ...]]]
"""The courses of a day around a moment, one for each room of a slot."""
Naming = Callable[[str, Mapping[str, str | int]], str]
Wrap = Callable[[bytes, bytes], bytes]

GROUP = 8
LOOK_S = 2.0
GAP_AFTER_S = 10.0
"""A camera that should record and does not for so many real seconds has a gap."""
_log = logging.getLogger("gongyuan.recording")


@dataclass(slots=True)
class _Camera:
    """What is known of one camera that should record now."""

    room: str
    slot: str
    since: datetime
    quiet_since: float | None
    last_end: datetime | None = None
    gap: RecordingGap | None = None
    trouble: tuple[str, str] = ("recording-late", "")


class Recording:
    """Keeps the recorders of a centre's cameras; `command` is how one is started, its file is added to it.

    `wrap` and `unwrap` encrypt under the centre's storage key. `naming` gives the words of captions. `start` once,
    `stop` once. Without cameras that can be recorded nothing is started.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        db: Database,
        journal: Journal,
        courses: Courses,
        command: Sequence[str],
        wrap: Wrap,
        unwrap: Wrap,
        naming: Naming,
        watch: Watch | None = None,
        evidence: EvidenceStore | None = None,
    ) -> None:
        self._settings, self._clock, self._db, self._journal = settings, clock, db, journal
        self._courses, self._command = courses, tuple(command)
        self._wrap, self._unwrap, self._naming, self._watch = wrap, unwrap, naming, watch
        self._clips = None if evidence is None else Clips(db, journal, evidence, self.read)
        self._captions: dict[str, CaptionText] = {}
        self.gap_after_s = GAP_AFTER_S
        self.folder = settings.folder / "recordings"
        self._cameras = {one.id: one for one in settings.cameras if one.kind in RECORDED_KINDS}
        self._state: dict[str, _Camera] = {}
        self._groups: list[tuple[tuple[str, ...], RecorderProcess]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.recording: frozenset[str] = frozenset()
        """Cameras that write a piece at this moment."""
        self.seen: dict[tuple[str, str], float] = {}
        """When (monotonic) a person's look at a camera's live picture was journalled last."""

    async def start(self) -> None:
        """Closes what an earlier run left open, and starts the recorders."""
        if not self._cameras or not self._settings.recording.on:
            return
        async with self._db.reading() as session:
            left = await store.growing(session)
        for one in left:
            await self._close_cut(one)
        names = sorted(self._cameras)
        for number, first in enumerate(range(0, len(names), GROUP)):
            group = tuple(names[first : first + GROUP])
            key = bytes(random_key())
            told = RunKey(key=key, wrapped=self._wrap(key, RUN_AAD))
            path = self._write(number, group)
            process = RecorderProcess(
                (*self._command, str(path)), told, self.take, partial(self._recorder_ended, group)
            )
            self._groups.append((group, process))
            self._tasks.append(asyncio.create_task(process.run(), name=f"recorder {number}"))
        self._tasks.append(asyncio.create_task(self._keep(), name="recording"))

    async def stop(self) -> None:
        """Ends the recorders; their last pieces are closed."""
        for task in reversed(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks.clear()

    async def _keep(self) -> None:
        while True:
            try:
                await self.look()
                if self._clips is not None:
                    await self._clips.keep(self._clock.legal())
            except Exception:
                # Whatever one look meets, the next must come: without it nothing starts, ends or is missed.
                _log.warning("the recordings could not be looked after yet", exc_info=True)
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Compare what should record with what does: start, stop, and find gaps."""
        now, mono = self._clock.legal(), self._clock.monotonic()
        async with self._db.reading() as session:
            courses = list(at_hand(await self._courses(session, now), now).values())
            captions = self._captions = await self._captions_of(session, courses)
        wanted = {camera: course for course in courses for camera in self._cameras_of(course.room)}
        for camera in self._state.keys() - wanted.keys():
            await self._leave(camera, now)
        for camera, course in wanted.items():
            state = self._state.get(camera)
            if state is None:
                state = self._state[camera] = _Camera(course.room, course.slot, now, mono)
                await self._take_up(camera, state)
            state.slot = course.slot
            if (
                state.quiet_since is not None
                and state.gap is None
                and mono - state.quiet_since > self.gap_after_s
            ):
                await self._begin_gap(camera, state, now)
        for group, process in self._groups:
            process.want({c: (wanted[c].room, captions[c]) for c in group if c in wanted})

    async def take(self, message: FromRecorder) -> None:
        """Takes one message of a recorder."""
        match message:
            case RecorderAlive():
                pass
            case SegmentOpened():
                await self._opened(message)
            case SegmentClosed():
                await self._closed(message)
            case RecorderTrouble():
                state = self._state.get(message.camera)
                if state is not None:
                    state.trouble = (message.code, message.reason)
                if message.code == "recording-disk":
                    # Nothing more comes of a piece that the disk did not take: its camera does not record.
                    await self._cut([message.camera])

    async def plan(self, session: AsyncSession) -> DiskPlan:
        """What the coming exams need on the disk of the recordings, at the bit rate measured so far or set."""
        now = self._clock.legal()
        _count, size, seconds = await store.totals(session)
        seen = size * 8 / 1000 / seconds if seconds >= 600 else 0.0
        settings = self._settings.recording
        self._settings.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._settings.folder).free
        counted: dict[str, int] = {}
        for one in self._cameras.values():
            counted[one.room] = counted.get(one.room, 0) + 1
        courses = await self._courses(session, now)
        return disk_plan(courses, counted, seen or settings.kilobits, free, settings.reserve_mb * 2**20, now)

    def read(self, segment: Segment) -> bytes:
        """The Matroska bytes of a piece; a closed one is held against its SHA-256. Blocks. Raises as
        `segment_file.read_segment`."""
        return read_segment(self.folder / segment.path, self._unwrap, segment.sha256)[0]

    def live(self, camera: str) -> tuple[bytes, CaptionText] | None:
        """The newest picture (JPEG) of a camera and what must be readable in it; None while there is none."""
        jpeg = None if self._watch is None else self._watch.picture(camera)
        if jpeg is None:
            return None
        room = self._cameras[camera].room if camera in self._cameras else ""
        bare = CaptionText(
            point=self._settings.name,
            method="",
            room=self._naming("recording-room", {"room": room}),
            layout="",
        )
        return jpeg, self._captions.get(camera, bare)

    async def due_now(self, session: AsyncSession) -> tuple[Course, ...]:
        """The courses that are on at this moment, one a room."""
        now = self._clock.legal()
        return tuple(at_hand(await self._courses(session, now), now).values())

    # ------------------------------------------------------------ pieces

    async def _opened(self, message: SegmentOpened) -> None:
        state = self._state.get(message.camera)
        room = self._cameras[message.camera].room if message.camera in self._cameras else ""
        async with self._db.writing() as session:
            act = self._act(session, message.camera)
            slot = None if state is None else state.slot
            await store.open_segment(session, message, room, slot)
            shown = () if state is None else await self._hole_before(act, message, state)
        self._show(shown)
        if state is not None:
            state.quiet_since, state.gap = None, None
        self.recording = self.recording | {message.camera}

    async def _hole_before(self, act: Act, message: SegmentOpened, state: _Camera) -> tuple[Alert, ...]:
        """Ends the gap that lasted, or writes down the hole between the last piece and this one."""
        if state.gap is not None:
            return await self._end_gap(act, state.gap, message.started_at)
        if state.last_end is not None and message.started_at - state.last_end > TOLERANCE:
            gap = self._gap(message.camera, state, state.last_end, message.started_at)
            await store.add_gap(act.session, gap)
            await act.record("proctor:recording:gap", _gap_facts(gap))
        return ()

    async def _closed(self, message: SegmentClosed) -> None:
        async with self._db.writing() as session:
            found = await store.segment(session, message.segment)
            if found is None or found.ended_at is not None:
                return
            done = replace(
                found,
                ended_at=max(message.ended_at, found.started_at),
                size=message.size,
                sha256=message.sha256,
                codec=message.codec,
                complete=True,
            )
            await self._link(self._act(session, message.camera), done)
        self._quiet(message.camera, message.ended_at)

    async def _close_cut(self, segment: Segment) -> None:
        """Closes a piece whose recorder did not: by what can still be read of it."""
        ended, size, sha256, codec = await asyncio.to_thread(self._measure, segment)
        async with self._db.writing() as session:
            done = replace(segment, ended_at=ended, size=size, sha256=sha256, codec=codec, complete=False)
            await self._link(self._act(session, segment.camera), done)
        self._quiet(segment.camera, ended)

    def _measure(self, segment: Segment) -> tuple[datetime, int, str, str]:
        path = self.folder / segment.path
        try:
            data, on_disk = read_segment(path, self._unwrap)
        except GongyuanError:
            return segment.started_at, path.stat().st_size if path.is_file() else 0, "", ""
        last, codec = measured(data)
        return segment.started_at + timedelta(seconds=last), on_disk.size, on_disk.sha256, codec

    async def _link(self, act: Act, done: Segment) -> None:
        number, before = await store.last_link(act.session, done.camera)
        assert done.ended_at is not None
        chain = chained(before, done.id, done.started_at, done.ended_at, done.sha256 or "")
        done = replace(done, number=number + 1, chain=chain)
        await store.close_segment(act.session, done)
        await act.record(
            "proctor:recording:closed",
            {
                "segment": done.id,
                "camera": done.camera,
                "room": done.room,
                "number": done.number,
                "from": done.started_at.isoformat(),
                "to": done.ended_at.isoformat() if done.ended_at else "",
                "bytes": done.size,
                "sha256": done.sha256,
                "chain": chain,
                "complete": done.complete,
            },
        )

    def _quiet(self, camera: str, ended_at: datetime) -> None:
        """Nothing is recorded from a camera at the moment, as far as this process knows."""
        self.recording = self.recording - {camera}
        state = self._state.get(camera)
        if state is not None:
            state.last_end = max(ended_at, state.since)
            state.quiet_since = self._clock.monotonic()

    async def _recorder_ended(self, group: tuple[str, ...]) -> None:
        await self._cut(group)

    async def _cut(self, cameras: Sequence[str]) -> None:
        for camera in cameras:
            async with self._db.reading() as session:
                left = await store.growing(session, camera)
            for one in left:
                await self._close_cut(one)

    # ------------------------------------------------------------ gaps

    async def _take_up(self, camera: str, state: _Camera) -> None:
        """After a restart: the course goes on from its last piece, and a gap that lasted still lasts."""
        async with self._db.reading() as session:
            before = await store.segments(session, camera, state.since - timedelta(hours=12), state.since)
            lasting = [one for one in await store.gaps(session, lasting=True) if one.camera == camera]
        ends = [one.ended_at for one in before if one.ended_at is not None and one.slot == state.slot]
        if ends:
            state.last_end = max(ends)
        if lasting:
            state.gap = lasting[-1]

    async def _begin_gap(self, camera: str, state: _Camera, now: datetime) -> None:
        begun = state.last_end if state.last_end is not None else state.since
        gap = self._gap(camera, state, min(begun, now), None)
        async with self._db.writing() as session:
            act = self._act(session, camera)
            await store.add_gap(session, gap)
            await act.record("proctor:recording:gap", _gap_facts(gap))
            shown = () if self._watch is None else await self._watch.report(act, gap_finding(gap, now))
        state.gap = gap
        self._show(shown)

    async def _leave(self, camera: str, now: datetime) -> None:
        """The course is over: a gap that lasted ends with it."""
        state = self._state.pop(camera)
        if state.gap is not None:
            async with self._db.writing() as session:
                shown = await self._end_gap(self._act(session, camera), state.gap, now)
            self._show(shown)

    async def _end_gap(self, act: Act, gap: RecordingGap, at: datetime) -> tuple[Alert, ...]:
        ended = replace(gap, ended_at=max(at, gap.started_at))
        await store.end_gap(act.session, gap.id, max(at, gap.started_at))
        await act.record("proctor:recording:gap-ended", _gap_facts(ended))
        if self._watch is None:
            return ()
        return await self._watch.settle(act, AnomalyEnd(_finding_key(gap), max(at, gap.started_at)))

    def _show(self, changed: Sequence[Alert]) -> None:
        if self._watch is not None:
            self._watch.show(changed)

    def _gap(self, camera: str, state: _Camera, start: datetime, end: datetime | None) -> RecordingGap:
        code, reason = state.trouble
        return RecordingGap(str(uuid.uuid4()), camera, state.room, state.slot, start, end, code, reason)

    # ------------------------------------------------------------ what to tell the recorders

    def _cameras_of(self, room: str) -> list[str]:
        return sorted(one.id for one in self._cameras.values() if one.room == room)

    async def _captions_of(self, session: AsyncSession, courses: Sequence[Course]) -> dict[str, CaptionText]:
        seats = await proctor.seats_of_cameras(session)
        return {
            camera: self._caption(course, seats.get(camera, ()))
            for course in courses
            for camera in self._cameras_of(course.room)
        }

    def _caption(self, course: Course, seen: Sequence[str]) -> CaptionText:
        method = self._naming(f"recording-method-{course.method}", {})
        layout = self._naming("recording-layout", {"seats": course.seats})
        if seen:
            layout = self._naming(
                "recording-layout-seen",
                {"seats": course.seats, "seen": len(seen), "first": seen[0], "last": seen[-1]},
            )
        return CaptionText(
            point=course.point or self._settings.name,
            method=course.method if method.startswith("recording-method-") else method,
            room=course.name
            if course.name not in ("", course.room)
            else self._naming("recording-room", {"room": course.room}),
            layout=layout,
        )

    def _write(self, number: int, group: Sequence[str]) -> Path:
        cameras = tuple(RecordedCamera(id=one, source=_source(self._cameras[one])) for one in group)
        settings = self._settings.recording
        config = RecorderConfig(
            folder=str(self.folder),
            cameras=cameras,
            reserve=settings.reserve_mb * 2**20,
            segment_s=settings.segment_s,
        )
        folder = self._settings.folder / "proctor"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"recorder-{number}.json"
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_bytes(msgspec.json.encode(config))
        return path

    def _act(self, session: AsyncSession, camera: str) -> Act:
        return Act(session, self._journal, self._clock.legal(), f"recorder:{camera}")


def _source(camera: CameraSettings) -> SourceConfig:
    return SourceConfig(kind=camera.kind, at=camera.record or camera.source)


def gap_finding(gap: RecordingGap, now: datetime) -> Anomaly:
    """The finding that a gap in a recording is; it speaks against no candidate."""
    return Anomaly(
        key=_finding_key(gap),
        kind=AnomalyKind.RECORDING_GAP,
        rule_version=1,
        room_id=gap.room,
        camera_id=gap.camera,
        seat=None,
        started_at=gap.started_at,
        found_at=max(now, gap.started_at),
        score=1.0,
        facts={"code": gap.code, "reason": gap.reason},
    )


def _finding_key(gap: RecordingGap) -> str:
    return f"{AnomalyKind.RECORDING_GAP}:{gap.room}:{gap.camera}:{gap.id}"


def _gap_facts(gap: RecordingGap) -> dict[str, str | None]:
    return {
        "gap": gap.id,
        "camera": gap.camera,
        "room": gap.room,
        "slot": gap.slot,
        "from": gap.started_at.isoformat(),
        "to": None if gap.ended_at is None else gap.ended_at.isoformat(),
        "code": gap.code,
        "reason": gap.reason,
    }
