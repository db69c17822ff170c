"""Adam whose step for every weight is fitted to how much the loss depends on it.

Fine-tuning SPAN's inference form with plain Adam diverges after a few hundred steps, even at a rate of 1e-4: Adam moves all
weights by the same amount, but between the layers of this network the gradient of the loss differs by a factor of a thousand
and more (folding three convolutions into one left it badly scaled), and a step that is small for one layer is ruin for
another. Here the gradient is measured before training; a weight that matters ten times more moves ten times less.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-12
SCALES = (0.005, 3.0)
"""Least and greatest multiple of the rate."""

OUTLIER = 2.0
"""A tensor's gradient is cut to this multiple of its usual length."""


class ScaledAdam:
    """Optimiser of all parameters of `net`.

    Args:
        net: the network.
        backward: makes the gradients of one training batch; called `batches` times before training, without a step.
        batches: how many batches to measure on; 0 when a state is loaded afterwards.
    """

    def __init__(self, net: nn.Module, backward: Callable[[], object], batches: int = 40) -> None:
        self.parameters = list(net.parameters())
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.scales = [torch.ones_like(p) for p in self.parameters]
        self.steps = 0
        if batches:
            self._measure(backward, batches)

    def _measure(self, backward: Callable[[], object], batches: int) -> None:
        squares = [torch.zeros_like(p) for p in self.parameters]
        for _ in range(batches):
            self.zero()
            backward()
            for square, gradient in zip(squares, self._gradients(), strict=True):
                square += gradient.square() / batches
        # One scale for each pair of output and input channel: what differs within a 3x3 kernel is mostly chance.
        rms = [(s.mean((2, 3), keepdim=True).expand_as(s) if s.ndim == 4 else s).sqrt() for s in squares]
        usual = torch.cat([r.flatten() for r in rms]).median()
        self.scales = [(usual / (r + EPSILON)).clamp(*SCALES).contiguous() for r in rms]

    def _gradients(self) -> list[Tensor]:
        return [p.grad for p in self.parameters if p.grad is not None]

    def zero(self) -> None:
        """Forgets the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Moves the weights along the gradients that they have."""
        self.steps += 1
        fade1, fade2 = 1 - BETA1**self.steps, 1 - BETA2**self.steps
        rows = zip(self.parameters, self._gradients(), self.first, self.second, self.scales, strict=True)
        for parameter, gradient, first, second, scale in rows:
            if self.steps > 1:
                usual = (second.mean() / (1 - BETA2 ** (self.steps - 1))).sqrt()
                gradient = gradient * (OUTLIER * usual / (gradient.square().mean().sqrt() + EPSILON)).clamp(max=1)
            first.lerp_(gradient, 1 - BETA1)
            second.lerp_(gradient.square(), 1 - BETA2)
            parameter.sub_(rate * scale * (first / fade1) / ((second / fade2).sqrt() + EPSILON))

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs."""
        return {"first": self.first, "second": self.second, "scales": self.scales, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Carries on from a saved state."""
        self.first, self.second, self.scales = state["first"], state["second"], state["scales"]
        self.steps = state["steps"]
