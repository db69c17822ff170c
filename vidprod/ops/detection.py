"""What detectors find on a batch of pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Detections:
    """M finds on the pictures of a batch, all on the CPU.

    Attributes:
        boxes: (M, 4) float32 left, top, right, bottom in fractions of the width and height, within 0..1.
        scores: (M,) float32 in 0..1.
        kinds: (M,) int64 numbers of `names`.
        pictures: (M,) int64, which picture of the batch.
        names: of the kinds.
    """

    boxes: Tensor
    scores: Tensor
    kinds: Tensor
    pictures: Tensor
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.scores)

    def on(self, picture: int) -> Detections:
        """Those on one picture, the likeliest first."""
        which = (self.pictures == picture).nonzero()[:, 0]
        which = which[torch.argsort(self.scores[which], descending=True)]
        return Detections(self.boxes[which], self.scores[which], self.kinds[which], self.pictures[which], self.names)
