"""Runs the stages over stored pictures, and measures them against labelled ones.

`analyse` writes what every stage said of every sample. `evaluate` prints recall by face height, false
positives, seat errors and alarm precision; faces are measured as boxes in pictures letterboxed to 1280 x
720, matched at IoU 0.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from server.errors import BadInput
from server.proctor import capture
from server.proctor.anomalies import CameraMemory, RoomExpectation, SeatExpectation, SeatStatus, compare
from server.proctor.calibration import empty_reference, load_setup
from server.proctor.capture import SourceConfig, stored_pictures
from server.proctor.detection import FaceDetector, create_detector, detect
from server.proctor.evidence import Frame, Picture, RoomSample, SeatState
from server.proctor.pipeline import CameraPipeline
from server.proctor.seats import CameraLayout, SeatRegion
from server.proctor.worker import message_of

WIDTH, HEIGHT = 1280, 720
IOU = 0.4
BINS: tuple[tuple[float, float], ...] = ((10, 15), (15, 25), (25, 40), (40, 80), (80, float("inf")))
LEAST_HEIGHT = 15.0
START = datetime(1970, 1, 1, tzinfo=UTC)

Boxes = NDArray[np.float64]


# ---------------------------------------------------------------- analyse


def analyse(
    path: Path,
    setup: Path | None = None,
    detector: str = "yunet",
    options: Mapping[str, float] | None = None,
    every_s: float = 1.0,
    writing: bool = True,
) -> Iterator[dict[str, Any]]:
    """For each sample of a video file or a folder of pictures: quality, faces, seat states, anomalies, as
    plain values.

    `setup` is the camera's TOML file with seats and references; without it only faces and quality are told.
    `writing` takes every seat as one whose candidate should be writing.

    Raises:
        BadInput: the path or the set-up cannot be read.
    """
    kind = "folder" if path.is_dir() else "file"
    config = SourceConfig(kind=kind, at=str(path), every_s=every_s)
    found = create_detector(detector, options)
    stages: CameraPipeline | None = None
    memory = CameraMemory()
    for captured in stored_pictures(config):
        picture = captured.picture()
        if picture is None:
            continue
        if stages is None:
            stages = _stages(setup, path, picture, found)
            status = SeatStatus.WRITING if writing else SeatStatus.NOT_DUE
            seats = tuple(SeatExpectation(seat.seat, status) for seat in stages.layout.seats)
            expected = RoomExpectation(stages.layout.room_id, seats)
        sample = stages.process(picture, captured.captured_at)
        if sample is None:
            continue
        outcome = compare(memory, sample, expected)
        memory = outcome.memory
        line: dict[str, Any] = msgspec.to_builtins(message_of(sample))
        line["raised"] = [
            {"key": a.key, "kind": a.kind.value, "seat": a.seat, "score": a.score, "facts": dict(a.facts)}
            for a in outcome.raised
        ]
        line["ended"] = [{"key": e.key, "at": e.ended_at.isoformat()} for e in outcome.ended]
        yield line


def _stages(setup: Path | None, path: Path, first: Picture, detector: FaceDetector) -> CameraPipeline:
    if setup is not None:
        read = load_setup(setup)
        return CameraPipeline(read.layout, read.references, detector)
    layout = CameraLayout(path.stem, path.stem, first.shape[1], first.shape[0], ())
    return CameraPipeline(layout, (), detector)


# ---------------------------------------------------------------- evaluate


class LabelledFace(msgspec.Struct, frozen=True):
    """One labelled face in source pixels; `eval` false marks one that is neither hit nor miss."""

    box_xywh: tuple[float, float, float, float]
    eval: bool = True


class LabelledItem(msgspec.Struct, frozen=True):
    """One picture with faces, or one clip with seats (x1, y1, x2, y2) and the frames they are labelled in."""

    file: str
    faces: tuple[LabelledFace, ...] | None = None
    seats: dict[str, tuple[float, float, float, float]] = msgspec.field(default_factory=dict)
    occupied_frames: tuple[tuple[int, int], ...] = ()
    empty_frames: tuple[tuple[int, int], ...] = ()
    people_count: int | None = None


class Manifest(msgspec.Struct, frozen=True):
    """A list of labelled pictures and clips; files are named relative to the manifest."""

    items: tuple[LabelledItem, ...]


@dataclass(frozen=True, slots=True)
class FaceScore:
    """Recall by face height and false positives. `found` and `total` count faces of each bin of BINS."""

    pictures: int
    found: tuple[int, ...]
    total: tuple[int, ...]
    false_positives: int

    @property
    def recall(self) -> float:
        """Share of faces of at least 15 pixels that were found; 0 without any."""
        return sum(self.found[1:]) / max(1, sum(self.total[1:]))

    @property
    def false_per_picture(self) -> float:
        """Boxes that match no labelled face, by picture."""
        return self.false_positives / max(1, self.pictures)


@dataclass(frozen=True, slots=True)
class SeatScore:
    """Samples by what they were labelled and what was said: UNKNOWN is counted on its own."""

    clip: str
    occupied: int
    occupied_missed: int
    empty: int
    empty_missed: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a manifest's evaluation found."""

    faces: FaceScore
    seats: tuple[SeatScore, ...]


def evaluate(
    manifest: Path,
    detector: str = "yunet",
    options: Mapping[str, float] | None = None,
    most: int | None = None,
    clips: bool = True,
) -> Evaluation:
    """Measures faces on the manifest's pictures (the first `most` of them, or all) and seats on its clips.

    Raises:
        BadInput: the manifest is not of the form (`manifest-wrong`), or a file in it cannot be read.
    """
    try:
        labelled = msgspec.json.decode(manifest.read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput("manifest-wrong", path=str(manifest), reason=str(error)) from error
    found = create_detector(detector, options)
    pictures = [item for item in labelled.items if item.faces is not None][:most]
    films = [item for item in labelled.items if clips and (item.occupied_frames or item.empty_frames)]
    faces = face_score(((manifest.parent / item.file, item.faces or ()) for item in pictures), found)
    seats = tuple(seat_score(manifest.parent / item.file, item, found) for item in films)
    return Evaluation(faces, seats)


def face_score(pictures: Iterator[tuple[Path, Sequence[LabelledFace]]], detector: FaceDetector) -> FaceScore:
    """Finds the faces of each picture, letterboxed to 1280 x 720, and matches them with the labelled ones."""
    found, total = [0] * len(BINS), [0] * len(BINS)
    false = count = 0
    for path, faces in pictures:
        source = capture.decode(path.read_bytes()) if path.is_file() else None
        if source is None:
            raise BadInput("source-unreadable", at=str(path))
        picture, scale, left, top = letterbox(source)
        frame = Frame("evaluation", "evaluation", START, WIDTH, HEIGHT)
        boxes = detect(detector, picture, frame).boxes.astype(np.float64)
        truth = np.array([_corners(face.box_xywh) for face in faces], np.float64).reshape(-1, 4)
        truth = truth * scale + np.array([left, top, left, top])
        hits, extra = match(boxes, truth, [face.eval for face in faces])
        false += extra
        count += 1
        for index, face in enumerate(faces):
            tall = truth[index, 3] - truth[index, 1]
            for number, (low, high) in enumerate(BINS):
                if face.eval and low <= tall < high:
                    total[number] += 1
                    found[number] += index in hits
    return FaceScore(count, tuple(found), tuple(total), false)


def match(boxes: Boxes, truth: Boxes, counts: Sequence[bool]) -> tuple[frozenset[int], int]:
    """Which labelled faces are found, best overlap first and each box once; and how many boxes match nothing.

    A box on a face that does not count is no false positive.
    """
    overlap = _iou(boxes, truth)
    hits: set[int] = set()
    used: set[int] = set()
    order = (
        np.dstack(np.unravel_index(np.argsort(-overlap, axis=None), overlap.shape))[0] if overlap.size else []
    )
    for box, face in ((int(b), int(f)) for b, f in order):
        if overlap[box, face] < IOU:
            break
        if box not in used and face not in hits and counts[face]:
            hits.add(face)
            used.add(box)
    ignored = [i for i, counted in enumerate(counts) if not counted]
    extra = 0
    for box in range(len(boxes)):
        if box not in used and not (ignored and overlap[box, ignored].max() >= IOU):
            extra += 1
    return frozenset(hits), extra


def letterbox(source: Picture) -> tuple[Picture, float, float, float]:
    """The picture brought whole into 1280 x 720 with black borders; then scale and the left and top border."""
    height, width = source.shape[:2]
    scale = min(WIDTH / width, HEIGHT / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(source, size, interpolation=smooth)
    left, top = (WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2
    out = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    out[top : top + size[1], left : left + size[0]] = small
    return out, scale, float(left), float(top)


def seat_score(path: Path, item: LabelledItem, detector: FaceDetector, every: int = 10) -> SeatScore:
    """Reads a clip at every tenth frame; its references are the frames of the first labelled empty stretch."""
    frames = list(_numbered(path, every))
    first_empty = min(item.empty_frames, default=None)
    if first_empty is None:
        raise BadInput("manifest-wrong", path=str(path), reason="no labelled empty frames")
    empties = [picture for number, _, picture in frames if first_empty[0] <= number <= first_empty[1]]
    reference = empty_reference(empties)
    layout = _box_layout(item, reference)
    stages = CameraPipeline(layout, (reference,), detector)
    counts = dict.fromkeys(("occupied", "occupied_missed", "empty", "empty_missed", "unknown"), 0)
    for number, moment, picture in frames:
        sample = stages.process(picture, moment)
        label = _label(item, number)
        if sample is None or label is None:
            continue
        for reading in sample.seats:
            _count(counts, label, reading.state, sample)
    return SeatScore(clip=path.name, **counts)


def _count(counts: dict[str, int], label: str, state: SeatState, sample: RoomSample) -> None:
    counts[label] += 1
    if state is SeatState.UNKNOWN:
        counts["unknown"] += 1
    elif (state in (SeatState.OCCUPIED, SeatState.CROWDED)) != (label == "occupied"):
        counts[f"{label}_missed"] += 1


def _numbered(path: Path, every: int) -> Iterator[tuple[int, datetime, Picture]]:
    """Frame number, time and picture of every `every`-th frame of a clip; the others are decoded but not
    converted.
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate or 10)
            for number, picture in enumerate(container.decode(stream)):
                if number % every == 0:
                    pixels = np.asarray(picture.to_ndarray(format="bgr24"), dtype=np.uint8)
                    yield number, START + timedelta(seconds=number / rate), pixels
    except (OSError, av.FFmpegError, IndexError) as error:
        raise BadInput("source-unreadable", at=str(path), reason=str(error)) from error


def _box_layout(item: LabelledItem, reference: Picture) -> CameraLayout:
    """Seats of a clip whose labels are boxes: the head is expected in the upper quarter, a quarter as tall."""
    seats = []
    for name, (x1, y1, x2, y2) in item.seats.items():
        head = (y2 - y1) / 4
        corners = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
        seats.append(SeatRegion(name, corners, ((x1 + x2) / 2, y1 + head / 2), head))
    return CameraLayout("evaluation", "evaluation", reference.shape[1], reference.shape[0], tuple(seats))


def _label(item: LabelledItem, number: int) -> str | None:
    if any(first <= number <= last for first, last in item.occupied_frames):
        return "occupied"
    if any(first <= number <= last for first, last in item.empty_frames):
        return "empty"
    return None


def _corners(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x, y, width, height = box
    return x, y, x + width, y + height


def _iou(one: Boxes, other: Boxes) -> Boxes:
    """float64 (N, M): overlap of every box with every other."""
    corner = np.maximum(one[:, None, :2], other[None, :, :2])
    end = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(end - corner, 0, None).prod(axis=2)
    area_one = (one[:, 2:] - one[:, :2]).prod(axis=1)
    area_other = (other[:, 2:] - other[:, :2]).prod(axis=1)
    out: Boxes = shared / np.maximum(1e-9, area_one[:, None] + area_other[None, :] - shared)
    return out


def report(evaluation: Evaluation) -> str:
    """The evaluation as a table of text for the terminal."""
    faces = evaluation.faces
    lines = [f"faces: {faces.pictures} pictures, IoU {IOU}"]
    for (low, high), found, total in zip(BINS, faces.found, faces.total, strict=True):
        share = f"{found / total:.3f}" if total else "    -"
        upper = "" if high == float("inf") else f"-{high:.0f}"
        lines.append(f"  {low:.0f}{upper:<4} px  recall {share}  ({found} of {total})")
    lines.append(
        f"  >= {LEAST_HEIGHT:.0f} px recall {faces.recall:.3f}, {faces.false_per_picture:.2f} false a picture"
    )
    for clip in evaluation.seats:
        lines.append(
            f"seats: {clip.clip}: occupied missed {clip.occupied_missed} of {clip.occupied}, "
            f"empty missed {clip.empty_missed} of {clip.empty}, unknown {clip.unknown}"
        )
    return "\n".join(lines)
