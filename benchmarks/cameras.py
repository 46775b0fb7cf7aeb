"""One picture through the camera pipeline: `python -m benchmarks.cameras [--quick]`.

A drawn hall of 30 seats (the simulation that ships with the programme), everybody present, one picture a second as
JPEG of 1280 x 720. Each stage's CPU milliseconds a picture stand beside those of decoding the same JPEG, in the
same run and on one thread, as in a camera worker. Faces found are counted against the faces drawn.
"""

import argparse
import sys
import time
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from benchmarks.measure import machine, print_figure
from server.proctor.detection import FaceDetector, detect
from server.proctor.detectors.yunet import YuNet, width_for
from server.proctor.evidence import Detections, Floats, Frame, Picture
from server.proctor.pipeline import CameraPipeline
from server.proctor.quality import QualityGauge
from server.proctor.simulation import HallDrawing, HallScript, SeatScript

ROOM, SEATS, SEED = "1", 30, 20260314
QUICK, FULL = 40, 400
BEGIN = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


class TimedDetector:
    """A detector that counts the CPU seconds it takes."""

    def __init__(self, inner: FaceDetector) -> None:
        self._inner = inner
        self.seconds = 0.0

    @property
    def key(self) -> str:
        """The inner detector's key."""
        return self._inner.key

    def find(self, picture: Picture, frame: Frame) -> tuple[Floats, Floats]:
        """Find faces, and count."""
        begin = time.process_time()
        found = self._inner.find(picture, frame)
        self.seconds += time.process_time() - begin
        return found


def drawn_hall() -> HallDrawing:
    """Return a full room."""
    script = HallScript(
        tuple(SeatScript(ROOM, str(seat), BEGIN, BEGIN + timedelta(hours=2)) for seat in range(1, SEATS + 1))
    )
    return HallDrawing((ROOM,), SEATS, SEED, script)


def encoded(picture: Picture) -> bytes:
    """Return a picture as a camera sends it."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not done:
        raise RuntimeError("the picture could not be encoded")
    return data.tobytes()


def decoded(jpeg: bytes) -> Picture:
    """Return a picture as the pipeline takes it."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(picture, dtype=np.uint8)


def hits(found: Detections, faces: tuple[tuple[float, float, float, float], ...]) -> int:
    """Count the drawn faces (x1, y1, x2, y2) that hold the middle of a found one."""
    middles = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in found.boxes]
    return sum(any(x1 <= x < x2 and y1 <= y < y2 for x, y in middles) for x1, y1, x2, y2 in faces)


def measure(pictures: int) -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    hall = drawn_hall()
    layout, references = hall.layout(ROOM), hall.references(ROOM, BEGIN)
    detector = TimedDetector(YuNet(width=width_for(layout)))
    pipeline = CameraPipeline(layout, references, detector)
    grey = cv2.cvtColor(references[0], cv2.COLOR_BGR2GRAY)
    gauge = QualityGauge(np.asarray(grey, dtype=np.uint8))
    decode_s = quality_s = whole_s = 0.0
    drawn = found = extra = size = 0
    for second in range(pictures):
        at = BEGIN + timedelta(seconds=60 + second)
        jpeg = encoded(hall.picture(ROOM, at))
        size += len(jpeg)
        frame = Frame(layout.camera_id, ROOM, at, layout.width, layout.height)
        begin = time.process_time()
        picture = decoded(jpeg)
        decode_s += time.process_time() - begin
        begin = time.process_time()
        gauge.assess(picture, frame)
        quality_s += time.process_time() - begin
        begin = time.process_time()
        sample = pipeline.process(picture, at)
        whole_s += time.process_time() - begin
        if sample is None or not sample.quality.usable:
            raise RuntimeError("a sound picture was not usable")
        if second % 10 == 0:
            before = detector.seconds
            faces = detect(detector, picture, frame)
            detector.seconds = before
            truth = hall.truth(ROOM, at).faces
            right = hits(faces, truth)
            drawn, found, extra = drawn + len(truth), found + right, extra + max(0, len(faces) - right)
    decode = decode_s / pictures * 1000
    stages = {
        "quality_ms": quality_s,
        "detect_ms": detector.seconds,
        "seats_ms": max(0.0, whole_s - quality_s - detector.seconds),
        "pipeline_ms": whole_s,
    }
    conditions = machine() | {
        "pictures": pictures,
        "size": f"{layout.width}x{layout.height}",
        "jpeg_bytes": size // pictures,
        "seats": SEATS,
        "detector": detector.key,
        "detector_width": width_for(layout),
        "opencv": cv2.__version__,
        "time": "CPU, one thread",
    }
    print_figure("decode_ms", decode, "ms", decode, conditions)
    for name, seconds in stages.items():
        print_figure(name, seconds / pictures * 1000, "ms", decode, conditions)
    cameras = pictures / (whole_s + decode_s)
    print_figure("pictures_per_core_s", cameras, "1/s", 1000 / decode, conditions)
    print_figure("faces_found", found, "faces", drawn, conditions | {"not_drawn": extra})


def main() -> int:
    """Run the benchmark; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="40 pictures in place of 400")
    arguments = parser.parse_args()
    measure(QUICK if arguments.quick else FULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
