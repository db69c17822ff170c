"""From the strings of a request to an action's checked parameters.

Clients write typed values each in the manner of their language, so the syntax is exactly this, stricter than Python's own:

* integer: `[+-]?[0-9]+`, ASCII digits; not `1_000`, `0x40`, `64.0`;
* float: decimal with an optional exponent (`5`, `5.0`, `1e-05`, `1.0E-5`); not NaN, Infinity, nor what overflows to it;
* boolean: `true` or `false` in any case; Python clients send `True`;
* an empty value counts as absent;
* lists of objects are flattened and counted from 1: `Boxes.1.X=0.5&Boxes.2.X=...`; gaps are closed; indices must not be 0,
  negative, huge or anything but digits. One JSON document, `Boxes=[{"X":0.5}]`, is understood too;
* unknown parameters are ignored: clients send some that only their own version knows.
"""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Protocol, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from vidprod.actions.files import placed
from vidprod.actions.spec import FileUrl, documented
from vidprod.errors import InvalidParameter, InvalidParameterFormat, MissingParameter, shown
from vidprod.service.errors import mandatory
from vidprod.storage.urls import check_url

MAX_INDEX = 1000
MAX_DIGITS = 40
_DEPTH = 8  # of objects in lists in objects

_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INDEX = re.compile(r"-?[0-9]+")
_UNFIT = re.compile("[\x00\ud800-\udfff]")

ModelT = TypeVar("ModelT", bound=BaseModel)


def read(model: type[ModelT], parameters: Mapping[str, str]) -> ModelT:
    """An action's parameters from those of a request.

    Args:
        model: the action's parameter set; its fields may be scalars, enumerations, objects, and lists of any of these.
        parameters: decoded names and values; unknown ones are ignored.

    Raises:
        MissingParameter: a required parameter is absent or empty.
        InvalidParameterFormat: a value has the wrong form.
        InvalidParameter: a value, or an index, is out of range.
        FileURL: a file's URL is not one.
    """
    reader = _model_reader(model)
    run = _Run()
    values = reader.read("", (), _plant(parameters, _wire_names(model)), run)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise documented(first, run.wire_name(first["loc"])) from None


# --- scalars ----------------------------------------------------------------------------------------------------------


def _integer(path: str, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise InvalidParameterFormat(f"{path} is {shown(text)}: must be an integer")
    if len(text) > MAX_DIGITS:
        raise InvalidParameter(f"{path} is {shown(text)}: the number is too large")
    return int(text)


def _float(path: str, text: str) -> float:
    if not _FLOAT.fullmatch(text):
        raise InvalidParameterFormat(f"{path} is {shown(text)}: must be a decimal number")
    value = float(text)
    if math.isinf(value):
        raise InvalidParameter(f"{path} is {shown(text)}: the number is too large")
    return value


def _boolean(path: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InvalidParameterFormat(f"{path} is {shown(text)}: must be true or false")
    return text.lower() == "true"


def _string(path: str, text: str) -> str:
    if _UNFIT.search(text):
        raise InvalidParameterFormat(f"{path} is {shown(text)}: NUL and unpaired surrogates are not taken")
    return text


def _url(path: str, text: str) -> str:
    with placed(path):
        return check_url(text)


# --- the flattened names as a tree ------------------------------------------------------------------------------------


@dataclass
class _Node:
    """What is known below one name. Empty values were left out, so a node without text has children."""

    text: str | None = None
    children: dict[str, _Node] = field(default_factory=dict)


def _plant(parameters: Mapping[str, str], known: frozenset[str]) -> _Node:
    root = _Node()
    for name, value in parameters.items():
        parts = name.split(".", 2 * _DEPTH)
        if value == "" or parts[0] not in known:
            continue
        node = root
        for part in parts:
            node = node.children.setdefault(part, _Node())
        node.text = value
    return root


def _from_json(path: str, text: str) -> _Node | None:
    try:
        value = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
        if not isinstance(value, list | dict):
            raise ValueError("neither a list nor an object")
        return _grow(value, 2 * _DEPTH)
    except (ValueError, RecursionError) as error:
        raise InvalidParameterFormat(
            f"{path} is {shown(text)}: must be given as {path}.<member>, or as JSON ({error})"
        ) from None


def _grow(value: Any, depth: int) -> _Node | None:
    if depth < 0:
        raise ValueError("nested too deeply")
    if isinstance(value, list):
        value = {str(number): item for number, item in enumerate(value, 1)}
    if isinstance(value, dict):
        grown = {name: _grow(item, depth - 1) for name, item in value.items()}
        children = {name: node for name, node in grown.items() if node is not None}
        return _Node(children=children) if children else None
    if isinstance(value, bool):
        value = "true" if value else "false"
    return _Node(value) if value else None


# --- readers, made once per type --------------------------------------------------------------------------------------

Loc = tuple[int | str, ...]


@dataclass
class _Run:
    """One reading. `indices` tells which index on the wire the members of a list had, for messages."""

    indices: dict[Loc, list[int]] = field(default_factory=dict)

    def wire_name(self, loc: Loc) -> str:
        """The name that the client wrote for a place that pydantic names."""
        return ".".join(
            str(self.indices[loc[:depth]][part] if isinstance(part, int) and loc[:depth] in self.indices else part)
            for depth, part in enumerate(loc)
        )


class _Reader(Protocol):
    def read(self, path: str, loc: Loc, node: _Node, run: _Run) -> Any:
        """The value at a node; None where there is none after all."""


@dataclass(frozen=True)
class _Scalar:
    parse: Callable[[str, str], Any]

    def read(self, path: str, loc: Loc, node: _Node, run: _Run) -> Any:
        return None if node.text is None else self.parse(path, node.text)


@dataclass(frozen=True)
class _Array:
    element: _Reader

    def read(self, path: str, loc: Loc, node: _Node, run: _Run) -> Any:
        opened = _opened(path, node)
        if opened is None:
            return None
        found = sorted((_index(path, key), child) for key, child in opened.children.items())
        run.indices[loc] = [index for index, _ in found]
        return [
            self.element.read(f"{path}.{index}", (*loc, place), child, run)
            for place, (index, child) in enumerate(found)
        ]


@dataclass(frozen=True)
class _Object:
    fields: Mapping[str, tuple[_Reader, bool]]

    def read(self, path: str, loc: Loc, node: _Node, run: _Run) -> Any:
        opened = _opened(path, node) if path else node
        if opened is None:
            return None
        values = {}
        for name, (reader, required) in self.fields.items():
            inner = f"{path}.{name}" if path else name
            child = opened.children.get(name)
            value = None if child is None else reader.read(inner, (*loc, name), child, run)
            if value is not None:
                values[name] = value
            elif required:
                raise MissingParameter(mandatory(inner))
        return values


def _opened(path: str, node: _Node) -> _Node | None:
    if node.text is None:
        return node
    if node.children:
        raise InvalidParameter(f"{path} is given twice: as one value, and as {path}.<member>")
    return _from_json(path, node.text)


def _index(path: str, key: str) -> int:
    if not _INDEX.fullmatch(key) or (key != key.lstrip("0") and key != "0"):
        raise InvalidParameterFormat(f"{path}.{key[:80]}: the part after {path} must be an index, 1 to {MAX_INDEX}")
    if len(key) > len(str(MAX_INDEX)) or not 1 <= int(key) <= MAX_INDEX:
        raise InvalidParameter(f"{path}.{key[:80]}: the index must be from 1 to {MAX_INDEX}")
    return int(key)


@cache
def _model_reader(model: type[BaseModel]) -> _Reader:
    return _reader(model)


def _reader(annotation: Any) -> _Reader:
    """How values of a type are read; raises TypeError for a type that has no form on the wire."""
    marks: tuple[Any, ...] = ()
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        marks += tuple(more)
    return _make(annotation, any(isinstance(mark, FileUrl) for mark in marks))


def _make(annotation: Any, is_file: bool) -> _Reader:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        options = [_reader(option) for option in args if option is not type(None)]
        text, numbers = _Scalar(_string), (_Scalar(_integer), _Scalar(_float))
        if text in options and all(isinstance(option, _Scalar) for option in options):
            return _Scalar(_url) if is_file else text  # where text will do, any value is one
        if all(option in numbers for option in options):
            return options[0] if len(options) == 1 else _Scalar(_float)  # a float's syntax covers an integer's
        if len(options) == 1:
            return options[0]
    elif origin in (list, Sequence) or (origin is tuple and len(args) == 2 and args[1] is Ellipsis):
        return _Array(_reader(args[0]))
    elif origin is Literal and all(isinstance(value, str) for value in args):
        return _Scalar(_string)
    elif isinstance(annotation, type) and origin is None:
        if issubclass(annotation, BaseModel):
            return _Object(
                {
                    info.alias or name: (_field_reader(info.annotation, info.metadata), info.is_required())
                    for name, info in annotation.model_fields.items()
                }
            )
        for kind, parse in ((bool, _boolean), (int, _integer), (float, _float), (str, _url if is_file else _string)):
            if issubclass(annotation, kind) and (kind is str or not issubclass(annotation, Enum)):
                return _Scalar(parse)
    raise TypeError(f"{annotation!r} has no form on the wire")


def _field_reader(annotation: Any, metadata: Sequence[Any]) -> _Reader:
    return _make(annotation, True) if any(isinstance(mark, FileUrl) for mark in metadata) else _reader(annotation)


def _wire_names(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(info.alias or name for name, info in model.model_fields.items())
