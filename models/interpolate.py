"""Blends two trained copies of one network into a live one.

Where one set of weights was fine-tuned from the other, every point on the line between them is a working network (Wang et
al., "Deep Network Interpolation for Continuous Imagery Effect Transition", CVPR 2019, https://arxiv.org/abs/1811.10515).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Interpolation:
    """A dial on `net`: `set(0)` gives its weights as they were at the start, `set(1)` those of `other`, exactly.

    The blend is made in float32 and written into the parameters where they lie: nothing is allocated anew, so that a
    captured CUDA graph stays valid.

    Args:
        net: the live network.
        other: a network with the same parameters by name and shape, or its state dict.
    """

    def __init__(self, net: nn.Module, other: nn.Module | Mapping[str, Tensor]) -> None:
        theirs = other.state_dict() if isinstance(other, nn.Module) else other
        live = net.state_dict()
        if wrong := [k for k in live.keys() | theirs.keys() if k not in theirs or k not in live]:
            raise ValueError(f"the networks differ: only one of them has {sorted(wrong)[:3]}")
        self._weights: list[tuple[Tensor, Tensor, Tensor]] = []
        for name, value in live.items():
            if value.shape != theirs[name].shape:
                raise ValueError(
                    f"{name} is {tuple(value.shape)} in one network, {tuple(theirs[name].shape)} in the other"
                )
            # Copies keep the memory format; `value` is the tensor inside the network, not a copy.
            to = theirs[name].detach().to(value.device, copy=True)
            self._weights.append((value, value.detach().clone(), to))
        self.share = 0.0

    @torch.no_grad()
    def set(self, share: float) -> None:
        """Makes the network (1 - share) of the first and `share` of the other weights; 0 <= share <= 1."""
        if not 0 <= share <= 1:
            raise ValueError(f"share is {share}, must be within 0..1")
        for live, first, other in self._weights:
            live.copy_(torch.lerp(first.float(), other.float(), share))
        self.share = share
