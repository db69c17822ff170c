"""The cloud's actions: one file each, and `ACTIONS`, from which everything that names an action is derived.

Own actions: the environment variable VIDPROD_EXTRA_ACTIONS names modules, `mine,team.actions`, that can be imported and hold
`ACTIONS = (ActionSpec(...), ...)`. They are served, documented and run like the others. All processes of a server must see the
variable, and its worker must be able to import the modules.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from vidprod.actions import (
    abstract_ecommerce_video,
    abstract_film_video,
    adjust_video_color,
    change_video_size,
    erase_video_logo,
    erase_video_subtitles,
    generate_video,
    super_resolve_video,
)
from vidprod.actions.spec import ActionSpec
from vidprod.errors import InvalidParameter

_BUILT_IN: tuple[ActionSpec[Any], ...] = (
    super_resolve_video.SPEC,
    erase_video_subtitles.SPEC,
    erase_video_logo.SPEC,
    adjust_video_color.SPEC,
    change_video_size.SPEC,
    abstract_ecommerce_video.SPEC,
    abstract_film_video.SPEC,
    generate_video.SPEC,
)


def _extra(modules: str) -> Iterator[ActionSpec[Any]]:
    for name in filter(None, map(str.strip, modules.split(","))):
        try:
            specs = tuple(import_module(name).ACTIONS)
        except (ImportError, AttributeError, TypeError) as error:
            raise InvalidParameter(
                f"VIDPROD_EXTRA_ACTIONS names {name!r}, which must be a module with ACTIONS = (ActionSpec(...), ...): {error}"
            ) from error
        for spec in specs:
            if not isinstance(spec, ActionSpec):
                raise InvalidParameter(f"ACTIONS of {name!r} holds {spec!r}, must hold ActionSpec only")
            yield spec


def _registry(specs: Iterator[ActionSpec[Any]]) -> Mapping[str, ActionSpec[Any]]:
    found: dict[str, ActionSpec[Any]] = {}
    for spec in specs:
        if spec.name in found:
            raise InvalidParameter(f"there are two actions {spec.name}; VIDPROD_EXTRA_ACTIONS must use other names")
        found[spec.name] = spec
    return MappingProxyType(found)


ACTIONS = _registry(iter((*_BUILT_IN, *_extra(os.environ.get("VIDPROD_EXTRA_ACTIONS", "")))))
"""All actions by the cloud's name."""
