"""The two things a capability is made of, an `Analysis` and an `Op`, and the window each op frame gets to see."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import chain
from typing import Protocol, TypeVar, runtime_checkable

from torch import Tensor

from vidprod.media.frames import Frames

PlanT = TypeVar("PlanT", covariant=True)
BatchT = TypeVar("BatchT", bound=Sized)
BatchT_contra = TypeVar("BatchT_contra", bound=Sized, contravariant=True)


class Op(Protocol):
    """Turns pictures into pictures.

    The result must not depend on how the stream was cut into batches (one grey level is allowed: convolutions are not
    bit-equal across batch sizes).
    """

    @property
    def halo(self) -> int:
        """How many neighbours in time each picture wants to see on either side; 0 works on each picture alone."""

    def __call__(self, frames: Frames, core: slice) -> Tensor:
        """Pictures `frames[core]`, done: (len(core), 3, H', W') of the dtype of `frames.data`.

        `frames` holds the core and up to `halo` neighbours on either side, fewer at the ends and at cuts.
        """


@runtime_checkable
class Shrinkable(Protocol):
    """An op that can do one picture with less memory."""

    def shrink(self) -> bool:
        """Lowers the memory that one picture needs; False when that is no longer possible."""


class Folding(Protocol[BatchT_contra, PlanT]):
    """Folds a stream of batches into a value."""

    def update(self, batch: BatchT_contra, /) -> None:
        """Takes the next pictures."""

    def finish(self) -> PlanT:
        """The plan; called once, after the last picture."""


class Analysis(Folding[Frames, PlanT], Protocol[PlanT]):
    """Folds a stream of pictures, usually small ones, into a plan: a frozen, JSON-serialisable value."""


def windowed(batches: Iterable[Frames], halo: int, *, cuts: Sequence[int] = ()) -> Iterator[tuple[Frames, slice]]:
    """Re-cuts a stream so that every picture comes once as core, among the neighbours it may see.

    Args:
        batches: consecutive `Frames` of any length.
        halo: neighbours wanted on each side.
        cuts: numbers of the first pictures of shots, ascending. No window reaches across one.

    Yields:
        (window, core): `window[core]` are the pictures to do; the cores of all windows are the stream, in order.
    """
    if halo < 0:
        raise ValueError(f"halo must not be negative, got {halo}")
    buffer: Frames | None = None
    done = -1  # number of the next picture to come out as core
    for batch in chain(batches, (None,)):
        if batch is not None:
            buffer = batch if buffer is None else Frames.cat([buffer, batch])
        if buffer is None:
            return
        done = max(done, buffer.index)
        end = buffer.index + len(buffer)
        while done < end:
            at = bisect_right(cuts, done)
            shot_start = cuts[at - 1] if at else 0
            shot_end = cuts[at] if at < len(cuts) else None
            # Without its right-hand neighbours a picture has to wait, unless there are none to come.
            if shot_end is not None and shot_end <= end:
                stop = shot_end
            else:
                stop = end if batch is None else end - halo
            if stop <= done:
                break
            left = max(done - halo, shot_start, buffer.index)
            right = min(stop + halo, end, shot_end if shot_end is not None else end)
            window = buffer[left - buffer.index : right - buffer.index]
            yield window, slice(done - left, stop - left)
            done = stop
        keep = max(done - halo, buffer.index)
        buffer = buffer[keep - buffer.index :] if keep < end else None
