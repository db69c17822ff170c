"""The Python API: every action as a function, no server needed.

The functions are made from the registry, so a new action appears here by itself. `vidprod/__init__.pyi` spells them out for
editors and type checkers; it is generated (`python -m vidprod.stubs`) and a test keeps it current.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidprod.actions import ACTIONS
from vidprod.actions.files import files_of, with_files
from vidprod.actions.naming import default_output, find
from vidprod.actions.results import check_apart
from vidprod.actions.spec import ActionSpec
from vidprod.control import Control, Progress
from vidprod.errors import InvalidParameter
from vidprod.storage.fetch import fetched, is_url

if TYPE_CHECKING:
    from vidprod.actions.run import Result
    from vidprod.ops.shots import ShotPlan

PathLike = str | Path


def run(
    action: str,
    params: Mapping[str, Any],
    *,
    output: PathLike | None = None,
    device: str | None = None,
    model: str | None = None,
    plan: PathLike | Mapping[str, Any] | None = None,
    lut: PathLike | None = None,
    cover: PathLike | None = None,
    debug: PathLike | None = None,
    storyboard: PathLike | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Result:
    """Runs one action.

    Args:
        action: the cloud's name, such as "SuperResolveVideo".
        params: its parameters, under the cloud's names or in snake_case. Files are paths or http(s) URLs.
        output: the file to make; by default one in the current folder, named after the input and the action.
        device: "auto", "cpu", "cuda" or "cuda:N"; by default the setting VIDPROD_DEVICE.
        model: the network, for actions that have a choice: a name of `vidprod models`, or a checkpoint file.
        plan: a plan (or the JSON file that holds it) to render instead of analysing the input.
        lut: a .cube file to apply instead of analysing the input, for AdjustVideoColor.
        cover: where the cover picture of actions that make one goes; by default beside the video, as .jpg.
        debug: where to show what the analysis saw: of ChangeVideoSize a video of the source with window, subjects and saliency
            on it, of AdjustVideoColor a picture (.png) of shots before and after, with waveform and vectorscope.
        storyboard: where a picture of what was picked and why goes, .png, of the summaries and GenerateVideo.
        progress: called after each batch of pictures.
        cancelled: asked between batches; answer True to stop with `vidprod.errors.Cancelled`.

    Raises:
        VidprodError: with the documented code. Nothing is left behind.
    """
    from vidprod.actions.run import Context, read_plan  # brings torch, which takes seconds
    from vidprod.actions.run import run as run_action

    spec = find(action)
    if lut is not None and spec.lut_params is None:
        raise InvalidParameter(f"lut is {str(lut)!r}: {spec.name} applies no look-up tables")
    if lut is not None and plan is not None:
        raise InvalidParameter("lut and plan exclude each other; a plan can name the .cube file")
    assumed = spec.lut_params if lut is not None and spec.lut_params else {}
    checked = spec.params.parse({**assumed, **params})
    if model is not None and not spec.models:
        raise InvalidParameter(f"model is {model!r}: {spec.name} has no choice of networks")
    if cover is not None and not spec.cover:
        raise InvalidParameter(f"cover is {str(cover)!r}: {spec.name} makes no cover picture")
    if debug is not None and not spec.debug:
        raise InvalidParameter(f"debug is {str(debug)!r}: {spec.name} has nothing to show")
    if storyboard is not None:
        _check_storyboard(Path(storyboard), spec)
    data = read_plan(Path(plan)) if isinstance(plan, str | Path) else None if plan is None else dict(plan)
    if lut is not None:
        data = {"lut": str(lut)}
    stop = cancelled or (lambda: False)
    picture = None if cover is None else Path(cover)
    context = Context.make(device, model=model, cover=picture, control=Control(progress, stop))
    target = Path(output) if output is not None else default_output(spec, checked)
    others = {
        "cover": context.cover_beside(target) if spec.cover else None,
        "debug": None if debug is None else Path(debug),
        "storyboard": None if storyboard is None else Path(storyboard),
    }
    read = [file for file in files_of(checked).values() if not is_url(file)]
    check_apart({"output": target, **others})
    # A video may be replaced by what is made of it, if one says so; raw material of several files may not.
    check_apart(others if len(read) == 1 else {"output": target, **others}, read)
    with ExitStack() as stack:
        paths: list[Path] = []

        def bring(_: str, location: str) -> str:
            paths.append(stack.enter_context(fetched(location, cancelled=stop)))
            return str(paths[-1])

        local = with_files(checked, bring)
        shown = None if debug is None else Path(debug)
        result = run_action(spec, local, target, context, plan=data, debug=shown)
        if storyboard is not None and spec.storyboards is not None:
            spec.storyboards.board(result.plan, paths, result.video, Path(storyboard))
        return result


def _check_storyboard(path: Path, spec: ActionSpec[Any]) -> None:
    """Tells what is wrong now, not after an hour of analysis."""
    if not spec.storyboard:
        raise InvalidParameter(f"storyboard is {str(path)!r}: {spec.name} picks nothing that could be drawn")
    if path.suffix.lower() != ".png":
        raise InvalidParameter(f"storyboard {path.name!r} must end in .png")
    if not path.absolute().parent.is_dir():
        raise InvalidParameter(f"storyboard is {str(path)!r}: {path.absolute().parent} is not a folder")


def call(action: str, /, *, output: PathLike | None = None, device: str | None = None, **params: Any) -> dict[str, Any]:
    """Runs one action under the cloud's own names and returns the cloud's `Data`, with paths where it has URLs.

    >>> vidprod.call("SuperResolveVideo", VideoUrl="in.mp4", BitRate=8)  # doctest: +SKIP
    {'VideoUrl': 'in-super-resolve-video.mp4'}
    """
    return run(action, params, output=output, device=device).data()


def apply_lut(video: PathLike, lut: PathLike, output: PathLike | None = None, **rest: Any) -> Result:
    """Applies a look-up table of one's own to every picture; what the numbers mean (the colour tags) stays as it is.

    Args:
        video: a path or an http(s) URL.
        lut: a .cube file: curves, a table, or both.
        output: the file to make, .mov or .mp4; by default one in the current folder.
        rest: `video_codec`, `video_bitrate` and `video_format` of AdjustVideoColor, and what `run` takes.

    Raises:
        VidprodError: with the documented code; InvalidParameter with the line's number for a .cube file that is not sound.
    """
    spec = find("AdjustVideoColor")
    params = {name: rest.pop(name) for name in spec.params.model_fields if name in rest}
    return run(spec.name, {**params, "video_url": str(video)}, output=output, lut=lut, **rest)


def adjust_video_color_group(
    videos: Sequence[PathLike],
    outputs: Sequence[PathLike],
    *,
    device: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    **params: Any,
) -> tuple[Result, ...]:
    """Grades several ordinary (Rec.709) videos together: shots of the same scene, in whichever of them, are matched.

    Args:
        videos: paths or http(s) URLs, at least one.
        outputs: the files to make, one for each.
        device: as for `run`.
        progress: called after each batch of pictures, of one video after the other.
        cancelled: asked between batches; answer True to stop with `vidprod.errors.Cancelled`.
        params: `video_codec`, `video_bitrate` and `video_format` of AdjustVideoColor, for all of them.

    Raises:
        VidprodError: with the documented code. Videos that were done before stay.
    """
    from vidprod.actions.run import Context, plan_to_dict  # brings torch, which takes seconds
    from vidprod.actions.run import run as run_action
    from vidprod.ops.grade_match import group
    from vidprod.ops.grade_plan import GradePlan

    if not videos or len(videos) != len(outputs):
        raise InvalidParameter(f"a group needs videos and as many outputs, got {len(videos)} and {len(outputs)}")
    spec = find("AdjustVideoColor")
    stop = cancelled or (lambda: False)
    context = Context.make(device, control=Control(progress, stop))
    checked = [spec.params.parse({**params, "mode": "Rec709", "video_url": str(video)}) for video in videos]
    with ExitStack() as stack:
        local = [
            one.model_copy(update={"video_url": str(stack.enter_context(fetched(str(video), cancelled=stop)))})
            for one, video in zip(checked, videos, strict=True)
        ]
        plans = [spec.steps.analyse(one, context) for one in local]
        graded = group([GradePlan(plan.shots) for plan in plans])
        return tuple(
            run_action(spec, one, Path(output), context, plan=plan_to_dict(replace(plan, shots=matched.shots)))
            for one, output, plan, matched in zip(local, outputs, plans, graded, strict=True)
        )


def shots(
    video: PathLike,
    *,
    device: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ShotPlan:
    """Finds the shots of a video and the cuts, dissolves and fades between them.

    Args:
        video: a path or an http(s) URL.
        device: as for `run`. On a GPU a network looks at all pictures, on the CPU where something may be.
        progress: called after each batch of pictures.
        cancelled: asked between batches; answer True to stop with `vidprod.errors.Cancelled`.

    Raises:
        VidprodError: with the documented code, for a file that is no video.
    """
    from vidprod.actions.run import Context  # brings torch, which takes seconds
    from vidprod.media.reader import VideoReader
    from vidprod.media.thumbnails import thumbnails
    from vidprod.ops.render import analyse
    from vidprod.ops.shot_analysis import SIDE, ShotAnalysis

    stop = cancelled or (lambda: False)
    context = Context.make(device, control=Control(progress, stop))
    with (
        fetched(str(video), cancelled=stop) as path,
        VideoReader(path, device=context.device, batch=context.batch, bits=8) as reader,
    ):
        # A GPU decodes and shrinks whole pictures faster than the CPU makes small ones.
        pictures = reader if context.device.type == "cuda" else thumbnails(reader, side=SIDE)
        return analyse(pictures, ShotAnalysis(context.device), control=context.control, total=reader.info.frame_count)


def _function(spec: ActionSpec[Any]) -> Callable[..., Result]:
    options = {
        name: parameter
        for name, parameter in inspect.signature(run).parameters.items()
        if name not in ("action", "params")
        and (name != "model" or spec.models)
        and (name != "cover" or spec.cover)
        and (name != "debug" or spec.debug)
        and (name != "storyboard" or spec.storyboard)
        and (name != "lut" or spec.lut_params is not None)
    }

    def function(**arguments: Any) -> Result:
        chosen = {name: arguments.pop(name) for name in options if name in arguments}
        return run(spec.name, arguments, **chosen)

    function.__name__ = function.__qualname__ = spec.snake_name
    function.__module__ = "vidprod"
    function.__doc__ = _describe(spec)
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*spec.parameters(), *options.values()], return_annotation="Result"
    )
    return function


def _describe(spec: ActionSpec[Any]) -> str:
    lines = [spec.summary, "", "Args:"]
    for name, info in spec.params.model_fields.items():
        lines.append(f"    {name}: {info.description}.")
    lines += ["", "The other arguments are those of `vidprod.run`; the result is a `Result`."]
    return "\n".join(lines)


FUNCTIONS: Mapping[str, Callable[..., Result]] = {spec.snake_name: _function(spec) for spec in ACTIONS.values()}
"""Each action's function by its snake_case name."""
