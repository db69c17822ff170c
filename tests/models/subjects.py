"""What published networks say of real pictures: `python -m vidprod.weights.tools.goldens_subjects`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

GOLDENS = Path(__file__).parent / "goldens_subjects.npz"


def golden(name: str) -> Tensor:
    """One array of the file; pictures as (N, 3, H, W) uint8."""
    with np.load(GOLDENS) as arrays:
        value = torch.from_numpy(arrays[name])
    return value.permute(0, 3, 1, 2) if value.dtype == torch.uint8 else value
