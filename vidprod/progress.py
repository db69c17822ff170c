"""Progress on a terminal: a bar with ETA and frames per second, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from vidprod.control import Progress, Stage

_LINE_EVERY = 10.0
_TITLES: dict[Stage, str] = {"analyse": "Analysing", "render": "Rendering"}


class ProgressDisplay:
    """Listener for `Control`; a context manager, so that the terminal is left as it was found."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._bars: Bars | None = None
        self._tasks: dict[Stage, TaskID] = {}
        self._last_line = time.monotonic()
        if not quiet and console.is_terminal:
            self._bars = Bars(
                TextColumn("{task.description:<10}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TextColumn("{task.fields[speed]}"),
                TextColumn("{task.fields[eta]}"),
                console=console,
                transient=True,
            )

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def __call__(self, progress: Progress) -> None:
        """Shows where the job is."""
        if self._bars:
            self._show_bar(self._bars, progress)
        elif not self._quiet and time.monotonic() - self._last_line >= _LINE_EVERY:
            self._last_line = time.monotonic()
            share = f"{100 * progress.done / progress.total:.0f} %, " if progress.total else ""
            line = (
                f"{_TITLES[progress.stage]}: {share}{progress.done} frames, {progress.rate:.1f} fps, {_eta(progress)}"
            )
            self._console.print(line.rstrip(", "), highlight=False)

    def _show_bar(self, bars: Bars, progress: Progress) -> None:
        speed, eta = f"{progress.rate:6.1f} fps", _eta(progress)
        task = self._tasks.get(progress.stage)
        if task is None:
            task = self._tasks[progress.stage] = bars.add_task(
                _TITLES[progress.stage], total=progress.total, speed=speed, eta=eta
            )
        # The file's own count of pictures may be off; a bar beyond its end helps nobody.
        done = min(progress.done, progress.total) if progress.total else progress.done
        bars.update(task, completed=done, speed=speed, eta=eta)


def _eta(progress: Progress) -> str:
    if progress.eta is None:
        return ""
    minutes, seconds = divmod(round(progress.eta), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d} left" if hours else f"{minutes}:{seconds:02d} left"
