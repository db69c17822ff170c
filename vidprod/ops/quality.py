"""How good pictures look, one by one: light, contrast, colour, sharpness, movement. From previews, in one pass."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vidprod.media.previews import Preview
from vidprod.ops.letterbox import BLACK

Floats = NDArray[np.float32]

BLACK_LIGHT, FLAT_CONTRAST = 24.0, 6.0
"""Levels: a picture darker than the one, or with less contrast than the other, shows nothing."""

FROZEN_CHANGE, FROZEN_SECONDS = 0.02, 0.4
"""Levels of change below which a picture is the one before again, and how long that must go on to be called frozen."""

SHAKING = 0.012
"""Of a picture's width, from one picture to the next at 30 pictures a second: above, nobody holds a camera so on purpose."""

_STEADY = 0.4, 0.8  # seconds over which a movement counts as steady, and over which shaking is measured


@dataclass(frozen=True, eq=False)
class Quality:
    """Of the N pictures of a video, and of T samples of it.

    Attributes:
        seconds: (N,) times of the pictures.
        light: (N,) mean luma, 0..255.
        contrast: (N,) standard deviation of luma.
        change: (N,) mean absolute change from the picture before, in levels; 0 for the first.
        shake: (N,) how unsteadily the whole picture moves: of its width, median over `_STEADY` seconds.
        sample_seconds: (T,).
        sharpness: (T,) mean energy of the finest details against that of coarser ones: independent of contrast.
        colourfulness: (T,) Hasler and Suesstrunk, SPIE 2003: 0 is grey, 60 quite colourful.
        colour: (N, 3) mean red, green and blue, 0..255; empty where nobody measured it.
        lit: (h,) and (w,): the most of each row and column of the samples, 0..1, that was not black in any of them; empty where
            nobody measured it.
    """

    seconds: NDArray[np.float64]
    light: Floats
    contrast: Floats
    change: Floats
    shake: Floats
    sample_seconds: NDArray[np.float64]
    sharpness: Floats
    colourfulness: Floats
    colour: Floats = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    lit: tuple[NDArray[np.float64], NDArray[np.float64]] = field(default_factory=lambda: (np.zeros(0), np.zeros(0)))

    def empty(self) -> NDArray[np.bool_]:
        """(N,) whether a picture shows nothing: black, or all of one colour."""
        return (self.light < BLACK_LIGHT) & (self.contrast < 3 * FLAT_CONTRAST) | (self.contrast < FLAT_CONTRAST)

    def shaken(self) -> NDArray[np.bool_]:
        """(N,) whether the camera shakes so that nothing can be seen well."""
        if len(self.seconds) < 2:
            return np.zeros(len(self.seconds), bool)
        # the same shaking is spread over more pictures where there are more of them in a second
        step = float(np.median(np.diff(self.seconds)))
        return self.shake > SHAKING * min(step * 30, 1.0)

    def frozen(self) -> NDArray[np.bool_]:
        """(N,) whether a picture is one of a run that does not move at all: a still, a player that hangs."""
        still = self.change < FROZEN_CHANGE
        still[:1] = False
        out = np.zeros(len(still), bool)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], still.astype(np.int8), [0]])))
        for first, stop in zip(edges[::2], edges[1::2], strict=True):
            if self.seconds[stop - 1] - self.seconds[first] >= FROZEN_SECONDS:
                out[max(first - 1, 0) : stop] = True
        return out


class QualityAnalysis:
    """Analysis: previews in, `Quality` out."""

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._light: list[Floats] = []
        self._contrast: list[Floats] = []
        self._means: list[Floats] = []
        self._change: list[Floats] = []
        self._moves: list[Floats] = []
        self._last: torch.Tensor | None = None
        self._samples: list[float] = []
        self._sharpness: list[float] = []
        self._colour: list[float] = []
        self._lit: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def update(self, preview: Preview) -> None:
        """Takes the next pictures."""
        data = preview.tiny.data.float()
        luma = 0.299 * data[:, 0] + 0.587 * data[:, 1] + 0.114 * data[:, 2]  # (N, h, w)
        self._light.append(luma.mean((1, 2)).numpy())
        self._contrast.append(luma.std((1, 2)).numpy())
        self._means.append(data.mean((2, 3)).numpy())
        before = torch.cat([luma[:1] if self._last is None else self._last, luma[:-1]])
        self._change.append((luma - before).abs().mean((1, 2)).numpy())
        self._moves.append(_moves(torch.cat([before[:1], luma]).numpy()))
        self._last = luma[-1:].clone()
        self._seconds += map(float, preview.tiny.seconds)
        for sample in preview.samples:
            picture = sample.data[0].permute(1, 2, 0).contiguous().numpy()
            self._samples.append(float(sample.seconds[0]))
            self._sharpness.append(sharpness(picture))
            self._colour.append(colourfulness(picture))
            rows, columns = lit(picture)
            most = self._lit or (rows, columns)
            self._lit = np.maximum(most[0], rows), np.maximum(most[1], columns)

    def finish(self) -> Quality:
        """What was found; called once, after the last picture."""

        def joined(parts: list[Floats]) -> Floats:
            return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)

        return Quality(
            np.array(self._seconds),
            joined(self._light),
            joined(self._contrast),
            joined(self._change),
            _unsteady(np.concatenate(self._moves) if self._moves else np.zeros((0, 2), np.float32), self._seconds),
            np.array(self._samples),
            np.array(self._sharpness, np.float32),
            np.array(self._colour, np.float32),
            np.concatenate(self._means) if self._means else np.zeros((0, 3), np.float32),
            self._lit or (np.zeros(0), np.zeros(0)),
        )


def _moves(luma: Floats) -> Floats:
    """(N + 1, h, w) -> (N, 2) how far each picture is shifted from the one before, of its width; 0 if that is unclear."""
    height, width = luma.shape[1:]
    window = cv2.createHanningWindow((width, height), cv2.CV_32F) if min(width, height) > 2 else np.ones_like(luma[0])
    found = np.zeros((len(luma) - 1, 2), np.float32)
    for at in range(len(found)):
        (x, y), response = cv2.phaseCorrelate(luma[at], luma[at + 1], window)
        if response > 0.1:  # else two different pictures, or nothing in them
            found[at] = x / width, y / width
    return found


def _unsteady(moves: Floats, seconds: list[float]) -> Floats:
    """(N, 2) shifts -> (N,) how far they are from those around them. Medians: a cut, and a picture shown twice, do not count."""
    if len(moves) < 5:
        return np.zeros(len(moves), np.float32)
    step = max((seconds[-1] - seconds[0]) / (len(seconds) - 1), 1e-3)
    narrow, wide = (min(max(round(length / step) // 2 * 2 + 1, 3), 61) for length in _STEADY)
    apart = np.hypot(*(moves - _medians(moves, narrow)).T)
    found: Floats = _medians(apart[:, None], wide)[:, 0].astype(np.float32)
    return found


def _medians(values: Floats, size: int) -> Floats:
    """Of (N, C) along N, over `size` (odd) neighbours."""
    padded = np.pad(values, ((size // 2, size // 2), (0, 0)), mode="edge")
    views = np.lib.stride_tricks.sliding_window_view(padded, size, axis=0)
    # in parts: a median copies what it looks at
    parts = [np.median(views[first : first + 4096], axis=-1) for first in range(0, len(views), 4096)]
    found: Floats = np.concatenate(parts).astype(np.float32)
    return found


def lit(picture: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of (H, W, 3): the part of every row (H,) and column (W,), 0..1, that is not black."""
    bright = picture.max(2) > BLACK
    return bright.mean(1), bright.mean(0)


def sharpness(picture: NDArray[np.uint8]) -> float:
    """Of (H, W, 3): energy between one and two pixels against that between two and eight, in the sharpest eighth of the tiles.

    Only the sharpest, as a shallow focus is no blur.
    """
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 1)
    coarse = cv2.GaussianBlur(grey, (0, 0), 1) - cv2.GaussianBlur(grey, (0, 0), 4)
    tiles = (max(grey.shape[1] // 30, 1), max(grey.shape[0] // 30, 1))
    energy = [
        np.asarray(cv2.resize(part * part, tiles, interpolation=cv2.INTER_AREA)).ravel() for part in (fine, coarse)
    ]
    strong = energy[1] >= np.quantile(energy[1], 0.5)
    ratio = energy[0][strong] / (energy[1][strong] + 4)
    return float(np.sort(ratio)[-max(len(ratio) // 8, 1) :].mean())


def colourfulness(picture: NDArray[np.uint8]) -> float:
    """Of (H, W, 3): Hasler and Suesstrunk, SPIE 2003."""
    red, green, blue = (picture[..., i].astype(np.float32) for i in range(3))
    one, two = red - green, (red + green) / 2 - blue
    spread = float(np.hypot(one.std(), two.std()))
    return spread + 0.3 * float(np.hypot(one.mean(), two.mean()))
