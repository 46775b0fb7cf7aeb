"""The fencing epoch of one machine: who serves, in `<data>/standby.json`.

A centre begins with epoch 1. A promotion makes the next one; who has seen a higher epoch than his own serves no more.
"""

import os
from pathlib import Path
from typing import Literal

import msgspec

from server.errors import BadInput, Refusal, Refused

FILE = "standby.json"


class Epoch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`primary` serves and ships, `standby` receives, `promoted` serves in the other's place, `fenced` never again."""

    role: Literal["primary", "standby", "promoted", "fenced"] = "primary"
    epoch: int = 1
    by: str = ""
    reason: str = ""


def read_epoch(folder: Path) -> Epoch:
    """Return this machine's epoch; a folder without the file is a primary of epoch 1."""
    path = folder / FILE
    if not path.exists():
        return Epoch()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Epoch)
    except msgspec.DecodeError as error:
        raise BadInput("standby-file-unreadable", path=str(path), reason=str(error)) from error


def write_epoch(folder: Path, epoch: Epoch) -> None:
    """Write this machine's epoch to the disk itself."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{FILE}.new"
    with temporary.open("wb") as stream:
        stream.write(msgspec.json.encode(epoch))
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(folder / FILE)


def serving_refusal(epoch: Epoch) -> Refusal | None:
    """Refuse to serve on a standby that nobody promoted, and on a machine whose standby was."""
    match epoch.role:
        case "standby":
            return Refusal("standby-not-promoted")
        case "fenced":
            return Refusal("standby-fenced", facts={"epoch": epoch.epoch})
        case _:
            return None


def promoted(epoch: Epoch, by: str, reason: str) -> Epoch:
    """Return the epoch after a named person's promotion; Refused `standby-none` unless this is a standby."""
    if epoch.role != "standby":
        raise Refused(Refusal("standby-none", facts={"role": epoch.role}))
    return Epoch("promoted", epoch.epoch + 1, by, reason)
