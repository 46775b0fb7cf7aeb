"""The stages that touch pixels, on drawn pictures and through the true detector."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from server.errors import BadInput, Tampered, Unavailable
from server.proctor.calibration import (
    CameraSetup,
    empty_reference,
    load_setup,
    save_setup,
)
from server.proctor.detection import create_detector, detect
from server.proctor.detectors.scripted import Scripted
from server.proctor.detectors.yunet import MODEL, YuNet
from server.proctor.evidence import CameraFault, Frame, SeatState
from server.proctor.pipeline import CameraPipeline
from server.proctor.quality import QualityGauge
from server.proctor.simulation import (
    HEIGHT,
    WIDTH,
    CameraFailure,
    ExtraPerson,
    HallDrawing,
    HallScript,
    Interval,
    LightChange,
    SeatScript,
    script_from_json,
)
from server.proctor.structure import SeatScale

START = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
needs_model = pytest.mark.skipif(not MODEL.is_file(), reason="the face model is not here: run make assets")


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def hall(seed: int = 1, **more: object) -> HallDrawing:
    seats = tuple(
        SeatScript("1", str(n), at(1), at(90), away=(Interval(at(10), at(21)),) if n == 8 else ())
        for n in range(1, 31)
        if n != 30
    )
    return HallDrawing(["1"], 30, seed, HallScript(seats=seats, **more))  # type: ignore[arg-type]


def test_same_seed_same_picture() -> None:
    """Two halls of the same seed draw the same bytes at the same time, and another seed draws others."""
    assert np.array_equal(hall().picture("1", at(5)), hall().picture("1", at(5)))
    assert not np.array_equal(hall(1).picture("1", at(5)), hall(2).picture("1", at(5)))


def test_script_is_plain_json() -> None:
    """A script written as JSON reads back, and an unknown field in it is refused."""
    data = b'{"seats":[{"room":"1","seat":"2","enters_at":"2026-03-14T01:00:00Z","leaves_at":"2026-03-14T02:00:00Z"}]}'
    assert script_from_json(data).seats[0].present(START)
    with pytest.raises(ValueError, match="unknown"):
        script_from_json(b'{"people":[]}')


def test_truth_follows_half_open_intervals() -> None:
    """A candidate away in [10, 21) minutes is there until just before 10 and again at 21."""
    drawn = hall()
    states = [drawn.truth("1", at(m)).seats["8"] for m in (9.999, 10, 20.999, 21)]
    assert states == [SeatState.OCCUPIED, SeatState.EMPTY, SeatState.EMPTY, SeatState.OCCUPIED]


@needs_model
def test_drawn_faces_are_found() -> None:
    """The detector finds at least 95 of 100 drawn faces that look up, of 26 to 48 pixels, and every stranger."""
    drawn = hall(extras=(ExtraPerson("1", Interval(at(0), at(60))),))
    detector = YuNet(width=1280)
    hit = total = 0
    for k in range(5):
        now = at(5 + 0.7 * k)
        found = detect(detector, drawn.picture("1", now), Frame("c", "1", now, WIDTH, HEIGHT))
        truth = drawn.truth("1", now)
        for face in truth.faces:
            middle = np.array([(face[0] + face[2]) / 2, (face[1] + face[3]) / 2])
            near = np.abs(found.centres - middle).max(axis=1).min() < (face[3] - face[1]) / 2
            total, hit = total + 1, hit + bool(near)
            assert near or face not in truth.extras
    assert hit / total >= 0.95


@needs_model
@pytest.mark.parametrize("step", [5.0, 30.0])
def test_hall_through_all_stages(step: float) -> None:
    """Around an absence, with a change of light, the seat becomes EMPTY and OCCUPIED again, and no other
    seat does.
    """
    drawn = hall(lights=(LightChange("1", at(9.5), 0.7),))
    stages = CameraPipeline(drawn.layout("1"), drawn.references("1", START), YuNet(width=1280))
    states: dict[str, set[SeatState]] = {}
    now = at(8)
    while now < at(14):
        sample = stages.process(drawn.picture("1", now), now)
        assert sample is not None
        if now >= at(9):
            for reading in sample.seats:
                states.setdefault(reading.seat, set()).add(reading.state)
        now += timedelta(seconds=step)
    assert states.pop("8") == {SeatState.OCCUPIED, SeatState.EMPTY}
    assert states.pop("30") == {SeatState.EMPTY}
    assert all(seen == {SeatState.OCCUPIED} for seen in states.values())


@pytest.mark.parametrize(
    "fault", [CameraFault.DARK, CameraFault.WHITE, CameraFault.BLURRED, CameraFault.MOVED, CameraFault.FROZEN]
)
def test_failing_camera_is_named(fault: CameraFault) -> None:
    """A camera that fails in a drawn way is at fault by that name within ten seconds, and was not before."""
    drawn = hall(failures=(CameraFailure("1", fault, Interval(at(5), at(8))),))
    stages = CameraPipeline(drawn.layout("1"), drawn.references("1", START)[:1], Scripted({}))
    for second in range(-30, 0, 10):
        sample = stages.process(drawn.picture("1", at(5 + second / 60)), at(5 + second / 60))
        assert sample is not None
        assert sample.quality.usable
    seen = [stages.process(drawn.picture("1", at(5 + s / 60)), at(5 + s / 60)) for s in range(10)]
    assert any(sample is not None and fault in sample.quality.faults for sample in seen)
    last = seen[-1]
    assert last is not None
    assert {reading.state for reading in last.seats} == {SeatState.UNKNOWN}


def test_lights_are_no_fault() -> None:
    """An hour with people and five changes of light has no camera fault, at a picture each minute."""
    lights = tuple(LightChange("1", at(10 * k), 0.6 + 0.2 * k) for k in range(1, 5))
    drawn = hall(lights=lights)
    gauge = QualityGauge(drawn.picture("1", START))
    for minute in range(2, 60):
        now = at(minute)
        assert gauge.assess(drawn.picture("1", now), Frame("c", "1", now, WIDTH, HEIGHT)).usable, minute


def test_moving_shadow_is_no_structure() -> None:
    """A chair in half the light differs in no cell, and no seated person looks like an empty chair."""
    drawn = hall()
    empty = cv2.cvtColor(drawn.picture("1", START), cv2.COLOR_BGR2GRAY)
    scale = SeatScale(drawn.layout("1"), [np.asarray(empty, np.uint8)])
    dim = np.asarray(cv2.convertScaleAbs(empty, alpha=0.5), np.uint8)
    assert max(m.structure or 0.0 for m in scale.measure(dim).values()) == 0.0
    full = np.asarray(cv2.cvtColor(drawn.picture("1", at(5)), cv2.COLOR_BGR2GRAY), np.uint8)
    taken = scale.measure(full)
    scores = [taken[str(n)].structure or 0.0 for n in range(1, 30)]
    assert min(scores) >= 0.22
    assert np.median(scores) >= 0.4


def test_setup_survives_its_files(tmp_path: Path) -> None:
    """A set-up written to a folder and read again is the same, and a broken one is refused by name."""
    drawn = hall()
    setup = CameraSetup(drawn.layout("1"), (empty_reference(drawn.references("1", START)),))
    path = save_setup(tmp_path, setup)
    read = load_setup(path)
    assert read.layout == setup.layout
    assert np.array_equal(read.references[0], setup.references[0])
    path.write_text(path.read_text(encoding="utf-8") + "\ncolour = 1\n", encoding="utf-8")
    with pytest.raises(BadInput) as wrong:
        load_setup(path)
    assert wrong.value.code == "seats-unreadable"


def test_missing_and_changed_model_are_clear(tmp_path: Path) -> None:
    """A missing model says face-model-missing, another file in its place face-model-changed."""
    with pytest.raises(Unavailable) as missing:
        YuNet(model=tmp_path / "none.onnx")
    assert missing.value.code == "face-model-missing"
    (tmp_path / "other.onnx").write_bytes(b"x")
    with pytest.raises(Tampered) as changed:
        YuNet(model=tmp_path / "other.onnx")
    assert changed.value.code == "face-model-changed"
    with pytest.raises(BadInput) as unknown:
        create_detector("none")
    assert unknown.value.code == "detector-unknown"
