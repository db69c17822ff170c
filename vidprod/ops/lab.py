"""CIE L*a*b* of display colours, and how far two colours look apart."""

from __future__ import annotations

import torch
from torch import Tensor

from vidprod.ops.grade_plan import GAMMA

# Rec.709 light -> CIE XYZ (ITU-R BT.709 primaries, white D65).
_TO_XYZ = (
    (0.4123908, 0.3575843, 0.1804808),
    (0.2126390, 0.7151687, 0.0721923),
    (0.0193308, 0.1191948, 0.9505322),
)
_EDGE = 6 / 29  # where the cube root becomes a line
_SMALLEST = 1e-9  # keeps gradients of roots finite


def lab(colors: Tensor) -> Tensor:
    """(..., 3) R'G'B' code values in 0..1, shown on a Rec.709 display -> (..., 3) L*, a*, b*; L* in 0..100."""
    matrix = colors.new_tensor(_TO_XYZ)
    xyz = (colors.clamp(1e-4, 1) ** GAMMA) @ (matrix / matrix.sum(1, keepdim=True)).T
    f = torch.where(xyz > _EDGE**3, xyz.clamp(min=_SMALLEST) ** (1 / 3), xyz / (3 * _EDGE**2) + 4 / 29)
    x, y, z = f.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def difference(first: Tensor, second: Tensor) -> Tensor:
    """CIE 1994 colour difference of L*a*b* (..., 3) -> (...): about 1 is just visible.

    Unlike CIEDE2000 it can be differentiated everywhere; the chroma that it is weighted by is the geometric mean of both.
    """
    chroma = [(c[..., 1:].square().sum(-1) + 1e-4).sqrt() for c in (first, second)]
    apart = first - second
    step = chroma[0] - chroma[1]
    hue = (apart[..., 1:].square().sum(-1) - step.square()).clamp(min=0)
    mean = (chroma[0] * chroma[1]).sqrt()
    total = apart[..., 0].square() + (step / (1 + 0.045 * mean)).square() + hue / (1 + 0.015 * mean).square()
    return (total + 1e-6).sqrt()
