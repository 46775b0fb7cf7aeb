"""The kit of a centre: one folder with everything a technician takes from machine to machine."""

import os
import secrets
import ssl
from pathlib import Path

import msgspec
import segno

from kiosk.finding import scanned, sheet_text
from kiosk.policies import EXPORTS, policies_for
from kiosk.seb import seb_file, settings_for
from server.errors import BadInput
from server.protocol.seb import config_key

_INSTALLED = Path(__file__).parent / "installed"
"""Files that are the same in every kit."""


class KitOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the server's command says about its centre."""

    name: str
    address: str
    """https://host:port as the seats reach it."""
    standby: str = ""
    """https://host:port of the standby as the seats reach it; empty: there is none."""
    pin: str
    """SHA-256 of the server key's SubjectPublicKeyInfo, hex."""
    authority: str
    """Certificate authority of the centre (PEM)."""
    seb_password: str = ""
    """Without it nobody reads the .seb file; empty leaves the file open."""
    quit_password: str = ""
    """Ends Safe Exam Browser; empty: nothing does but the machine's power."""
    mdns: bool = False


class KitMade(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the centre has to keep of a kit, and the files that it holds."""

    config_key: str
    files: tuple[str, ...]


def make_kit(order: KitOrder, folder: Path) -> KitMade:
    """Write the kit into a new folder; BadInput `kit-exists` for one that holds something, `kit-address`."""
    if folder.exists() and any(folder.iterdir()):
        raise BadInput("kit-exists", path=str(folder))
    server = scanned(order.address).server
    standby = scanned(order.standby).server if order.standby else ""
    authority = ssl.PEM_cert_to_DER_cert(order.authority)
    seb = settings_for(server, authority, order.quit_password, secrets.token_bytes(32))
    key = config_key(seb)
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {
        "ca.pem": order.authority.encode(),
        "kiosk.toml": _settings(order, server, standby).encode(),
        "policies.json": msgspec.json.format(
            msgspec.json.encode(policies_for(server, authority, standby)), indent=2
        ),
        "gongyuan.seb": seb_file(seb, order.seb_password),
        "config-key.txt": f"{key}\n".encode(),
    }
    for template in sorted(_INSTALLED.iterdir()):
        text = template.read_text(encoding="utf-8")
        for mark, value in (
            ("@NAME@", " ".join(order.name.split())),
            ("@ADDRESS@", server),
            ("@PIN@", order.pin),
            ("@EXPORTS@", EXPORTS),
        ):
            text = text.replace(mark, value)
        files[template.name] = text.encode()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "install.sh").chmod(0o755)
    segno.make(sheet_text(server, order.pin), micro=False).save(
        str(folder / "address.svg"), scale=8, border=4
    )
    os.sync()
    return KitMade(config_key=key, files=(*files, "address.svg"))


def _settings(order: KitOrder, server: str, standby: str) -> str:
    lines = [
        f'server = "{"" if order.mdns else server}"',
        *([f'standby = "{standby}"'] if standby else []),
        f'pin = "{order.pin}"',
        f"mdns = {'true' if order.mdns else 'false'}",
    ]
    return "\n".join(lines) + "\n"
