"""The cloud's actions: one file each, and `ACTIONS`, from which everything that names an action is derived."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from vidprod.actions import super_resolve_video
from vidprod.actions.spec import ActionSpec

ACTIONS: Mapping[str, ActionSpec[Any]] = MappingProxyType({spec.name: spec for spec in (super_resolve_video.SPEC,)})
"""All actions by the cloud's name."""
