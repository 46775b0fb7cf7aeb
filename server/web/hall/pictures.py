"""The picture of a camera alert, for those who decide about it; every look at one is journalled."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy import select

from server.accounts.roles import Role
from server.errors import NotFound
from server.proctor import store
from server.proctor.models import AnomalyRow
from server.web.guards import requires
from server.web.hall.scope import login_of, require_room
from server.web.site import Site

_LOOKERS = requires(Role.CHIEF, Role.DEPUTY, Role.INVIGILATOR, Role.QUALITY, Role.SUPERVISOR)


@get("/api/hall/alerts/{key:str}/picture", guards=[_LOOKERS])
async def picture(
    key: FromPath[str], site: NamedDependency[Site], request: Request[Any, Any, Any]
) -> Response[bytes]:
    """Give the newest picture kept for an alert, as JPEG; NotFound `evidence-unknown` when none was kept."""
    login = login_of(request)
    newest = (
        select(AnomalyRow.picture_sha256)
        .where(AnomalyRow.alert == key, AnomalyRow.picture_sha256.is_not(None))
        .order_by(AnomalyRow.found_at.desc())
        .limit(1)
    )
    async with site.db.reading() as session:
        alert = await store.alert(session, key)
        name = await session.scalar(newest)
    if alert is None or name is None:
        raise NotFound("evidence-unknown", picture=key)
    require_room(login, alert.room_id)
    jpeg = site.evidence.get(name)
    async with site.acting(login) as act:
        await act.record("proctor:evidence:viewed", {"alert": key, "picture": name})
    return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "private, no-store"})


ROUTES = [picture]
