"""Draws what an eraser has to remove: subtitles, logos, boxes behind text and scribbles, with the exact mask of each.

Fonts come from Debian's fonts-noto-cjk, fonts-wqy-microhei, fonts-liberation and fonts-dejavu; they are needed for training
only. Text is random signs of several scripts: for filling holes only the shape of strokes matters.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Alpha = NDArray[np.float32]  # (H, W) in 0..1

FONT_FOLDER = Path("/usr/share/fonts")
CJK = (
    "opentype/noto/NotoSansCJK-Regular.ttc",
    "opentype/noto/NotoSansCJK-Bold.ttc",
    "opentype/noto/NotoSerifCJK-Bold.ttc",
    "truetype/wqy/wqy-microhei.ttc",
)
LATIN = (
    "truetype/liberation/LiberationSans-Regular.ttf",
    "truetype/liberation/LiberationSans-Bold.ttf",
    "truetype/liberation/LiberationSans-BoldItalic.ttf",
    "truetype/liberation/LiberationSerif-Regular.ttf",
    "truetype/liberation/LiberationMono-Bold.ttf",
    "truetype/dejavu/DejaVuSans.ttf",
    "truetype/dejavu/DejaVuSans-Bold.ttf",
    "truetype/dejavu/DejaVuSerif.ttf",
)
HAN, KANA, CYRILLIC = range(0x4E00, 0x8FFF), range(0x3042, 0x3094), range(0x0410, 0x0450)
LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
SIZES = (18, 60)
"""Height of signs in pixels, least and greatest."""

VISIBLE = 0.02
"""Alpha above which a pixel belongs to the mask."""


@dataclass(frozen=True)
class Overlay:
    """A picture to lay over frames: `colour` (H, W, 3) 0..255 where `alpha` (H, W) in 0..1 is not zero."""

    colour: NDArray[np.float32]
    alpha: Alpha

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W): all pixels that it changes."""
        return self.alpha > VISIBLE

    def over(self, picture: Picture) -> Picture:
        """The picture with the overlay on it."""
        alpha = self.alpha[..., None]
        return np.rint(picture * (1 - alpha) + self.colour * alpha).astype(np.uint8)


@functools.lru_cache(maxsize=512)
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font file of `FONT_FOLDER` at a size in pixels."""
    return ImageFont.truetype(FONT_FOLDER / name, size, index=2 if "NotoSansCJK" in name else 0)


def words(rng: np.random.Generator, signs: int) -> tuple[str, bool]:
    """About `signs` random signs, and whether they need a CJK font."""
    kind = rng.choice(["han", "kana", "latin", "cyrillic", "digits"], p=[0.45, 0.08, 0.35, 0.07, 0.05])
    if kind in ("han", "kana"):
        pool = HAN if kind == "han" else KANA
        return "".join(chr(int(c)) for c in rng.choice(pool, signs // 2 + 1)), True
    if kind == "digits":
        return "".join(str(d) for d in rng.integers(0, 10, signs)), False
    letters = list(LETTERS) if kind == "latin" else [chr(c) for c in CYRILLIC]
    odds = 1 / np.arange(3.0, 3.0 + len(letters))
    text, left = "", signs
    while left > 0:
        length = int(rng.integers(2, 9))
        word = "".join(rng.choice(letters, length, p=odds / odds.sum()))
        text += (word.capitalize() if rng.random() < 0.3 else word) + rng.choice([" ", " ", " ", ", ", "! "])
        left -= length + 1
    return text.rstrip(), False


class Canvas:
    """Layers laid one over another."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.colour = np.zeros((height, width, 3), np.float32)
        self.alpha = np.zeros((height, width), np.float32)

    def put(self, colour: tuple[int, int, int], alpha: Alpha) -> None:
        """Lays an even colour over everything with `alpha`."""
        total = alpha + self.alpha * (1 - alpha)
        share = np.divide(alpha, total, out=np.zeros_like(alpha), where=total > 0)[..., None]
        self.colour = self.colour * (1 - share) + np.array(colour, np.float32) * share
        self.alpha = total

    def layer(self, draw: Callable[[ImageDraw.ImageDraw], None], blur: float = 0) -> Alpha:
        """What `draw` draws with 255 on a black picture, in 0..1."""
        picture = Image.new("L", self.size, 0)
        draw(ImageDraw.Draw(picture))
        alpha = np.asarray(picture, np.float32) / np.float32(255)
        return np.asarray(cv2.GaussianBlur(alpha, (0, 0), blur), np.float32) if blur else np.asarray(alpha)

    def overlay(self) -> Overlay:
        """All layers so far."""
        return Overlay(self.colour, self.alpha)


def colour_of(rng: np.random.Generator) -> tuple[int, int, int]:
    """Mostly white, sometimes yellow, sometimes anything."""
    kind = rng.random()
    if kind < 0.6:
        return (255, 255, 255)
    if kind < 0.75:
        return (255, 230, 40)
    r, g, b = (int(c) for c in rng.integers(0, 256, 3))
    return (r, g, b)


def write(canvas: Canvas, rng: np.random.Generator, *, size: int, y: int, box: bool = False) -> None:
    """One centred line: fill, outline of 0 to 4 pixels, and in a third of the lines a soft or hard shadow."""
    text, cjk = words(rng, max(2, int(canvas.size[0] * rng.uniform(0.4, 1.1) / size * 1.6)))
    face = font(str(rng.choice(CJK if cjk else LATIN)), size)
    outline = int(rng.choice([0, 1, 1, 2, 2, 3, 4]))
    left, top, right, bottom = face.getbbox(text, stroke_width=outline)
    at = (round((canvas.size[0] - right - left) / 2 + rng.normal(0, 10)), y)
    if box:
        margin = int(rng.integers(3, 10))
        corners = (at[0] + left - margin, at[1] + top - margin, at[0] + right + margin, at[1] + bottom + margin)
        dark = (int(rng.integers(0, 60)),) * 3
        radius = int(rng.integers(0, margin + 1))
        canvas.put((dark[0], dark[1], dark[2]), canvas.layer(lambda d: d.rounded_rectangle(corners, radius, fill=255)))
    if rng.random() < 0.35:
        shift, soft = int(rng.integers(1, 4)), float(rng.choice([0, 0.8, 1.5]))
        below = (at[0] + shift, at[1] + shift)
        shade = canvas.layer(lambda d: d.text(below, text, font=face, fill=255, stroke_width=outline), soft)
        canvas.put((0, 0, 0), shade * np.float32(rng.uniform(0.5, 1)))
    if outline:
        edge = (0, 0, 0) if rng.random() < 0.8 else colour_of(rng)
        canvas.put(edge, canvas.layer(lambda d: d.text(at, text, font=face, fill=255, stroke_width=outline)))
    canvas.put(colour_of(rng), canvas.layer(lambda d: d.text(at, text, font=face, fill=255)))


def lines(canvas: Canvas, rng: np.random.Generator, *, box: bool) -> None:
    """Subtitles all over the canvas, so that every patch has some."""
    y = int(rng.integers(-15, 25))
    while y < canvas.size[1]:
        size = int(np.exp(rng.uniform(*np.log(SIZES))))
        write(canvas, rng, size=size, y=y, box=box)
        y += int(size * rng.uniform(1.2, 2.2))


def logos(canvas: Canvas, rng: np.random.Generator) -> None:
    """Rings, discs, stars, bars and short words of thick strokes."""
    width, height = canvas.size
    for _ in range(max(3, width * height // 9000)):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(8, 34)
        box = (x - r, y - r * rng.uniform(0.5, 1), x + r, y + r)
        kind = rng.choice(["ring", "disc", "star", "bar", "word", "arc"])
        thick = int(rng.integers(2, 9))
        spikes = int(rng.integers(3, 7))
        turn, inner = rng.uniform(0, math.tau), rng.uniform(0.35, 1)
        angles = [turn + math.pi * i / spikes for i in range(2 * spikes)]
        star = [
            (x + math.cos(a) * r * (inner if i % 2 else 1), y + math.sin(a) * r * (inner if i % 2 else 1))
            for i, a in enumerate(angles)
        ]
        text, cjk = words(rng, 4)
        face = font(str(rng.choice(CJK if cjk else LATIN)), int(rng.uniform(24, 60)))
        begin, sweep = rng.uniform(0, 360), rng.uniform(60, 300)
        painters: dict[str, Callable[[ImageDraw.ImageDraw], None]] = {
            "ring": lambda d: d.ellipse(box, outline=255, width=thick),  # noqa: B023
            "disc": lambda d: d.ellipse(box, fill=255),  # noqa: B023
            "star": lambda d: d.polygon(star, fill=255),  # noqa: B023
            "bar": lambda d: d.line([star[0], star[-1]], fill=255, width=2 * thick),  # noqa: B023
            "word": lambda d: d.text((x - r, y - r), text[:6], font=face, fill=255, stroke_width=thick // 3),  # noqa: B023
            "arc": lambda d: d.arc(box, begin, begin + sweep, fill=255, width=thick),  # noqa: B023
        }
        canvas.put(colour_of(rng), canvas.layer(painters[str(kind)], float(rng.choice([0, 0, 0.7]))))


def random_overlay(rng: np.random.Generator, width: int, height: int) -> Overlay:
    """Subtitles (75 %), logos (17 %) or text on boxes (8 %)."""
    canvas = Canvas(width, height)
    kind = rng.choice(["text", "logo", "box"], p=[0.75, 0.17, 0.08])
    if kind == "logo":
        logos(canvas, rng)
    else:
        lines(canvas, rng, box=kind == "box")
    return canvas.overlay()
