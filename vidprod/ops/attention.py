"""What matters in a video, and where: shots, saliency and subjects, found in one pass. Reframing and summaries build on it."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidprod.media.frames import Frames
from vidprod.media.previews import Preview
from vidprod.ops.saliency import COLUMNS, ROWS, SaliencyDetector
from vidprod.ops.shot_analysis import ShotAnalysis
from vidprod.ops.shots import ShotDetection, ShotPlan
from vidprod.ops.subjects import Subject, SubjectDetection, SubjectSample

Floats = NDArray[np.float32]

CELLS = 96
"""Along each axis, of the marginals of importance."""

FLOOR = 0.1
"""Of a map's peak: saliency below is everywhere, and says nothing."""

SUBJECTS = 0.5
"""Part of the importance that subjects have, where there are any; the rest follows the saliency."""

ENOUGH = 0.3
"""Weight of a subject from which on subjects have that part; of a bottle's they have two thirds of it."""

DOUBTED, SURE = 0.3, 0.8
"""Scores of a detector at which a subject does not count at all, and from which on it counts in full."""

EVERY_CPU, EVERY_GPU = Fraction(1, 2), Fraction(1, 5)
"""Seconds between samples."""

_SEEN = 48  # pictures after which it is looked for cuts among the latest
_BESIDE = 12  # pictures that a cut is judged by, on either side


@dataclass(frozen=True, eq=False)
class Attention:
    """What matters at T moments of a video.

    Attributes:
        seconds: (T,) times of the samples, rising.
        across, down: (T, 96) importance from left to right and from top to bottom; rows sum to 1.
        focus: (T,) how concentrated it is, 0..1: the part of the saliency that lies in the densest sixteenth of the picture.
        embedding: (T, 256) float16, of length 1: pictures of like content have a product near 1.
        subjects: of each sample.
        shots: and the transitions between them.
        maps: (T, 28, 48) uint8 saliency, 255 at each map's peak; empty unless asked for, as they need much memory.
    """

    seconds: NDArray[np.float64]
    across: Floats
    down: Floats
    focus: Floats
    embedding: NDArray[np.float16]
    subjects: tuple[tuple[Subject, ...], ...]
    shots: ShotPlan
    maps: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, ROWS, COLUMNS), np.uint8))

    def within(self, start: float, end: float) -> slice:
        """The samples from `start` on and before `end` seconds."""
        first, last = (int(np.searchsorted(self.seconds, t - 1e-6)) for t in (start, end))
        return slice(first, last)


class AttentionAnalysis:
    """Analysis: previews in, `Attention` out."""

    def __init__(
        self,
        device: torch.device | str = "cpu",
        *,
        saliency: SaliencyDetector | None = None,
        subjects: SubjectDetection | None = None,
        maps: bool = False,
    ) -> None:
        """`saliency` and `subjects` are those at hand already; `maps` tells whether the maps are kept."""
        self._saliency = saliency or SaliencyDetector(device)
        self._subjects = subjects or SubjectDetection(device)
        self._shots = ShotAnalysis(device)
        self._tiny: list[Frames] = []  # that cuts are still looked for in
        self._known = 0  # number of the first picture of which it is not known whether it begins a shot
        self._waiting: list[Frames] = []  # samples
        self._state: Tensor | None = None
        self._seconds: list[float] = []
        self._across: list[Floats] = []
        self._down: list[Floats] = []
        self._focus: list[Floats] = []
        self._embedding: list[NDArray[np.float16]] = []
        self._found: list[SubjectSample] = []
        self._maps: list[NDArray[np.uint8]] | None = [] if maps else None

    def update(self, preview: Preview) -> None:
        """Takes the next pictures."""
        self._shots.update(preview.tiny)
        self._tiny.append(preview.tiny)
        self._waiting += preview.samples
        newest = preview.tiny.index + len(preview.tiny)
        if newest - self._known >= _SEEN + _BESIDE:
            self._settle(newest - _BESIDE)

    def finish(self) -> Attention:
        """What was found; called once, after the last picture."""
        if self._tiny:
            self._settle(self._tiny[-1].index + len(self._tiny[-1]))
        self._found += self._subjects.finish()
        subjects = tuple(sample.subjects for sample in self._found)
        across, down = (
            np.concatenate(parts) if parts else np.zeros((0, CELLS), np.float32) for parts in (self._across, self._down)
        )
        for at, here in enumerate(subjects):
            if here:
                across[at] = _with_subjects(across[at], here, 0)
                down[at] = _with_subjects(down[at], here, 1)
        return Attention(
            np.array(self._seconds),
            across,
            down,
            np.concatenate(self._focus) if self._focus else np.zeros(0, np.float32),
            np.concatenate(self._embedding) if self._embedding else np.zeros((0, 256), np.float16),
            subjects,
            self._shots.finish(),
            np.concatenate(self._maps) if self._maps else np.zeros((0, ROWS, COLUMNS), np.uint8),
        )

    def _settle(self, until: int) -> None:
        """Looks at the samples before picture `until`, shot by shot: memory of what was seen must not outlive a cut."""
        recent = Frames.cat(self._tiny)
        detection = ShotDetection()
        detection.update(recent)
        cuts = [recent.index + cut for cut in detection.cuts()]
        cuts = [cut for cut in cuts if self._known <= cut < until]
        ready = [sample for sample in self._waiting if sample.index < until]
        self._waiting = self._waiting[len(ready) :]
        numbers = [sample.index for sample in ready]
        edges = [0, *(bisect_left(numbers, cut) for cut in cuts), len(ready)]
        for part, (first, last) in enumerate(itertools.pairwise(edges)):
            if part:
                self._state = None
                self._found += self._subjects.cut()
            if first < last:
                self._look(ready[first:last])
        self._known = until
        keep = max(until - _BESIDE - recent.index, 0)
        self._tiny = [recent[keep:]] if keep < len(recent) else []

    def _look(self, samples: list[Frames]) -> None:
        pictures = torch.cat([sample.data for sample in samples])
        seconds = [float(sample.seconds[0]) for sample in samples]
        seen = self._saliency(pictures, self._state)
        self._state = seen.state
        mass = seen.mass.float()
        self._focus.append(_focus(mass))
        if self._maps is not None:
            self._maps.append((mass / mass.amax((1, 2), keepdim=True) * 255).round().to(torch.uint8).numpy())
        mass = torch.where(mass > FLOOR * mass.amax((1, 2), keepdim=True), mass, 0)
        self._across.append(_marginal(mass.sum(1)))
        self._down.append(_marginal(mass.sum(2)))
        self._embedding.append(torch.nn.functional.normalize(seen.embedding, dim=1).numpy().astype(np.float16))
        self._found += self._subjects.update(pictures, seconds)
        self._seconds += seconds


def _focus(mass: Tensor) -> Floats:
    """(T, 28, 48), together 1 each -> (T,) what the densest sixteenth of the cells holds."""
    cells = mass.flatten(1)
    held: Floats = cells.topk(cells.shape[1] // 16, dim=1).values.sum(1).numpy()
    return held


def _marginal(sums: Tensor) -> Floats:
    """(T, n) -> (T, CELLS), rows that sum to 1."""
    fine = torch.nn.functional.interpolate(sums[:, None], CELLS, mode="linear", align_corners=False)[:, 0]
    made: Floats = (fine / fine.sum(1, keepdim=True).clamp(min=1e-9)).numpy()
    return made


def trust(subject: Subject) -> float:
    """How much a subject counts by how sure its detector is, 0..1: what is barely found is often wrong, and large."""
    return min(max((subject.score - DOUBTED) / (SURE - DOUBTED), 0.0), 1.0)


def _with_subjects(row: Floats, subjects: tuple[Subject, ...], axis: int) -> Floats:
    """A marginal in which the subjects have their part: each by weight, score and size of its sides, most in its middle."""
    edges = np.arange(CELLS + 1) / CELLS
    boxes = np.zeros(CELLS)
    for subject in subjects:
        low, high = subject.box[axis], subject.box[axis + 2]
        side = np.sqrt((subject.right - subject.left) * (subject.bottom - subject.top))
        inside = ((edges - low) / max(high - low, 1e-6)).clip(0, 1)
        # A raised cosine: what is lost at the borders of a box is lost easily, as they are never exact.
        boxes += subject.weight * trust(subject) * side * np.diff(inside - np.sin(2 * np.pi * inside) / (2 * np.pi))
    total = boxes.sum()
    if total <= 0:
        return row
    # Things do not outweigh what people look at.
    part = SUBJECTS * min(1.0, max(subject.weight for subject in subjects) / ENOUGH)
    mixed: Floats = ((1 - part) * row + part * boxes / total).astype(np.float32)
    return mixed
