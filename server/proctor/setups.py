"""A camera's set-ups in versions: seats that a person saved, references that were taken, and the files that
workers read.

Every version is kept and journalled; the newest holds. The file `<data>/proctor/setups/<camera>.toml` is made
from it, and a running worker takes a new one up by itself. A camera without a saved version has the set-up of
the settings, if any.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cv2
import msgspec
import numpy as np
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.errors import BadInput, NotFound, Refusal, Refused
from server.proctor import store
from server.proctor.calibration import write_layout
from server.proctor.evidence import Picture
from server.proctor.models import CameraRow, SeatRegionRow, SetupRow
from server.proctor.seats import CameraLayout, layout_from_table, layout_to_table
from server.protocol.wall import SeatOutline, WallCamera

MOST_REFERENCES = 4
"""References of one camera: the empty room in its usual lights."""


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A grey picture of the empty room: its file's name and SHA-256 (hex), when it was taken (UTC), its light
    as a person named it.
    """

    name: str
    sha256: str
    taken_at: datetime
    light: str


@dataclass(frozen=True, slots=True)
class SavedSetup:
    """One version of a camera's set-up."""

    camera: str
    version: int
    saved_at: datetime
    saved_by: str
    layout: CameraLayout
    references: tuple[Reference, ...]


def setups_folder(data: Path) -> Path:
    """Where the files of set-ups are."""
    return data / "proctor" / "setups"


def setup_file(data: Path, camera: str) -> Path:
    """The file of a camera's saved set-up, there or not; BadInput where the id cannot name a file."""
    if not camera or Path(camera).name != camera:
        raise BadInput("camera-id-wrong", camera=camera)
    return setups_folder(data) / f"{camera}.toml"


def removal_refusal(
    before: CameraLayout, after: CameraLayout, *, seated: bool, technician: bool
) -> Refusal | None:
    """Why somebody who does not lead the exam may not save `after` over `before`, for a seat that leaves the set-up is
    watched no more. `seated`: somebody is checked in or writes in the room. None where it may be saved."""
    removed = _removed(before, after)
    if removed and seated:
        return Refusal("setup-seats-removed", facts={"seats": ", ".join(removed)})
    if removed and not after.seats and not technician:
        return Refusal("setup-empty")
    return None


def _removed(before: CameraLayout, after: CameraLayout) -> list[str]:
    kept = {seat.seat for seat in after.seats}
    return [seat.seat for seat in before.seats if seat.seat not in kept]


async def newest(session: AsyncSession, camera: str) -> SavedSetup | None:
    """The camera's newest saved set-up; None before the first."""
    row = await session.scalar(
        select(SetupRow).where(SetupRow.camera == camera).order_by(SetupRow.version.desc()).limit(1)
    )
    return None if row is None else _saved(row)


async def of_all(session: AsyncSession) -> dict[str, SavedSetup]:
    """The newest saved set-up of every camera that has one."""
    rows = await session.scalars(select(SetupRow).order_by(SetupRow.camera, SetupRow.version))
    return {row.camera: _saved(row) for row in rows}


async def save(
    act: Act, data: Path, base: int, layout: CameraLayout, references: Sequence[Reference]
) -> SavedSetup:
    """Stores a new version and journals it; after the commit the caller calls `publish`.

    `base` is the version that the person saw.

    Raises:
        NotFound: no such camera (`camera-unknown`).
        BadInput: the layout is for another room (`seats-other-camera`) or a reference of another size
            (`reference-unreadable`); too many references (`references-many`).
        Refused: somebody saved another version meanwhile (`setup-newer`).
    """
    camera = await act.session.get(CameraRow, layout.camera_id)
    if camera is None:
        raise NotFound("camera-unknown", camera=layout.camera_id)
    if camera.room != layout.room_id:
        raise BadInput("seats-other-camera", path=layout.camera_id, camera=camera.id, room=camera.room)
    if len(references) > MOST_REFERENCES:
        raise BadInput("references-many", most=MOST_REFERENCES)
    for reference in references:
        _read(data, reference, layout)
    before = await newest(act.session, layout.camera_id)
    version = 0 if before is None else before.version
    if base != version:
        raise Refused(Refusal("setup-newer", facts={"version": version}))
    kept = tuple(references)
    act.session.add(
        SetupRow(
            camera=layout.camera_id,
            version=version + 1,
            saved_at=act.now,
            saved_by=act.actor,
            layout=msgspec.json.encode(layout_to_table(layout)).decode(),
            references=msgspec.json.encode(kept).decode(),
        )
    )
    shown = store.Camera(camera.id, camera.room, camera.kind, camera.source, layout.width, layout.height)
    await store.put_camera(act.session, shown, layout, act.now)
    await act.record(
        "proctor:setup:saved",
        {
            "camera": layout.camera_id,
            "version": version + 1,
            "seats": [seat.seat for seat in layout.seats],
            "removed": [] if before is None else _removed(before.layout, layout),
            "layout": hashlib.sha256(msgspec.json.encode(layout_to_table(layout))).hexdigest(),
            "references": [reference.sha256 for reference in kept],
        },
    )
    return SavedSetup(layout.camera_id, version + 1, act.now, act.actor, layout, kept)


def publish(data: Path, setup: SavedSetup) -> Path:
    """Writes the file that workers read; call it after the commit. Idempotent."""
    path = setup_file(data, setup.camera)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_layout(path, setup.layout, [reference.name for reference in setup.references])
    return path


def keep_reference(data: Path, camera: str, picture: Picture, at: datetime, light: str) -> Reference:
    """Writes a grey reference beside the set-ups; the same picture is written once.

    Raises:
        BadInput: the picture is not grey.
        OSError: it cannot be written.
    """
    if picture.ndim != 2:
        raise BadInput("reference-unreadable", path=camera)
    done, data_png = cv2.imencode(".png", picture)
    if not done:
        raise OSError(f"a reference of {camera} could not be encoded")
    png = np.asarray(data_png).tobytes()
    sha256 = hashlib.sha256(png).hexdigest()
    path = setup_file(data, camera).with_name(f"{camera}-{sha256[:16]}.png")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(png)
        new.replace(path)
    return Reference(path.name, sha256, at, light)


def read_references(data: Path, setup: SavedSetup) -> tuple[Picture, ...]:
    """The grey pictures of a set-up's references; BadInput where one is missing or was changed."""
    return tuple(_read(data, reference, setup.layout) for reference in setup.references)


def _read(data: Path, reference: Reference, layout: CameraLayout) -> Picture:
    path = setups_folder(data) / Path(reference.name).name
    try:
        png = path.read_bytes()
    except OSError as error:
        raise BadInput("reference-unreadable", path=reference.name) from error
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if (
        hashlib.sha256(png).hexdigest() != reference.sha256
        or picture is None
        or picture.shape != (layout.height, layout.width)
    ):
        raise BadInput("reference-unreadable", path=reference.name)
    return np.asarray(picture, dtype=np.uint8)


def _saved(row: SetupRow) -> SavedSetup:
    return SavedSetup(
        camera=row.camera,
        version=row.version,
        saved_at=row.saved_at,
        saved_by=row.saved_by,
        layout=layout_from_table(msgspec.json.decode(row.layout)),
        references=msgspec.json.decode(row.references, type=tuple[Reference, ...]),
    )


async def on_wall(session: AsyncSession) -> tuple[WallCamera, ...]:
    """All cameras with their seats as they are used now, by room and id."""
    found = select(SetupRow.camera, func.max(SetupRow.version)).group_by(SetupRow.camera)
    versions = {row[0]: int(row[1]) for row in await session.execute(found)}
    outlines: dict[str, list[SeatOutline]] = {}
    for row in await session.scalars(select(SeatRegionRow).order_by(SeatRegionRow.id)):
        table = msgspec.json.decode(row.region)
        polygon = tuple((float(x), float(y)) for x, y in table["polygon"])
        outlines.setdefault(row.camera, []).append(
            SeatOutline(seat=row.seat, polygon=polygon, sureness=row.sureness)
        )
    return tuple(
        WallCamera(
            id=camera.id,
            room=camera.room,
            width=camera.width,
            height=camera.height,
            version=versions.get(camera.id, 0),
            seats=tuple(outlines.get(camera.id, ())),
        )
        for camera in await store.cameras(session)
    )
