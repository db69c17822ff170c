"""The one loop that renders every action: decode, compute and encode overlap, and memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from vidprod.control import Control
from vidprod.errors import BusyError
from vidprod.media.frames import Frames
from vidprod.media.overlap import Background, Sink, prefetch
from vidprod.ops.op import BatchT, Folding, Op, PlanT, Shrinkable, windowed


def analyse(
    source: Iterable[BatchT],
    analysis: Folding[BatchT, PlanT],
    *,
    control: Control | None = None,
    total: int | None = None,
) -> PlanT:
    """Runs one analysis over a stream of batches, whose lengths are numbers of pictures; decoding has a thread of its own."""
    with prefetch(source) as batches:
        for batch in (control or Control()).watch(batches, "analyse", total):
            analysis.update(batch)
    return analysis.finish()


def render(
    source: Iterable[Frames],
    ops: Sequence[Op],
    sink: Sink[Frames],
    *,
    cuts: Sequence[int] = (),
    start: int = 0,
    stop: int | None = None,
    control: Control | None = None,
    total: int | None = None,
) -> int:
    """Runs `source` through `ops` into `sink`; three threads: decode, compute, encode.

    Args:
        source: batches in order; for a part of a video it must begin `preroll(ops)` pictures before `start`, and end as
            many after `stop`, so that the part equals the same pictures of a whole rendering.
        cuts: numbers of the first pictures of shots; no op sees across one.
        sink: where rendered pictures go: a `VideoWriter`, or a list in a test.
        start, stop: numbers of the pictures wanted (half open).
        total: how many pictures will come out, for the progress report.

    Returns:
        How many pictures were written.

    Raises:
        Cancelled: the caller asked for it.
        BusyError: not enough memory even for the smallest piece of one picture.
    """
    written = 0
    with prefetch(source) as stream, Background(sink) as out:
        batches: Iterable[Frames] = stream
        for op in ops:
            batches = _apply(op, batches, cuts)
        for batch in (control or Control()).watch(_within(batches, start, stop), "render", total):
            out.write(batch)
            written += len(batch)
    return written


def preroll(ops: Sequence[Op]) -> int:
    """How many pictures before and after a part of a video are needed to render just that part."""
    return sum(op.halo for op in ops)


def _within(batches: Iterable[Frames], start: int, stop: int | None) -> Iterator[Frames]:
    for batch in batches:
        first = max(start - batch.index, 0)
        last = len(batch) if stop is None else min(stop - batch.index, len(batch))
        if first < last:
            yield batch[first:last]


def _apply(op: Op, batches: Iterable[Frames], cuts: Sequence[int]) -> Iterator[Frames]:
    fitted = _FittedOp(op)
    for window, core in windowed(batches, op.halo, cuts=cuts):
        yield window[core].with_data(fitted(window, core))


class _FittedOp:
    """An op within the memory there is: fewer pictures at a time, then one picture in pieces."""

    def __init__(self, op: Op) -> None:
        self._op = op
        self._most: int | None = None  # pictures at a time, once that proved necessary

    def __call__(self, window: Frames, core: slice) -> Tensor:
        count = core.stop - core.start
        if self._most is not None and count > self._most:
            return self._split(window, core, self._most)
        while True:
            try:
                return self._op(window, core)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not _out_of_memory(error):
                    raise
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if count > 1:
                self._most = (count + 1) // 2
                return self._split(window, core, self._most)
            if not (isinstance(self._op, Shrinkable) and self._op.shrink()):
                raise BusyError(
                    f"not enough memory on {window.data.device} for one {window.width}x{window.height} picture"
                )

    def _split(self, window: Frames, core: slice, most: int) -> Tensor:
        halo, parts = self._op.halo, []
        for first in range(core.start, core.stop, most):
            last = min(first + most, core.stop)
            left = max(first - halo, 0)
            right = min(last + halo, len(window))
            parts.append(self(window[left:right], slice(first - left, last - left)))
        return torch.cat(parts)


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
