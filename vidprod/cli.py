"""The command line: one command per action, made from the registry, and a few for the installation itself."""

from __future__ import annotations

import inspect
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, get_args

from annotated_types import Ge, Gt, Le, Lt
from cyclopts import App, CycloptsError, MissingArgumentError, Parameter
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from vidprod import __version__, api
from vidprod.actions import ACTIONS
from vidprod.actions.spec import ActionSpec
from vidprod.errors import Cancelled, VidprodError
from vidprod.progress import ProgressDisplay

if TYPE_CHECKING:
    from vidprod.actions.run import Result

FAILED = 2
INTERRUPTED = 130

app = App(name="vidprod", help="Self-hosted video production.", version=__version__, version_flags=["--version"])


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command line. Exit code 0, or 2 with one line `Code: message` on stderr."""
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except MissingArgumentError as error:
        name = error.argument.name.lstrip("-") if error.argument else "a parameter"
        _fail(f"MissingParameter: {name} is required; see vidprod {' '.join(error.command_chain or ())} --help")
    except CycloptsError as error:
        _fail(f"InvalidParameter: {' '.join(str(error).split())}")
    except VidprodError as error:
        _fail(f"{error.code}: {error.message}")
    except (Cancelled, KeyboardInterrupt):
        print("Cancelled: nothing was written", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("VIDPROD_DEBUG"):
            raise
        _fail(
            f"InternalServerError: {type(error).__name__}: {' '.join(str(error).split())} (VIDPROD_DEBUG=1 tells more)"
        )
    sys.exit(0)


def _fail(line: str) -> NoReturn:
    print(line, file=sys.stderr)
    sys.exit(FAILED)


@app.command
def models() -> None:
    """Lists the networks that `--model` and the settings can name."""
    from vidprod.models.registry import MODELS
    from vidprod.ops.upscale import ADAPTIVE

    table = Table("name", "scale", "licence", "what it is for", box=None)
    table.add_row(
        ADAPTIVE, "2x", "Apache-2.0", "the default: span-x2 and span-x2-video, blended per shot by its compression"
    )
    for spec in MODELS.values():
        table.add_row(spec.name, f"{spec.scale}x", spec.licence, spec.summary)
    Console().print(table)


def _command(spec: ActionSpec[Any], *, cloud_names: bool) -> Callable[..., None]:
    """A function whose signature is the command's: cyclopts reads parameters, types and help from it."""
    fields = spec.parameters(cloud_names=cloud_names)
    files = set(spec.params.file_fields())

    def command(*positional: Any, **named: Any) -> None:
        arguments = {**dict(zip(positional_names, positional, strict=False)), **named}
        own = {p.name: arguments.pop(p.name, p.default) for p in own_options}
        _run(spec, {name: value for name, value in arguments.items() if value is not None}, **own)

    parameters: list[inspect.Parameter] = []
    for parameter, name in zip(fields, spec.params.model_fields, strict=True):
        positional = name in files and not cloud_names
        names = ("IN",) if positional else (f"--{parameter.name.replace('_', '-')}",)
        annotation = _annotated(get_args(parameter.annotation)[0], names, _help(spec.params.model_fields[name]))
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
        ("device", str | None, None, "auto, cpu, cuda or cuda:N"),
    ]
    if spec.models:
        table.append(("model", str | None, None, "a network of `vidprod models`, or a checkpoint file"))
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
    device: str | None,
    quiet: bool,
    model: str | None = None,
) -> None:
    console = Console(stderr=True)
    with _interruptible() as interrupted, ProgressDisplay(console, quiet=quiet) as display:
        result = api.run(
            spec.name,
            params,
            output=output,
            device=device,
            model=model,
            plan=from_plan,
            progress=display,
            cancelled=interrupted,
        )
    if plan is not None:
        plan.write_text(json.dumps(result.plan, indent=1) + "\n", encoding="utf-8")
    if not quiet:
        _report(console, result)


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
def _interruptible() -> Iterator[Callable[[], bool]]:
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


for _spec in ACTIONS.values():
    app.command(_command(_spec, cloud_names=False), name=_spec.kebab_name)
    # The cloud's own spelling works too: vidprod SuperResolveVideo --VideoUrl in.mp4 -o out.mp4
    app.command(_command(_spec, cloud_names=True), name=_spec.name, show=False)
