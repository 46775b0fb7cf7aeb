"""The drawn room that the camera benchmarks watch: 30 candidates who write and look up."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from server.proctor.calibration import CameraSetup, empty_reference, save_setup
from server.proctor.seats import CameraLayout
from server.proctor.simulation import HallDrawing, HallScript, SeatScript

SEATS, SEED = 30, 20260314
BEGIN = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def drawn_hall(number: int = 0) -> HallDrawing:
    """Return a full room; each number has other people in it."""
    end = BEGIN + timedelta(hours=2)
    script = HallScript(tuple(SeatScript("1", str(seat), BEGIN, end) for seat in range(1, SEATS + 1)))
    return HallDrawing(("1",), SEATS, SEED + number, script)


def write_setup(folder: Path, camera: str, room: str, size: tuple[int, int], number: int = 0) -> Path:
    """Write the set-up of a camera of that name on the drawn room, for pictures of `size`; return its file."""
    hall = drawn_hall(number)
    seats = hall.layout("1").scaled(*size).seats
    empty = empty_reference(hall.references("1", BEGIN))
    if size != (empty.shape[1], empty.shape[0]):
        empty = np.asarray(cv2.resize(empty, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    return save_setup(folder, CameraSetup(CameraLayout(camera, room, *size, seats), (empty,)))
