"""A timeline's pictures, one after the other: shots, puzzles and the transitions between them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from vidprod.errors import InvalidParameter
from vidprod.media.frames import Frames
from vidprod.media.overlap import prefetch
from vidprod.media.probe import VideoInfo
from vidprod.ops.footage import STILL_SIDE, Showing, still_footage, video_footage
from vidprod.ops.layouts import Cell, cells
from vidprod.ops.pulse import swelling
from vidprod.ops.timeline import Floats, Shot, Timeline, TransitionSpan
from vidprod.ops.timeline_check import check_timeline
from vidprod.ops.transitions import Transition

GAP = (246, 245, 243)
"""Red, green and blue of what is seen between the pictures of a puzzle."""

_CHUNK = 1 << 22
"""Pixels that are composed at once: a bound of the memory for large results."""


class Composition:
    """All pictures of a timeline, as `Frames` of its size and rate; each iteration renders it anew.

    At most two shots, or puzzles, are open at a time: the one that is seen and the next one. Each decodes in a thread of its own.

    Args:
        timeline: what is seen.
        paths: the file of each source.
        device: where the pictures are wanted.
        batch: pictures in one `Frames` at most.
        infos: of each source, what `probe` found; None for those that are no videos.
        still_side: pixels of the longer side at which photographs are read at most.

    Attributes:
        cover: (3, H, W) uint8, the picture at `timeline.cover`, as soon as it has come by.

    Raises:
        InvalidParameter: a shot or a transition that cannot be shown; the message names it.
    """

    def __init__(
        self,
        timeline: Timeline,
        paths: Sequence[Path],
        *,
        device: torch.device | str = "cpu",
        batch: int = 8,
        infos: Sequence[VideoInfo | None],
        still_side: int = STILL_SIDE,
    ) -> None:
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        if not len(timeline.sources) == len(paths) == len(infos):
            raise ValueError(f"{len(timeline.sources)} sources, {len(paths)} paths and {len(infos)} infos")
        check_timeline(timeline, infos)
        self.cover: Tensor | None = None
        self._timeline = timeline
        self._paths = paths
        self._infos = infos
        self._device = torch.device(device)
        self._side = still_side
        self._acts = _acts(timeline)
        if not self._acts:
            raise InvalidParameter(f"shots[{len(timeline.shots) - 1}].out_end is too early for a single picture")
        most = max(min(batch, _CHUNK // (timeline.width * timeline.height)), 1)
        self._chunks = _chunks(self._acts, most)
        self._streams: set[prefetch[Tensor]] = set()

    def __iter__(self) -> Iterator[Frames]:
        self.close()
        step = 1 / Fraction(self._timeline.rate)
        cover = min(max(self._timeline.point(self._timeline.cover), 0), self._acts[-1].stop - 1)
        waiting = list(self._acts)
        playing: list[_Playing] = []
        try:
            for first, stop in self._chunks:
                for ended in [one for one in playing if one.act.stop <= first]:
                    playing.remove(ended)
                    self._end(ended)
                # the next one begins to decode while this one is seen
                while waiting and (waiting[0].first < stop or len(playing) < 2):
                    playing.append(self._begin(waiting.pop(0)))
                pictures = self._composed([one for one in playing if one.act.first < stop], first, stop)
                if first <= cover < stop:
                    self.cover = pictures[cover - first].clone()
                yield Frames(pictures, tuple(range(first, stop)), step, first)
        finally:
            self.close()

    def close(self) -> None:
        """Closes all files that are open. Idempotent."""
        for stream in list(self._streams):
            stream.close()
        self._streams.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _composed(self, playing: Sequence[_Playing], first: int, stop: int) -> Tensor:
        """(stop - first, 3, H, W): what plays now, each over the one before it."""
        pictures = playing[0].pictures()
        for one in playing[1:]:
            pictures = one.entered(pictures, one.pictures(), first, stop)
        if pictures.device.type == "cpu" and not pictures.is_contiguous(memory_format=torch.channels_last):
            pictures = pictures.contiguous(memory_format=torch.channels_last)
        return pictures

    def _begin(self, act: _Act) -> _Playing:
        timeline = self._timeline
        frame = timeline.height, timeline.width
        lengths = [stop - first for first, stop in self._chunks if act.first <= first < act.stop]
        if act.cells:
            parts = [((cell.height, cell.width), shot) for cell, shot in zip(act.cells, act.shots, strict=True)]
        else:
            parts = [(frame, act.shots[0])]
        streams = []
        for size, shot in parts:
            stream = prefetch(self._footage(act, shot, size, lengths), depth=1)
            self._streams.add(stream)
            streams.append(stream)
        return _Playing(act, streams, frame, self._device)

    def _end(self, ended: _Playing) -> None:
        for stream in ended.streams:
            stream.close()
            self._streams.discard(stream)

    def _footage(self, act: _Act, shot: Shot, size: tuple[int, int], lengths: Sequence[int]) -> Iterator[Tensor]:
        timeline = self._timeline
        rate = float(Fraction(timeline.rate))
        numbers = np.arange(act.first, act.stop, dtype=np.float64)
        swell = swelling((numbers + 0.5) / rate, np.array(timeline.pulses, np.float64))
        seconds = _within(shot, numbers / rate)
        showing = Showing(shot, seconds, swell, size, 1 / rate, self._device)
        info = self._infos[shot.source]
        with torch.inference_mode():
            if info is None:
                source = timeline.sources[shot.source]
                yield from still_footage(showing, self._paths[shot.source], source.background, lengths, side=self._side)
            else:
                yield from video_footage(showing, info, lengths)


@dataclass(frozen=True)
class _Act:
    """What is seen alone: one shot, or the shots of a puzzle. From picture `first` to `stop`."""

    first: int
    stop: int
    shots: tuple[Shot, ...]
    cells: tuple[Cell, ...] = ()
    entry: TransitionSpan | None = None  # the transition from the one before
    until: int = 0  # where that one ends


@dataclass(eq=False)
class _Playing:
    """An act with its streams of pictures."""

    act: _Act
    streams: list[prefetch[Tensor]]
    frame: tuple[int, int]
    device: torch.device
    _transition: Transition | None = field(default=None, init=False)

    def pictures(self) -> Tensor:
        """The next pictures."""
        if not self.act.cells:
            return next(self.streams[0])
        parts = [next(stream) for stream in self.streams]
        height, width = self.frame
        out = torch.empty(
            (len(parts[0]), 3, height, width), dtype=torch.uint8, device=self.device, memory_format=torch.channels_last
        )
        out[:] = torch.tensor(GAP, dtype=torch.uint8, device=self.device).view(3, 1, 1)
        for cell, part in zip(self.act.cells, parts, strict=True):
            out[:, :, cell.y : cell.y + cell.height, cell.x : cell.x + cell.width] = part
        return out

    def entered(self, before: Tensor, pictures: Tensor, first: int, stop: int) -> Tensor:
        """Pictures of the transition from what was seen before."""
        act = self.act
        length = act.until - act.first
        # of each picture the middle of the time for which it is seen
        progress = [(number - act.first + 0.5) / length for number in range(first, stop)]
        if act.entry is None:
            late = torch.tensor([at >= 0.5 for at in progress], device=before.device).view(-1, 1, 1, 1)
            return torch.where(late, pictures, before)
        if self._transition is None:
            self._transition = Transition(act.entry.style, *self.frame, seed=act.entry.seed, device=self.device)
        return self._transition(before, pictures, progress)


def _within(shot: Shot, out: Floats) -> Floats:
    """The seconds of the source at times of the result, which rounding may have put a little outside of the shot."""
    low, high = sorted((shot.start, shot.end))
    return shot.source_seconds(out).clip(low, high)


def _acts(timeline: Timeline) -> tuple[_Act, ...]:
    """The groups of a timeline in whole pictures, without gaps; those that last for no picture are left out."""
    acts: list[_Act] = []
    for shots in timeline.groups():
        first = timeline.point(shots[0].out_start) if acts else 0
        stop = timeline.point(shots[0].out_end)
        if stop <= first:
            continue
        if acts:
            first = min(first, acts[-1].stop)
        until = min(acts[-1].stop, stop) if acts else first
        entry = _between(timeline, first, until) if until > first else None
        found: tuple[Cell, ...] = ()
        if shots[0].effect == "puzzle":
            all_cells = cells(shots[0].layout, timeline.height, timeline.width)
            found = tuple(all_cells[shot.cell] for shot in shots)
        acts.append(_Act(first, stop, shots, found, entry, until))
    return tuple(acts)


def _between(timeline: Timeline, first: int, stop: int) -> TransitionSpan | None:
    """The transition that is meant for an overlap."""

    def common(span: TransitionSpan) -> int:
        return min(timeline.point(span.out_end), stop) - max(timeline.point(span.out_start), first)

    best = max(timeline.transitions, key=common, default=None)
    return best if best is not None and common(best) > 0 else None


def _chunks(acts: Sequence[_Act], most: int) -> list[tuple[int, int]]:
    """(first, stop) of pictures that are composed together: of the same acts, and not too many."""
    edges = sorted({edge for act in acts for edge in (act.first, act.stop)})
    return [(at, min(at + most, stop)) for first, stop in itertools.pairwise(edges) for at in range(first, stop, most)]
