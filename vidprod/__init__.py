"""Self-hosted video production.

    import vidprod
    vidprod.super_resolve_video(video_url="in.mp4", output="out.mp4")

Every action of the cloud service is a function here, with the cloud's parameters in snake_case. Nothing heavy is imported
before it is needed.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

__version__ = "0.1.0"

_PLAIN = ("adjust_video_color_group", "apply_lut", "call", "run", "shots")
_ELSEWHERE = {"Client": "client", "JobAnswer": "client", "RemoteResult": "client"}


def __getattr__(name: str) -> Any:
    # Submodules are found by the import system itself; asking it here first keeps half-imported ones from recursing.
    if name.startswith("_") or find_spec(f"{__name__}.{name}") is not None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _ELSEWHERE:
        return getattr(import_module(f".{_ELSEWHERE[name]}", __name__), name)
    api = import_module(".api", __name__)
    if name in _PLAIN:
        return getattr(api, name)
    try:
        return api.FUNCTIONS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return ["__version__", *_PLAIN, *_ELSEWHERE, *import_module(".api", __name__).FUNCTIONS]
