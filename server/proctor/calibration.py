"""Sets up a camera: empty references from pictures taken before entry, and what has changed since.

A set-up is one folder file `<camera>.toml` with the layout and the names of its reference pictures beside it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from server.errors import BadInput
from server.proctor.evidence import Picture
from server.proctor.proposals import Change
from server.proctor.seats import CameraLayout, layout_from_table, layout_to_table

# A cell of the picture has changed when its structure is unlike the empty room's, or its light by so many levels.
TEXTURE_STD, ALIKE_LEAST, MEAN_CHANGE = 8.0, 0.5, 28.0


@dataclass(frozen=True, slots=True)
class CameraSetup:
    """What a worker needs of one camera: layout, and grey references of the empty room (possibly none)."""

    layout: CameraLayout
    references: tuple[Picture, ...]


def empty_reference(pictures: Sequence[Picture]) -> Picture:
    """The median of pictures of the empty room, grey: who walks through in some of them is not in it.

    Raises:
        ValueError: fewer than three pictures, or of different sizes.
    """
    if len(pictures) < 3:
        raise ValueError("a reference is made of at least three pictures")
    if len({picture.shape for picture in pictures}) != 1:
        raise ValueError("the pictures have different sizes")
    return np.asarray(np.median(np.stack([grey(picture) for picture in pictures]), axis=0), dtype=np.uint8)


def grey(picture: Picture) -> Picture:
    """A picture, colour (BGR) or grey, in grey."""
    return (
        picture
        if picture.ndim == 2
        else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    )


def save_setup(folder: Path, setup: CameraSetup) -> Path:
    """Writes `<camera>.toml` and its references as PNG into the folder; returns the path of the TOML file."""
    folder.mkdir(parents=True, exist_ok=True)
    camera = setup.layout.camera_id
    if not camera or Path(camera).name != camera:
        raise BadInput("camera-id-wrong", camera=camera)
    names = []
    for number, reference in enumerate(setup.references, start=1):
        name = f"{camera}-empty-{number}.png"
        if not cv2.imwrite(str(folder / name), reference):
            raise OSError(f"{name} could not be written")
        names.append(name)
    path = folder / f"{camera}.toml"
    write_layout(path, setup.layout, names)
    return path


def write_layout(path: Path, layout: CameraLayout, references: Sequence[str]) -> None:
    """Writes a set-up file in place of the old one at once: a reader finds the one or the other whole."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(layout_toml(layout, references), encoding="utf-8")
    new.replace(path)


def layout_toml(layout: CameraLayout, references: Sequence[str]) -> str:
    """The text of a set-up file."""
    return _toml(layout_to_table(layout), references)


def load_setup(path: Path) -> CameraSetup:
    """Reads what `save_setup` wrote, or a person did.

    Raises:
        BadInput: the file is missing or wrong (`seats-unreadable`), or a reference is
        (`reference-unreadable`).
    """
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        names = table.pop("references", [])
        layout = layout_from_table(table)
    except (OSError, ValueError) as error:
        raise BadInput("seats-unreadable", path=str(path), reason=str(error)) from error
    references = []
    for name in names:
        read: Any = cv2.imread(str(path.parent / str(name)), cv2.IMREAD_GRAYSCALE)
        if read is None or read.shape != (layout.height, layout.width):
            raise BadInput("reference-unreadable", path=str(path.parent / str(name)))
        references.append(np.asarray(read, dtype=np.uint8))
    return CameraSetup(layout, tuple(references))


def grey_of(jpeg: bytes, size: tuple[int, int] | None = None) -> Picture | None:
    """The picture of a JPEG in grey, brought to `size` (width, height) if given; None where it cannot be read."""
    data = np.frombuffer(jpeg, np.uint8)
    read: Any = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None
    if read is None:
        return None
    if size is not None and (read.shape[1], read.shape[0]) != size:
        read = cv2.resize(read, size, interpolation=cv2.INTER_AREA)
    return np.asarray(read, dtype=np.uint8)


class ChangedPlaces:
    """Where a camera's picture has differed from the empty room, and since when without a break.

    Looked at on a grid of 64 x 36 cells, each by its structure, so that a change of light is none.
    """

    ACROSS, DOWN, CELL = 64, 36, 8

    def __init__(self, reference: Picture) -> None:
        self._size = (int(reference.shape[1]), int(reference.shape[0]))
        self._reference = self._cells(reference)
        self._since: list[datetime | None] = [None] * (self.ACROSS * self.DOWN)

    def add(self, grey: Picture, at: datetime) -> None:
        """Takes a grey picture of any size."""
        changed = self._changed(self._cells(grey))
        for index, on in enumerate(changed):
            if not on:
                self._since[index] = None
            elif self._since[index] is None:
                self._since[index] = at

    def changes(self) -> tuple[Change, ...]:
        """The places that differ now, in pixels of the reference."""
        width, height = self._size
        return tuple(
            Change(
                (index % self.ACROSS + 0.5) * width / self.ACROSS,
                (index // self.ACROSS + 0.5) * height / self.DOWN,
                since,
            )
            for index, since in enumerate(self._since)
            if since is not None
        )

    def _cells(self, grey: Picture) -> NDArray[np.float32]:
        """float32 (cells, 64): the pixels of each cell."""
        size = (self.ACROSS * self.CELL, self.DOWN * self.CELL)
        small = cv2.GaussianBlur(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), (3, 3), 0)
        cells = small.reshape(self.DOWN, self.CELL, self.ACROSS, self.CELL).swapaxes(1, 2)
        return np.asarray(cells.reshape(-1, self.CELL * self.CELL), dtype=np.float32)

    def _changed(self, now: NDArray[np.float32]) -> NDArray[np.bool_]:
        then = self._reference
        gain = float(np.clip(np.median(now.mean(axis=1) / np.maximum(1.0, then.mean(axis=1))), 0.3, 3.5))
        here, there = now - now.mean(axis=1, keepdims=True), then - then.mean(axis=1, keepdims=True)
        spread_now, spread_then = here.std(axis=1), there.std(axis=1)
        alike = (here * there).mean(axis=1) / np.maximum(1e-3, spread_now * spread_then)
        textured = np.maximum(spread_now, spread_then) > TEXTURE_STD
        moved = np.abs(now.mean(axis=1) - gain * then.mean(axis=1)) > MEAN_CHANGE
        return np.asarray((textured & (alike < ALIKE_LEAST)) | moved)


def _toml(table: dict[str, Any], references: Sequence[str]) -> str:
    """The layout as TOML; JSON's strings, numbers and lists are TOML's too."""

    def line(name: str, value: Any) -> str:
        return f"{name} = {json.dumps(value, ensure_ascii=False)}"

    lines = [line(name, table[name]) for name in ("camera", "room", "width", "height", "staff_zones")]
    lines.append(line("references", list(references)))
    for seat in table["seats"]:
        lines += ["", "[[seats]]", *(line(name, value) for name, value in seat.items())]
    return "\n".join(lines) + "\n"
