"""One command per action, made from the registry."""

from __future__ import annotations

import inspect
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from cyclopts import App, Parameter
from pydantic.fields import FieldInfo
from rich.console import Console

from vidprod import api
from vidprod.actions import ACTIONS
from vidprod.actions.files import file_fields, file_member, files_of
from vidprod.actions.results import check_apart, check_writable
from vidprod.actions.spec import ActionSpec
from vidprod.cli import members, plans
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
    files = set(file_fields(spec.params))

    def command(*positional: Any, **named: Any) -> None:
        arguments = {**dict(zip(positional_names, positional, strict=False)), **named}
        if several:
            arguments[several] = positional or None
        own = {p.name: arguments.pop(p.name, p.default) for p in own_options}
        for name, read in readers.items():
            if arguments.get(name) is not None:
                arguments[name] = [member for text in arguments[name] for member in read(text)]
        _run(spec, {name: value for name, value in arguments.items() if value is not None}, **own)

    parameters: list[inspect.Parameter] = []
    readers: dict[str, Callable[[str], list[Any]]] = {}  # by parameter, how members of lists are written
    several = ""  # the parameter that takes all positional arguments
    for parameter, name in zip(fields, spec.params.model_fields, strict=True):
        kind: Any = inspect.Parameter.KEYWORD_ONLY
        names: tuple[str, ...] = (f"--{parameter.name.replace('_', '-')}",)
        info = spec.params.model_fields[name]
        wanted, text = get_args(parameter.annotation)[0], _help(info)
        if file_member(info):
            readers[parameter.name] = members.files
            wanted, text = tuple[str, ...], f"{text}. {members.FILES}"
            if not cloud_names:
                wanted, names, kind, several = str, ("FILE",), inspect.Parameter.VAR_POSITIONAL, parameter.name
        elif name in files and not cloud_names:
            names, kind = ("IN",), inspect.Parameter.POSITIONAL_ONLY
        elif inner := members.fields_of(info):
            names = (f"--{members.singular(parameter.name)}",)
            readers[parameter.name] = partial(members.one, fields=inner, option=names[0])
            wanted, text = tuple[str, ...] | None, f"{','.join(inner).upper()}: {text}; may be given several times"
            parameter = parameter.replace(default=None)
        if spec.lut_params and name in spec.lut_params:
            wanted, parameter = wanted | None, parameter.replace(default=None)  # whether it is missed, the action tells
        negative = () if parameter.name in readers else None
        must = True if kind is inspect.Parameter.VAR_POSITIONAL else None
        annotation = _annotated(wanted, names, text, negative=negative, required=must)
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
        ("plan", Path | None, None, f"write the plan here, {plans.forms(spec)}"),
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


def _annotated(
    kind: Any,
    names: tuple[str, ...],
    text: str,
    *,
    negative: tuple[str, ...] | None = None,
    required: bool | None = None,
) -> Any:
    """What cyclopts reads: the type, the option's names and its help."""
    return Annotated[kind, Parameter(name=names, help=text, negative=negative, required=required)]


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
    if plan is not None:
        plans.check(plan, spec)
    named = {"--output": output, "--cover": cover, "--debug": debug, "--storyboard": storyboard}
    check_apart({**named, "--plan": plan, "--report": report})
    for path in (plan, report):
        if path is not None:
            check_writable(path)
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
        files = tuple(files_of(spec.params.parse(params)).values()) if lut is None else ()
        plan.write_text(plans.written(result.plan, plan, files), encoding="utf-8")
    if report is not None:
        report.write_text(json.dumps(_measured(result), indent=1) + "\n", encoding="utf-8")
    if not quiet:
        _report(console, result)


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
