"""How members of lists are written on the command line."""

from __future__ import annotations

import json
from typing import Any, get_args

from pydantic.fields import FieldInfo

from vidprod.actions.spec import Params
from vidprod.errors import InvalidParameterFormat, shown

FILES = "Paths, URLs, or JSON with FileName, FileUrl and Type"


def files(text: str) -> list[Any]:
    """What one argument stands for: a file by its location; as JSON one with all that is to be said of it, or several."""
    if text.lstrip().startswith(("{", "[")):
        try:
            found = json.loads(text)
        except ValueError:  # there are files with such names
            return [text]
        return found if isinstance(found, list) else [found]
    return [text]


def fields_of(info: FieldInfo) -> list[str]:
    """Of a list of objects: their fields, in order."""
    arguments = get_args(info.annotation)
    is_list = bool(arguments) and isinstance(arguments[0], type) and issubclass(arguments[0], Params)
    return list(arguments[0].model_fields) if is_list else []


def singular(name: str) -> str:
    """The option's name for one member of a list: `boxes` is given as `--box`."""
    return name.removesuffix("es" if name.endswith("xes") else "s").replace("_", "-")


def one(text: str, *, fields: list[str], option: str) -> list[dict[str, str]]:
    """One object of a list: its fields' values with commas between them.

    Raises:
        InvalidParameterFormat: there are more or fewer.
    """
    values = text.split(",")
    if len(values) != len(fields):
        raise InvalidParameterFormat(
            f"{option} is {shown(text)}, must be {','.join(fields).upper()}: {len(fields)} numbers"
        )
    return [dict(zip(fields, values, strict=True))]
