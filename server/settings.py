"""Settings of one server, read from a closed TOML file: an unknown field is an error that names its place."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from server.errors import BadInput

Role = Literal["registry", "centre"]

DEMO_MARKER = ".gongyuan-demo"
"""Name of the file that marks a folder as made by the demo."""


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the server listens."""

    host: str = "127.0.0.1"
    port: int = 8443
    """TCP port; 0 picks a free one and writes it to `<data>/address.json`."""
    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    """DNS names and addresses that the certificate of this server is made out for."""
    mdns: bool = False
    """Announce a centre by multicast, for seats whose settings look for it so."""


class CameraSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One room camera."""

    id: str
    room: str
    """Room number as in the exam package."""
    source: str
    """URL (rtsp://, http:// MJPEG or snapshot) or a folder of pictures."""
    kind: Literal["rtsp", "mjpeg", "snapshot", "folder", "file"]
    layout: str | None = None
    """Path of the seat layout (TOML), relative to the data folder."""
    record: str | None = None
    """URL of the stream to record, of the same kind, where it is another than `source`: the full one beside a smaller
    one that is watched."""


class RecoverySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The second place of a centre's recovery file."""

    folder: str
    """A folder on another disk or machine; relative paths are taken from the settings file's folder."""


class RecordingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the course of exams is recorded."""

    on: bool = True
    kilobits: int = 4000
    """What one camera sends in a second, for the plan of the disk, until enough was recorded to measure it."""
    reserve_mb: int = 4096
    """MiB of the disk that recordings never take: answers and journal need them."""
    segment_s: float = 60.0
    """Real seconds after which a new piece begins at the next key picture."""


class StandbySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The second machine of a centre on SQLite; the same lines stand in the settings of both machines."""

    address: str
    """host:port at which the standby listens for the centre; the host is one of `listen.names` of both."""
    policy: Literal["sync", "async"] = "sync"
    """sync: an answer is acknowledged when it is on the standby's disk, too; async: right after its own commit."""
    wait_ms: Annotated[int, msgspec.Meta(ge=50, le=30_000)] = 1_000
    """How long an acknowledgement waits for a standby that does not answer; then the board says so."""
    servers: tuple[Annotated[str, msgspec.Meta(pattern=r"^https://[A-Za-z0-9.\[\]:-]+$")], ...] = ()
    """Addresses (https://host:port) at which seats reach the two machines; a candidate's page that has lost one goes
    on at the other."""


class OnvifSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How network cameras are looked for; without this section nothing is sent."""

    interface: str
    """This server's own address in the cameras' network."""
    wait_s: float = 3.0
    """How long answers are waited for, in real seconds, at most 30."""
    user: str = ""
    """The cameras' own account; without it they are asked without one."""
    password: str = ""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of one server process; every default is usable."""

    role: Role
    data: str
    """Folder that holds database, keys and certificates; relative paths are taken from the file's folder."""
    name: str = "gongyuan"
    """Name shown on pages: the authority or the exam centre."""
    database: str | None = None
    """SQLAlchemy URL; None means SQLite in the data folder. Use postgresql+psycopg://… for PostgreSQL."""
    jurisdiction: str = "beijing"
    listen: Listen = Listen()
    cameras: tuple[CameraSettings, ...] = ()
    onvif: OnvifSettings | None = None
    recording: RecordingSettings = RecordingSettings()
    writer_gap_ms: int = 5
    """Least time between two commits of the answer writer while busy, 0 to 20 ms (performance design 2)."""
    secure_cookies: bool = True
    recovery: RecoverySettings | None = None
    standby: StandbySettings | None = None

    @property
    def folder(self) -> Path:
        """The data folder."""
        return Path(self.data)

    @property
    def servers(self) -> tuple[str, ...]:
        """Addresses of this centre and its standby as seats reach them; empty where none are named."""
        return () if self.standby is None else self.standby.servers

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL without a driver decision for SQLite (engine adds it)."""
        return self.database or f"sqlite:///{self.folder / 'gongyuan.db'}"


def load_settings(path: Path, role: Role | None = None) -> Settings:
    """Read and check the file; BadInput with the place when a field is unknown or of the wrong type."""
    try:
        settings = msgspec.toml.decode(path.read_bytes(), type=Settings)
    except OSError as error:
        raise BadInput("settings-unreadable", path=str(path), reason=str(error)) from error
    except msgspec.DecodeError as error:
        raise BadInput("settings-invalid", path=str(path), reason=str(error)) from error
    if role is not None and settings.role != role:
        raise BadInput("settings-other-role", path=str(path), role=settings.role, asked=role)
    folder = Path(settings.data)
    if not folder.is_absolute():
        folder = (path.parent / folder).resolve()
    recovery = settings.recovery
    if recovery is not None:
        recovery = RecoverySettings(folder=str((path.parent / recovery.folder).resolve()))
    return msgspec.structs.replace(settings, data=str(folder), recovery=recovery)
