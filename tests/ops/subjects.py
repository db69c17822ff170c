"""Stand-ins for networks, and finds to track."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidprod.models.unisal import Seen
from vidprod.ops.subjects import WEIGHTS, Subject, group_of


class Looker(nn.Module):
    """In place of UNISAL: looks at what is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Seen:
        """(T, 3, H, W) -> as UNISAL does."""
        light = F.avg_pool2d(x.mean(1, keepdim=True), 8)[:, 0] + 1e-6
        mass = light / light.sum((1, 2), keepdim=True)
        return Seen(mass, torch.zeros(len(x), 256), torch.zeros(1, 256, x.shape[2] // 32, x.shape[3] // 32))


def subject(left: float, top: float, side: float = 0.2, *, kind: str = "person", score: float = 0.7) -> Subject:
    """A square find that is not followed yet."""
    return Subject(left, top, left + side, top + side, score, kind, WEIGHTS[group_of(kind)], -1)
