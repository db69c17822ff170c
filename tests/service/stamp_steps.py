"""The steps of Stamp."""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.service.stamp import StampParams
from vidprod.actions.run import Context, Rendered


@dataclass(frozen=True)
class Attempt:
    """One attempt at a job, and the input it saw."""

    token: str
    digest: str


def analyse(params: StampParams, context: Context) -> Attempt:
    return Attempt(uuid.uuid4().hex, hashlib.sha256(Path(params.video_url).read_bytes()).hexdigest())


def load_plan(data: dict[str, Any]) -> Attempt:
    return Attempt(**data)


def render(params: StampParams, plan: Attempt, output: Path, context: Context) -> Rendered:
    end = time.monotonic() + params.seconds
    done = {"text": params.text, "token": plan.token, "digest": plan.digest}
    with output.open("w", encoding="utf-8") as file:
        file.write("half of it")  # what a job that dies here leaves behind
        file.flush()
        for _ in context.control.watch(iter([b"."] * 20), "render", 20):
            time.sleep(max(0.0, min(params.seconds / 20, end - time.monotonic())))
        file.seek(0)
        json.dump(done, file)
        file.truncate()
    # One line is one write: lines of several processes do not mix.
    with open(os.environ["STAMP_LOG"], "a", encoding="utf-8") as log:
        log.write(json.dumps(done) + "\n")
    return Rendered(20)
