"""Pictures with a logo drawn over them, of which everything is known."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

HEIGHT, WIDTH = 140, 250
LEFT, TOP, RIGHT, BOTTOM = 92, 56, 158, 86
"""The logo's box in these pictures; the rest is room for copies of it."""


def texture(height: int, width: int, seed: int) -> Tensor:
    """(3, height, width) in 0..255: broad shades and finer ones, as nature has them."""
    draw = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 3, height, width)
    for cell in (64, 32, 16, 8, 4):
        grid = torch.rand(1, 3, height // cell + 3, width // cell + 3, generator=draw) - 0.5
        total += cell**0.8 * F.interpolate(grid, (height, width), mode="bicubic", align_corners=False)
    return 125 + total[0] * (40 / float(total.std()))


def moving(count: int, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """(count, 3, height, width) in 0..255: different parts of one texture, brighter and darker."""
    wide = texture(3 * height, 3 * width, seed=1)
    places = torch.rand(count, 3, generator=torch.Generator().manual_seed(2))
    pictures = []
    for y, x, light in places.tolist():
        top, left = int(y * 2 * height), int(x * 2 * width)
        pictures.append(wide[:, top : top + height, left : left + width] * (0.7 + 0.5 * light))
    return torch.stack(pictures).clamp(0, 255)


def still(count: int, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """(count, 3, height, width) in 0..255: one picture, with noise."""
    noise = torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(3))
    return (texture(height, width, seed=4) + noise).clamp(0, 255)


def logo(height: int = HEIGHT, width: int = WIDTH, left: int = LEFT, top: int = TOP) -> tuple[Tensor, Tensor]:
    """A disc and letters: coverage (height, width) in 0..1 and colour (3, height, width) in 0..255."""
    fine = 4
    shape = np.zeros((height * fine, width * fine), np.uint8)
    cv2.circle(shape, ((left + 15) * fine, (top + 15) * fine), 13 * fine, 255, -1)
    cv2.putText(shape, "TV", ((left + 32) * fine, (top + 25) * fine), cv2.FONT_HERSHEY_DUPLEX, 3.6, 255, 4 * fine)
    cover = cv2.resize(shape, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    colour = torch.full((3, height, width), 240.0)
    colour[1:, :, : left + 31] = 50.0
    return torch.from_numpy(cover), colour


def burned(pictures: Tensor, cover: Tensor, colour: Tensor, alpha: float) -> Tensor:
    """(N, 3, H, W) uint8: the logo drawn over the pictures."""
    a = cover * alpha
    return (pictures * (1 - a) + colour * a).round().clamp(0, 255).to(torch.uint8)


def psnr(x: Tensor, truth: Tensor, where: Tensor) -> float:
    """dB within (H, W) bool, of levels of 255."""
    return 10 * math.log10(255**2 / float((x.float() - truth.float())[..., where].square().mean()))
