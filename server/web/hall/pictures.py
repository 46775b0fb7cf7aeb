"""The picture and the clip of a camera alert, for those who decide about it; every look at one is journalled."""

import asyncio
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from server.accounts.roles import Role
from server.accounts.service import Login
from server.errors import NotFound
from server.proctor import store
from server.proctor.evidence_view import clip_for, picture_for
from server.proctor.models import AnomalyRow
from server.proctor.seats import CameraLayout
from server.web.guards import requires
from server.web.hall.scope import login_of, require_people
from server.web.site import Site

_HEADERS = {"cache-control": "private, no-store"}
_LOOKERS = requires(Role.CHIEF, Role.DEPUTY, Role.INVIGILATOR, Role.QUALITY, Role.SUPERVISOR)


@get("/api/hall/alerts/{key:str}/picture", guards=[_LOOKERS])
async def picture(
    key: FromPath[str], site: NamedDependency[Site], request: Request[Any, Any, Any]
) -> Response[bytes]:
    """Give the newest picture kept for an alert, as JPEG, with those masked whom it does not concern; NotFound
    `evidence-unknown` when none was kept."""
    login = login_of(request)
    kept = await _kept(site, login, key, AnomalyRow.picture_sha256)
    async with site.acting(login) as act:
        await act.record("proctor:evidence:viewed", {"alert": key, "picture": kept.name})
    data = await asyncio.to_thread(site.evidence.get, kept.name)
    shown = await asyncio.to_thread(picture_for, data, kept.layout, kept.about)
    return Response(shown, media_type="image/jpeg", headers=_HEADERS)


@get("/api/hall/alerts/{key:str}/clip", guards=[_LOOKERS])
async def clip(
    key: FromPath[str], site: NamedDependency[Site], request: Request[Any, Any, Any]
) -> Response[bytes]:
    """Give the newest clip kept for an alert, as MP4, masked in the same way; NotFound `evidence-unknown` when none
    was kept: it is cut about 20 seconds after the finding."""
    login = login_of(request)
    kept = await _kept(site, login, key, AnomalyRow.clip_sha256)
    async with site.acting(login) as act:
        await act.record("proctor:evidence:viewed", {"alert": key, "clip": kept.name})
    data = await asyncio.to_thread(site.evidence.get, kept.name)
    shown = await asyncio.to_thread(clip_for, data, kept.layout, kept.about)
    return Response(shown, media_type="video/mp4", headers=_HEADERS)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The newest kept thing of an alert: its hash, and how it is masked."""

    name: str
    about: str
    layout: CameraLayout | None


async def _kept(site: Site, login: Login, key: str, column: InstrumentedAttribute[str | None]) -> _Kept:
    newest = (
        select(column, AnomalyRow.camera, AnomalyRow.seat)
        .where(AnomalyRow.alert == key, column != "")
        .order_by(AnomalyRow.found_at.desc())
        .limit(1)
    )
    async with site.db.reading() as session:
        alert = await store.alert(session, key)
        found = (await session.execute(newest)).first()
        if alert is None or found is None:
            raise NotFound("evidence-unknown", picture=key)
        require_people(login, alert.room_id)
        return _Kept(found[0], found[2] or "", await store.layout(session, found[1]))


ROUTES = [picture, clip]
