"""Using all cores of a CPU: one picture per core instead of one picture on all of them.

A network that spreads every layer over all threads waits at the end of each for the slowest, and decoder and encoder, which run
beside it, make sure that there always is one. Pictures do not wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import torch
from torch import Tensor

MOST_WORKERS = 32
"""Each holds one picture in the making, up to 250 MB for the largest inputs."""


class Pool(Protocol):
    """Applies a function to many pictures."""

    def map(self, function: Callable[[Tensor], Tensor], inputs: Iterable[Tensor]) -> Iterator[Tensor]:
        """The results, in the order of the inputs."""


class Inline:
    """One after the other, for devices that are kept busy by batches."""

    def map(self, function: Callable[[Tensor], Tensor], inputs: Iterable[Tensor]) -> Iterator[Tensor]:
        """See `Pool`."""
        return map(function, inputs)


class CorePool:
    """Threads that share out the cores torch may use.

    Args:
        cores: how many; by default torch's number of threads.
    """

    def __init__(self, cores: int | None = None) -> None:
        cores = cores or torch.get_num_threads()
        self.workers = min(cores, MOST_WORKERS)
        self._pool: ThreadPoolExecutor | None = None
        if self.workers > 1:
            self._pool = ThreadPoolExecutor(self.workers, "upscale")
            self._divide(cores // self.workers)

    def _divide(self, threads: int) -> None:
        """Gives each worker its share. torch keeps the number per thread, but new threads start with the latest one set."""
        assert self._pool is not None
        everyone = threading.Barrier(self.workers)

        def settle(_: int) -> None:
            everyone.wait()  # so that each worker runs this once
            torch.get_num_threads()  # a thread's first question sets its number: ask before setting
            torch.set_num_threads(threads)

        before = torch.get_num_threads()
        list(self._pool.map(settle, range(self.workers)))
        torch.set_num_threads(before)

    def map(self, function: Callable[[Tensor], Tensor], inputs: Iterable[Tensor]) -> Iterator[Tensor]:
        """See `Pool`."""
        if self._pool is None:
            return map(function, inputs)
        return self._pool.map(function, inputs)
