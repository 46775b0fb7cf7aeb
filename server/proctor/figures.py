"""Draws the people, desks and chairs of a simulated hall with plain shapes.

Everything is drawn several times larger and shrunk, so that edges are smooth at 18 pixels a face. Sizes
count in face heights: chin to forehead is 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import cv2
import numpy as np

from server.proctor.evidence import Picture

Colour = tuple[int, int, int]

OVERSAMPLE = 6
SKINS: tuple[Colour, ...] = (
    (150, 180, 222),
    (168, 198, 235),
    (130, 165, 210),
    (140, 172, 214),
    (158, 190, 230),
)
HAIRS: tuple[Colour, ...] = ((28, 28, 32), (40, 38, 42), (34, 42, 58), (22, 24, 26))
SHIRTS: tuple[Colour, ...] = (
    (150, 90, 60),
    (70, 70, 160),
    (90, 130, 80),
    (60, 60, 70),
    (190, 180, 170),
    (140, 110, 150),
    (60, 120, 170),
    (110, 70, 70),
)
MOUTH: Colour = (92, 92, 182)


class Pose(StrEnum):
    """How a person holds the head. Only UP shows a frontal face."""

    UP = "up"
    DOWN = "down"
    STANDING = "standing"


@dataclass(frozen=True, slots=True)
class Look:
    """What tells one person from another: skin, hair and shirt in BGR, hair over the shoulders or not."""

    skin: Colour
    hair: Colour
    shirt: Colour
    long_hair: bool


@dataclass(frozen=True, slots=True)
class Sprite:
    """A drawn figure: uint8 (H, W, 4) BGR and opacity, and where in it the middle of the head is.

    `colours` and `shows_through` are uint8 (H, W, 3): BGR, and 255 less the opacity.
    """

    pixels: Picture
    head: tuple[int, int]
    colours: Picture = field(init=False)
    shows_through: Picture = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "colours", np.ascontiguousarray(self.pixels[..., :3]))
        clear = np.ascontiguousarray(np.repeat(255 - self.pixels[..., 3:], 3, axis=2))
        object.__setattr__(self, "shows_through", clear)


def look_of(number: int) -> Look:
    """The look of person `number`: the same number always looks the same."""
    return Look(
        skin=SKINS[number % len(SKINS)],
        hair=HAIRS[(number // 5) % len(HAIRS)],
        shirt=SHIRTS[(number * 7 + number // 8) % len(SHIRTS)],
        long_hair=number % 3 == 0,
    )


def person(look: Look, head_px: float, pose: Pose, hand: int) -> Sprite:
    """Draws a person with a face `head_px` pixels tall; `hand` 0 to 2 moves the writing hand."""
    unit = head_px * OVERSAMPLE
    below = 6.2 if pose is Pose.STANDING else 2.6
    width, above = int(2.9 * unit), int(0.95 * unit)
    canvas = np.zeros((above + int(below * unit), width, 4), np.uint8)
    pen = _Pen(canvas, width / 2, float(above), unit)
    if look.long_hair and pose is not Pose.DOWN:
        pen.ellipse(0, 0.35, 0.56, 0.75, look.hair)
    if pose is Pose.STANDING:
        _legs(pen)
    _torso(pen, look, hand, 3.1 if pose is Pose.STANDING else 2.5)
    if pose is Pose.DOWN:
        _bowed_head(pen, look)
    else:
        _face(pen, look)
    size = (max(1, width // OVERSAMPLE), max(1, canvas.shape[0] // OVERSAMPLE))
    small: Picture = np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return Sprite(small, (size[0] // 2, round(above / OVERSAMPLE)))


def bag(head_px: float) -> Sprite:
    """Draws a bag that lies on a chair; its `head` is where the head of the seat's occupant would be."""
    unit = head_px * OVERSAMPLE
    canvas = np.zeros((int(3.2 * unit), int(2.4 * unit), 4), np.uint8)
    pen = _Pen(canvas, 1.2 * unit, 0.8 * unit, unit)
    pen.ellipse(0, 0.35, 0.35, 0.45, (25, 45, 60))
    pen.polygon(((-0.75, 0.35), (0.75, 0.35), (0.85, 1.9), (-0.85, 1.9)), (40, 70, 110))
    pen.polygon(((-0.55, 0.9), (0.55, 0.9), (0.6, 1.55), (-0.6, 1.55)), (30, 52, 84))
    size = (canvas.shape[1] // OVERSAMPLE, canvas.shape[0] // OVERSAMPLE)
    small: Picture = np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return Sprite(small, (size[0] // 2, round(0.8 * head_px)))


def paste(picture: Picture, sprite: Sprite, x: float, y: float) -> None:
    """Puts a figure on the picture with its head at (x, y), in place; what lies outside is cut off."""
    left, top = round(x) - sprite.head[0], round(y) - sprite.head[1]
    height, width = sprite.pixels.shape[:2]
    x1, y1 = max(0, left), max(0, top)
    x2, y2 = min(picture.shape[1], left + width), min(picture.shape[0], top + height)
    if x1 >= x2 or y1 >= y2:
        return
    part = (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))
    # The colours of a shrunk figure are already weighted by its opacity.
    under = cv2.multiply(picture[y1:y2, x1:x2], sprite.shows_through[part], scale=1 / 255)
    picture[y1:y2, x1:x2] = cv2.add(under, sprite.colours[part])


def chair(picture: Picture, x: float, y: float, head_px: float) -> None:
    """Draws an empty chair's back where a person's torso would be, in place; (x, y) is the head point."""
    left, right = round(x - 0.8 * head_px), round(x + 0.8 * head_px)
    top, bottom = round(y + 0.55 * head_px), round(y + 1.9 * head_px)
    cv2.rectangle(picture, (left, top), (right, bottom), (88, 104, 120), -1, cv2.LINE_AA)
    cv2.rectangle(
        picture, (left, top), (right, bottom), (60, 72, 86), max(1, round(head_px / 24)), cv2.LINE_AA
    )
    for part in (0.33, 0.66):
        level = round(top + (bottom - top) * part)
        cv2.line(
            picture, (left, level), (right, level), (68, 82, 98), max(1, round(head_px / 20)), cv2.LINE_AA
        )


def desk(picture: Picture, x: float, y: float, head_px: float) -> None:
    """Draws the desk with a low screen in front of the person whose head point is (x, y), in place."""

    def at(dx: float, dy: float) -> tuple[int, int]:
        return round(x + dx * head_px), round(y + dy * head_px)

    top = np.array([at(-1.45, 1.75), at(1.45, 1.75), at(1.6, 2.25), at(-1.6, 2.25)], np.int32)
    panel = np.array([at(-1.6, 2.25), at(1.6, 2.25), at(1.6, 2.75), at(-1.6, 2.75)], np.int32)
    cv2.fillPoly(picture, [panel], (96, 132, 160), cv2.LINE_AA)
    cv2.fillPoly(picture, [top], (128, 172, 204), cv2.LINE_AA)
    cv2.polylines(picture, [top], True, (86, 118, 146), 1, cv2.LINE_AA)
    cv2.rectangle(picture, at(-0.5, 1.85), at(0.5, 2.15), (52, 50, 48), -1, cv2.LINE_AA)


@dataclass(frozen=True, slots=True)
class _Pen:
    """Draws in face heights around the middle of the head."""

    canvas: Picture
    x: float
    y: float
    unit: float

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        centre = (round(self.x + x * self.unit), round(self.y + y * self.unit))
        axes = (max(1, round(rx * self.unit)), max(1, round(ry * self.unit)))
        cv2.ellipse(self.canvas, centre, axes, 0, 0, 360, (*colour, 255), -1, cv2.LINE_AA)

    def arc(self, x: float, y: float, rx: float, ry: float, span: tuple[int, int], colour: Colour) -> None:
        centre = (round(self.x + x * self.unit), round(self.y + y * self.unit))
        axes = (max(1, round(rx * self.unit)), max(1, round(ry * self.unit)))
        thick = max(1, round(0.03 * self.unit))
        cv2.ellipse(self.canvas, centre, axes, 0, *span, (*colour, 255), thick, cv2.LINE_AA)

    def polygon(self, points: tuple[tuple[float, float], ...], colour: Colour) -> None:
        corners = [[round(self.x + x * self.unit), round(self.y + y * self.unit)] for x, y in points]
        cv2.fillPoly(self.canvas, [np.array(corners, np.int32)], (*colour, 255), cv2.LINE_AA)


def _shade(colour: Colour, part: float) -> Colour:
    return int(colour[0] * part), int(colour[1] * part), int(colour[2] * part)


def _legs(pen: _Pen) -> None:
    trousers = (62, 54, 50)
    pen.polygon(((-0.62, 3.0), (-0.05, 3.0), (-0.1, 6.0), (-0.55, 6.0)), trousers)
    pen.polygon(((0.05, 3.0), (0.62, 3.0), (0.55, 6.0), (0.1, 6.0)), trousers)


def _torso(pen: _Pen, look: Look, hand: int, low: float) -> None:
    shirt = look.shirt
    pen.polygon(((-0.2, 0.3), (0.2, 0.3), (0.24, 0.85), (-0.24, 0.85)), _shade(look.skin, 0.82))
    pen.ellipse(0, 1.05, 0.92, 0.36, shirt)
    pen.polygon(((-0.92, 1.0), (0.92, 1.0), (0.8, low), (-0.8, low)), shirt)
    pen.polygon(((-0.3, 0.72), (0.3, 0.72), (0, 1.05)), _shade(shirt, 0.7))
    reach = (-0.12, 0.0, 0.14)[hand % 3]
    sleeve = _shade(shirt, 0.85)
    pen.polygon(((-0.95, 1.05), (-0.62, 1.05), (-0.5, 1.8), (-0.85, 1.85)), sleeve)
    pen.polygon(((0.62, 1.05), (0.95, 1.05), (0.8 + reach, 1.85), (0.5 + reach, 1.8)), sleeve)
    pen.ellipse(-0.55, 1.85, 0.17, 0.12, look.skin)
    pen.ellipse(0.5 + reach, 1.86, 0.17, 0.12, look.skin)


def _bowed_head(pen: _Pen, look: Look) -> None:
    """A head bent over the desk: hair from above, a strip of forehead, no face to find."""
    pen.ellipse(0, 0.62, 0.36, 0.3, _shade(look.skin, 0.8))
    pen.ellipse(0, 0.32, 0.47, 0.5, look.hair)
    pen.ellipse(-0.1, 0.16, 0.2, 0.16, _shade(look.hair, 1.5))


def _face(pen: _Pen, look: Look) -> None:
    skin, hair = look.skin, look.hair
    shade, line = _shade(skin, 0.82), _shade(skin, 0.62)
    pen.ellipse(0, -0.1, 0.44, 0.52, hair)
    for side in (-1, 1):
        pen.ellipse(side * 0.39, 0.02, 0.055, 0.1, shade)
    pen.ellipse(0, 0.03, 0.375, 0.48, skin)
    pen.ellipse(0, -0.36, 0.36, 0.16, hair)
    for side in (-1, 1):
        eye = side * 0.165
        pen.ellipse(eye, -0.03, 0.094, 0.055, shade)
        pen.ellipse(eye, -0.03, 0.074, 0.04, (235, 235, 235))
        pen.ellipse(eye, -0.03, 0.035, 0.042, (25, 25, 30))
        pen.arc(eye, -0.05, 0.086, 0.04, (180, 360), line)
        pen.arc(eye, -0.13, 0.1, 0.035, (190, 350), hair)
    pen.polygon(((-0.015, -0.02), (0.055, 0.16), (-0.047, 0.17)), shade)
    for side in (-1, 1):
        pen.ellipse(side * 0.04, 0.16, 0.023, 0.014, line)
    pen.ellipse(0, 0.28, 0.133, 0.045, MOUTH)
    pen.ellipse(0, 0.275, 0.133, 0.01, (50, 50, 110))
    pen.ellipse(0, 0.42, 0.156, 0.03, shade)
