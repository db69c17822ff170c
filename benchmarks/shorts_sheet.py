"""python -m benchmarks.shorts_sheet: all styles of transition in one picture for the documents, docs/images/transitions.jpg.

From photographs that may be shown anywhere: a portrait by NASA (public domain), scikit-image's cat (CC0), and product photographs
that Sylius ships under MIT.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

from vidprod.ops.transitions import STYLES, Transition

Picture = NDArray[np.uint8]

ROOT = Path(__file__).parents[1]
PHOTOS = {
    "dress_1200x1600.jpg": 0.1,
    "astronaut_512.png": 0.0,
    "mugs_1024x685.jpg": 1.0,
    "jeans_man_1200x1600.jpg": 0.2,
    "chelsea_cat.png": 0.5,
    "cap_1200x1600.jpg": 0.35,
    "tshirt_man_1200x1600.jpg": 0.2,
}
"""And where the square is taken, from the top or from the left."""

COLUMNS, BLOCKS = 7, 2
SIDE, DRAWN = 104, 416
"""Pixels at which pictures are shown, and at which they are drawn."""

GAP, HEAD, SEAM = 14, 24, 2
INK, PAPER = (40, 40, 40), (255, 255, 255)


def sheet(photos: Sequence[Picture], *, seed: int = 2) -> Image.Image:
    """Styles down, progress from 0 to 1 across, in two blocks; each goes from one photograph to the next."""
    rows = -(-len(STYLES) // BLOCKS)
    width = BLOCKS * COLUMNS * (SIDE + SEAM) + (BLOCKS + 1) * GAP
    out = Image.new("RGB", (width, rows * (SIDE + HEAD) + GAP), PAPER)
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(15)
    progress = [column / (COLUMNS - 1) for column in range(COLUMNS)]
    for number, style in enumerate(STYLES):
        block, row = divmod(number, rows)
        left, top = GAP + block * (COLUMNS * (SIDE + SEAM) + GAP), row * (SIDE + HEAD)
        draw.text((left, top + 4), style, INK, font)
        a, b = (_tensor(photos[(number + step) % len(photos)]) for step in range(2))
        drawn = Transition(style, DRAWN, DRAWN, seed=seed)(a, b, progress)
        for column, picture in enumerate(drawn.permute(0, 2, 3, 1).numpy()):
            small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            out.paste(small, (left + column * (SIDE + SEAM), top + HEAD))
    return out


def photographs(folder: Path) -> list[Picture]:
    """Squares of the photographs above."""
    found = []
    for name, place in PHOTOS.items():
        with Image.open(folder / name) as picture:
            fitted = ImageOps.fit(
                picture.convert("RGB"), (DRAWN, DRAWN), Image.Resampling.LANCZOS, centering=(place, place)
            )
        found.append(np.asarray(fitted))
    return found


def _tensor(picture: Picture) -> Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shorts_sheet", description=__doc__)
    parser.add_argument("--photos", type=Path, default=ROOT.parent / "shared" / "media" / "photos", help="their folder")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images" / "transitions.jpg")
    arguments = parser.parse_args()
    sheet(photographs(arguments.photos)).save(arguments.output, quality=88, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
