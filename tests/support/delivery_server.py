"""A centre's candidate side alone, as a process: `python -m tests.support.delivery_server DATA CLOCK PORT`.

Real database, real writer, real websockets over uvicorn; only the other rooms' routes are left out.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide

from server.clock import Clock, DemoClock
from server.db.engine import Database
from server.db.journal import Journal
from server.db.signals import Signals
from server.delivery.runtime import Hall, answer_writer
from server.keys.identity import Identity
from server.law.loader import load_pack
from server.settings import Settings
from server.web.candidate.routes import enrol
from server.web.candidate.socket import candidate_socket
from server.web.problems import answer
from server.web.seat_handshake import SeatDoor, SeatUpgradeProtocol
from server.web.site import Site
from server.web.whole_frames import WholeFramesProtocol
from tests.support.delivery import Scene


def candidate_app(db: Database, clock: Clock, folder: Path, gap_s: float = 0.005) -> Litestar:
    """Return the application that serves kiosks on this database."""
    identity, journal, signals = Identity.open_or_create(folder), Journal("test-centre"), Signals(db)
    hall = Hall(
        db, clock, journal, answer_writer(db, clock, identity, gap_s=gap_s), signals, identity, "测试考点"
    )
    settings = Settings(role="centre", data=str(folder), name="测试考点")
    site = Site(
        settings=settings,
        clock=clock,
        db=db,
        journal=journal,
        identity=identity,
        signals=signals,
        pack=load_pack(settings.jurisdiction),
        handlers={},
    )
    site.hall_runtime = hall

    def living() -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
        @asynccontextmanager
        async def run(_app: Litestar) -> AsyncIterator[None]:
            await signals.start()
            await hall.start()
            try:
                yield
            finally:
                await hall.stop()
                await signals.stop()

        return run

    return Litestar(
        [enrol, candidate_socket],
        dependencies={"site": Provide(lambda: site, sync_to_thread=False)},
        exception_handlers={Exception: answer},
        lifespan=[living()],
        openapi_config=None,
        logging_config=None,
        state=State({"site": site}),
    )


def server_config(app: Litestar, port: int, **more: Any) -> uvicorn.Config:
    """Return uvicorn's configuration as `serve` has it."""
    return uvicorn.Config(
        SeatDoor(app),
        host="127.0.0.1",
        port=port,
        http=SeatUpgradeProtocol,
        ws=WholeFramesProtocol,
        ws_per_message_deflate=False,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
        **more,
    )


@asynccontextmanager
async def served(scene: Scene, clock: Clock, folder: Path, **more: Any) -> AsyncIterator[str]:
    """Serve the candidate side in this process on a free port; give its address, `wss:` when `more` names TLS."""
    server = uvicorn.Server(server_config(candidate_app(scene.db, clock, folder), 0, **more))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    kind = "wss" if more else "ws"
    try:
        yield f"{kind}://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


if __name__ == "__main__":
    data = Path(sys.argv[1])
    application = candidate_app(Database(f"sqlite:///{data / 'test.db'}"), DemoClock(Path(sys.argv[2])), data)
    uvicorn.Server(server_config(application, int(sys.argv[3]), loop="uvloop")).run()
