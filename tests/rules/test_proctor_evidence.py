"""Facts of the camera flow refuse what is not of their form."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from server.proctor.evidence import Anomaly, AnomalyKind, Detections, Frame

AT = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
FRAME = Frame("c", "1", AT, 100, 50)


@pytest.mark.parametrize(
    "boxes, scores",
    [
        (np.zeros((1, 3)), np.zeros(1)),
        (np.array([[0, 0, 1, 1]]), np.zeros(2)),
        (np.array([[0, 0, 0, 1]]), np.zeros(1)),
        (np.array([[0, 0, 1, np.nan]]), np.zeros(1)),
        (np.array([[0, 0, 1, 1]]), np.array([1.5])),
    ],
)
def test_wrong_shape_is_refused(boxes: np.ndarray, scores: np.ndarray) -> None:
    """Detections with a wrong shape, an empty box, a number that is none or a score over 1 cannot be born."""
    with pytest.raises(ValueError, match=r"."):
        Detections(FRAME, boxes, scores, "t")


def test_arrays_cannot_be_changed() -> None:
    """A change of the array that was given, or of the one that is held, does not reach the fact."""
    boxes = np.array([[0, 0, 4, 6]], np.float32)
    found = Detections(FRAME, boxes, np.array([0.5], np.float32), "t")
    boxes[0, 0] = 3
    assert found.boxes[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        found.boxes[0, 0] = 1
    assert found.centres.tolist() == [[2.0, 3.0]]
    assert found.heights.tolist() == [6.0]


@pytest.mark.parametrize("moment", [AT.replace(tzinfo=None), AT.astimezone(timezone(timedelta(hours=8)))])
def test_capture_time_is_utc(moment: datetime) -> None:
    """A frame refuses a capture time without a zone or in another zone than UTC."""
    with pytest.raises(ValueError, match="UTC"):
        Frame("c", "1", moment, 10, 10)


def test_anomaly_is_not_found_before_it_starts() -> None:
    """An anomaly whose finding lies before its start is refused."""
    with pytest.raises(ValueError, match="before"):
        Anomaly("k", AnomalyKind.EMPTY_SEAT, 1, "1", "c", "5", AT, AT - timedelta(seconds=1), 0.5, {})


def test_frame_has_a_size_and_a_score_a_range() -> None:
    """A frame without a size and an anomaly with a score over 1 cannot be born."""
    with pytest.raises(ValueError, match="positive"):
        Frame("c", "1", AT, 0, 10)
    with pytest.raises(ValueError, match="score"):
        Anomaly("k", AnomalyKind.EMPTY_SEAT, 1, "1", "c", "5", AT, AT, 1.1, {})
