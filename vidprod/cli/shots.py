"""`vidprod shots`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from vidprod import api
from vidprod.cli.actions import interruptible
from vidprod.errors import InvalidParameter, shown
from vidprod.progress import ProgressDisplay
from vidprod.storage.fetch import fetched

_DEFAULT = "json"


def shots(
    video: Annotated[str, Parameter(name="IN", help="a file or an http(s) URL")],
    /,
    *,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"), help="write here instead of printing")] = None,
    form: Annotated[
        str | None,
        Parameter(name="--format", help="json, csv, edl or otio; by default what the output's name ends in, or json"),
    ] = None,
    device: Annotated[str | None, Parameter(help="auto, cpu, cuda or cuda:N")] = None,
    quiet: Annotated[bool, Parameter(negative=(), help="print nothing but the shots and errors")] = False,
) -> None:
    """Lists the shots of a video, and the cuts, dissolves and fades between them."""
    from vidprod.media.probe import probe
    from vidprod.ops.shot_export import FORMATS, export

    form = form or (output.suffix.lstrip(".").lower() if output else _DEFAULT)
    if form not in FORMATS:  # told now, not after an hour of analysis
        raise InvalidParameter(f"--format is {shown(form)}: must be one of {', '.join(FORMATS)}")
    if output is not None and not output.absolute().parent.is_dir():
        raise InvalidParameter(f"--output is {shown(str(output))}: {output.absolute().parent} is not a folder")
    with interruptible() as interrupted, fetched(video, cancelled=interrupted) as path:
        with ProgressDisplay(Console(stderr=True), quiet=quiet) as display:
            plan = api.shots(path, device=device, progress=display, cancelled=interrupted)
        rate = probe(path).frame_rate
    if rate is None:
        step = (plan.shots[-1].end - plan.shots[0].start) / plan.count if plan.count else 1 / 25
        rate = Fraction(1 / step).limit_denominator(1001)
    text = export(plan, form, video=video, rate=rate)
    if output is None:
        print(text, end="")
    else:
        output.write_text(text, encoding="utf-8")
