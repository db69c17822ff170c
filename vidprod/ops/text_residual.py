"""How much text the detector still sees where subtitles were erased: a few rendered pictures of every one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vidprod.ops.text_boxes import Box, TextDetector
from vidprod.ops.text_plan import TextPlan

Mask = NDArray[np.bool_]  # (H, W)

MOMENTS = (1 / 6, 1 / 2, 5 / 6)
"""Parts of a subtitle's time after which a picture of it is looked at."""

LEAST_MASK = 16
"""Pixels that a mask has at least if it is to be judged."""


@dataclass(frozen=True)
class Residual:
    """What is left.

    Attributes:
        mean: probability of text, 0..1, within the erased pixels, mean over pictures; 0.0 if none was looked at.
        worst: the same of the worst picture.
        count: pictures that were looked at.
    """

    mean: float
    worst: float
    count: int


class ResidualText:
    """Asks the detector about a few rendered pictures: call `wants` for every one in turn, `update` for those it wants."""

    def __init__(self, detector: TextDetector, spans: Iterable[tuple[float, float]]) -> None:
        """`spans` are start and end of each subtitle, in any unit that `wants` is called with: seconds, or numbers of pictures."""
        self._detector = detector
        self._spans = sorted(spans)
        moments = {start + (end - start) * part for start, end in self._spans for part in MOMENTS}
        self._moments = sorted(moments, reverse=True)  # to come
        self._asked: float | None = None
        self._answer = False
        self._found: list[float] = []

    @classmethod
    def of(cls, detector: TextDetector, plan: TextPlan) -> ResidualText:
        """For pictures that are told by number."""
        return cls(detector, [(event.first, event.stop) for event in plan.events])

    def wants(self, at: float) -> bool:
        """Whether the picture at a time is to be looked at: the first at or after each moment, if its subtitle still stands."""
        if at == self._asked:
            return self._answer
        self._asked, due = at, []
        while self._moments and self._moments[-1] <= at:
            due.append(self._moments.pop())
        while self._spans and self._spans[0][1] <= min(due, default=at):
            self._spans.pop(0)
        self._answer = any(start <= moment and at < end for moment in due for start, end in self._spans)
        return self._answer

    def update(self, picture: Tensor, mask: Mask) -> None:
        """Looks at a rendered picture, or the part of it in which subtitles are.

        Args:
            picture: (3, H, W) uint8, on any device; as wide as what the subtitles were found in, for the same scale.
            mask: (H, W) of the pixels that were erased.
        """
        if tuple(picture.shape[1:]) != mask.shape:
            raise ValueError(f"a mask of {mask.shape} pixels does not fit a picture of {tuple(picture.shape[1:])}")
        if mask.sum() < LEAST_MASK:
            return
        probability = self._detector.probabilities(picture[None])
        whole = F.interpolate(probability[:, None], mask.shape, mode="bilinear", align_corners=False)[0, 0]
        hole = torch.from_numpy(mask).to(whole.device)
        self._found.append(float(whole[hole].mean()))

    def update_part(self, picture: Tensor, box: Box, plan: TextPlan, index: int) -> None:
        """As `update`, of a rectangle of picture number `index`, with the mask that the plan has there."""
        mask = plan.mask(index, box)
        if mask is not None:
            self.update(picture, mask)

    def finish(self) -> Residual:
        """What was found."""
        if not self._found:
            return Residual(0.0, 0.0, 0)
        return Residual(float(np.mean(self._found)), max(self._found), len(self._found))
