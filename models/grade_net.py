"""GradeNet: from a shot's colour statistics to the parameters of its grade.

Four small perceptrons whose answers are averaged. They do not invent the grade: for black, white and white balance they say
how far each of the classical estimates (range, grey world, shades of grey, grey edge, greyest and brightest pixels) is to be
trusted for statistics like these, and add a small correction; exposure, contrast and saturation are their own.
"""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn

from .. import weights
from ..errors import ModelError

WEIGHTS = "grade-net"
INPUTS = 35
LOW, HIGH, BALANCE = 9, 10, slice(13, 23)
"""Where in the input the darkest and brightest code value are, and five estimates of log2 of red and blue over green."""

MEMBERS, HIDDEN = 4, 24
_OUTPUTS = 16  # 7 corrections, 4 degrees of trust, 5 shares of the estimates of the light's colour
_CORRECTIONS = (1.0, 0.24, 0.12, 0.2, 0.6, 0.09, 0.12)  # half of the greatest
_OUTLIER = 4.0  # standard deviations beyond which an input counts no further


class GradeNet(nn.Module):
    """(N, 35) statistics -> (N, 7) exposure, temperature, tint, contrast, saturation, black, white."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(INPUTS))
        self.deviation = nn.Buffer(torch.ones(INPUTS))
        self.first = nn.Parameter(torch.randn(MEMBERS, INPUTS, HIDDEN) / INPUTS**0.5)
        self.first_bias = nn.Parameter(torch.zeros(MEMBERS, 1, HIDDEN))
        self.second = nn.Parameter(torch.randn(MEMBERS, HIDDEN, HIDDEN) / HIDDEN**0.5)
        self.second_bias = nn.Parameter(torch.zeros(MEMBERS, 1, HIDDEN))
        self.last = nn.Parameter(torch.zeros(MEMBERS, HIDDEN, _OUTPUTS))
        self.last_bias = nn.Parameter(torch.zeros(MEMBERS, 1, _OUTPUTS))
        self.direct = nn.Parameter(torch.zeros(MEMBERS, INPUTS, _OUTPUTS))
        with torch.no_grad():
            self.last_bias[..., 9:11] = -1.5  # little trust in the colour of the light at first

    def members(self, statistics: Tensor, seen: Tensor | None = None) -> Tensor:
        """The members' answers (4, N, 7) to (N, 35), or to (4, N, 35), each its own; `seen` by the perceptrons in training."""
        z = statistics if seen is None else seen
        z = ((z - self.mean) / self.deviation).clamp(-_OUTLIER, _OUTLIER).expand(MEMBERS, -1, -1)
        y = torch.nn.functional.silu(z @ self.first + self.first_bias)
        y = torch.nn.functional.silu(y @ self.second + self.second_bias)
        out = y @ self.last + self.last_bias + z @ self.direct
        add = torch.tanh(out[..., :7] / 2) * 2 * out.new_tensor(_CORRECTIONS)
        trust = torch.sigmoid(out[..., 7:11])
        share = torch.softmax(out[..., 11:], -1)
        red, blue = (statistics[..., BALANCE].unflatten(-1, (5, 2)) * share[..., None]).sum(-2).unbind(-1)
        low, high = statistics[..., LOW], statistics[..., HIGH]
        black = (add[..., 5] + trust[..., 0] * low).clamp(-0.15, 0.5)
        # White is never darkened: what was clipped would become grey.
        white = (1 - add[..., 6] - trust[..., 1] * (1 - high)).clamp(0.25, 1.0)
        return torch.stack(
            [
                add[..., 0].clamp(-2, 2),
                (add[..., 1] - trust[..., 2] * (red - blue)).clamp(-1.8, 1.8),
                (add[..., 2] - trust[..., 3] * (red + blue) / 2).clamp(-0.9, 0.9),
                1 + add[..., 3].clamp(-0.35, 0.35),
                torch.exp(add[..., 4]).clamp(0.4, 2.4),
                black,
                torch.maximum(white, black + 0.12),
            ],
            -1,
        )

    def forward(self, statistics: Tensor) -> Tensor:
        """The mean of the members' answers."""
        return self.members(statistics).mean(0)


def load() -> GradeNet:
    """The network with its weights, ready to run: float32 on the CPU. Raises ModelError where they do not fit."""
    net = GradeNet()
    file = weights.path(WEIGHTS)
    try:
        net.load_state_dict({name: torch.from_numpy(array).float() for name, array in load_file(file).items()})
    except (RuntimeError, SafetensorError) as error:
        raise ModelError(f"{file} does not hold the weights of {WEIGHTS}: {error}") from None
    return net.eval().requires_grad_(False)
