"""Steps that stand in for those of GenerateVideo: the result tells which files there were."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vidprod.actions.generate_video import SPEC, GenerateVideoParams
from vidprod.actions.run import Context, Rendered

STANDIN = replace(SPEC, steps_module=__name__, storyboard=__name__)


@dataclass(frozen=True)
class Gathered:
    """What was given: names, types and contents of the files, and other parameters."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    contents: tuple[str, ...]
    size: tuple[int, int]
    seconds: float | None
    smart_effect: bool


def analyse(params: GenerateVideoParams, context: Context) -> Gathered:
    files = params.file_list
    return Gathered(
        tuple(file.file_name for file in files),
        tuple(file.type for file in files),
        tuple(Path(file.file_url).read_text(encoding="utf-8") for file in files),
        params.size,
        params.seconds,
        params.smart_effect,
    )


def load_plan(data: dict[str, Any]) -> Gathered:
    return Gathered(**data)


def render(params: GenerateVideoParams, plan: Gathered, output: Path, context: Context) -> Rendered:
    output.write_text(json.dumps(asdict(plan)), encoding="utf-8")
    cover = context.cover_beside(output)
    cover.touch()
    return Rendered(1, cover=cover)


def board(plan: Mapping[str, Any], paths: Sequence[Path], video: Path, output: Path) -> None:
    seen = {"names": plan["names"], "contents": [path.read_text(encoding="utf-8") for path in paths]}
    output.write_text(json.dumps({**seen, "video": video.name}), encoding="utf-8")
