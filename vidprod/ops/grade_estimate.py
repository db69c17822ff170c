"""From small pictures of a shot to the parameters of its grade."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from vidprod.models import grade_net
from vidprod.models.grade_net import GradeNet
from vidprod.ops.grade_plan import LIMITS, NEUTRAL, PARAMETERS, apply
from vidprod.ops.grade_statistics import Statistics, measure, without_bars
from vidprod.ops.lab import difference, lab

LEAVE, FULL = 2.5, 6.0
"""Mean visible change (CIE 1994) of the shot up to which nothing is done, and from which on the grade is done in full.

What would change the picture little is more often the measurement's error than the picture's.
"""

BALANCE = 0.75
"""Share of the proposed white balance that is done: films are warm or cold on purpose, and nobody minds a little of a cast."""

GREY = 0.02
"""Distance from grey of the most coloured twentieth of the pixels, in code values, below which footage is black-and-white."""

_PIXELS = 2048  # for measuring the change
_DIGITS = 4


@functools.cache
def _net() -> GradeNet:
    return grade_net.load()


def estimate(pictures: Tensor) -> tuple[dict[str, float], float]:
    """The grade that takes out what is wrong with a shot, if anything is.

    Args:
        pictures: (N, 3, h, w) uint8 or uint16 small pictures of one shot, on the CPU.

    Returns:
        `PARAMETERS` by name, and the confidence 0..1 by which they were shrunk towards doing nothing.
    """
    statistics = measure(pictures)
    proposed = guarded(_net()(statistics.vector[None])[0], statistics)
    confidence = trust(pictures, proposed)
    neutral = proposed.new_tensor(NEUTRAL)
    values = neutral + (proposed - neutral) * confidence
    return {name: round(float(v), _DIGITS) for name, v in zip(PARAMETERS, values, strict=True)}, round(confidence, 3)


def guarded(parameters: Tensor, statistics: Statistics) -> Tensor:
    """The parameters (7,) within their limits, white balance gentle; without colour ones where the footage has no colour."""
    limits = parameters.new_tensor([LIMITS[name] for name in PARAMETERS])
    gentle = parameters.new_tensor([BALANCE if name in ("temperature", "tint") else 1.0 for name in PARAMETERS])
    parameters = (parameters * gentle).clamp(limits[:, 0], limits[:, 1])
    if float(statistics.chroma[-1]) < GREY:
        colourful = torch.tensor([name in ("temperature", "tint", "saturation") for name in PARAMETERS])
        parameters = torch.where(colourful, parameters.new_tensor(NEUTRAL), parameters)
    return parameters


def trust(pictures: Tensor, parameters: Tensor) -> float:
    """0..1: how far a grade is to be done, from how much it changes these pictures."""
    top = 255.0 if pictures.dtype == torch.uint8 else 65535.0
    pixels = without_bars(pictures.to(torch.float32) / top).permute(0, 2, 3, 1).reshape(-1, 3)
    pixels = pixels[:: max(1, len(pixels) // _PIXELS)]
    change = float(difference(lab(apply(pixels, parameters)), lab(pixels)).mean())
    return min(max((change - LEAVE) / (FULL - LEAVE), 0.0), 1.0)
