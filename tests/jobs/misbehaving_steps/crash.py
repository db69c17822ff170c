"""Ends in one of many bad ways."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

from tests.jobs.misbehaving import CrashParams
from tests.jobs.misbehaving_steps import Steps
from vidprod.actions.run import Context, Rendered
from vidprod.errors import FileDecode

analyse, load_plan = Steps.analyse, Steps.load_plan


def render(params: CrashParams, plan: object, output: Path, context: Context) -> Rendered:
    starts = 0
    if params.counter:
        with open(params.counter, "a") as file:
            file.write(".")
        starts = Path(params.counter).stat().st_size
    if starts <= params.times:
        match params.how:
            case "exit":
                os._exit(7)
            case "segfault":
                ctypes.string_at(0)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "raise":
                raise ZeroDivisionError("secret /etc/passwd")
            case "error":
                raise FileDecode(f"{output} cannot be decoded")
    output.write_bytes(b"done")
    return Rendered(1)
