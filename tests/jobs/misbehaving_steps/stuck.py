"""Hangs in a C function that holds the interpreter, with SIGTERM ignored."""

from __future__ import annotations

import ctypes
import signal
import time
from pathlib import Path

from tests.jobs.misbehaving import StuckParams
from tests.jobs.misbehaving_steps import Steps
from vidprod.actions.run import Context, Rendered

analyse, load_plan = Steps.analyse, Steps.load_plan


def render(params: StuckParams, plan: object, output: Path, context: Context) -> Rendered:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if params.gil:
        ctypes.PyDLL(None).sleep(600)  # PyDLL keeps the interpreter's lock, so no other thread of the process runs
    time.sleep(600)
    return Rendered(0)
