"""What one server process holds and every handler may use; built by `app.create_app`."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from server.accounts.service import Login
from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.signals import Signals
from server.delivery.health import HealthDesk
from server.delivery.runtime import Hall
from server.errors import Unavailable
from server.keys.identity import Identity
from server.keys.openings_launcher import Launcher
from server.keys.recovery import SecondPlace
from server.keys.start_keys import StartKeys
from server.law.pack import Pack
from server.packages.dispatch import Handlers, Stage, nothing_ahead
from server.papers.trial_runner import TrialRunner
from server.proctor.evidence_store import EvidenceStore
from server.proctor.feed import Feed
from server.proctor.observations import Observations
from server.proctor.recording import Recording
from server.proctor.seating_watch import SeatingWatch
from server.proctor.wall import Wall
from server.settings import Settings
from server.standby.shipping import Shipper
from server.web.candidate.seb import SebDoor

Part = TypeVar("Part")
LOGIN_COOKIE, CSRF_COOKIE = "gongyuan-login", "gongyuan-csrf"


def cookie_tag(role: str, fingerprint: str) -> str:
    """Return what the names of a server's cookies end in: browsers keep one jar a host, whatever the port, and a
    registry and a centre on one host must not sign each other's people out."""
    return hashlib.sha256(f"{role} {fingerprint}".encode()).hexdigest()[:8]


class Site:
    """One process of one role. Parts that only a centre has are None on a registry; ask through the properties.

    (A plain class: the framework takes a dataclass for a message and would try to read it from the request.)
    """

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        db: Database,
        journal: Journal,
        identity: Identity,
        signals: Signals,
        pack: Pack,
        handlers: Handlers,
        stage: Stage = nothing_ahead,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.db = db
        self.journal = journal
        self.identity = identity
        tag = cookie_tag(settings.role, identity.fingerprint)
        self.cookie_tag = tag
        self.login_cookie = f"{LOGIN_COOKIE}-{tag}"
        self.csrf_cookie = f"{CSRF_COOKIE}-{tag}"
        self.signals = signals
        self.pack = pack
        self.handlers = handlers
        self.stage = stage
        self.hall_runtime: Hall | None = None
        self.seb_door: SebDoor | None = None
        self.health_desk: HealthDesk | None = None
        self.launcher_process: Launcher | None = None
        self.start_keys_held: StartKeys | None = None
        self.trials_held: TrialRunner | None = None
        self.feed_held: Feed | None = None
        self.evidence_held: EvidenceStore | None = None
        self.recording_held: Recording | None = None
        self.observations_held: Observations | None = None
        self.wall_held: Wall | None = None
        self.seating_held: SeatingWatch | None = None
        self.shipper: Shipper | None = None
        """What ships every commit to the standby; None without one."""
        self.second_place: SecondPlace | None = None
        """How far the recovery file is; None where the settings name no second place."""
        self.detectors: set[str] = set()
        """Face detectors that have looked at this centre's cameras since the start, by their own names."""

    @asynccontextmanager
    async def acting(self, login: Login | str) -> AsyncIterator[Act]:
        """Open one act: a write transaction that commits at a clean exit.

        A login acts as `staff:<username>`; a text names another actor, e.g. `kiosk:2-17` or `timer:collection`.
        """
        actor = login if isinstance(login, str) else f"staff:{login.username}"
        async with self.db.writing() as session:
            yield Act(session, self.journal, self.clock.legal(), actor)

    @property
    def hall(self) -> Hall:
        """The live hall of a centre; Unavailable on a registry."""
        return self._held(self.hall_runtime)

    @property
    def seb(self) -> SebDoor:
        """The door for seats in Safe Exam Browser; Unavailable on a registry."""
        return self._held(self.seb_door)

    @property
    def health(self) -> HealthDesk:
        """Where machines report to; Unavailable on a registry."""
        return self._held(self.health_desk)

    @property
    def launcher(self) -> Launcher:
        """The launcher of opening children; Unavailable on a registry."""
        return self._held(self.launcher_process)

    @property
    def start_keys(self) -> StartKeys:
        """Start keys opened and not yet rung; Unavailable on a registry."""
        return self._held(self.start_keys_held)

    @property
    def trials(self) -> TrialRunner:
        """Trial draws beside the serving process; Unavailable on a registry."""
        return self._held(self.trials_held)

    @property
    def feed(self) -> Feed:
        """The proctoring feed of a centre; Unavailable on a registry."""
        return self._held(self.feed_held)

    @property
    def evidence(self) -> EvidenceStore:
        """Pictures of findings; Unavailable on a registry."""
        return self._held(self.evidence_held)

    @property
    def observations(self) -> Observations:
        """What was just seen of each camera; Unavailable on a registry."""
        return self._held(self.observations_held)

    @property
    def seating_watch(self) -> SeatingWatch:
        """The cameras whose rooms fill now; Unavailable on a registry."""
        return self._held(self.seating_held)

    @property
    def wall(self) -> Wall:
        """The small pictures for camera walls; Unavailable on a registry."""
        return self._held(self.wall_held)

    @property
    def recording(self) -> Recording:
        """The recordings of a centre's cameras; Unavailable on a registry."""
        return self._held(self.recording_held)

    def _held(self, part: Part | None) -> Part:
        if part is None:
            raise Unavailable("role-unavailable", role=self.settings.role)
        return part
