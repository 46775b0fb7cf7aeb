"""Makes a camera's set-up from stored pictures: the room as it filled, and the empty room before."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from server.errors import BadInput
from server.proctor.calibration import CameraSetup, ChangedPlaces, empty_reference, grey
from server.proctor.capture import SourceConfig, stored_pictures
from server.proctor.detection import FaceDetector, detect
from server.proctor.evidence import Frame, Picture
from server.proctor.gathering import Gathering
from server.proctor.proposals import Numbering, Proposal, propose
from server.proctor.seats import CameraLayout

MOST_EMPTY = 30


@dataclass(frozen=True, slots=True)
class StoredRoom:
    """What a set-up is made from. `seated` may be empty: then every seat is taken for occupied.

    `known` are the numberings in question, none for all; `empty` is a folder or film of the empty room.
    """

    camera: str
    room: str
    seats: tuple[str, ...]
    seated: Mapping[str, datetime]
    known: tuple[Numbering, ...]
    empty: Path | None
    every_s: float = 2.0


def setup_from_pictures(path: Path, room: StoredRoom, detector: FaceDetector) -> tuple[CameraSetup, Proposal]:
    """The set-up that the pictures of a filling room propose; a person looks at it before it is used.

    Raises:
        BadInput: the pictures cannot be read (`source-unreadable`), or too few people were seen
        (`proposal-too-few`).
    """
    references = () if room.empty is None else (_empty(room.empty, room.every_s),)
    changed = ChangedPlaces(references[0]) if references else None
    gathering = Gathering()
    for captured in stored_pictures(_source(path, room.every_s)):
        picture = captured.picture()
        if picture is None:
            continue
        size = (int(picture.shape[1]), int(picture.shape[0]))
        seen = detect(detector, picture, Frame(room.camera, room.room, captured.captured_at, *size))
        faces = [
            (float(x1), float(y1), float(x2), float(y2), float(score))
            for (x1, y1, x2, y2), score in zip(seen.boxes, seen.scores, strict=True)
        ]
        gathering.add(size, captured.captured_at, faces)
        if changed is not None:
            changed.add(grey(picture), captured.captured_at)
    changes = () if changed is None else changed.changes()
    made = propose(gathering.size, room.seats, room.seated, gathering.tracks(), changes, room.known)
    if not made.seats:
        people = sum(track.stayed for track in gathering.tracks())
        raise BadInput("proposal-too-few", people=people, seats=len(room.seats))
    layout = CameraLayout(room.camera, room.room, *gathering.size, tuple(one.region for one in made.seats))
    if references and references[0].shape != (layout.height, layout.width):
        raise BadInput("reference-unreadable", path=str(room.empty))
    return CameraSetup(layout, references), made


def check_ins(path: Path, seats: Sequence[str]) -> dict[str, datetime]:
    """When each seat was checked in: a CSV of seat and time (ISO 8601 with zone), no header.

    Raises:
        BadInput: a line is not of the form, or names a seat that is none (`check-ins-wrong`).
    """
    found: dict[str, datetime] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for number, line in enumerate(csv.reader(lines), start=1):
                seat, moment = (word.strip() for word in line)
                at = datetime.fromisoformat(moment)
                if seat not in seats or at.tzinfo is None:
                    raise ValueError(f"line {number}")
                found[seat] = at.astimezone(UTC)
    except (OSError, ValueError) as error:
        raise BadInput("check-ins-wrong", path=str(path), reason=str(error)) from error
    return found


def _empty(path: Path, every_s: float) -> Picture:
    pictures: list[Picture] = []
    for captured in stored_pictures(_source(path, every_s)):
        picture = captured.picture()
        if picture is not None:
            pictures.append(grey(picture))
        if len(pictures) == MOST_EMPTY:
            break
    try:
        return empty_reference(pictures)
    except ValueError as error:
        raise BadInput("reference-unreadable", path=str(path)) from error


def _source(path: Path, every_s: float) -> SourceConfig:
    return SourceConfig(kind="folder" if path.is_dir() else "file", at=str(path), every_s=every_s)
