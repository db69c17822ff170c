"""How a caller follows a running job, and stops it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Literal, TypeVar

from vidprod.errors import Cancelled

Stage = Literal["analyse", "render"]

BatchT = TypeVar("BatchT", bound=Sized)


@dataclass(frozen=True)
class Progress:
    """How far a job is. `done` and `total` count pictures; `total` is None where the file does not tell."""

    stage: Stage
    done: int
    total: int | None
    elapsed: float

    @property
    def rate(self) -> float:
        """Pictures per second of this stage so far."""
        return self.done / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds left in this stage, None while unknown."""
        if not self.total or not self.done:
            return None
        return max(0, self.total - self.done) / self.rate if self.rate else None


class Control:
    """What a caller may hang on a running job: a listener for progress, and a way to stop it.

    Args:
        on_progress: called from the computing thread after each batch.
        cancelled: asked between batches; True stops the job with `Cancelled`.
    """

    def __init__(
        self,
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._on_progress = on_progress
        self._cancelled = cancelled

    def check(self) -> None:
        """Raises Cancelled if the caller wants the job to stop."""
        if self._cancelled():
            raise Cancelled

    def watch(self, batches: Iterable[BatchT], stage: Stage, total: int | None) -> Iterator[BatchT]:
        """Passes batches through, reporting each one after the consumer has dealt with it."""
        started, done = time.monotonic(), 0
        for batch in batches:
            self.check()
            yield batch
            done += len(batch)
            if self._on_progress is not None:
                self._on_progress(Progress(stage, done, total, time.monotonic() - started))
