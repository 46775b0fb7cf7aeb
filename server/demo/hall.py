"""What the demo hall is told beforehand: the kiosks' script and, agreeing with it, the drawing of the rooms."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import httpx
import msgspec
import numpy as np

from server.demo import cast
from server.demo.cameras import CameraFile
from server.demo.people import Somebody
from server.itembank.interchange.files import read_file
from server.itembank.interchange.sanitising import plain_of
from server.proctor.calibration import CameraSetup, empty_reference, save_setup
from server.proctor.simulation import ExtraPerson, HallDrawing, HallScript, Interval, SeatScript

SEED = 20260314
REFERENCE_PICTURES = 3

ABSENT, MOVED, DROPPED, EARLY, LATE, AWAY = 59, 11, 16, 3, 5, 6
"""Positions in the order of tickets: who stays away, is moved, loses the line, asks too early, too late, walks off."""
HANDING_IN = {8: 35.0, 20: 48.0, 33: 55.5, 41: 62.0, 47: 70.0, 52: 74.0}
"""Who hands in, and at which minute after the bell."""
MOVE_AT = 40
AWAY_FROM, AWAY_UNTIL = 44, 72
STRANGER_FROM, STRANGER_UNTIL = 50, 78


@dataclass(frozen=True, slots=True)
class Seated:
    """One candidate with the seat that the registry's seating gives him."""

    position: int
    ticket: str
    person: Somebody
    room: str
    seat: int


def _plan(position: int, ability: float) -> list[dict[str, Any]]:
    share = 1.0 if ability > 0.55 else 0.9
    until = HANDING_IN.get(position, 76.0) - 2
    steps: list[dict[str, Any]] = [{"do": "answer", "begin": 1.0, "until": until, "share": share}]
    if position == DROPPED:
        steps.append({"do": "drop", "at": 22.0, "minutes": 9.0})
    if position == EARLY:
        steps.append({"do": "hand_in", "at": 12.0})
    if position == LATE:
        steps.append({"do": "hand_in", "at": 80.0})
    if position in HANDING_IN:
        steps.append({"do": "hand_in", "at": HANDING_IN[position]})
    if position == AWAY + 1:
        steps.append({"do": "call", "at": 30.0, "text": "需要草稿纸"})
    return steps


def knowledge() -> dict[str, tuple[str, ...]]:
    """Return what there is to know: stem to right answers, from the demo's own bank file."""
    found: dict[str, tuple[str, ...]] = {}
    for outcome in read_file(cast.BANK_FILE).reading.outcomes:
        if outcome.content is None:
            continue
        for item in outcome.content.parts or (outcome.content,):
            if item.type == "fill":
                found[item.stem] = tuple(variants[0] for variants in item.accepted)
            elif item.type == "judge":
                found[item.stem] = item.key
            elif item.type == "short":
                found[item.stem] = (plain_of(item.model),)
            else:
                found[item.stem] = tuple(item.options[ord(label) - ord("A")] for label in item.key)
    return found


def bots_script(seated: list[Seated], codes: dict[tuple[str, int], str]) -> dict[str, Any]:
    """Return the script of one process with a kiosk at every seat."""
    kiosks = []
    for one in seated:
        person = {
            "ticket": one.ticket,
            "id_number": one.person.id_number,
            "ability": one.person.ability,
            "absent": one.position == ABSENT,
            "plan": _plan(one.position, one.person.ability),
        }
        kiosks.append({"code": codes[one.room, one.seat], "person": person})
    return {"kiosks": kiosks, "seed": SEED, "knowledge": knowledge()}


def hall_script(seated: list[Seated], bell: datetime) -> HallScript:
    """Return who is to be seen where: everybody enters before the bell; one walks off; a stranger comes in."""

    def at(minute: float) -> datetime:
        return bell + timedelta(minutes=minute)

    seats = []
    absent = next(one for one in seated if one.position == ABSENT)
    for one in seated:
        if one.position == ABSENT:
            continue
        enters, leaves = at(-25 + (one.position % 15)), at(HANDING_IN.get(one.position, 90 + 6) + 0.5)
        away = (Interval(at(AWAY_FROM), at(AWAY_UNTIL)),) if one.position == AWAY else ()
        if one.position == MOVED:
            seats.append(SeatScript(one.room, str(one.seat), enters, at(MOVE_AT)))
            seats.append(SeatScript(absent.room, str(absent.seat), at(MOVE_AT + 0.5), leaves))
        else:
            seats.append(SeatScript(one.room, str(one.seat), enters, leaves, away))
    stranger = ExtraPerson(cast.ROOMS[1], Interval(at(STRANGER_FROM), at(STRANGER_UNTIL)))
    return HallScript(seats=tuple(seats), extras=(stranger,))


def write_cameras(folder: Path, script: HallScript) -> Path:
    """Write what the camera child is told."""
    path = folder / "cameras.json"
    path.write_bytes(msgspec.json.encode(CameraFile(cast.ROOMS, cast.SEATS, SEED, script)))
    return path


async def calibrate(url: str, folder: Path, script: HallScript, moments: Any) -> dict[str, Path]:
    """Set the cameras up as a technician does before entry: references of the empty rooms, seats marked on them.

    `moments` is awaited between two pictures. Returns the set-up file of each room.
    """
    hall = HallDrawing(cast.ROOMS, cast.SEATS, SEED, script)
    pictures: dict[str, list[Any]] = {room: [] for room in cast.ROOMS}
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
        for _ in range(REFERENCE_PICTURES):
            for room in cast.ROOMS:
                data = (await client.get(f"/rooms/{room}/snapshot.jpg")).content
                pictures[room].append(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
            await moments()
    return {
        room: save_setup(folder, CameraSetup(hall.layout(room), (empty_reference(pictures[room]),)))
        for room in cast.ROOMS
    }
