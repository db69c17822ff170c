"""Analysis for the grade of ordinary (Rec.709) footage: small pictures in, one set of parameters per shot out."""

from __future__ import annotations

from vidprod.media.frames import Frames
from vidprod.media.probe import VideoInfo
from vidprod.ops.grade_estimate import estimate
from vidprod.ops.grade_look import look_at
from vidprod.ops.grade_match import WITHIN_A_VIDEO, match
from vidprod.ops.grade_plan import GradedShot, GradePlan, Look, grade, grade_lut
from vidprod.ops.grade_samples import Samples
from vidprod.ops.shots import ShotDetection

__all__ = ["GradeAnalysis", "GradePlan", "GradedShot", "Look", "grade", "grade_lut"]


class GradeAnalysis:
    """Small pictures of one video in, its `GradePlan` out.

    Every shot has one grade, so nothing flickers in it. Only hard cuts divide shots: two that dissolve into each other share a
    grade, since a change in the middle of a dissolve would be seen.
    """

    def __init__(self, info: VideoInfo, *, matching: bool = True) -> None:
        """`matching`: whether shots of the same scene are brought together."""
        self._matching = matching
        self._shots = ShotDetection()
        self._samples = Samples()

    def update(self, thumbnails: Frames) -> None:
        """Takes the next pictures, all of one size."""
        self._shots.update(thumbnails)
        self._samples.update(thumbnails)

    def finish(self) -> GradePlan:
        """The plan; empty for an empty video."""
        shots = []
        for shot in self._shots.finish():
            pictures = self._samples.between(shot.first, shot.stop)
            parameters, confidence = estimate(pictures)
            shots.append(
                GradedShot(
                    shot.start,
                    shot.end,
                    shot.first,
                    shot.stop,
                    confidence=confidence,
                    look=look_at(pictures),
                    **parameters,
                )
            )
        return GradePlan(match(tuple(shots), caution=WITHIN_A_VIDEO) if self._matching else tuple(shots))
