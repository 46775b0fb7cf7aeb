"""Draws a labelled exam hall: desks, people who write and look up, absences, strangers, lights and failing
cameras.

The same rooms, seed, script and time always give the same picture. Times are legal times (aware UTC);
intervals are half-open. Nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

import cv2
import msgspec
import numpy as np

from server.proctor import figures
from server.proctor.evidence import CameraFault, Picture, SeatState, require_utc
from server.proctor.figures import Pose
from server.proctor.seats import CameraLayout, region_at

WIDTH, HEIGHT = 1280, 720
COLUMNS = 6
# The rows from the back to the front: height of the head point and of a face, in pixels.
ROWS: tuple[tuple[float, float], ...] = (
    (118.0, 26.0),
    (200.0, 30.0),
    (296.0, 35.0),
    (406.0, 41.0),
    (535.0, 48.0),
)
SPACING = 4.0
MOST_SEATS = COLUMNS * len(ROWS)
# A person keeps one way of holding the head for this many seconds.
POSE_S = 7.0


class Interval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[start, end) in legal time."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        require_utc(self.start, "start")
        require_utc(self.end, "end")
        if self.end <= self.start:
            raise ValueError("an interval ends after it starts")

    def holds(self, at: datetime) -> bool:
        """True at `start` and until just before `end`."""
        return self.start <= at < self.end


class SeatScript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One candidate at one seat: from when to when, when away in between, when a bag lies there instead."""

    room: str
    seat: str
    enters_at: datetime
    leaves_at: datetime
    away: tuple[Interval, ...] = ()
    bag: tuple[Interval, ...] = ()

    def present(self, at: datetime) -> bool:
        """True while the candidate sits there."""
        return self.enters_at <= at < self.leaves_at and not any(away.holds(at) for away in self.away)


class ExtraPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Someone who stands in a room for a while; `row` 0 is the back row, the place is the middle aisle."""

    room: str
    interval: Interval
    row: int = 3


class SecondPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Someone who leans over to a candidate's seat for a while."""

    room: str
    seat: str
    interval: Interval


class LightChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `at` on the room's light is `gain` times the usual, until the next change."""

    room: str
    at: datetime
    gain: float


class CameraFailure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A camera that fails for a while in the named way."""

    room: str
    fault: CameraFault
    interval: Interval


class HallScript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that happens in the drawn hall. Seats that are not named stay empty."""

    seats: tuple[SeatScript, ...] = ()
    extras: tuple[ExtraPerson, ...] = ()
    seconds: tuple[SecondPerson, ...] = ()
    lights: tuple[LightChange, ...] = ()
    failures: tuple[CameraFailure, ...] = ()


def script_from_json(data: bytes) -> HallScript:
    """Reads a script; msgspec.ValidationError names the place of a wrong or unknown field."""
    return msgspec.json.decode(data, type=HallScript)


@dataclass(frozen=True, slots=True)
class HallTruth:
    """What is true in a room at a moment, whatever a camera may see.

    `seats` maps each seat to OCCUPIED, EMPTY, OBJECT or CROWDED. `faces` are the boxes (x1, y1, x2, y2) of
    the faces that look at the camera, `extras` those of them that belong to people who stand.
    """

    room: str
    at: datetime
    seats: Mapping[str, SeatState]
    faces: tuple[tuple[float, float, float, float], ...]
    extras: tuple[tuple[float, float, float, float], ...]
    failure: CameraFault | None


@dataclass(slots=True)
class HallDrawing:
    """A hall of rooms with one camera each. Seats are named "1", "2", … from the front row's left to the
    back.

    Raises:
        ValueError: more seats than one picture can show with faces of at least 26 pixels, or a script that
        names an
            unknown room or seat.
    """

    rooms: Sequence[str]
    seats_per_room: int
    seed: int
    script: HallScript
    _seats: dict[tuple[str, str], SeatScript] = field(init=False)
    _grain: tuple[Picture, Picture] = field(init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.seats_per_room <= MOST_SEATS:
            raise ValueError(f"a drawn room has 1 to {MOST_SEATS} seats")
        self._seats = {(seat.room, seat.seat): seat for seat in self.script.seats}
        names = {str(number) for number in range(1, self.seats_per_room + 1)}
        named = [(entry.room, entry.seat) for entry in self.script.seats]
        named += [(entry.room, entry.seat) for entry in self.script.seconds]
        for room, seat in named:
            if room not in self.rooms or seat not in names:
                raise ValueError(f"the script names seat {seat} of room {room}, which the hall does not have")
        noise = np.random.default_rng(self.seed).normal(0, 2.5, (HEIGHT + 64, WIDTH + 64, 3))
        grain = np.rint(noise).astype(np.int16)
        # Two saturating passes over bytes are quicker than one over wider numbers, and give the same.
        self._grain = (np.maximum(grain, 0).astype(np.uint8), np.maximum(-grain, 0).astype(np.uint8))

    def camera_id(self, room_id: str) -> str:
        """The name of the room's only camera."""
        return f"camera-{room_id}"

    def layout(self, room_id: str) -> CameraLayout:
        """The true layout of the room's picture."""
        seats = []
        for number in range(1, self.seats_per_room + 1):
            x, y, head = place(number)
            seats.append(region_at(str(number), x, y, head))
        return CameraLayout(self.camera_id(room_id), room_id, WIDTH, HEIGHT, tuple(seats))

    def picture(self, room_id: str, at: datetime) -> Picture:
        """What the room's camera sees at `at`: uint8 (720, 1280, 3) BGR.

        A lost camera has no picture: ask `truth` for its failure first; here it shows the room.
        """
        require_utc(at, "at")
        failure = self.failure(room_id, at)
        if failure is not None and failure.fault is CameraFault.FROZEN:
            at = failure.interval.start
        picture = self._scene(room_id, at)
        gain = self._gain(room_id, at)
        if gain != 1.0:
            picture = np.asarray(cv2.convertScaleAbs(picture, alpha=gain), dtype=np.uint8)
        if failure is not None:
            picture = _fail(picture, failure.fault)
        shift = _mix(self.seed, self._number(room_id), int(at.timestamp()))
        top, left = shift % 64, (shift >> 8) % 64
        brighter, darker = (grain[top : top + HEIGHT, left : left + WIDTH] for grain in self._grain)
        return np.asarray(cv2.subtract(cv2.add(picture, brighter), darker), dtype=np.uint8)

    def truth(self, room_id: str, at: datetime) -> HallTruth:
        """What is true in the room at `at`."""
        seats: dict[str, SeatState] = {}
        faces: list[tuple[float, float, float, float]] = []
        for number in range(1, self.seats_per_room + 1):
            seats[str(number)] = self._seat_truth(room_id, str(number), at)
            if self._present(room_id, str(number), at):
                pose, _, dx, dy = self._posture(room_id, number, at)
                x, y, head = place(number)
                if pose is Pose.UP:
                    faces.append(_box(x + dx, y + dy, head))
        for person in self.script.seconds:
            if person.room == room_id and person.interval.holds(at):
                faces.append(_box(*self._second_place(person.seat)))
        extras = tuple(
            _box(*_aisle(extra.row))
            for extra in self.script.extras
            if extra.room == room_id and extra.interval.holds(at)
        )
        failure = self.failure(room_id, at)
        fault = None if failure is None else failure.fault
        return HallTruth(room_id, at, seats, (*faces, *extras), extras, fault)

    def failure(self, room_id: str, at: datetime) -> CameraFailure | None:
        """The failure that the room's camera is in, if any; the first of the script wins."""
        for failure in self.script.failures:
            if failure.room == room_id and failure.interval.holds(at):
                return failure
        return None

    def references(self, room_id: str, before: datetime) -> tuple[Picture, ...]:
        """Pictures of the room in the ten seconds up to `before`, one a second: taken before entry, they are
        empty.
        """
        return tuple(self.picture(room_id, before - timedelta(seconds=s)) for s in range(9, -1, -1))

    def _number(self, room_id: str) -> int:
        return list(self.rooms).index(room_id)

    def _present(self, room_id: str, seat: str, at: datetime) -> bool:
        script = self._seats.get((room_id, seat))
        return script is not None and script.present(at)

    def _seat_truth(self, room_id: str, seat: str, at: datetime) -> SeatState:
        if self._present(room_id, seat, at):
            both = any(
                p.room == room_id and p.seat == seat and p.interval.holds(at) for p in self.script.seconds
            )
            return SeatState.CROWDED if both else SeatState.OCCUPIED
        script = self._seats.get((room_id, seat))
        if script is not None and any(lies.holds(at) for lies in script.bag):
            return SeatState.OBJECT
        return SeatState.EMPTY

    def _scene(self, room_id: str, at: datetime) -> Picture:
        picture = _empty_room(self.seats_per_room).copy()
        first = -(-self.seats_per_room // COLUMNS) - 1
        for back in range(len(ROWS) - 1 - first, len(ROWS)):
            for number in _row_numbers(back, self.seats_per_room):
                self._draw_seat(picture, room_id, number, at)
            for person in self.script.seconds:
                if person.room == room_id and person.interval.holds(at) and _row_of(int(person.seat)) == back:
                    x, y, head = self._second_place(person.seat)
                    figures.paste(picture, _figure(1000 + int(person.seat), head, Pose.STANDING, 0), x, y)
            for extra in self.script.extras:
                if extra.room == room_id and extra.interval.holds(at) and extra.row == back:
                    x, y, head = _aisle(extra.row)
                    sway = _mix(self.seed, 77, int(at.timestamp() // 3)) % 5 - 2
                    figures.paste(picture, _figure(2000 + extra.row, head, Pose.STANDING, 0), x + sway, y)
        return picture

    def _draw_seat(self, picture: Picture, room_id: str, number: int, at: datetime) -> None:
        x, y, head = place(number)
        script = self._seats.get((room_id, str(number)))
        if self._present(room_id, str(number), at):
            pose, hand, dx, dy = self._posture(room_id, number, at)
            who = self._number(room_id) * 100 + number
            figures.paste(picture, _figure(who, head, pose, hand), x + dx, y + dy)
        elif script is not None and any(lies.holds(at) for lies in script.bag):
            figures.paste(picture, _bag(head), x, y)
        else:
            return
        figures.desk(picture, x, y, head)

    def _posture(self, room_id: str, number: int, at: datetime) -> tuple[Pose, int, float, float]:
        """How the person sits at a second: pose, hand and head offset in pixels; differs from person to
        person.
        """
        room = self._number(room_id)
        second = at.timestamp()
        phase = (_mix(self.seed, room, number) % 700) / 100
        slot = int((second + phase) // POSE_S)
        dice = _mix(self.seed, room * 1000 + number, slot)
        head = place(number)[2]
        pose = Pose.UP if dice % 100 < 55 else Pose.DOWN
        small = _mix(self.seed, room * 1000 + number, int(second) + 7_000_000)
        hand = small % 3
        dx = ((dice >> 8) % 21 - 10) / 100 * head * 1.6 + (small >> 8) % 3 - 1
        dy = ((dice >> 16) % 11) / 100 * head
        return pose, hand, dx, dy

    def _second_place(self, seat: str) -> tuple[float, float, float]:
        x, y, head = place(int(seat))
        return x + 1.15 * head, y - 0.65 * head, head * 0.97

    def _gain(self, room_id: str, at: datetime) -> float:
        past = [change for change in self.script.lights if change.room == room_id and change.at <= at]
        return max(past, key=lambda change: change.at).gain if past else 1.0


def place(number: int) -> tuple[float, float, float]:
    """The head point of seat `number` (1 = front row, left) and the height of a face there, in pixels."""
    column = (number - 1) % COLUMNS
    y, head = ROWS[_row_of(number)]
    return WIDTH / 2 + (column - (COLUMNS - 1) / 2) * SPACING * head, y, head


def _row_of(number: int) -> int:
    return len(ROWS) - 1 - (number - 1) // COLUMNS


def _row_numbers(back: int, seats: int) -> range:
    first = (len(ROWS) - 1 - back) * COLUMNS + 1
    return range(first, min(first + COLUMNS, seats + 1))


def _aisle(row: int) -> tuple[float, float, float]:
    y, head = ROWS[row]
    return WIDTH / 2, y - 1.9 * head, head


def _box(x: float, y: float, head: float) -> tuple[float, float, float, float]:
    return x - 0.38 * head, y - 0.45 * head, x + 0.38 * head, y + 0.51 * head


def _mix(*numbers: int) -> int:
    """A well-mixed 32-bit number that is the same on every machine."""
    value = 0x9E3779B9
    for number in numbers:
        value = ((value ^ (number & 0xFFFFFFFF)) * 0x85EBCA6B) & 0xFFFFFFFF
        value ^= value >> 13
        value = (value * 0xC2B2AE35) & 0xFFFFFFFF
        value ^= value >> 16
    return value


def _fail(picture: Picture, fault: CameraFault) -> Picture:
    """The picture as a failing camera shows it."""
    match fault:
        case CameraFault.DARK:
            return np.full_like(picture, 6)
        case CameraFault.WHITE:
            return np.full_like(picture, 250)
        case CameraFault.COVERED:
            dim = cv2.convertScaleAbs(picture, alpha=0.35)
            return np.asarray(cv2.GaussianBlur(dim, (0, 0), 24), dtype=np.uint8)
        case CameraFault.BLURRED:
            return np.asarray(cv2.GaussianBlur(picture, (0, 0), 5), dtype=np.uint8)
        case CameraFault.MOVED:
            turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 4.0, 1.0)
            turn[:, 2] += (60, 25)
            moved = cv2.warpAffine(picture, turn, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
            return np.asarray(moved, dtype=np.uint8)
        case _:
            return picture


@lru_cache(maxsize=4)
def _empty_room(seats: int) -> Picture:
    """The room without people: wall, windows, blackboard edge, floor tiles, chairs and desks."""
    picture = np.full((HEIGHT, WIDTH, 3), (186, 192, 188), np.uint8)
    cv2.rectangle(picture, (0, 78), (WIDTH, HEIGHT), (150, 158, 160), -1)
    for line in range(-8, 9):
        start, end = (WIDTH // 2 + line * 70, 78), (WIDTH // 2 + line * 190, HEIGHT)
        cv2.line(picture, start, end, (138, 146, 148), 1, cv2.LINE_AA)
    for level in (100, 130, 172, 228, 300, 392, 506, 640):
        cv2.line(picture, (0, level), (WIDTH, level), (140, 148, 150), 1, cv2.LINE_AA)
    for left in (40, 250, 930, 1120):
        cv2.rectangle(picture, (left, 8), (left + 120, 66), (214, 208, 196), -1)
        cv2.rectangle(picture, (left, 8), (left + 120, 66), (110, 116, 118), 3)
        cv2.line(picture, (left + 60, 8), (left + 60, 66), (110, 116, 118), 2)
    cv2.rectangle(picture, (470, 10), (810, 62), (96, 108, 84), -1)
    cv2.rectangle(picture, (470, 10), (810, 62), (70, 84, 104), 4)
    cv2.putText(picture, "EXAM", (590, 46), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (206, 212, 206), 2, cv2.LINE_AA)
    for x, y in ((18, 120), (1206, 120), (22, 420), (1212, 430)):
        cv2.rectangle(picture, (x, y), (x + 50, y + 150), (104, 120, 132), -1)
        cv2.rectangle(picture, (x + 6, y + 8), (x + 44, y + 70), (126, 142, 154), 2)
        cv2.rectangle(picture, (x + 6, y + 80), (x + 44, y + 142), (126, 142, 154), 2)
    _posters(picture)
    for number in range(seats, 0, -1):
        figures.chair(picture, *place(number))
        figures.desk(picture, *place(number))
    picture.setflags(write=False)
    return picture


def _posters(picture: Picture) -> None:
    """Hangs notices and charts on the walls and scuffs the floor, so that no two corners of the room look
    alike.
    """
    dice = np.random.default_rng(20)
    spots = [(390, 12, 60, 52), (840, 12, 66, 50), (182, 10, 56, 58), (1062, 10, 46, 58)]
    spots += [
        (88, 96, 120, 86),
        (1080, 96, 110, 90),
        (90, 300, 60, 90),
        (1150, 300, 44, 96),
        (10, 590, 60, 110),
    ]
    for x, y, width, height in spots:
        cv2.rectangle(picture, (x, y), (x + width, y + height), (206, 212, 214), -1)
        for _ in range(14):
            left, top = x + int(dice.integers(2, width - 14)), y + int(dice.integers(2, height - 10))
            right, low = left + int(dice.integers(4, 13)), top + int(dice.integers(2, 9))
            colour = tuple(int(c) for c in dice.integers(30, 190, 3))
            cv2.rectangle(picture, (left, top), (right, low), colour, -1)
    for _ in range(90):
        x, y = int(dice.integers(0, WIDTH)), int(dice.integers(90, HEIGHT))
        turn, shade = int(dice.integers(0, 180)), int(dice.integers(112, 138))
        axes = (int(dice.integers(3, 14)), int(dice.integers(1, 4)))
        cv2.ellipse(picture, (x, y), axes, turn, 0, 360, (shade, shade + 6, shade + 8), -1, cv2.LINE_AA)


@lru_cache(maxsize=2048)
def _figure(who: int, head: float, pose: Pose, hand: int) -> figures.Sprite:
    return figures.person(figures.look_of(who), head, pose, hand)


@lru_cache(maxsize=16)
def _bag(head: float) -> figures.Sprite:
    return figures.bag(head)
