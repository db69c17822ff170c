"""The files among an action's parameters, wherever they stand: in lists, and in parameters of parameters too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_origin
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, Field, model_validator
from pydantic.fields import FieldInfo

from vidprod.actions.spec import FileUrl, Location, Params
from vidprod.errors import InvalidFile

ModelT = TypeVar("ModelT", bound=BaseModel)
Replace = Callable[[str, str], str]
"""Gets the place of a file, `FileList.2.FileUrl`, and its path or URL; returns another."""


class FileMember(Params):
    """One of a list of files: its name, location and type. In Python and on the command line the location is enough."""

    ENDINGS: ClassVar[Mapping[str, str]] = {}
    """The type that a file name's ending stands for: `{".mp4": "video"}`."""

    file_name: Annotated[str, Field(min_length=1, description="what you call it; told in messages and in the plan")]
    file_url: Annotated[Location, Field(description="the file: a path, or an http(s) URL")]
    type: Annotated[str, Field(description="what it holds; the content must agree")]

    @classmethod
    def from_location(cls, location: str) -> dict[str, str]:
        """All fields of a member by its path or URL.

        Raises:
            ValueError: an ending that is not one of `ENDINGS`.
        """
        path = PurePosixPath(unquote(urlsplit(location).path) if "://" in location else location)
        kind = cls.ENDINGS.get(path.suffix.lower())
        if kind is None:
            raise ValueError(
                f"must end in one of {', '.join(cls.ENDINGS)}, or be given with FileName, FileUrl and Type"
            )
        return {"FileName": path.name, "FileUrl": location, "Type": kind}

    @model_validator(mode="before")
    @classmethod
    def _expanded(cls, value: Any) -> Any:
        return cls.from_location(os.fspath(value)) if isinstance(value, str | os.PathLike) else value


def file_fields(model: type[BaseModel]) -> Iterator[str]:
    """Names of the fields that hold a file, or a list of files."""
    for name, (_, marked) in _fields(model).items():
        if marked or file_member(model.model_fields[name]):
            yield name


def file_member(info: FieldInfo) -> type[FileMember] | None:
    """What a list of files holds; None for other fields."""
    inner = get_args(info.annotation)
    return inner[0] if inner and isinstance(inner[0], type) and issubclass(inner[0], FileMember) else None


def files_of(params: BaseModel) -> Mapping[str, str]:
    """All files by their places, in order: `{"FileList.1.FileUrl": "a.mp4"}`."""
    found: dict[str, str] = {}

    def note(place: str, value: str) -> str:
        found[place] = value
        return value

    with_files(params, note)
    return found


def with_files(params: ModelT, replace: Replace) -> ModelT:
    """A copy with another value for every file. What was not given stays so.

    Args:
        params: files are the texts marked with `FileUrl`.
        replace: called for one after the other. When it raises InvalidFile for one of several, the error says for which.
    """
    return _model(params, "", replace)


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Errors about a file that is one of several begin with its place."""
    try:
        yield
    except InvalidFile as error:
        if "." not in place:
            raise
        raise type(error)(f"{place}: {error.message}") from None


def _model(params: ModelT, prefix: str, replace: Replace) -> ModelT:
    changed = {}
    for name, (key, marked) in _fields(type(params)).items():
        value = getattr(params, name)
        new = _value(value, prefix + key, marked, replace)
        if new is not value:
            changed[name] = new
    return params.model_copy(update=changed) if changed else params


def _value(value: Any, place: str, marked: bool, replace: Replace) -> Any:
    if isinstance(value, BaseModel):
        return _model(value, f"{place}.", replace)
    if isinstance(value, list | tuple):
        new = [_value(item, f"{place}.{number}", marked, replace) for number, item in enumerate(value, start=1)]
        return value if all(a is b for a, b in zip(value, new, strict=True)) else type(value)(new)
    if isinstance(value, str) and marked:
        with placed(place):
            return replace(place, value)
    return value


@cache
def _fields(model: type[BaseModel]) -> Mapping[str, tuple[str, bool]]:
    """By field: the cloud's name, and whether texts in it are files."""
    return {
        name: (info.alias or name, _marked(info.metadata) or any(map(_marked, _annotated(info.annotation))))
        for name, info in model.model_fields.items()
    }


def _marked(metadata: Any) -> bool:
    return any(isinstance(mark, FileUrl) for mark in metadata)


def _annotated(annotation: Any) -> Iterator[tuple[Any, ...]]:
    """What is said in every `Annotated` inside an annotation: `list[VideoUrl]`, `VideoUrl | None`."""
    if get_origin(annotation) is Annotated:
        yield annotation.__metadata__
        annotation = annotation.__origin__
    for part in get_args(annotation):
        yield from _annotated(part)
