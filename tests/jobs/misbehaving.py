"""Actions that are slow, crash or hang, for VIDPROD_EXTRA_ACTIONS. Importing this loads no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vidprod.actions.spec import ActionSpec, Params, VideoUrl


class SleepParams(Params):
    """Parameters of TestSleep."""

    seconds: float = 0.0
    video_url: VideoUrl | None = None
    files: list[VideoUrl] | None = None


class CrashParams(Params):
    """Parameters of TestCrash. With `counter`, every start is noted in that file, and those after `times` succeed."""

    how: Annotated[str, Field(description="exit, segfault, kill, raise, error, memory, path")] = "exit"
    counter: str = ""
    times: int = 1000


class StuckParams(Params):
    """Parameters of TestStuck."""

    gil: bool = True


_STEPS = "tests.jobs.misbehaving_steps"

ACTIONS = (
    ActionSpec("TestSleep", SleepParams, "Sleeps, with progress.", f"{_STEPS}.sleep", suffixes=(".mp4", ".txt")),
    ActionSpec("TestCrash", CrashParams, "Ends badly.", f"{_STEPS}.crash"),
    ActionSpec("TestStuck", StuckParams, "Hangs in C and ignores SIGTERM.", f"{_STEPS}.stuck"),
)
