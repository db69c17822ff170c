"""Pictures to look at: the part around what was erased, enlarged, before | after | as it truly is, one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.erase_scores import Material, box_of
from benchmarks.erase_truth import Pictures

ENLARGED = 2
GAP = 4  # pixels between two rows


def rows(given: Material, results: Mapping[str, Pictures], index: int, margin: int = 14) -> np.ndarray:
    """(H, W, 3): one picture as it came, as each result, and as it truly is."""
    cover = given.cover(index)
    if cover is None:
        raise ValueError(f"there is nothing on picture {index} of {given.name}")
    area = box_of(cover.mask).grown(2 * margin, margin, given.whole).slices
    parts = [given.burned[index][area], *(out[index][area] for out in results.values()), given.clean[index][area]]
    large = [cv2.resize(p, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC) for p in parts]
    gap = np.full((GAP, large[0].shape[1], 3), 255, np.uint8)
    return np.vstack([piece for part in large for piece in (part, gap)][:-1])


def sheet(folder: Path, given: Material, results: Mapping[str, Pictures]) -> None:
    """Writes the middle picture of the longest appearance as PNG, named after the case."""
    longest = max(given.covers, key=lambda cover: cover.stop - cover.first)
    folder.mkdir(parents=True, exist_ok=True)
    picture = rows(given, results, (longest.first + longest.stop) // 2)
    cv2.imwrite(str(folder / f"{given.name}.png"), picture[..., ::-1])


def board(paths: Sequence[Path], out: Path, *, columns: int, width: int = 1100, quality: int = 85) -> None:
    """Sheets beside and below each other as one JPEG, `width` pixels wide."""
    sheets = []
    for path in paths:
        picture = cv2.imread(str(path))
        if picture is None:
            raise ValueError(f"{path} is not a picture that OpenCV reads")
        sheets.append(picture)
    rows_of = [sheets[i : i + columns] for i in range(0, len(sheets), columns)]
    lines = []
    for line in rows_of:
        # of one height, so that rows beside each other are the same kind
        height = min(s.shape[0] for s in line)
        fitted = [
            cv2.resize(s, (round(s.shape[1] * height / s.shape[0]), height), interpolation=cv2.INTER_AREA) for s in line
        ]
        gap = np.full((height, 3 * GAP, 3), 255, np.uint8)
        joined = np.hstack([piece for part in fitted for piece in (part, gap)][:-1])
        lines.append(cv2.resize(joined, (width, round(joined.shape[0] * width / joined.shape[1]))))
    gap = np.full((4 * GAP, width, 3), 255, np.uint8)
    whole = np.vstack([piece for line in lines for piece in (line, gap)][:-1])
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), whole, [cv2.IMWRITE_JPEG_QUALITY, quality])
