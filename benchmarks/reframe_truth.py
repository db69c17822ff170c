"""Clips to reframe: real ones of one shot, and such with a figure on them whose place is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vidprod.media.frames import Frames
from vidprod.media.previews import SAMPLE, TINY, Preview
from vidprod.media.reader import VideoReader

Pictures = NDArray[np.uint8]  # (N, H, W, 3) RGB

WIDTH = 640
"""Pixels of all clips: what the peer looks at."""

RATE = 25
SECONDS = 4
CLIPS = {
    "cockatoo": "cockatoo_720p_yuv444.mp4",
    "dog and trainer": "dog_training_720p.mp4",
    "basketball": "basketball_426x240.mp4",
    "marathon": "marathon_720x400.mp4",
    "coffee": "coffee_pour_720p.mp4",
    "drone": "lofoten_drone_1024x750.mp4",
    "signing": "sign_language_640x480.mkv",
    "crystal": "crystal_product_480p.mp4",
}
BEHIND = ("basketball", "coffee", "crystal")
"""Clips that figures are put on; all have subjects of their own."""

TUNED = ("cockatoo", "dog and trainer", "drone")
"""Those that the numbers of vidprod were chosen with; they show better than they are."""

MOTIONS = ("still", "walk", "there and back")
FIGURES = ("man", "bottle")


@dataclass(frozen=True, eq=False)
class Clip:
    """Pictures at `RATE`, and where the figure is.

    Attributes:
        extents: (N, 2) start and end of the figure, fractions of the width; None where there is no figure.
    """

    name: str
    pictures: Pictures
    extents: NDArray[np.float64] | None = None

    @property
    def aspect(self) -> float:
        """Width / height."""
        return float(self.pictures.shape[2] / self.pictures.shape[1])

    def previews(self, every: Fraction, batch: int = 32) -> Iterator[Preview]:
        """As `vidprod.media.previews` makes them of a file."""
        step = int(every * RATE)
        tiny, samples = (_smaller(self.pictures, side) for side in (TINY, SAMPLE))
        for first in range(0, len(tiny), batch):
            chosen = range(first + -first % step, min(first + batch, len(tiny)), step)
            yield Preview(_frames(tiny, first, batch), tuple(_frames(samples, at, 1) for at in chosen))


def _smaller(pictures: Pictures, side: int) -> Pictures:
    height, width = pictures.shape[1:3]
    scale = side / max(height, width)
    size = round(width * scale), round(height * scale)
    return np.stack([cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures]).astype(np.uint8)


def _frames(pictures: Pictures, first: int, count: int) -> Frames:
    part = pictures[first : first + count]
    return Frames(
        torch.from_numpy(part).permute(0, 3, 1, 2), tuple(range(first, first + len(part))), Fraction(1, RATE), first
    )


@cache
def real(name: str, media: Path) -> Clip:
    """The first seconds of a clip."""
    found: list[Pictures] = []
    with VideoReader(media / "videos" / CLIPS[name], bits=8, batch=8) as reader:
        for frames in reader:
            for second, picture in zip(frames.seconds, frames.data, strict=True):
                # to an even rate: a picture stays until the next one
                while len(found) < SECONDS * RATE and Fraction(len(found), RATE) <= second:
                    found.append(_scaled(picture.permute(1, 2, 0).numpy()))
            if len(found) == SECONDS * RATE:
                break
    return Clip(name, np.stack(found))


def _scaled(picture: Pictures) -> Pictures:
    height = round(picture.shape[0] * WIDTH / picture.shape[1])
    return np.asarray(cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA), np.uint8)


@cache
def figure(name: str, media: Path) -> NDArray[np.float32]:
    """(H, W, 4) RGB and opacity, 0..1, as small as can be."""
    if name == "bottle":
        made = cv2.imread(str(media / "photos" / "drink_alpha_2160.png"), cv2.IMREAD_UNCHANGED)
        assert made is not None, "the photo of the drink is missing"
        rgba = cv2.cvtColor(made, cv2.COLOR_BGRA2RGBA).astype(np.float32) / 255
        rgba[int(0.8 * len(rgba)) :] = 0  # its shadow
    else:
        with VideoReader(media / "videos" / CLIPS["signing"], bits=8, batch=1) as reader:
            picture = next(iter(reader)).data[0].permute(1, 2, 0).contiguous().numpy()
        height, width = picture.shape[:2]
        mask = np.zeros((height, width), np.uint8)
        cv2.setRNGSeed(0)
        around = int(0.24 * width), int(0.12 * height), int(0.42 * width), int(0.87 * height)
        cv2.grabCut(picture, mask, around, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_RECT)
        alpha = cv2.GaussianBlur(((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.float32), (0, 0), 1)
        rgba = np.dstack([picture.astype(np.float32) / 255, alpha])
    solid = rgba[..., 3] > 0.5
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    cut: NDArray[np.float32] = rgba.astype(np.float32)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cut


def with_figure(behind: str, of: str, motion: str, media: Path) -> Clip:
    """A clip with a figure on it, 0.7 of the picture high (a bottle: 0.45), that stands on its lower edge."""
    clip = real(behind, media)
    height, width = clip.pictures.shape[1:3]
    whole = figure(of, media)
    high = round((0.7 if of == "man" else 0.45) * height)
    wide = round(whole.shape[1] * high / whole.shape[0])
    small = cv2.resize(whole, (wide, high), interpolation=cv2.INTER_AREA)
    part = np.linspace(0, 1, len(clip.pictures))
    middles = {
        "still": np.full(len(part), 0.22),
        "walk": 0.15 + 0.7 * part,
        "there and back": 0.2 + 0.6 * (1 - abs(2 * part - 1)),
    }
    made, extents = clip.pictures.copy(), []
    for picture, middle in zip(made, middles[motion], strict=True):
        left = min(max(round(middle * width - wide / 2), 0), width - wide)
        spot = picture[height - high :, left : left + wide]
        alpha = small[..., 3:]
        spot[...] = (spot * (1 - alpha) + 255 * small[..., :3] * alpha).round().astype(np.uint8)
        extents.append((left / width, (left + wide) / width))
    return Clip(f"{of} on {behind}, {motion}", made, np.array(extents))
