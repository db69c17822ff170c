"""The page that `GET /` shows to people: every action with its parameters, a form that runs it, and the same call as code.

The page is a few static files, which load nothing from elsewhere. It signs its calls in the browser, as any client does; it has no
rights of its own. What there is to know about actions comes from the registry, as `actions.json`.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vidprod import __version__
from vidprod.actions.files import FileMember
from vidprod.actions.spec import ActionSpec, FileUrl
from vidprod.service.responses import Answer
from vidprod.settings import Settings

PREFIX = "/_vidprod/"
"""Where the page's files are."""

_TYPES = {
    ".html": "text/html;charset=utf-8",
    ".css": "text/css;charset=utf-8",
    ".js": "text/javascript;charset=utf-8",
    ".svg": "image/svg+xml",
}
_LIMITS = (
    (Ge, "ge", "min"),
    (Gt, "gt", "above"),
    (Le, "le", "max"),
    (Lt, "lt", "below"),
    (MaxLen, "max_length", "most"),
)
_SCALARS = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "text"))


def page(settings: Settings) -> Answer:
    """The page itself."""
    # Results come from here; those in an object storage, or behind another public name, do not.
    elsewhere = settings.storage_url.startswith("s3:") or bool(settings.public_url)
    media = "'self' blob: http: https:" if elsewhere else "'self' blob:"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        f"img-src {media}; media-src {media}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return _answer("explorer.html", {"Content-Security-Policy": policy, "X-Frame-Options": "DENY"})


def asset(name: str, actions: Mapping[str, ActionSpec[Any]]) -> Answer | None:
    """One of the page's files; None where there is no such file."""
    if name == "actions.json":
        document = {"version": __version__, "actions": [describe(spec) for spec in actions.values()]}
        body = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
        return Answer(200, _headers("application/json;charset=utf-8"), body)
    return _answer(name, {}) if name in _names() and not name.endswith(".html") else None


def describe(spec: ActionSpec[Any]) -> dict[str, Any]:
    """An action, as the page needs it.

    `fields` are in the order of declaration. Of each: `name` (the cloud's), `snake`, `kind` (file, integer, number, boolean,
    choice, text, list, object, files), `required`, `description`, and where there are any: `default`, `min`, `above`, `max`,
    `below`, `most` (members of a list), `choices`, `item` (what a list holds), `fields` (of an object), `endings` (of a member of
    files: the type that file names tell).
    """
    return {
        "name": spec.name,
        "snake": spec.snake_name,
        "kebab": spec.kebab_name,
        "summary": spec.summary,
        "fields": _fields(spec.params),
    }


def _fields(model: type[BaseModel]) -> list[dict[str, Any]]:
    return [_field(name, info) for name, info in model.model_fields.items()]


def _field(name: str, info: FieldInfo) -> dict[str, Any]:
    found = {
        "name": info.alias or name,
        "snake": name,
        **_kind(info.annotation, tuple(info.metadata)),
        "required": info.is_required(),
        "description": info.description or "",
    }
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    if default is not None and default != ():
        found["default"] = default.value if isinstance(default, Enum) else default
    return found


def _kind(annotation: Any, marks: tuple[Any, ...]) -> dict[str, Any]:
    """What a type looks like in a form; raises TypeError for one that has no form on the wire."""
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        marks += tuple(more)
    marks += tuple(inner for mark in marks if isinstance(mark, FieldInfo) for inner in mark.metadata)
    limits = {name: getattr(mark, key) for mark in marks for kind, key, name in _LIMITS if isinstance(mark, kind)}
    origin, inner = get_origin(annotation), get_args(annotation)
    if any(isinstance(mark, FileUrl) for mark in marks):
        return {"kind": "file"}
    if origin in (Union, types.UnionType):
        options = [_kind(option, ()) for option in inner if option is not type(None)]
        kinds = {option["kind"] for option in options}
        if len(options) == 1:
            return {**options[0], **limits}
        return {"kind": "text" if "text" in kinds else "number", **limits}
    if origin in (list, tuple, Sequence) and isinstance(inner[0], type) and issubclass(inner[0], FileMember):
        return {"kind": "files", "item": {**_kind(inner[0], ()), "endings": dict(inner[0].ENDINGS)}, **limits}
    if origin in (list, tuple, Sequence):
        return {"kind": "list", "item": _kind(inner[0], ()), **limits}
    if origin is Literal:
        return {"kind": "choice", "choices": list(inner)}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {"kind": "object", "fields": _fields(annotation)}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return {"kind": "choice", "choices": [member.value for member in annotation]}
    for scalar, kind in _SCALARS:
        if isinstance(annotation, type) and issubclass(annotation, scalar):
            return {"kind": kind, **limits}
    raise TypeError(f"{annotation!r} has no form on the wire")


@cache
def _names() -> frozenset[str]:
    return frozenset(entry.name for entry in files("vidprod.service").joinpath("static").iterdir())


@cache
def _content(name: str) -> bytes:
    return files("vidprod.service").joinpath("static", name).read_bytes()


def _answer(name: str, headers: Mapping[str, str]) -> Answer:
    return Answer(200, {**_headers(_TYPES["." + name.rpartition(".")[2]]), **headers}, _content(name))


def _headers(content_type: str) -> dict[str, str]:
    return {
        "Content-Type": content_type,
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
