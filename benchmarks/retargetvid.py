"""ChangeVideoSize against six people's crops: python -m benchmarks.retargetvid ANNOTATIONS VIDEOS

RetargetVid (https://github.com/bmezaris/RetargetVid): for 200 videos of DHF1K, numbers 1 to 100 and 601 to 700, six people drew a
window of 1:3 and one of 3:1 through every picture. ANNOTATIONS holds their unpacked folders, `annotator_1` to `annotator_6`; the
videos themselves must come from DHF1K and are not to be had here, so no figure of ours is given anywhere.

The measure is that of the data set: intersection over union with inclusive pixels, mean over pictures, then over videos, then over
people. Windows are full crops (tightness 1), as people's are.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import table
from vidprod.media.previews import previews
from vidprod.media.reader import VideoReader
from vidprod.ops.attention import EVERY_GPU, Attention, AttentionAnalysis
from vidprod.ops.crop_window import Fit
from vidprod.ops.reframe_plan import Fill, ReframePlan, ShotTimes, Windows
from vidprod.ops.reframing import path, still, times_of
from vidprod.ops.render import analyse

SHAPES = {"1-3": 1 / 3, "3-1": 3.0}
"""Names of the data set's files: width / height."""

Boxes = NDArray[np.int64]  # (N, 4) left, top, right, bottom, inclusive


def overlap(one: Boxes, other: Boxes) -> NDArray[np.float64]:
    """(N,) intersection over union of inclusive pixel boxes; what lies left of or above the picture counts as its edge."""
    one, other = (np.maximum(boxes, 0) for boxes in (one, other))
    low, high = np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])
    both = np.clip(high - low + 1, 0, None).prod(1)
    areas = [(boxes[:, 2:] - boxes[:, :2] + 1).prod(1) for boxes in (one, other)]
    found: NDArray[np.float64] = both / (areas[0] + areas[1] - both)
    return found


def people(folder: Path) -> dict[tuple[str, int], list[Boxes]]:
    """By shape and number of the video: the windows of each person."""
    found: dict[tuple[str, int], list[Boxes]] = {}
    for file in sorted(folder.glob("annotator_*/*.txt")):
        if match := re.fullmatch(r"(\d+)_(1-3|3-1)\.txt", file.name):
            lines = [line.split(",")[:4] for line in file.read_text().splitlines() if line.strip()]
            found.setdefault((match[2], int(match[1])), []).append(np.array(lines, np.int64))
    return found


def windows(video: Path, attention: Attention | None, shape: float) -> Boxes:
    """Our window on every picture, or the one in the middle where nothing was looked at."""
    with VideoReader(video) as reader:
        info = reader.info
        seconds = [float(frame.pts * info.time_base) for frame in reader.native() if frame.pts is not None]
    fit = Fit.of(info.display_width * float(info.sample_aspect_ratio) / info.display_height, shape)
    if attention is None:
        plan = ReframePlan(64, 64, (ShotTimes(0.0, seconds[-1] + 1),), (still(fit, fit.least, 0.0),), Fill())
    else:
        plan = ReframePlan(64, 64, times_of(attention.shots), path(attention, fit, 1.0), Fill())
    way = Windows(plan)
    size = np.array([info.display_width, info.display_height] * 2)
    parts = np.array([(x, y, x + w, y + h) for x, y, w, h in map(way.at, seconds)]) * size
    boxes: Boxes = np.rint(parts).astype(np.int64)
    boxes[:, 2:] -= 1
    return boxes


def looked_at(video: Path) -> Attention:
    """What matters in a video."""
    with VideoReader(video) as reader:
        return analyse(previews(reader, every=EVERY_GPU), AttentionAnalysis())


def scores(
    annotated: Mapping[tuple[str, int], Sequence[Boxes]], videos: Mapping[int, Path]
) -> dict[str, dict[str, list[float]]]:
    """By shape and method: for each person the mean overlap over all videos there are."""
    found: dict[str, dict[str, list[list[float]]]] = {shape: {"middle": [], "vidprod": []} for shape in SHAPES}
    for number, video in sorted(videos.items()):
        attention = looked_at(video)
        for shape, method in itertools.product(SHAPES, ("middle", "vidprod")):
            drawn = annotated.get((shape, number), ())
            if not drawn:
                continue
            ours = windows(video, attention if method == "vidprod" else None, SHAPES[shape])
            row = []
            for one in drawn:
                count = min(len(one), len(ours))  # decoders differ by a picture at the end
                row.append(float(overlap(one[:count], ours[:count]).mean()))
            found[shape][method].append(row)
    return {
        shape: {method: np.mean(rows, 0).tolist() for method, rows in methods.items() if rows}
        for shape, methods in found.items()
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retargetvid", description=__doc__)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("videos", type=Path, help="folder of DHF1K's videos, such as 001.AVI")
    arguments = parser.parse_args()
    annotated = people(arguments.annotations)
    wanted = {number for _, number in annotated}
    files = {int(p.stem): p for p in sorted(arguments.videos.iterdir()) if p.stem.isdigit()} if wanted else {}
    videos = {number: file for number, file in files.items() if number in wanted}
    print(f"{len(videos)} of {len(wanted)} annotated videos are there")
    if not videos:
        raise SystemExit("videos missing: nothing to measure")
    rows = []
    for shape, methods in scores(annotated, videos).items():
        for method, each in methods.items():
            rows.append([shape.replace("-", ":"), method, *(f"{100 * f(each):.1f}" for f in (min, max, np.mean))])
    print(table(["shape", "method", "worst person, %", "best person, %", "mean, %"], rows))


if __name__ == "__main__":
    main()
