"""The demo's room cameras: a child that draws the hall of a script and serves it as cameras do, on loopback."""

import json
import threading
from pathlib import Path

import msgspec

from server.clock import Clock
from server.errors import BadInput
from server.proctor.simulation import HallDrawing, HallScript
from server.proctor.simulation_server import HallServer


class CameraFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the child is told: the rooms, their seats, the seed of the drawing, the script of the day."""

    rooms: tuple[str, ...]
    seats: int
    seed: int
    script: HallScript
    every_legal_s: float = 30.0


def serve(config: Path, address: Path, clock: Clock) -> None:
    """Serve MJPEG streams of the drawn rooms until ended; the base URL goes to the address file."""
    try:
        file = msgspec.json.decode(config.read_bytes(), type=CameraFile)
    except msgspec.DecodeError as error:
        raise BadInput("bad-input", reason=str(error)) from error
    hall = HallDrawing(file.rooms, file.seats, file.seed, file.script)
    server = HallServer(hall, clock.legal, file.every_legal_s)
    server.start()
    temporary = address.with_suffix(".new")
    temporary.write_text(json.dumps({"url": server.url}), encoding="utf-8")
    temporary.replace(address)
    threading.Event().wait()
