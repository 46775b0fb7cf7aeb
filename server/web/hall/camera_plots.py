"""What the cameras' findings came to: alarms over time, how long each seat was taken, precision of each rule."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import Parameter

from server.proctor import store, timeline
from server.proctor.precision import alarms_over_time, measured
from server.web.candidate.page import shell
from server.web.guards import requires
from server.web.hall.board import VIEWERS
from server.web.hall.scope import leads, login_of
from server.web.site import Site

BIN_MINUTES = 10


class AlarmView(msgspec.Struct, frozen=True):
    """Alerts that opened in ten minutes from `start` (UTC): those that rang, and those listed in silence."""

    start: datetime
    rang: int
    silent: int


class PrecisionView(msgspec.Struct, frozen=True):
    """A rule in a room (None: in all): confirmed of decided alerts, and the 95 % interval of the share."""

    kind: str
    room: str | None
    confirmed: int
    decided: int
    waiting: int
    rang: int
    low: float
    high: float


class SeatSpan(msgspec.Struct, frozen=True):
    """From `since` on a camera said `state` of a seat, until the next span of the same camera and seat."""

    room: str
    camera: str
    seat: str
    state: str
    since: datetime


class PlotsView(msgspec.Struct, frozen=True):
    """The figures of [start, end), UTC. `per_hour` are alerts that rang, for each room and hour."""

    start: datetime
    end: datetime
    bin_minutes: int
    alarms: tuple[AlarmView, ...]
    per_hour: float
    precision: tuple[PrecisionView, ...]
    seats: tuple[SeatSpan, ...]


@get("/hall/cameras", guards=[requires(*VIEWERS)], sync_to_thread=False)
def plots_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Give the shell of the cameras' figures."""
    return shell(request, "cameras", "plots-title", theme="hall")


@get("/api/hall/cameras/plots", guards=[requires(*VIEWERS)])
async def plots(
    request: Request[Any, Any, Any],
    site: NamedDependency[Site],
    hours: Annotated[int, Parameter(ge=1, le=48)] = 4,
) -> PlotsView:
    """Return the figures of the last hours; an account bound to a room gets that room's."""
    login = login_of(request)
    own = None if leads(login) else login.scope
    end = site.clock.legal()
    start = end - timedelta(hours=hours)
    async with site.db.reading() as session:
        rooms = sorted({one.room for one in await store.cameras(session) if own in (None, one.room)})
        found = await store.alerts(session, None if own is None else [own], start)
        spans = await timeline.seat_changes(session, rooms, start, end)
    bins = alarms_over_time(found, start, end, BIN_MINUTES)
    rang = sum(one.rang for one in bins)
    return PlotsView(
        start=start,
        end=end,
        bin_minutes=BIN_MINUTES,
        alarms=tuple(AlarmView(one.start, one.rang, one.silent) for one in bins),
        per_hour=round(rang / hours / max(1, len(rooms)), 2),
        precision=tuple(
            PrecisionView(
                one.kind.value,
                one.room,
                one.confirmed,
                one.decided,
                one.waiting,
                one.rang,
                round(one.low, 4),
                round(one.high, 4),
            )
            for one in measured(found)
        ),
        seats=tuple(SeatSpan(s.room, s.camera, s.seat, s.state, s.since) for s in spans),
    )


ROUTES = [plots_page, plots]
