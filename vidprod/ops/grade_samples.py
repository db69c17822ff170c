"""A bounded number of small pictures out of a video of any length, some from every shot."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod.media.frames import Frames

MOST = 1536
"""Pictures that are kept at most: 10 MB of 64x36."""

CHANGE = 10.0
"""Mean absolute change of the coarse picture, in levels of 255, after which a new shot may have begun."""

_SETTLED = 2  # pictures after such a change of which one is kept: the first may still be a mixture


class Samples:
    """Keeps every n-th picture, and one soon after every sudden change; n doubles when there are too many."""

    def __init__(self) -> None:
        self._every: dict[int, Tensor] = {}
        self._marked: dict[int, Tensor] = {}
        self._stride = 1
        self._before = torch.empty(0)
        self._wanted = -1  # number of the picture to keep because of a change

    def update(self, frames: Frames) -> None:
        """Takes the next small pictures, all of one size."""
        coarse = F.adaptive_avg_pool2d(frames.data.to(torch.float32), (9, 16))
        changes = torch.cat([self._before, coarse] if len(self._before) else [coarse[:1], coarse]).diff(dim=0)
        changed = changes.abs().mean((1, 2, 3)) >= CHANGE * (257 if frames.data.dtype == torch.uint16 else 1)
        self._before = coarse[-1:]
        for i, sudden in enumerate(changed.tolist()):
            number = frames.index + i
            if sudden:
                self._wanted = number + _SETTLED
            if number % self._stride == 0:
                self._every[number] = frames.data[i].clone()
            elif number == self._wanted:
                self._marked[number] = frames.data[i].clone()
        self._thin()

    def _thin(self) -> None:
        while len(self._marked) > MOST // 2:
            self._marked = dict(list(self._marked.items())[::2])
        while len(self._every) + len(self._marked) > MOST:
            self._stride *= 2
            self._every = {n: picture for n, picture in self._every.items() if n % self._stride == 0}

    def __len__(self) -> int:
        return len(self._every) + len(self._marked)

    def between(self, first: int, stop: int, most: int = 32) -> Tensor:
        """(N, 3, h, w): pictures numbered `first` to `stop` (half open), evenly spread, N in 1..most.

        Where none of them was kept, the nearest one that was.
        """
        kept = {**self._every, **self._marked}
        numbers = sorted(n for n in kept if first <= n < stop)
        if not numbers:
            numbers = [min(kept, key=lambda n: abs(n - (first + stop) // 2))]
        step = max(1, -(-len(numbers) // most))
        return torch.stack([kept[n] for n in numbers[step // 2 :: step]])
