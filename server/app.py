"""The only wiring: makes the application of a role from settings and a clock, and joins rooms to each other."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from litestar import Litestar, Router, get
from litestar.config.compression import CompressionConfig
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import CacheControlHeader, State
from litestar.di import NamedDependency, Provide
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import packaging, taking
from server.clock import Clock, SystemClock
from server.conduct.courses import exam_courses
from server.conduct.expectations import room_expectations
from server.conduct.opening_facts import bells_of
from server.db.act import Act
from server.db.engine import CHECKPOINT_PAGES, WRITER_CHECKPOINT_PAGES, Database
from server.db.journal import Journal
from server.db.migrate import upgrade
from server.db.signals import Signals
from server.delivery.clock_watch import ClockWatch
from server.delivery.correction_service import follow_corrections
from server.delivery.health import HealthDesk
from server.delivery.runtime import Hall, answer_writer
from server.errors import Unavailable
from server.keys.anchors import keep_anchoring
from server.keys.desk_opening import DeskOpening, close_left
from server.keys.identity import Identity
from server.keys.openings_launcher import Launcher
from server.keys.openings_left import LeftOpenings
from server.keys.recovery import SecondPlace
from server.keys.start_keys import StartKeys
from server.law.loader import load_pack
from server.packages.contents import (
    CorrectionContent,
    ExamContent,
    HeadContent,
    NoticeContent,
    ObjectionContent,
    ResultContent,
    StandingContent,
)
from server.packages.dispatch import Acting, Handlers
from server.packages.exchange import keep_exchanging
from server.packages.outbox import Received
from server.papers.trial_runner import TrialRunner
from server.proctor.evidence_store import EvidenceStore
from server.proctor.feed import Feed
from server.proctor.proctoring import Proctoring
from server.proctor.recording import Recording
from server.proctor.wall import Wall
from server.publicity import service as publicity
from server.recovery.keeping import keep_recovery_file
from server.registry import service as registry
from server.registry.head_service import accept_head
from server.settings import Settings
from server.standby.epoch import read_epoch
from server.standby.serving import answering_of, may_serve, shipper_of
from server.tables import load_models
from server.web import accounts, home, packages_routes
from server.web.candidate import page as candidate_page
from server.web.candidate import routes as candidate
from server.web.candidate.seb import SebDoor, SebMiddleware
from server.web.catalogue import say
from server.web.desk import routes as desk
from server.web.desk.workplace import Workplace
from server.web.edges import LARGEST_BODY, CsrfMiddleware, check_path, guard_answer
from server.web.guards import LoginMiddleware, requires
from server.web.hall import cameras, custody, draws, pictures
from server.web.hall import page as hall_page
from server.web.hall import routes as hall
from server.web.marker import routes as marker
from server.web.organisation import routes as organisation
from server.web.pages import engine
from server.web.problems import answer
from server.web.public import routes as public_pages
from server.web.regulator import routes as regulator
from server.web.site import Site
from server.web.technician import recordings
from server.web.technician import routes as technician

Children = Callable[..., Sequence[str]]

_log = logging.getLogger("gongyuan")
_STATIC = Path(__file__).parent / "web" / "static"

_WITHOUT_CSRF = ["^/api/packages$", "^/api/seats/enrol$", "^/api/seats/health$"]
"""Called by nodes and kiosks that hold no login: a signature or a one-time code proves them, never a cookie."""


@get("/api/time", sync_to_thread=False)
def _time(site: NamedDependency[Site]) -> dict[str, datetime | float | str]:
    """Give the legal time, its rate, and whose server this is."""
    settings = site.settings
    return {
        "now": site.clock.legal(),
        "rate": site.clock.rate(),
        "role": settings.role,
        "name": settings.name,
    }


_SHARED = (home, accounts, packages_routes)
_OF_ROLE = {
    "centre": (
        candidate_page,
        candidate,
        hall_page,
        hall,
        custody,
        draws,
        pictures,
        cameras,
        technician,
        recordings,
    ),
    "seats": (candidate_page, candidate),
    "registry": (organisation, regulator, public_pages),
}


def _files() -> Router:
    return create_static_files_router(
        path="/static", directories=[_STATIC], cache_control=CacheControlHeader(no_cache=True)
    )


def _routes(role: str) -> list[Any]:
    found: list[Any] = [_time, _files()]
    shared = () if role == "seats" else _SHARED
    for module in (*shared, *_OF_ROLE[role]):
        found.extend(module.ROUTES)
    if role == "centre":
        found.extend(desk.CENTRE_ROUTES)
    return found


def _handlers(role: str) -> Handlers:
    """Join package kinds to the rooms that own their contents."""

    async def at_centre(act: Act, received: Received) -> None:
        match received.content:
            case ExamContent() as content:
                await taking.accept_exam(act, content, _ahead(received))
            case CorrectionContent() as content:
                await packaging.accept_correction(act, content, _ahead(received))
                await follow_corrections(act, content.plan)
            case StandingContent() as content:
                await packaging.accept_standing(act, content)
            case ObjectionContent() as content:
                await publicity.accept_objection(act, content)
            case _:
                raise Unavailable("package-kind-here", kind=received.kind)

    async def at_registry(act: Act, received: Received) -> None:
        match received.content:
            case NoticeContent() as content:
                await publicity.accept_notice(act, content, received.number, received.sender.id)
            case ResultContent() as content:
                await registry.accept_result(act, content, received.number, received.sender.id)
            case HeadContent() as content:
                await accept_head(act, content, received.sender)
            case _:
                raise Unavailable("package-kind-here", kind=received.kind)

    if role == "centre":
        return dict.fromkeys(("exam", "correction", "standing", "objection"), at_centre)
    return dict.fromkeys(("notice", "result", "head"), at_registry)


def _ahead(received: Received) -> taking.Ahead | None:
    return received.ahead if isinstance(received.ahead, taking.Ahead) else None


async def _write_ahead(acting: Acting, received: Received) -> taking.Ahead | None:
    """Write a large exam package or correction ahead of its acceptance."""
    match received.content:
        case ExamContent() as content:
            return await taking.write_ahead(acting, content)
        case CorrectionContent() as content:
            return await taking.write_ahead(acting, content.exam)
    return None


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _living(
    site: Site, proctoring: Proctoring | None, *, seats_only: bool = False
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Start what runs beside the requests, and stop it in the opposite order."""

    @asynccontextmanager
    async def living(_app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            running.push_async_callback(site.db.close)
            if isinstance(site.clock, SystemClock):
                watch = ClockWatch(site.db, site.journal, site.clock, site.settings.folder)
                await watch.look()
                running.push_async_callback(_ended, asyncio.create_task(watch.keep_watching()))
            await site.signals.start()
            running.push_async_callback(site.signals.stop)
            if site.shipper is not None:
                site.shipper.start()
                running.push_async_callback(asyncio.to_thread, site.shipper.stop)
            answering = answering_of(site.settings, site.identity)
            if answering is not None:
                answering.start()
                running.push_async_callback(asyncio.to_thread, answering.stop)
            if site.hall_runtime is not None:
                await site.hall_runtime.start()
                running.push_async_callback(site.hall_runtime.stop)
            if site.launcher_process is not None:
                left = _left_openings(site)
                await left.look()
                running.push_async_callback(_ended, asyncio.create_task(left.keep_looking()))
                running.push_async_callback(site.launcher_process.stop)
            if proctoring is not None:
                await proctoring.start()
                running.push_async_callback(proctoring.stop)
            if site.recording_held is not None:
                await site.recording_held.start()
                running.push_async_callback(site.recording_held.stop)
                running.callback(site.wall.stop)
            # Heads and packages are kept by the one process that has them all: never by one for seats alone.
            for work in () if seats_only else _works(site):
                running.push_async_callback(_ended, asyncio.create_task(work))
            yield

    return living


def _left_openings(site: Site) -> LeftOpenings:
    async def rung(session: AsyncSession, slot: str) -> bool:
        return bool(await bells_of(session, slot))

    has_begun = site.launcher.has_begun
    return LeftOpenings(site.db, site.journal, site.clock, site.settings.folder, has_begun, rung)


def _works(site: Site) -> list[Coroutine[Any, Any, None]]:
    works = [
        keep_anchoring(site.db, site.identity, site.clock),
        keep_exchanging(site.db, site.journal, site.identity, site.clock),
    ]
    settings = site.settings
    if settings.role == "centre" and settings.recovery is not None:
        place = Path(settings.recovery.folder)
        site.second_place = told = SecondPlace()
        works.append(
            keep_recovery_file(site.db, site.identity, site.clock, site.signals, settings.folder, place, told)
        )
    return works


def _furnish_centre(site: Site, children: Children) -> Proctoring:
    """Give a centre its hall, openings, feed and cameras."""
    settings, identity = site.settings, site.identity
    site.start_keys_held = StartKeys()
    site.launcher_process = Launcher(
        site.db, site.journal, site.clock, lambda kind: children("opening", kind.value), site.start_keys
    )
    site.trials_held = TrialRunner(children("paper-trial"))
    _furnish_hall(site)
    site.feed_held = Feed()
    site.evidence_held = EvidenceStore(
        settings.folder / "evidence", identity.storage_wrap, identity.storage_unwrap
    )
    proctoring = Proctoring(
        settings,
        site.clock,
        site.db,
        site.journal,
        site.feed,
        room_expectations,
        children("proctor-worker"),
        site.evidence_held,
    )
    site.detectors = proctoring.watch.detectors
    site.recording_held = Recording(
        settings,
        site.clock,
        site.db,
        site.journal,
        exam_courses,
        children("proctor-recorder"),
        identity.storage_wrap,
        identity.storage_unwrap,
        lambda code, facts: say("zh", code, facts),
        proctoring.watch,
        site.evidence_held,
    )
    site.observations_held = proctoring.observations
    site.wall_held = Wall(proctoring.observations.newest)
    site.seating_held = proctoring.seating
    return proctoring


def _furnish_hall(site: Site) -> None:
    """Give a centre what serves its seats."""
    gap_s = site.settings.writer_gap_ms / 1000
    site.shipper = shipper_of(site.settings, site.identity, site.clock)
    committed = None if site.shipper is None else site.shipper.stored
    writer = answer_writer(site.db, site.clock, site.identity, gap_s=gap_s, committed=committed)
    site.hall_runtime = Hall(
        site.db,
        site.clock,
        site.journal,
        writer,
        site.signals,
        site.identity,
        site.settings.name,
        read_epoch(site.settings.folder).epoch,
    )
    site.health_desk = HealthDesk(site.db, site.clock, site.signals)
    site.seb_door = SebDoor(site.db, site.journal, site.clock, site.identity, site.signals, site.cookie_tag)


def create_app(settings: Settings, clock: Clock, children: Children, *, seats_only: bool = False) -> Litestar:
    """Make the application. `children(entry, …)` gives the command line of a child process of this server.

    `seats_only`: a further process of a centre, for its seats alone; staff, cameras, openings and packages stay
    with the first. Refused where this machine is a standby, or its standby was promoted.
    """
    load_models()
    may_serve(settings)
    # Where answers are written a thread of its own folds the log, and nobody's commit waits for it.
    pages = WRITER_CHECKPOINT_PAGES if settings.role == "centre" else CHECKPOINT_PAGES
    db = Database(settings.database_url, checkpoint_pages=pages)
    upgrade(db)
    journal = Journal(f"{settings.role}-server")
    identity = Identity.open_or_create(settings.folder)
    signals = Signals(db)
    site = Site(
        settings=settings,
        clock=clock,
        db=db,
        journal=journal,
        identity=identity,
        signals=signals,
        pack=load_pack(settings.jurisdiction),
        handlers=_handlers(settings.role),
        stage=_write_ahead,
    )
    if seats_only:
        _furnish_hall(site)
        return _application(site, _routes("seats"), _living(site, None, seats_only=True))
    proctoring = _furnish_centre(site, children) if settings.role == "centre" else None
    return _application(site, _routes(settings.role), _living(site, proctoring))


def create_desk_app(settings: Settings, clock: Clock, ended: Callable[[], None]) -> Litestar:
    """Make the application of `bank serve`: a centre's desk and sign-in, no candidate and no hall.

    `ended` is called when an opened bank was closed: the process is to end.
    """
    load_models()
    db = Database(settings.database_url)
    upgrade(db)
    journal = Journal("desk")
    identity = Identity.open_or_create(settings.folder)
    site = Site(
        settings=settings,
        clock=clock,
        db=db,
        journal=journal,
        identity=identity,
        signals=Signals(db),
        pack=load_pack(settings.jurisdiction),
        handlers={},
    )
    workplace = Workplace(DeskOpening(db, journal, clock, identity, settings.folder), ended)

    @asynccontextmanager
    async def living(_app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            running.push_async_callback(db.close)
            await close_left(db, journal, clock, settings.folder)
            running.push_async_callback(workplace.close, "stopped")
            running.push_async_callback(_ended, asyncio.create_task(workplace.watch(db, clock)))
            yield

    return _application(site, [_time, _files(), *accounts.SIGNING_IN, *desk.ROUTES], living, workplace)


def create_marking_app(settings: Settings, clock: Clock) -> Litestar:
    """Make the application of `marking serve`: a centre's markers and sign-in, no candidate and no hall."""
    load_models()
    db = Database(settings.database_url)
    upgrade(db)
    site = Site(
        settings=settings,
        clock=clock,
        db=db,
        journal=Journal("marking"),
        identity=Identity.open_or_create(settings.folder),
        signals=Signals(db),
        pack=load_pack(settings.jurisdiction),
        handlers={},
    )

    @asynccontextmanager
    async def living(_app: Litestar) -> AsyncIterator[None]:
        yield
        await db.close()

    return _application(site, [_time, _files(), *accounts.SIGNING_IN, *marker.ROUTES], living)


def _held(part: Any) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)


def _application(
    site: Site,
    routes: list[Any],
    living: Callable[[Litestar], AbstractAsyncContextManager[None]],
    workplace: Workplace | None = None,
) -> Litestar:
    settings = site.settings
    held: dict[str, Any] = {"site": site} if workplace is None else {"site": site, "desk": workplace}
    return Litestar(
        routes,
        dependencies={name: _held(part) for name, part in held.items()},
        middleware=[
            DefineMiddleware(SebMiddleware),
            DefineMiddleware(LoginMiddleware, exclude=["^/static/"]),
            DefineMiddleware(
                CsrfMiddleware,
                config=CSRFConfig(
                    secret=site.identity.secret_for("csrf"),
                    cookie_name=site.csrf_cookie,
                    cookie_secure=settings.secure_cookies,
                    cookie_samesite="strict",
                    exclude=_WITHOUT_CSRF,
                ),
            ),
        ],
        template_config=TemplateConfig(instance=engine()),
        exception_handlers={Exception: answer},
        before_request=check_path,
        before_send=[guard_answer],
        compression_config=CompressionConfig(backend="gzip", gzip_compress_level=5),
        openapi_config=OpenAPIConfig(
            title="gongyuan",
            version=version("gongyuan"),
            openapi_router=Router("/api/schema", route_handlers=[], guards=[requires()]),
            render_plugins=[JsonRenderPlugin()],
        ),
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
        state=State(held),
        lifespan=[living],
    )
