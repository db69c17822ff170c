"""`vidprod adjust-video-color-group`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter
from rich.console import Console

from vidprod import api
from vidprod.cli.actions import interruptible
from vidprod.errors import InvalidParameter
from vidprod.progress import ProgressDisplay


def adjust_video_color_group(
    *videos: Annotated[str, Parameter(name="IN", help="files or http(s) URLs")],
    output: Annotated[
        Path, Parameter(name=("--output", "-o"), help="a folder, in which results have the inputs' names")
    ],
    video_codec: Annotated[str | None, Parameter(help="h264, hevc or prores")] = None,
    video_bitrate: Annotated[str | None, Parameter(help="such as 15000k; default: each input's")] = None,
    video_format: Annotated[str, Parameter(help="mov or mp4")] = "mov",
    device: Annotated[str | None, Parameter(help="auto, cpu, cuda or cuda:N")] = None,
    quiet: Annotated[bool, Parameter(negative=(), help="print nothing but errors")] = False,
) -> None:
    """Grades ordinary footage of several videos together: shots of the same scene are matched."""
    if not output.is_dir():
        raise InvalidParameter(f"--output is {str(output)!r}, which is not a folder")
    names = [Path(urlsplit(video).path if "://" in video else video).stem for video in videos]
    if len(set(names)) != len(names):
        raise InvalidParameter("two inputs have the same name, so that their results would have, too")
    options = {"video_codec": video_codec, "video_bitrate": video_bitrate, "video_format": video_format}
    console = Console(stderr=True)
    with interruptible() as interrupted, ProgressDisplay(console, quiet=quiet) as display:
        results = api.adjust_video_color_group(
            videos,
            [output / f"{name}.{video_format}" for name in names],
            device=device,
            progress=display,
            cancelled=interrupted,
            **{name: value for name, value in options.items() if value is not None},
        )
    if not quiet:
        for result in results:
            console.print(f"{result.video}: {result.timing.frames} frames", highlight=False, markup=False)
