"""The registry's types: what an action is called, which parameters it takes, and where its steps are.

The Python functions, the command line, the reference page and the HTTP front are all derived from these; nothing else spells a
parameter. Nothing here imports torch, so that a process which only talks about actions stays small and starts at once.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Protocol, Self, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_pascal
from pydantic_core import ErrorDetails

from vidprod.errors import InvalidParameter, InvalidParameterFormat, MissingParameter, shown

if TYPE_CHECKING:
    from vidprod.actions.run import Context, Rendered


class FileUrl:
    """Marks a parameter as a file: an http(s) URL on the wire, a path or a URL everywhere else."""


def _as_text(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


Location = Annotated[str, StringConstraints(min_length=1), BeforeValidator(_as_text), FileUrl()]
"""Where a file is. In Python it may be a `Path` too."""

VideoUrl = Annotated[Location, Field(description="the video: a path, or an http(s) URL")]


class Params(BaseModel):
    """Base of all parameter sets. Fields are snake_case in Python; the cloud's PascalCase names are their aliases."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_pascal, populate_by_name=True)

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        """Checks values under either spelling; raises the documented error for the first that is wrong."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise documented(error.errors(include_url=False)[0]) from None


ParamsT = TypeVar("ParamsT", bound=Params)


class Steps(Protocol):
    """What the module of an action's steps holds."""

    def analyse(self, params: Any, context: Context) -> Any:
        """Looks at the input and makes the plan, a frozen dataclass. Files in `params` are local paths."""

    def load_plan(self, data: dict[str, Any]) -> Any:
        """The plan that JSON holds; raises InvalidParameter naming what is wrong."""

    def render(self, params: Any, plan: Any, output: Path, context: Context) -> Rendered:
        """Carries out the plan. Writes `output` completely or not at all."""


class Debugging(Protocol):
    """Steps that can show what the analysis saw."""

    def debug(self, params: Any, plan: Any, output: Path, context: Context) -> None:
        """Writes a video with the analysis drawn on it."""


class Storyboards(Protocol):
    """What the module holds that draws an action's plans."""

    def board(self, plan: Mapping[str, Any], paths: Sequence[Path], video: Path, output: Path) -> None:
        """Draws a plan, of these input files and with this result, as a .png."""


@dataclass(frozen=True)
class ActionSpec(Generic[ParamsT]):
    """One action.

    Attributes:
        name: the cloud's name.
        params: its parameters.
        summary: one line for help texts.
        steps_module: where its steps are; imported when they are needed.
        suffixes: file name endings of results, the default first.
        suffix_field: the parameter that tells the ending without its dot, where there is one.
        models: whether it has a choice of networks.
        lut_params: the parameters that a user need not give when a look-up table of their own takes the place of the analysis;
            None where none can.
        cover: whether it makes a cover picture too.
        storyboard: where a picture of its plan is drawn (`Storyboards`), of actions that choose what is seen; None for others.
        debug: file name endings under which its steps can show what the analysis saw, by `debug(params, plan, output, context)`.
    """

    name: str
    params: type[ParamsT]
    summary: str
    steps_module: str
    suffixes: tuple[str, ...] = (".mp4",)
    suffix_field: str | None = None
    models: bool = False
    lut_params: Mapping[str, Any] | None = None
    cover: bool = False
    debug: tuple[str, ...] = ()
    storyboard: str | None = None

    @property
    def steps(self) -> Steps:
        """The action's analyse, load_plan and render."""
        return cast(Steps, import_module(self.steps_module))

    @property
    def storyboards(self) -> Storyboards | None:
        """Draws its plans."""
        return None if self.storyboard is None else cast(Storyboards, import_module(self.storyboard))

    def suffix_of(self, params: ParamsT) -> str:
        """The file name ending of the result for these parameters."""
        return self.suffixes[0] if self.suffix_field is None else f".{getattr(params, self.suffix_field)}"

    def endings(self, params: ParamsT) -> tuple[str, ...]:
        """Those that a caller may name the result with: the one asked for, or any where none was."""
        asked = self.suffix_field is not None and self.suffix_field in params.model_fields_set
        return (self.suffix_of(params),) if asked else self.suffixes

    @property
    def snake_name(self) -> str:
        """`super_resolve_video`, for Python."""
        return "".join("_" + c.lower() if c.isupper() else c for c in self.name).lstrip("_")

    @property
    def kebab_name(self) -> str:
        """`super-resolve-video`, for the command line."""
        return self.snake_name.replace("_", "-")

    def parameters(self, *, cloud_names: bool = False) -> list[inspect.Parameter]:
        """The action's parameters as keyword-only Python parameters, those without a default first."""
        found = []
        for name, info in self.params.model_fields.items():
            found.append(
                inspect.Parameter(
                    info.alias or name if cloud_names else name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=inspect.Parameter.empty if info.is_required() else info.get_default(),
                    annotation=Annotated[info.annotation, info],
                )
            )
        return found


def documented(
    error: ErrorDetails, name: str | None = None
) -> InvalidParameter | InvalidParameterFormat | MissingParameter:
    """The documented error for what pydantic found.

    Args:
        error: one of pydantic's.
        name: of the parameter, where the place that pydantic tells is not what the user wrote.
    """
    name = _place(error["loc"]) if name is None else name
    kind = error["type"]
    if kind == "missing" or (kind == "string_too_short" and not error["input"]):
        return MissingParameter(f"{name} is required")
    if kind == "extra_forbidden":
        return InvalidParameter(f"{name} is not a parameter of this action")
    reason = str(error["ctx"]["error"]) if kind == "value_error" else f"{error['msg'][0].lower()}{error['msg'][1:]}"
    if not name:  # a rule about several parameters, whose reason names them
        return InvalidParameter(reason)
    message = f"{name} is {shown(error['input'])}: {reason}"
    if kind.endswith(("_parsing", "_type")) or kind == "int_from_float":
        return InvalidParameterFormat(message)
    return InvalidParameter(message)


def _place(loc: tuple[int | str, ...]) -> str:
    """A parameter as it was spelled; inside of lists as the cloud does, `FileList.2.FileUrl`, whose members count from 1."""
    if len(loc) == 1:
        return str(loc[0])
    parts = (str(part + 1) if isinstance(part, int) else part for part in loc)
    return ".".join(to_pascal(part) if part.islower() else part for part in parts)
