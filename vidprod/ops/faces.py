"""Where pictures show faces."""

from __future__ import annotations

import torch
from torch import nn

from vidprod.models import mtcnn
from vidprod.ops.detection import Detections
from vidprod.ops.scaled import scaled, within

WORKING_SIDE = 480
"""Longer side in pixels at which pictures are looked at."""

SMALLEST = 24.0
"""Pixels, at the working size, that a face is high and wide at least: a twentieth of the width."""

LEAST_SCORE = 0.95
"""Probability below which the network sees faces in wheels, leaves and clothes."""


class FaceDetector:
    """Finds faces in batches of pictures of one size."""

    def __init__(
        self, device: torch.device | str = "cpu", *, smallest: float = SMALLEST, net: nn.Module | None = None
    ) -> None:
        """`net` is a `Mtcnn` other than the one that comes with vidprod."""
        self.device = torch.device(device)
        self._smallest = smallest
        self._net = net or mtcnn.load(device=self.device)

    @torch.inference_mode()
    def __call__(self, pictures: torch.Tensor) -> Detections:
        """Faces on pictures (N, 3, H, W) uint8; a longer side of 480 is enough."""
        size = within(*pictures.shape[2:], side=WORKING_SIDE)
        small = scaled(pictures, size, self.device).round().to(torch.uint8)
        faces = self._net(small, smallest=self._smallest, least=LEAST_SCORE)
        height, width = size
        boxes = faces.boxes.cpu() / torch.tensor([width, height, width, height], dtype=torch.float32)
        scores, numbers = faces.scores.cpu(), faces.pictures.cpu()
        return Detections(boxes.clamp(0, 1), scores, torch.zeros_like(numbers), numbers, ("face",))
