"""Settings of one exam machine (`/etc/gongyuan-kiosk/kiosk.toml`), made by the kit."""

from pathlib import Path
from typing import Annotated

import msgspec

from server.errors import BadInput


class KioskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One machine; an unknown field is an error that names its place."""

    server: str = ""
    """Address of the centre, https://host:port; empty only where `mdns` finds it."""
    pin: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    """SHA-256 of the server key's SubjectPublicKeyInfo, hex."""
    standby: str = ""
    """Address of the centre's standby, which answers once it is promoted; empty: there is none."""
    mdns: bool = False
    """Look for the centre by multicast when `server` is empty; many school networks drop it."""
    folder: str = "/var/lib/gongyuan-kiosk"
    """The browser's profile, the launcher's key and exported journals."""
    browser: str = "/usr/bin/chromium"
    policies: str = "/etc/chromium/policies/managed/gongyuan.json"
    """Where the kit's policies must stand."""
    arguments: tuple[str, ...] = ()
    """Further flags for the browser, e.g. of a display that needs one."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where the centre may answer."""
        return (self.server, self.standby) if self.standby else (self.server,)

    @property
    def profile(self) -> Path:
        """The browser's own folder; never cleared."""
        return Path(self.folder) / "browser"


def load_settings(path: Path) -> KioskSettings:
    """Read the file; BadInput `settings-unreadable` or `settings-invalid` names the place."""
    try:
        settings = msgspec.toml.decode(path.read_bytes(), type=KioskSettings)
    except OSError as error:
        raise BadInput("settings-unreadable", path=str(path), reason=str(error)) from error
    except msgspec.DecodeError as error:
        raise BadInput("settings-invalid", path=str(path), reason=str(error)) from error
    if not settings.server and not settings.mdns:
        raise BadInput("kiosk-no-server", path=str(path))
    return settings
