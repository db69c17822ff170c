"""Settings as options of a command: what is given on the command line goes before the environment.

python -m vidprod.cli.options          # prints the table of docs/server.md
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from cyclopts import Group, Parameter

from vidprod.errors import InvalidParameter
from vidprod.settings import Settings, settings

PREFIX = "VIDPROD_"
ALL = tuple(name for name in Settings.model_fields if name != "access_keys")
"""Every setting but the secrets: a command line can be read by everybody on the machine."""

# A panel of the help begins with this setting.
_PANELS = {"device": "Networks", "data": "Server", "storage": "Storage", "fetch_allow": "Inputs", "database": "Jobs"}
_DURATIONS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_BINARY = ((2**30, "GiB"), (2**20, "MiB"))

ResultT = TypeVar("ResultT")


def takes_settings(names: Collection[str] = ALL) -> Callable[[Callable[..., ResultT]], Callable[..., ResultT]]:
    """Gives a command, whose first parameter is the settings, an option for each of those named.

    The options are put into the environment, so that processes that the command starts see the same values.
    """

    def decorate(command: Callable[..., ResultT]) -> Callable[..., ResultT]:
        @functools.wraps(command)
        def wrapped(*positional: Any, **named: Any) -> ResultT:
            given = {name: named.pop(name) for name in names if named.get(name) is not None}
            for name in names:
                named.pop(name, None)
            return command(apply(given), *positional, **named)

        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        parameters = [*own, *(_option(name) for name in names)]
        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapped

    return decorate


def apply(given: dict[str, str]) -> Settings:
    """The settings of this process from now on, with these values in place of the environment's.

    Raises:
        InvalidParameter: naming the option, or the variable, that cannot be understood.
    """
    for name, value in given.items():
        os.environ[PREFIX + name.upper()] = value
    settings.cache_clear()
    try:
        return settings()
    except InvalidParameter as error:
        variable, rest = error.message.split(" ", 1)
        name = variable.removeprefix(PREFIX).lower()
        raise InvalidParameter(f"--{name.replace('_', '-')} {rest}" if name in given else error.message) from None


def _option(name: str) -> inspect.Parameter:
    info = Settings.model_fields[name]
    default = shown_default(info.get_default())
    text = f"{info.description}{f' (default: {default})' if default else ''}"
    order = list(Settings.model_fields)
    panel = [_PANELS[field] for field in order[: order.index(name) + 1] if field in _PANELS][-1]
    option = Parameter(name=f"--{name.replace('_', '-')}", help=text, group=_group(panel), show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )


@functools.cache
def _group(name: str) -> Group:
    return Group.create_ordered(name)


def shown_default(value: Any) -> str:
    """A setting's default as one would write it: `1h`, `10GiB`, `a,b`; nothing for none."""
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        unit, letter = next((unit, letter) for unit, letter in _DURATIONS if seconds % unit == 0)
        return f"{seconds // unit}{letter}"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, int) and value >= _BINARY[-1][0]:
        for unit, letter in _BINARY:
            if value % unit == 0:
                return f"{value // unit}{letter}"
    return "" if value is None else str(value)


def reference() -> str:
    """All settings as a table for the documents."""
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    for name, info in Settings.model_fields.items():
        if name in _PANELS:
            lines.append(f"| **{_PANELS[name]}** | | |")
        if name in ALL:
            default = shown_default(info.get_default())
            lines.append(f"| `{PREFIX}{name.upper()}` | {f'`{default}`' if default else ''} | {info.description} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(reference())
