"""Running an action: analyse, plan, render.

The service, the Python API, the command line, the tests and the benchmarks all come through `run`. Here are no URLs, no database
and no HTTP: local files in, local files out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, cast

import torch

from vidprod.actions.files import files_of, placed
from vidprod.actions.results import check_writable
from vidprod.actions.spec import ActionSpec, Debugging, Params
from vidprod.control import Control
from vidprod.errors import FileDownload, InvalidParameter
from vidprod.media.probe import VideoInfo
from vidprod.memory import keep_freed
from vidprod.models.device import resolve_device
from vidprod.settings import Settings, settings

_BATCH_BYTES = 24 * 2**20  # of a batch on the CPU


@dataclass(frozen=True)
class Context:
    """Everything about a run that is not the action's own parameters.

    Attributes:
        device: where networks run.
        settings: of the installation.
        control: progress and cancellation.
        model: a network other than the setting's, where the action has a choice.
        cover: where the cover picture goes, of actions that make one; by default beside the video, as .jpg.
    """

    device: torch.device
    settings: Settings = field(default_factory=settings)
    control: Control = field(default_factory=Control)
    model: str | None = None
    cover: Path | None = None

    def cover_beside(self, output: Path) -> Path:
        """Where the cover picture goes."""
        return self.cover or output.with_suffix(".jpg")

    @property
    def batch(self) -> int:
        """Pictures at a time; on the CPU at least one for each core."""
        return self.settings.batch if self.device.type != "cpu" else max(self.settings.batch, torch.get_num_threads())

    def batch_of(self, info: VideoInfo) -> int:
        """`batch`, on the CPU fewer of large pictures: several batches are under way at a time."""
        if self.device.type != "cpu":
            return self.batch
        return max(min(self.batch, _BATCH_BYTES // (3 * info.width * info.height)), 1)

    @classmethod
    def make(cls, device: str | None = None, **rest: Any) -> Context:
        """A context for a device by name; the setting's when None."""
        found = resolve_device(device or settings().device)
        if found.type == "cuda":  # all pictures of a video have one size: worth tuning for
            torch.backends.cudnn.benchmark = True
        keep_freed()
        return cls(device=found, **rest)


@dataclass(frozen=True)
class Timing:
    """Seconds spent, and pictures done."""

    analyse: float
    render: float
    frames: int

    @property
    def frames_per_second(self) -> float:
        """Pictures rendered per second."""
        return self.frames / self.render if self.render > 0 else 0.0


@dataclass(frozen=True)
class Result:
    """What an action gives back.

    Attributes:
        video: the finished file.
        plan: what was done, as plain data (see `docs/plans.md`).
        timing: how long it took.
        notes: what a careful person would want to know: damage repaired, tracks that could not be kept.
        cover: the cover picture of actions that have one.
        report: what was measured on the way, as plain data, by actions that measure something.
    """

    video: Path
    plan: dict[str, Any]
    timing: Timing
    notes: tuple[str, ...] = ()
    cover: Path | None = None
    report: Mapping[str, Any] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """The cloud's `Data`, with local paths for URLs."""
        found = {"VideoUrl": str(self.video)}
        if self.cover is not None:
            found["VideoCoverUrl"] = str(self.cover)
        return found


@dataclass(frozen=True)
class Rendered:
    """What an action's `render` tells: pictures written, notes for the user, a cover, and what was measured (see `Result`)."""

    frames: int
    notes: tuple[str, ...] = ()
    cover: Path | None = None
    report: Mapping[str, Any] = field(default_factory=dict)


def run(
    spec: ActionSpec[Any],
    params: Params,
    output: Path,
    context: Context,
    *,
    plan: dict[str, Any] | None = None,
    debug: Path | None = None,
) -> Result:
    """Analyses (unless a plan is given) and renders.

    Args:
        spec: the action.
        params: its checked parameters, whose files are local paths.
        output: the file to make; an existing one is replaced at the end, not before.
        context: device, progress, cancellation.
        plan: a plan to render instead of making one.
        debug: a video or picture to make of what the analysis saw, by actions that can (`ActionSpec.debug`).

    Raises:
        VidprodError: with the documented code; no output is left behind.
    """
    if output.suffix.lower() not in (endings := spec.endings(params)):
        raise InvalidParameter(f"output {output.name!r} must end in {' or '.join(endings)}")
    if debug is not None and debug.suffix.lower() not in spec.debug:
        raise InvalidParameter(f"debug {debug.name!r} must end in {' or '.join(spec.debug)}")
    check_writable(output)
    if spec.cover:
        check_writable(context.cover_beside(output))
    for place, path in files_of(params).items():
        with placed(place):
            _check_readable(path)
    steps = spec.steps
    started = time.monotonic()
    value = steps.analyse(params, context) if plan is None else steps.load_plan(plan)
    planned = time.monotonic()
    rendered = steps.render(params, value, output, context)
    timing = Timing(planned - started, time.monotonic() - planned, rendered.frames)
    if debug is not None:
        cast(Debugging, steps).debug(params, value, debug, context)
    return Result(output, plan_to_dict(value), timing, rendered.notes, rendered.cover, rendered.report)


def plan_to_dict(plan: Any) -> dict[str, Any]:
    """A plan (nested frozen dataclasses) as plain data with stable keys."""
    if not is_dataclass(plan) or isinstance(plan, type):
        raise TypeError(f"a plan must be a dataclass, got {type(plan).__name__}")
    plain: dict[str, Any] = json.loads(json.dumps(asdict(plan), default=str))
    return plain


def read_plan(path: Path) -> dict[str, Any]:
    """A plan file; raises InvalidParameter where it is not one."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidParameter(f"plan {str(path)!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InvalidParameter(f"plan {str(path)!r} is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise InvalidParameter(f"plan {str(path)!r} must be a JSON object")
    return data


def _check_readable(path: str) -> None:
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        raise FileDownload(f"{path}: {error.strerror}") from None
