"""Cameras set up: what is measured of each and what to change; the calibration page's questions and acts."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.roles import Role
from server.delivery import store as delivery
from server.errors import BadInput, NotFound, Refusal, Refused, Unavailable, required
from server.proctor import onvif, setups
from server.proctor import store as proctor
from server.proctor.advice import Advice, Measured, advice
from server.proctor.calibration import empty_reference, grey_of, layout_toml, load_setup
from server.proctor.evidence_view import picture_of_nobody
from server.proctor.proposals import Numbering, numberings, propose
from server.proctor.seats import CameraLayout, SeatRegion
from server.protocol.proctoring import CameraPicture
from server.web.candidate.page import shell
from server.web.guards import requires
from server.web.hall.scope import leads, login_of, require_room, sees_people
from server.web.pages import page
from server.web.site import Site

Here = NamedDependency[Site]
CALIBRATORS = (Role.TECHNICIAN, Role.CHIEF, Role.DEPUTY, Role.INVIGILATOR)
MOST_SEATS = 400
SIGN_IN_BEFORE, SIGN_IN_AFTER = timedelta(hours=3), timedelta(hours=1)
"""Check-ins count for a proposal when they lie so long before now, or after (a clock that was set back)."""
REFERENCE_PICTURES, REFERENCE_WAIT_S = 8, 20.0
UNSURE = 0.5

Point = tuple[float, float]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all bodies and answers share: closed, fields by name."""


class SeatDrawn(_Body, frozen=True):
    """One seat on the picture: polygon and expected head point in pixels, the height of a face there."""

    seat: Name
    polygon: Annotated[tuple[Point, ...], msgspec.Meta(min_length=3, max_length=40)]
    head: Point
    head_px: Annotated[float, msgspec.Meta(gt=0, le=2000)]
    hidden_by: tuple[Name, ...] = ()
    sureness: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    basis: str = "drawn"
    """What a proposed seat rests on: `seen`, `changed`, `inferred`; `drawn` otherwise."""


class SetupView(_Body, frozen=True):
    """A camera's set-up as it holds now; `version` 0 is that of the settings, or none. Times are UTC.

    `seats_of_room` are the room's seats in order of number, `seated` those checked in lately; `people` counts
    places where somebody was seen to stay, over `pictures` pictures.
    """

    camera: str
    room: str
    version: int
    saved_at: datetime | None
    saved_by: str | None
    width: int
    height: int
    seats: tuple[SeatDrawn, ...]
    staff_zones: tuple[tuple[Point, ...], ...]
    references: tuple[setups.Reference, ...]
    seats_of_room: tuple[str, ...]
    seated: tuple[str, ...]
    people: int
    pictures: int
    comparing: bool


class ProposalWanted(_Body, frozen=True):
    """How a proposal is asked for: `seats` in order of number (none: the room's), `columns` None if unknown.

    With `numbering_known` the way of numbering is the one of the further fields, else it is found.
    """

    seats: Annotated[tuple[Name, ...], msgspec.Meta(max_length=MOST_SEATS)] = ()
    columns: Annotated[int, msgspec.Meta(ge=1, le=40)] | None = None
    numbering_known: bool = False
    by_row: bool = True
    from_left: bool = True
    from_near: bool = True
    snake: bool = False


class ProposalView(_Body, frozen=True):
    """Proposed seats; nothing is saved by it. `order_sureness` says how clear the numbering is, 0 to 1."""

    seats: tuple[SeatDrawn, ...]
    unplaced: tuple[str, ...]
    columns: int | None
    by_row: bool
    from_left: bool
    from_near: bool
    snake: bool
    order_sureness: float
    foreign: int


class ReferenceWanted(_Body, frozen=True):
    """In what light the empty room is taken, in a person's words."""

    light: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class SetupSaved(_Body, frozen=True):
    """A set-up to save in place of version `base`; `references` are those to keep, in order, by name."""

    base: int
    width: Annotated[int, msgspec.Meta(ge=16, le=10_000)]
    height: Annotated[int, msgspec.Meta(ge=16, le=10_000)]
    seats: Annotated[tuple[SeatDrawn, ...], msgspec.Meta(max_length=MOST_SEATS)]
    staff_zones: Annotated[tuple[tuple[Point, ...], ...], msgspec.Meta(max_length=20)] = ()
    references: tuple[setups.Reference, ...] = ()


class CameraView(_Body, frozen=True):
    """One camera of the list: measured interval and delay (legal seconds), picture size, seats, advice."""

    camera: str
    room: str
    kind: str
    online: bool
    faults: tuple[str, ...]
    interval_s: float | None
    delay_s: float | None
    width: int
    height: int
    seats: int
    unsure: int
    references: int
    version: int
    advice: tuple[Advice, ...]


@get("/technician/cameras", guards=[requires(*CALIBRATORS)])
async def cameras_page(request: Request[Any, Any, Any], site: Here) -> Template:
    """Show every camera with what is measured of it, and what to change."""
    login = login_of(request)
    return page(
        request,
        "technician/cameras.html",
        cameras=await _list(site, login.scope),
        may_discover=not login.roles.isdisjoint((Role.TECHNICIAN, Role.CHIEF)),
        discovers=site.settings.onvif is not None,
    )


@get("/technician/cameras/{camera:str}", guards=[requires(*CALIBRATORS)], sync_to_thread=False)
def calibration_page(camera: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
    """Give the calibration page's shell; the page asks for the camera's set-up itself."""
    return shell(request, "calibration", "calibration-title")


@post("/technician/cameras/discover", guards=[requires(Role.TECHNICIAN, Role.CHIEF)], status_code=200)
async def discover_cameras(request: Request[Any, Any, Any], site: Here) -> Template:
    """Ask the network for cameras and show their streams. Refused `onvif-off` unless the settings turn it on."""
    wanted = site.settings.onvif
    if wanted is None:
        raise Refused(Refusal("onvif-off"))
    async with site.acting(login_of(request)) as act:
        await act.record("proctor:onvif:asked", {"interface": wanted.interface})
    account = onvif.Account(wanted.user, wanted.password) if wanted.user else None
    wait_s = min(30.0, max(0.5, wanted.wait_s))
    found = await onvif.discover(wanted.interface, wait_s, account, site.clock.legal())
    return page(
        request,
        "technician/found.html",
        cameras=[(one, onvif.advised(one.streams)) for one in found],
    )


@get("/api/cameras", guards=[requires(*CALIBRATORS)])
async def cameras(request: Request[Any, Any, Any], site: Here) -> tuple[CameraView, ...]:
    """Return every camera, or those of the account's room."""
    return await _list(site, login_of(request).scope)


async def _list(site: Site, room: str | None) -> tuple[CameraView, ...]:
    async with site.db.reading() as session:
        known = [one for one in await proctor.cameras(session) if room in (None, one.room)]
        layouts = {one.id: await _effective(session, site, one) for one in known}
    found = []
    for camera in known:
        layout, references, version = layouts[camera.id]
        seen, health = site.observations.of(camera.id), site.feed.camera(camera.id)
        smallest = min((seat.head_px for seat in layout.seats), default=None)
        scale = seen.picture_size[1] / layout.height if seen.picture_size[1] and layout.height else 1.0
        unsure = sum(seat.sureness < UNSURE for seat in layout.seats)
        measured = Measured(
            online=health is not None and health.online,
            trouble=seen.trouble,
            interval_s=seen.interval_s,
            delay_s=seen.delay_s,
            picture=seen.picture_size,
            seats=len(layout.seats),
            unsure=unsure,
            references=references,
            face_px=None if smallest is None else smallest * scale,
        )
        found.append(
            CameraView(
                camera=camera.id,
                room=camera.room,
                kind=camera.kind,
                online=measured.online,
                faults=() if health is None else health.faults,
                interval_s=seen.interval_s,
                delay_s=seen.delay_s,
                width=seen.picture_size[0],
                height=seen.picture_size[1],
                seats=len(layout.seats),
                unsure=unsure,
                references=references,
                version=version,
                advice=advice(measured),
            )
        )
    return tuple(found)


async def _camera(session: AsyncSession, request: Request[Any, Any, Any], camera: str) -> proctor.Camera:
    """The camera, for those who may set it up; NotFound `camera-unknown`, NotPermitted for another room's."""
    found = next((one for one in await proctor.cameras(session) if one.id == camera), None)
    if found is None:
        raise NotFound("camera-unknown", camera=camera)
    require_room(login_of(request), found.room)
    return found


async def _effective(
    session: AsyncSession, site: Site, camera: proctor.Camera
) -> tuple[CameraLayout, int, int]:
    """The layout that holds, how many references it has, and its version (0: of the settings, or none)."""
    saved = await setups.newest(session, camera.id)
    if saved is not None:
        return saved.layout, len(saved.references), saved.version
    named = next((one for one in site.settings.cameras if one.id == camera.id), None)
    if named is not None and named.layout is not None:
        setup = await asyncio.to_thread(load_setup, site.settings.folder / named.layout)
        return setup.layout, len(setup.references), 0
    size = site.observations.of(camera.id).size
    return CameraLayout(camera.id, camera.room, size[0] or 1280, size[1] or 720, ()), 0, 0


@get("/api/cameras/{camera:str}/setup", guards=[requires(*CALIBRATORS)])
async def setup(camera: FromPath[str], request: Request[Any, Any, Any], site: Here) -> SetupView:
    """Return the set-up that holds, and what is known for a proposal."""
    async with site.db.reading() as session:
        found = await _camera(session, request, camera)
        saved = await setups.newest(session, camera)
        layout, _, version = await _effective(session, site, found)
        seats, seated = await _seats_of(session, site, found.room)
    seen = site.observations.of(camera)
    return SetupView(
        camera=camera,
        room=found.room,
        version=version,
        saved_at=None if saved is None else saved.saved_at,
        saved_by=None if saved is None else saved.saved_by,
        width=layout.width,
        height=layout.height,
        seats=tuple(_drawn(seat, "drawn") for seat in layout.seats),
        staff_zones=layout.staff_zones,
        references=() if saved is None else saved.references,
        seats_of_room=seats or tuple(seat.seat for seat in layout.seats),
        seated=tuple(seated),
        people=sum(track.stayed for track in seen.gathering.tracks()),
        pictures=seen.gathering.pictures,
        comparing=site.seating_watch.begun(camera),
    )


@get("/api/cameras/{camera:str}/picture", guards=[requires(*CALIBRATORS)])
async def picture(camera: FromPath[str], request: Request[Any, Any, Any], site: Here) -> Response[bytes]:
    """Give the newest picture as JPEG; the look is journalled. Unavailable `camera-no-picture` without one.

    While somebody is seated in the room, who is there to see the camera and not the people gets everybody masked.
    """
    login = login_of(request)
    async with site.db.reading() as session:
        found = await _camera(session, request, camera)
        seated = await delivery.sitting_at(session, found.room)
        layout, _, _ = await _effective(session, site, found)
    newest = site.observations.newest(camera)
    if newest is None:
        raise Unavailable("camera-no-picture", camera=camera)
    shown, hidden = newest.jpeg, bool(seated) and not sees_people(login, found.room)
    if hidden:
        shown = await asyncio.to_thread(picture_of_nobody, newest.jpeg, layout)
    async with site.acting(login) as act:
        await act.record("proctor:wall:viewed", {"cameras": [camera], "masked": hidden})
    return Response(shown, media_type="image/jpeg", headers={"cache-control": "private, no-store"})


@post("/api/cameras/{camera:str}/proposal", guards=[requires(*CALIBRATORS)], status_code=200)
async def proposal(
    camera: FromPath[str], data: JSONBody[ProposalWanted], request: Request[Any, Any, Any], site: Here
) -> ProposalView:
    """Propose seats from who checked in when and where people stay. BadInput `proposal-no-seats` without seats."""
    async with site.db.reading() as session:
        found = await _camera(session, request, camera)
        known_seats, seated = await _seats_of(session, site, found.room)
    seats = data.seats or known_seats
    if not seats or len(set(seats)) != len(seats):
        raise BadInput("proposal-no-seats", camera=camera)
    seen = site.observations.of(camera)
    ways = (
        (Numbering(data.columns, data.by_row, data.from_left, data.from_near, data.snake),)
        if data.numbering_known and data.columns is not None
        else numberings(len(seats), data.columns)
    )
    made = await asyncio.to_thread(
        propose,
        seen.size,
        seats,
        {seat: at for seat, at in seated.items() if seat in seats},
        seen.gathering.tracks(),
        site.seating_watch.changes(camera),
        ways,
    )
    way = made.numbering or Numbering(data.columns or 0)
    return ProposalView(
        seats=tuple(_drawn(one.region, one.basis.value) for one in made.seats),
        unplaced=made.unplaced,
        columns=None if made.numbering is None else made.numbering.columns,
        by_row=way.by_row,
        from_left=way.from_left,
        from_near=way.from_near,
        snake=way.snake,
        order_sureness=made.order_sureness,
        foreign=made.foreign,
    )


@post("/api/cameras/{camera:str}/reference", guards=[requires(*CALIBRATORS)], status_code=200)
async def reference(
    camera: FromPath[str], data: JSONBody[ReferenceWanted], request: Request[Any, Any, Any], site: Here
) -> setups.Reference:
    """Take a reference of the empty room from the next pictures; from now on the picture is compared with it.

    Refused `reference-people` while faces are seen, Unavailable `camera-no-picture` when too few come in 20 s.
    It becomes part of the set-up when the set-up is saved.
    """
    async with site.db.reading() as session:
        found = await _camera(session, request, camera)
    taken: list[CameraPicture] = []
    peopled = 0
    try:
        async with asyncio.timeout(REFERENCE_WAIT_S):
            while len(taken) < REFERENCE_PICTURES:
                (newest,) = await site.observations.pictures(camera, 1)
                taken.append(newest)
                peopled += bool(site.observations.of(camera).faces)
    except TimeoutError:
        if len(taken) < 3:
            raise Unavailable("camera-no-picture", camera=camera) from None
    if 2 * peopled > len(taken):
        raise Refused(Refusal("reference-people", facts={"camera": camera}))
    size = site.observations.of(camera).size
    if size == (0, 0):
        raise Unavailable("camera-no-picture", camera=camera)
    made = await asyncio.to_thread(_empty, [one.jpeg for one in taken], size)
    kept = await asyncio.to_thread(
        setups.keep_reference, site.settings.folder, camera, made, site.clock.legal(), data.light
    )
    site.seating_watch.begin(camera, made)
    async with site.acting(login_of(request)) as act:
        await act.record(
            "proctor:reference:taken", {"camera": camera, "room": found.room, "sha256": kept.sha256}
        )
    return kept


def _empty(jpegs: list[bytes], size: tuple[int, int]) -> Any:
    pictures = [grey for jpeg in jpegs if (grey := grey_of(jpeg, size)) is not None]
    try:
        return empty_reference(pictures)
    except ValueError as error:
        raise Unavailable("camera-no-picture", camera="") from error


@post("/api/cameras/{camera:str}/setup", guards=[requires(*CALIBRATORS)], status_code=200)
async def save_setup(
    camera: FromPath[str], data: JSONBody[SetupSaved], request: Request[Any, Any, Any], site: Here
) -> dict[str, int]:
    """Save the seats as a new version; the running worker takes them up within seconds. Returns the version.

    Refused `setup-seats-removed` for seats taken out while somebody is seated in the room, unless the chief or deputy
    saves; `setup-empty` where an invigilator takes out every seat.
    """
    login = login_of(request)
    async with site.db.reading() as session:
        found = await _camera(session, request, camera)
        before, _, _ = await _effective(session, site, found)
        seated = await delivery.sitting_at(session, found.room)
    try:
        layout = CameraLayout(
            camera,
            found.room,
            data.width,
            data.height,
            tuple(
                SeatRegion(s.seat, s.polygon, s.head, s.head_px, s.hidden_by, s.sureness) for s in data.seats
            ),
            data.staff_zones,
        )
        _on_picture(layout)
    except ValueError as error:
        raise BadInput("seats-wrong", reason=str(error)) from error
    if not leads(login):
        technician = Role.TECHNICIAN in login.roles
        required(setups.removal_refusal(before, layout, seated=bool(seated), technician=technician))
    async with site.acting(login) as act:
        saved = await setups.save(act, site.settings.folder, data.base, layout, data.references)
    await asyncio.to_thread(setups.publish, site.settings.folder, saved)
    site.wall.seats_changed()
    return {"version": saved.version}


@get("/api/cameras/{camera:str}/seats.toml", guards=[requires(*CALIBRATORS)])
async def seats_file(camera: FromPath[str], request: Request[Any, Any, Any], site: Here) -> Response[bytes]:
    """Give the set-up that holds as a seats file, without its reference pictures."""
    async with site.db.reading() as session:
        found = await _camera(session, request, camera)
        layout, _, _ = await _effective(session, site, found)
    return Response(
        layout_toml(layout, ()).encode(),
        media_type="application/toml",
        headers={"content-disposition": 'attachment; filename="seats.toml"'},
    )


async def _seats_of(
    session: AsyncSession, site: Site, room: str
) -> tuple[tuple[str, ...], dict[str, datetime]]:
    """The room's seats that have a sitting about now, and when each of them was checked in."""
    now = site.clock.legal()
    found = await delivery.seated(session, room, now - SIGN_IN_BEFORE, now + SIGN_IN_AFTER)
    seats = tuple(str(seat) for seat in sorted(found))
    return seats, {str(seat): at for seat, at in found.items() if at is not None}


def _on_picture(layout: CameraLayout) -> None:
    """Raises ValueError for a seat that lies outside the picture or is smaller than a worker can measure."""
    for seat in layout.seats:
        x1, y1, x2, y2 = seat.bounds
        if min(x2, layout.width) - max(x1, 0) < 4 or min(y2, layout.height) - max(y1, 0) < 4:
            raise ValueError(f"seat {seat.seat}: the polygon lies outside the picture")


def _drawn(region: SeatRegion, basis: str) -> SeatDrawn:
    return SeatDrawn(
        seat=region.seat,
        polygon=region.polygon,
        head=region.head,
        head_px=region.head_px,
        hidden_by=region.hidden_by,
        sureness=region.sureness,
        basis=basis,
    )


ROUTES = [
    cameras_page,
    calibration_page,
    discover_cameras,
    cameras,
    setup,
    picture,
    proposal,
    reference,
    save_setup,
    seats_file,
]
