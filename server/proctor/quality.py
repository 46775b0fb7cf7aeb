"""Judges whether a camera's picture may be used: dark, white, covered, blurred, moved, unrecognised or
frozen.

All tests run on a grey copy of 320 x 180. Durations are seconds of capture time and at least a number of
pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from server.proctor.evidence import CameraFault, Frame, Picture, Quality
from server.proctor.view import View, view_of

SMALL = (320, 180)
CELL = 20
TEXTURE_STD, CORRELATION_LEAST = 5.0, 0.5
# Corner shifts are counted in pixels of a picture 1280 wide.
TO_1280 = 1280 / SMALL[0]


@dataclass(frozen=True, slots=True)
class QualityRule:
    """The thresholds of the picture tests, with their version.

    `std_least` grey levels; `sharpness_least` share of the reference's contrast-normalised Laplacian
    variance; `covered_light` share of the reference's mean; `shift_most` pixels at 1280 wide;
    `inliers_least` matched points, which below `recent_inliers` tell of no movement while `still_familiar` of the
    cells or more are familiar. Where the camera points is compared every `place_every_s`, and at once
    where the share of familiar cells fell by `familiar_drop` or the last comparison was not in order.
    """

    version: int = 3
    std_least: float = 12.0
    dark_mean: float = 90.0
    sharpness_least: float = 0.30
    covered_light: float = 0.6
    shift_most: float = 8.0
    inliers_least: int = 25
    familiar_least: float = 0.5
    still_familiar: float = 0.9
    gone_inliers: int = 12
    gone_shift: float = 24.0
    unrecognised_samples: int = 3
    recent_after_s: float = 60.0
    recent_inliers: int = 40
    recent_shift: float = 3.0
    frozen_s: float = 5.0
    frozen_samples: int = 3
    place_every_s: float = 5.0
    familiar_drop: float = 0.15


RULE = QualityRule()


@dataclass(frozen=True, slots=True)
class _View:
    """The fixed points of a picture, and how far it was itself off the first reference when it was taken."""

    points: Any
    descriptors: Any
    off: float
    taken_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Reference:
    """What the picture looked like when the camera was set up."""

    mean: float
    sharpness: float
    view: _View
    # Which of the 144 cells are fixed and textured, None where none is, and their pixels less the mean, over
    # their own spread: float32 (cells, 400).
    fixed_cells: NDArray[np.bool_] | None
    fixed_patterns: NDArray[np.float32]


class QualityGauge:
    """Judges one camera, picture after picture, against a reference of the same view.

    Without `reference` the first picture that is neither dark nor white becomes it. `fixed` (bool, any size)
    marks what does not move of itself, that is all but the seats; without it the whole picture counts.
    """

    def __init__(
        self,
        reference: Picture | None = None,
        rule: QualityRule = RULE,
        fixed: NDArray[np.bool_] | None = None,
    ) -> None:
        self._rule = rule
        self._orb = cv2.ORB_create(nfeatures=700, fastThreshold=10)  # type: ignore[attr-defined]
        self._matcher = cv2.BFMatcher(cv2.NORM_HAMMING)
        self._fixed: Picture | None = None
        if fixed is not None:
            mask = cv2.resize(fixed.astype(np.uint8) * 255, SMALL, interpolation=cv2.INTER_NEAREST)
            self._fixed = np.asarray(mask, dtype=np.uint8)
        self._reference = None if reference is None else self._learn(shrunk(reference))
        self._recent: _View | None = None
        self._before: Picture | None = None
        self._same_since: datetime | None = None
        self._same = 1
        self._unrecognised = 0
        # The last comparison of places: when, and the share of familiar cells; None where it must be made again.
        self._placed: tuple[datetime, float] | None = None

    @property
    def small(self) -> Picture | None:
        """The last picture judged, grey, 320 x 180."""
        return self._before

    def assess(self, picture: Picture | View, frame: Frame) -> Quality:
        """Judges one picture (uint8 pixels, BGR or grey, or a view) and tells every fault that is on with the
        measures behind it.
        """
        small = shrunk(picture)
        mean, std = cv2.meanStdDev(small)
        measures: dict[str, float] = {"mean": float(mean.item()), "std": float(std.item())}
        faults: set[CameraFault] = set()
        if self._frozen(small, frame.captured_at, measures):
            faults.add(CameraFault.FROZEN)
        if measures["std"] < self._rule.std_least:
            dark = measures["mean"] < self._rule.dark_mean
            faults.add(CameraFault.DARK if dark else CameraFault.WHITE)
        elif self._reference is None:
            self._reference = self._learn(small)
        else:
            faults |= self._against(self._reference, small, frame.captured_at, measures)
        return Quality(
            frame.camera_id, frame.room_id, frame.captured_at, frozenset(faults), MappingProxyType(measures)
        )

    def _against(
        self, reference: _Reference, small: Picture, at: datetime, measures: dict[str, float]
    ) -> set[CameraFault]:
        measures["sharpness"] = _sharpness(small) / reference.sharpness
        measures["familiar"] = self._familiar(reference, small)
        blurred = measures["sharpness"] < self._rule.sharpness_least
        if not blurred and self._in_place(measures["familiar"], at):
            return set()
        self._placed = None
        shift, inliers = self._shift(reference.view, small, at)
        measures["inliers"] = float(inliers)
        recognised = inliers >= self._rule.inliers_least
        known = recognised or measures["familiar"] >= self._rule.familiar_least
        self._unrecognised = 0 if known else self._unrecognised + 1
        # Fewer points are enough to tell how far a view has gone that is not familiar any more.
        gone = not known and inliers >= self._rule.gone_inliers and shift > self._rule.gone_shift
        if recognised or gone:
            measures["shift"] = shift
            # A moved picture is often blurred too by the test's measure: being moved is the better answer.
            if shift > self._rule.shift_most and not self._still(measures["familiar"], inliers):
                return {CameraFault.MOVED}
        if blurred:
            dim = measures["mean"] < self._rule.covered_light * reference.mean
            return {CameraFault.COVERED if dim else CameraFault.BLURRED}
        if self._unrecognised >= self._rule.unrecognised_samples:
            return {CameraFault.LOST_REFERENCE}
        if recognised:
            self._placed = (at, measures["familiar"])
        return set()

    def _still(self, familiar: float, inliers: int) -> bool:
        """True where a few points that agree on a movement are a coincidence: nearly everything is where it was."""
        return inliers < self._rule.recent_inliers and familiar >= self._rule.still_familiar

    def _in_place(self, familiar: float, at: datetime) -> bool:
        """True where the last comparison of places is young and the picture is as familiar as it was then."""
        if self._placed is None:
            return False
        compared_at, then = self._placed
        young = (at - compared_at).total_seconds() < self._rule.place_every_s
        return young and familiar > then - self._rule.familiar_drop

    def _familiar(self, reference: _Reference, small: Picture) -> float:
        """The share of the fixed, textured cells of the reference that the picture correlates with; 0
        without any.
        """
        if reference.fixed_cells is None:
            return 0.0
        now = _cells(small)[reference.fixed_cells]
        now -= now.mean(axis=1)[:, None]
        spread = np.maximum(1e-3, np.sqrt((now * now).mean(axis=1)))
        correlation = (reference.fixed_patterns * now).mean(axis=1) / spread
        return float((correlation > CORRELATION_LEAST).mean())

    def _frozen(self, small: Picture, at: datetime, measures: dict[str, float]) -> bool:
        before, self._before = self._before, small
        if before is None:
            self._same_since = at
            return False
        difference = float(cv2.absdiff(small, before).mean())
        measures["difference"] = difference
        if difference > 0.0:
            self._same, self._same_since = 1, at
            return False
        self._same += 1
        since = self._same_since or at
        return self._same >= self._rule.frozen_samples and (at - since).total_seconds() >= self._rule.frozen_s

    def _learn(self, small: Picture) -> _Reference:
        points, descriptors = self._orb.detectAndCompute(small, self._fixed)
        view = _View(points, descriptors, 0.0, None)
        cells = _cells(small)
        spread = cells.std(axis=1)
        use = spread > TEXTURE_STD
        if self._fixed is not None:
            use &= _cells(self._fixed).mean(axis=1) > 150
        patterns = (cells[use] - cells[use].mean(axis=1)[:, None]) / spread[use][:, None]
        sharp = max(1e-6, _sharpness(small))
        return _Reference(float(small.mean()), sharp, view, use if use.any() else None, patterns)

    def _shift(self, first: _View, small: Picture, at: datetime) -> tuple[float, int]:
        """The largest movement of a corner in pixels at 1280 wide, and how many points agree with it.

        The view of set-up decides; where too little of it is left, the last well recognised one does.
        """
        points, descriptors = self._orb.detectAndCompute(small, self._fixed)
        shift, inliers = self._match(first, points, descriptors)
        if inliers < self._rule.inliers_least and self._recent is not None:
            shift, inliers = self._better((shift, inliers), self._recent, points, descriptors)
        if inliers < self._rule.inliers_least and self._fixed is not None:
            # A camera that was pushed has its fixed points where seats were: look everywhere before giving
            # up.
            everywhere = self._orb.detectAndCompute(small, None)
            for view in (first, self._recent):
                if view is not None:
                    shift, inliers = self._better((shift, inliers), view, *everywhere)
        if inliers >= self._rule.recent_inliers and shift <= self._rule.recent_shift:
            taken = None if self._recent is None else self._recent.taken_at
            if taken is None or (at - taken).total_seconds() >= self._rule.recent_after_s:
                self._recent = _View(points, descriptors, shift, at)
        return shift, inliers

    def _better(
        self, known: tuple[float, int], view: _View, points: Any, descriptors: Any
    ) -> tuple[float, int]:
        """The match with more agreeing points: the known one, or that with `view`, whose own shift is added."""
        shift, inliers = self._match(view, points, descriptors)
        return (shift + view.off, inliers) if inliers > known[1] else known

    def _match(self, view: _View, points: Any, descriptors: Any) -> tuple[float, int]:
        if descriptors is None or view.descriptors is None or min(len(points), len(view.points)) < 2:
            return 0.0, 0
        pairs = self._matcher.knnMatch(view.descriptors, descriptors, k=2)
        good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < 0.8 * p[1].distance]
        if len(good) < 4:
            return 0.0, 0
        was = np.array([view.points[m.queryIdx].pt for m in good], np.float32)
        now = np.array([points[m.trainIdx].pt for m in good], np.float32)
        fit: tuple[Any, Any] = cv2.estimateAffinePartial2D(
            was, now, method=cv2.RANSAC, ransacReprojThreshold=2.0
        )
        turn, inside = fit
        if turn is None:
            return 0.0, 0
        width, height = SMALL
        corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
        moved = corners @ turn[:, :2].T + turn[:, 2]
        return float(np.linalg.norm(moved - corners, axis=1).max()) * TO_1280, int(inside.sum())


def shrunk(picture: Picture | View) -> Picture:
    """The grey copy that all tests of the picture run on: uint8 (180, 320)."""
    view = view_of(picture)
    return view.patch((0, 0, *view.size), SMALL)


def _cells(small: Picture) -> NDArray[np.float32]:
    """float32 (144, 400): the pixels of each of 16 x 9 cells."""
    cells = small.reshape(9, CELL, 16, CELL).swapaxes(1, 2)
    return np.asarray(cells.reshape(-1, CELL * CELL), dtype=np.float32)


def _sharpness(small: Picture) -> float:
    """Variance of the Laplacian over the variance of the picture: a dimmed picture is as sharp as before."""
    edges, whole = cv2.meanStdDev(cv2.Laplacian(small, cv2.CV_16S))[1], cv2.meanStdDev(small)[1]
    return float(edges.item()) ** 2 / max(1.0, float(whole.item()) ** 2)
