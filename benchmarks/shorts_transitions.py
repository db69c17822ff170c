"""What each style of transition costs: CPU time of one thread per picture, beside encoding that very picture.

A transition of 14 pictures, which is 0.45 s at 30 a second, between two real clips. Ready means what is worked out once per
transition: noise, masks and the like. Encoding is libx264 through our writer, preset veryfast, CRF 18, also on one thread.
"""

from __future__ import annotations

import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.peers import package_clip
from benchmarks.tables import table as markdown
from vidprod.media.frames import Frames
from vidprod.media.probe import VideoInfo
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter
from vidprod.memory import keep_freed
from vidprod.ops.transitions import STYLES, Transition

SIZES = (720, 1080)
PICTURES = 14
CLIPS = ("bigbuckbunny.mp4", "bikes.mp4")


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Measures; see the module."""
    torch.set_num_threads(1)
    keep_freed()
    rows: list[dict[str, Any]] = [{"style": style} for style in STYLES]
    sizes = SIZES[:1] if quick else SIZES
    for side in sizes:
        a, b = (square(name, side) for name in CLIPS)
        for _ in range(1 if quick else 4):
            for row in rows:
                for name, seconds in _costs(row["style"], a, b).items():
                    key = f"{name}_{side}"
                    row[key] = min(row.get(key, float("inf")), 1000 * seconds)
    return {"sizes": list(sizes), "pictures": PICTURES, "rows": rows}


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    head = ["style"]
    for side in result["sizes"]:
        head += [f"{side}x{side}: ms/picture", "ready, ms", "encoded, ms/picture"]
    rows = [
        [
            row["style"],
            *(f"{row[f'{name}_{side}']:.1f}" for side in result["sizes"] for name in ("draw", "ready", "encode")),
        ]
        for row in result["rows"]
    ]
    return markdown(head, rows)


def square(name: str, side: int) -> Tensor:
    """(PICTURES, 3, side, side) uint8: the middle of the clip's first pictures, laid out as the reader does."""
    with VideoReader(package_clip(name), stop=PICTURES, batch=PICTURES) as reader:
        data = next(iter(reader)).data
    short = min(data.shape[2:])
    top, left = (data.shape[2] - short) // 2, (data.shape[3] - short) // 2
    middle = data[:, :, top : top + short, left : left + short].float()
    large = F.interpolate(middle, (side, side), mode="bilinear", antialias=True)
    return large.round_().clamp_(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)


def _costs(style: str, a: Tensor, b: Tensor) -> dict[str, float]:
    """CPU seconds: to make it ready, and to draw and to encode one picture."""
    side = a.shape[2]
    progress = [(number + 1) / (PICTURES + 1) for number in range(PICTURES)]
    started = time.process_time()
    drawn_by = Transition(style, side, side, seed=1)
    ready = time.process_time()
    drawn = drawn_by(a, b, progress)
    done = time.process_time()
    return {"ready": ready - started, "draw": (done - ready) / PICTURES, "encode": _encoded(drawn) / PICTURES}


def _encoded(pictures: Tensor) -> float:
    """CPU seconds to encode pictures."""
    rate = Fraction(30)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mp4"
        like = VideoInfo.of_new(out, pictures.shape[3], pictures.shape[2], rate)
        started = time.process_time()
        with VideoWriter(out, like=like, threads=1) as writer:
            writer.write(Frames(pictures, tuple(range(len(pictures))), 1 / rate))
        return time.process_time() - started
