"""What a technician is advised about a camera, from what was measured of it."""

from __future__ import annotations

from dataclasses import dataclass

# One sample a second is wanted; findings are held for seconds, so a slower picture finds later.
SLOW_S = 3.0
LATE_S = 3.0
# YuNet finds faces of 15 pixels and more; smaller ones are not counted (measured in docs/measured.md).
FACE_LEAST_PX = 18.0
LARGE, SMALL = 1920, 640
SURE_LEAST = 0.5


@dataclass(frozen=True, slots=True)
class Measured:
    """A camera as it is: `interval_s` and `delay_s` None before it was measured; `picture` its size in pixels.

    `face_px` is the smallest expected face at the size of its pictures, None without seats; `unsure` counts
    seats whose sureness is below 0.5.
    """

    online: bool
    trouble: str
    interval_s: float | None
    delay_s: float | None
    picture: tuple[int, int]
    seats: int
    unsure: int
    references: int
    face_px: float | None


@dataclass(frozen=True, slots=True)
class Advice:
    """One piece of advice: a text's code, its facts, and whether the camera cannot do its work without it."""

    code: str
    facts: dict[str, float | int | str]
    grave: bool = False


def advice(camera: Measured) -> tuple[Advice, ...]:
    """Everything worth changing, what is grave first."""
    found: list[Advice] = []
    if camera.trouble:
        found.append(Advice("camera-advice-trouble", {"reason": camera.trouble}, grave=True))
    elif not camera.online:
        found.append(Advice("camera-advice-silent", {}, grave=True))
    if not camera.seats:
        found.append(Advice("camera-advice-no-seats", {}, grave=True))
    if not camera.references:
        found.append(Advice("camera-advice-no-reference", {}, grave=True))
    if camera.unsure:
        found.append(Advice("camera-advice-unsure", {"count": camera.unsure, "seats": camera.seats}))
    if camera.interval_s is not None and camera.interval_s > SLOW_S:
        found.append(Advice("camera-advice-slow", {"seconds": camera.interval_s, "most": SLOW_S}))
    if camera.delay_s is not None and camera.delay_s > LATE_S:
        found.append(Advice("camera-advice-late", {"seconds": camera.delay_s, "most": LATE_S}))
    width, height = camera.picture
    if width > LARGE:
        found.append(Advice("camera-advice-large", {"width": width, "height": height}))
    if 0 < width < SMALL:
        found.append(Advice("camera-advice-small", {"width": width, "height": height}))
    if camera.face_px is not None and camera.face_px < FACE_LEAST_PX:
        found.append(
            Advice("camera-advice-faces", {"pixels": round(camera.face_px), "least": int(FACE_LEAST_PX)})
        )
    return tuple(sorted(found, key=lambda one: not one.grave))
