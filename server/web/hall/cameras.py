"""The cameras from afar, for looking only: live pictures while an exam is on, and recorded ones; each look is
journalled.

An officer of the authority comes with an account that the exam package brought; it is bound to one plan and opens no
other page. No answer is an original: every picture has its caption drawn.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.roles import Role
from server.accounts.service import Login
from server.affairs import store as affairs
from server.clock import SHANGHAI
from server.errors import BadInput, NotFound, NotPermitted
from server.law.citing import cites
from server.law.workdays import legal_day
from server.proctor import recording_store
from server.proctor import store as proctor
from server.proctor.capture import decode
from server.proctor.drawing import captioned, jpeg
from server.proctor.playback import picture_at
from server.proctor.recording_store import RecordingGap, Segment
from server.web.guards import requires
from server.web.hall.scope import login_of
from server.web.pages import page
from server.web.site import Site

Http = Request[Any, Any, Any]
Here = NamedDependency[Site]
LOOKERS = requires(Role.CHIEF, Role.DEPUTY, Role.QUALITY, Role.SUPERVISOR, Role.REMOTE_OFFICER)
_OWN = frozenset({Role.CHIEF, Role.DEPUTY, Role.QUALITY, Role.SUPERVISOR})
LIVE_AGAIN_S = 60.0
"""A live picture that is looked at without a break is journalled once in so many real seconds, a camera and person."""
STEP = timedelta(seconds=10)
_HEADERS = {"cache-control": "private, no-store"}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stretch of recording without a hole; `end` is None while it goes on."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class CameraShown:
    """One camera on the page."""

    id: str
    room: str
    live: bool
    stretches: tuple[Recorded, ...]


@get("/cameras", guards=[LOOKERS])
async def cameras_page(
    request: Http, site: Here, camera: FromQuery[str] = "", at: FromQuery[str] = ""
) -> Template:
    """Show rooms and cameras: live pictures of those whose exam is on, and the recorded picture of a moment."""
    login = login_of(request)
    moment = _moment(at) if at else None
    async with site.db.reading() as session:
        plan = bound_plan(login)
        slots = await _slots(session, site, plan)
        on = await _live_rooms(session, site, slots)
        shown = [
            await _shown(session, one.id, one.room, one.room in on, slots)
            for one in await proctor.cameras(session)
        ]
        gaps = await _gaps(session, slots)
    async with site.acting(login) as act:
        await act.record("proctor:cameras:page", {"plan": plan, "camera": camera, "at": at})
    shown = [one for one in shown if one.live or one.stretches]
    return page(
        request,
        "hall/cameras.html",
        cameras=shown,
        gaps=gaps,
        camera=camera,
        at=None if moment is None else _local(moment),
        earlier=None if moment is None else _local(moment - STEP),
        later=None if moment is None else _local(moment + STEP),
        local=_local,
    )


@get("/api/remote/cameras/{camera:str}/live", guards=[LOOKERS])
async def live(camera: FromPath[str], request: Http, site: Here) -> Response[bytes]:
    """Give a camera's newest picture with its caption; refused while no exam of the caller's plan is on in its room."""
    login = login_of(request)
    async with site.db.reading() as session:
        room = await _room_of(session, camera)
        slots = await _slots(session, site, bound_plan(login))
        if room not in await _live_rooms(session, site, slots):
            raise NotPermitted("camera-view-closed")
    found = site.recording.live(camera)
    if found is None:
        raise NotFound("recording-none", camera=camera)
    data, caption = found
    now, mono = site.clock.legal(), site.clock.monotonic()
    seen = site.recording.seen.get((login.username, camera))
    if seen is None or mono - seen >= LIVE_AGAIN_S:
        async with site.acting(login) as act:
            await act.record("proctor:camera:viewed", {"camera": camera, "room": room})
        site.recording.seen[login.username, camera] = mono

    def drawn() -> bytes:
        picture = decode(data)
        return b"" if picture is None else jpeg(captioned(picture, caption, now))

    return Response(await asyncio.to_thread(drawn), media_type="image/jpeg", headers=_HEADERS)


@get("/api/remote/cameras/{camera:str}/recorded", guards=[LOOKERS])
async def recorded(
    camera: FromPath[str], request: Http, site: Here, at: FromQuery[str] = ""
) -> Response[bytes]:
    """Give the recorded picture of a moment (ISO; without a zone Asia/Shanghai) with its caption and seat numbers.

    Refused for a moment outside the exams of the caller's plan.
    """
    login, moment = login_of(request), _moment(at)
    async with site.db.reading() as session:
        await _room_of(session, camera)
        slots = await _slots(session, site, bound_plan(login))
        found = await recording_store.segments(
            session, camera, moment - timedelta(seconds=20), moment + timedelta(seconds=1)
        )
        layout = await proctor.layout(session, camera)
    allowed = [one for one in found if slots is None or one.slot in slots]
    if found and not allowed:
        raise NotPermitted("camera-view-slot")
    if not allowed:
        raise NotFound("recording-none", camera=camera)
    shown = await asyncio.to_thread(picture_at, allowed, moment, site.recording.read)
    async with site.acting(login) as act:
        await act.record("proctor:recording:viewed", {"camera": camera, "at": shown.moment.isoformat()})

    def drawn() -> bytes:
        return jpeg(captioned(shown.picture, shown.caption, shown.moment, layout))

    return Response(await asyncio.to_thread(drawn), media_type="image/jpeg", headers=_HEADERS)


@cites("SC:5.2")
def bound_plan(login: Login) -> str | None:
    """Return the plan that a remote officer's account is bound to; None for the centre's own people, who see all."""
    if login.roles & _OWN:
        return None
    if login.scope is None:
        raise NotPermitted("camera-view-slot")
    return login.scope


async def _slots(session: AsyncSession, site: Site, plan: str | None) -> frozenset[str] | None:
    """The slots whose cameras may be looked at; None for all. NotPermitted `camera-view-over` from the end of the
    plan's last day on, unless one of its exams goes on."""
    if plan is None:
        return None
    found = await affairs.slots(session, plan)
    slots = frozenset(slot.id for slot in found)
    last = max((slot.day for slot in found), default=None)
    if (last is None or legal_day(site.clock.legal()) > last) and not await _live_rooms(session, site, slots):
        raise NotPermitted("camera-view-over", day=last.isoformat() if last else None)
    return slots


async def _live_rooms(session: AsyncSession, site: Site, slots: frozenset[str] | None) -> frozenset[str]:
    on = await site.recording.due_now(session)
    return frozenset(one.room for one in on if slots is None or one.slot in slots)


async def _room_of(session: AsyncSession, camera: str) -> str:
    for one in await proctor.cameras(session):
        if one.id == camera:
            return one.room
    raise NotFound("camera-unknown", camera=camera)


async def _shown(
    session: AsyncSession, camera: str, room: str, live_now: bool, slots: frozenset[str] | None
) -> CameraShown:
    found = [
        one
        for one in await recording_store.segments(session, camera)
        if one.erased_at is None and (slots is None or one.slot in slots)
    ]
    return CameraShown(camera, room, live_now, stretches(found))


def stretches(segments: list[Segment]) -> tuple[Recorded, ...]:
    """Pieces that follow each other as one stretch, oldest first."""
    joined: list[Recorded] = []
    for one in segments:
        last = joined[-1] if joined else None
        if last is not None and last.end is not None and one.started_at - last.end <= timedelta(seconds=3):
            joined[-1] = Recorded(last.start, one.ended_at)
        else:
            joined.append(Recorded(one.started_at, one.ended_at))
    return tuple(joined)


async def _gaps(session: AsyncSession, slots: frozenset[str] | None) -> list[RecordingGap]:
    return [one for one in await recording_store.gaps(session) if slots is None or one.slot in slots]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput("time-form", given=text[:40]) from error
    if not 1970 < moment.year < 9999:
        # Nearer to the ends of the calendar, another zone or a step leads out of it.
        raise BadInput("time-form", given=text[:40])
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=SHANGHAI)


def _local(moment: datetime) -> str:
    """A moment as a field for date and time shows it: Asia/Shanghai, seconds, no zone."""
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%dT%H:%M:%S")


ROUTES = [cameras_page, live, recorded]
