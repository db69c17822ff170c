"""Measures of picture quality, all on luma as the super-resolution literature does it (BT.601, 16..235)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Plane = NDArray[np.float64]  # (H, W)

_LUMA = np.array([65.481, 128.553, 24.966]) / 255


def luma(picture: Picture) -> Plane:
    """MATLAB's rgb2ycbcr, not rounded."""
    plane: Plane = picture.astype(np.float64) @ _LUMA + 16
    return plane


def psnr(a: Picture, b: Picture, *, border: int = 2) -> float:
    """Peak signal to noise ratio of the luma in dB; `border` pixels at every edge do not count."""
    error = (luma(a) - luma(b))[border:-border, border:-border]
    return 10 * math.log10(255**2 / max(float(np.mean(error**2)), 1e-10))


def _window(size: int = 11, sigma: float = 1.5) -> NDArray[np.float64]:
    x = np.arange(size) - size // 2
    kernel = np.exp(-(x**2) / (2 * sigma**2))
    normal: NDArray[np.float64] = kernel / kernel.sum()
    return normal


def _blur(plane: Plane) -> Plane:
    """Gaussian of 11 pixels, only where it fits."""
    kernel = _window()
    n = len(kernel)
    rows = sum(k * plane[i : plane.shape[0] - n + 1 + i] for i, k in enumerate(kernel))
    blurred: Plane = sum(k * rows[:, i : plane.shape[1] - n + 1 + i] for i, k in enumerate(kernel))
    return blurred


def ssim(a: Picture, b: Picture, *, border: int = 2) -> float:
    """Structural similarity of the luma (Wang et al. 2004: Gaussian window of 11, sigma 1.5)."""
    x, y = (luma(p)[border:-border, border:-border] for p in (a, b))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = _blur(x), _blur(y)
    vx, vy, cov = _blur(x * x) - mx * mx, _blur(y * y) - my * my, _blur(x * y) - mx * my
    value = ((2 * mx * my + c1) * (2 * cov + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(value.mean())


def temporal_error(ours: list[Picture], truth: list[Picture]) -> float:
    """Mean |(x[t] - x[t-1]) - (y[t] - y[t-1])| on luma in grey levels: how much the changes from picture to picture differ."""
    x, y = [luma(p) for p in ours], [luma(p) for p in truth]
    steps = [np.abs((x[t] - x[t - 1]) - (y[t] - y[t - 1])).mean() for t in range(1, len(x))]
    return float(np.mean(steps))
