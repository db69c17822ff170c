"""The Python API: every action as a function, no server needed.

The functions are made from the registry, so a new action appears here by itself. `vidprod/__init__.pyi` spells them out for
editors and type checkers; it is generated (`python -m vidprod.stubs`) and a test keeps it current.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidprod.actions import ACTIONS
from vidprod.actions.naming import default_output, find
from vidprod.actions.spec import ActionSpec
from vidprod.control import Control, Progress
from vidprod.errors import InvalidParameter
from vidprod.storage.fetch import fetched

if TYPE_CHECKING:
    from vidprod.actions.run import Result

PathLike = str | Path


def run(
    action: str,
    params: Mapping[str, Any],
    *,
    output: PathLike | None = None,
    device: str | None = None,
    model: str | None = None,
    plan: PathLike | Mapping[str, Any] | None = None,
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
        progress: called after each batch of pictures.
        cancelled: asked between batches; answer True to stop with `vidprod.errors.Cancelled`.

    Raises:
        VidprodError: with the documented code. Nothing is left behind.
    """
    from vidprod.actions.run import Context, read_plan  # brings torch, which takes seconds
    from vidprod.actions.run import run as run_action

    spec = find(action)
    checked = spec.params.parse(dict(params))
    if model is not None and not spec.models:
        raise InvalidParameter(f"model is {model!r}: {spec.name} has no choice of networks")
    data = read_plan(Path(plan)) if isinstance(plan, str | Path) else None if plan is None else dict(plan)
    stop = cancelled or (lambda: False)
    context = Context.make(device, model=model, control=Control(progress, stop))
    target = Path(output) if output is not None else default_output(spec, checked)
    with ExitStack() as stack:
        local = {
            name: str(stack.enter_context(fetched(getattr(checked, name), cancelled=stop)))
            for name in checked.file_fields()
        }
        return run_action(spec, checked.model_copy(update=local), target, context, plan=data)


def call(action: str, /, *, output: PathLike | None = None, device: str | None = None, **params: Any) -> dict[str, Any]:
    """Runs one action under the cloud's own names and returns the cloud's `Data`, with paths where it has URLs.

    >>> vidprod.call("SuperResolveVideo", VideoUrl="in.mp4", BitRate=8)  # doctest: +SKIP
    {'VideoUrl': 'in-super-resolve-video.mp4'}
    """
    return run(action, params, output=output, device=device).data()


def _function(spec: ActionSpec[Any]) -> Callable[..., Result]:
    options = {
        name: parameter
        for name, parameter in inspect.signature(run).parameters.items()
        if name not in ("action", "params") and (name != "model" or spec.models)
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
