"""One command per action, made from the registry."""

from __future__ import annotations

import inspect
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from cyclopts import App, Parameter
from pydantic.fields import FieldInfo
from rich.console import Console

from vidprod import api
from vidprod.actions import ACTIONS
from vidprod.actions.spec import ActionSpec, Params
from vidprod.errors import InvalidParameter, InvalidParameterFormat, shown
from vidprod.progress import ProgressDisplay

if TYPE_CHECKING:
    from vidprod.actions.run import Result


def add_to(app: App) -> None:
    """Adds the command of every action."""
    for spec in ACTIONS.values():
        app.command(_command(spec, cloud_names=False), name=spec.kebab_name)
        # The cloud's own spelling works too: vidprod SuperResolveVideo --VideoUrl in.mp4 -o out.mp4
        app.command(_command(spec, cloud_names=True), name=spec.name, show=False)


def _command(spec: ActionSpec[Any], *, cloud_names: bool) -> Callable[..., None]:
    """A function whose signature is the command's: cyclopts reads parameters, types and help from it."""
    fields = spec.parameters(cloud_names=cloud_names)
    files = set(spec.params.file_fields())

    def command(*positional: Any, **named: Any) -> None:
        arguments = {**dict(zip(positional_names, positional, strict=False)), **named}
        own = {p.name: arguments.pop(p.name, p.default) for p in own_options}
        for name, members in lists.items():
            if arguments.get(name) is not None:
                arguments[name] = [_member(text, members, f"--{_singular(name)}") for text in arguments[name]]
        _run(spec, {name: value for name, value in arguments.items() if value is not None}, **own)

    parameters: list[inspect.Parameter] = []
    lists: dict[str, list[str]] = {}  # by parameter, the names of its members' fields
    for parameter, name in zip(fields, spec.params.model_fields, strict=True):
        positional = name in files and not cloud_names
        names = ("IN",) if positional else (f"--{parameter.name.replace('_', '-')}",)
        wanted, text = get_args(parameter.annotation)[0], _help(spec.params.model_fields[name])
        if members := _fields_of_members(spec.params.model_fields[name]):
            lists[parameter.name] = members
            names = (f"--{_singular(parameter.name)}",)
            wanted, text = tuple[str, ...] | None, f"{','.join(members).upper()}: {text}; may be given several times"
            parameter = parameter.replace(default=None)
        if spec.lut_params and name in spec.lut_params:
            wanted, parameter = wanted | None, parameter.replace(default=None)  # whether it is missed, the action tells
        annotation = _annotated(wanted, names, text, negative=() if members else None)
        kind = inspect.Parameter.POSITIONAL_ONLY if positional else inspect.Parameter.KEYWORD_ONLY
        parameters.append(parameter.replace(annotation=annotation, kind=kind))
    own_options = _own_options(spec)
    parameters = sorted([*parameters, *own_options], key=lambda p: p.kind)
    positional_names = [p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_ONLY]
    command.__name__ = spec.snake_name
    command.__doc__ = spec.summary
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _own_options(spec: ActionSpec[Any]) -> list[inspect.Parameter]:
    """The options that every action has."""
    table: list[tuple[str, Any, Any, str]] = [
        ("output", Path, inspect.Parameter.empty, "the file to make"),
        ("plan", Path | None, None, "write the plan here, as JSON"),
        ("from_plan", Path | None, None, "render this plan instead of making one"),
        ("report", Path | None, None, "write what was measured here, as JSON"),
        ("device", str | None, None, "auto, cpu, cuda or cuda:N"),
    ]
    if spec.models:
        table.append(("model", str | None, None, "a network of `vidprod models`, or a checkpoint file"))
    if spec.lut_params is not None:
        table.append(("lut", Path | None, None, "apply this .cube file instead of grading"))
    if spec.cover:
        table.append(("cover", Path | None, None, "the cover picture (default: OUT with .jpg)"))
    if spec.storyboard:
        table.append(("storyboard", Path | None, None, "draw here what was picked and why, .png"))
    if spec.debug:
        table.append(
            (
                "debug",
                Path | None,
                None,
                "show here what the analysis saw: a video (change-video-size) or a picture (.png)",
            )
        )
    table.append(("quiet", bool, False, "print nothing but errors"))
    found = []
    for name, kind, default, text in table:
        names = (f"--{name.replace('_', '-')}", *(("-o",) if name == "output" else ()))
        negative = () if kind is bool else None
        annotation = _annotated(kind, names, text, negative=negative)
        found.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation))
    return found


def _annotated(kind: Any, names: tuple[str, ...], text: str, *, negative: tuple[str, ...] | None = None) -> Any:
    """What cyclopts reads: the type, the option's names and its help."""
    return Annotated[kind, Parameter(name=names, help=text, negative=negative)]


def _fields_of_members(info: FieldInfo) -> list[str]:
    """Of a list of objects: their fields, in order."""
    arguments = get_args(info.annotation)
    is_list = bool(arguments) and isinstance(arguments[0], type) and issubclass(arguments[0], Params)
    return list(arguments[0].model_fields) if is_list else []


def _singular(name: str) -> str:
    return name.removesuffix("es" if name.endswith("xes") else "s").replace("_", "-")


def _member(text: str, fields: list[str], option: str) -> dict[str, str]:
    """One object of a list, as it is written on the command line: its fields' values with commas between them."""
    values = text.split(",")
    if len(values) != len(fields):
        raise InvalidParameterFormat(
            f"{option} is {shown(text)}, must be {','.join(fields).upper()}: {len(fields)} numbers"
        )
    return dict(zip(fields, values, strict=True))


def _help(info: FieldInfo) -> str:
    low = next((f"{m.ge}" for m in info.metadata if isinstance(m, Ge)), None)
    low = low or next((f"above {m.gt}" for m in info.metadata if isinstance(m, Gt)), None)
    high = next((f"{m.le}" for m in info.metadata if isinstance(m, Le)), None)
    high = high or next((f"below {m.lt}" for m in info.metadata if isinstance(m, Lt)), None)
    limits = " to ".join(part for part in (low, high) if part)
    return f"{info.description} ({limits})" if limits else str(info.description)


def _run(
    spec: ActionSpec[Any],
    params: dict[str, Any],
    *,
    output: Path,
    plan: Path | None,
    from_plan: Path | None,
    report: Path | None,
    device: str | None,
    quiet: bool,
    model: str | None = None,
    lut: Path | None = None,
    cover: Path | None = None,
    debug: Path | None = None,
    storyboard: Path | None = None,
) -> None:
    if plan is not None and plan.suffix.lower() == ".srt" and spec.name != "EraseVideoSubtitles":
        raise InvalidParameter(f"--plan {plan.name}: only erase-video-subtitles has times to write as .srt")
    console = Console(stderr=True)
    with interruptible() as interrupted, ProgressDisplay(console, quiet=quiet) as display:
        result = api.run(
            spec.name,
            params,
            output=output,
            device=device,
            model=model,
            plan=from_plan,
            lut=lut,
            cover=cover,
            debug=debug,
            storyboard=storyboard,
            progress=display,
            cancelled=interrupted,
        )
    if plan is not None:
        plan.write_text(_written(result.plan, plan), encoding="utf-8")
    if report is not None:
        report.write_text(json.dumps(_measured(result), indent=1) + "\n", encoding="utf-8")
    if not quiet:
        _report(console, result)


def _written(plan: dict[str, Any], path: Path) -> str:
    """A plan as its file's suffix demands."""
    if path.suffix.lower() != ".srt":
        return json.dumps(plan, indent=1) + "\n"
    from vidprod.ops.text_srt import srt  # slow to import

    entries = []
    for number, event in enumerate(plan.get("events", ()), start=1):
        lines = [f"[subtitle {number}: x {b['x']} y {b['y']} w {b['w']} h {b['h']}]" for b in event["boxes"]]
        entries.append((event["start"], event["end"], lines))
    return srt(entries)


def _measured(result: Result) -> dict[str, Any]:
    timing = result.timing
    seconds = {"analyse": round(timing.analyse, 3), "render": round(timing.render, 3)}
    return {
        "video": str(result.video),
        "frames": timing.frames,
        "seconds": seconds,
        "notes": result.notes,
        **result.report,
    }


def _report(console: Console, result: Result) -> None:
    timing = result.timing
    console.print(
        f"{result.video}: {timing.frames} frames in {timing.analyse + timing.render:.1f} s "
        f"({timing.frames_per_second:.2f} fps)",
        highlight=False,
        markup=False,
    )
    for note in result.notes:
        console.print(f"note: {note}", highlight=False, markup=False)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turns the first Ctrl-C or SIGTERM into a request to stop; the second one stops at once, files cleaned up as well."""
    asked = False

    def ask(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
