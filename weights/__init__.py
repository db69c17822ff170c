"""Weight files and their checksums: `path("span-x2")` is where a checked file lies."""

from __future__ import annotations

import functools
import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidParameter, ModelError

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class WeightFile:
    """A row of `manifest.toml`.

    Attributes:
        name: as the registry of models says it.
        file: file name in this folder.
        size: bytes.
        sha256: of the file.
        shipped: part of the package; the others are made by `python -m vidprod.weights.tools.rebuild NAME`.
        licence: SPDX identifier.
        source: where the numbers come from.
    """

    name: str
    file: str
    size: int
    sha256: str
    shipped: bool
    licence: str
    source: str


@functools.cache
def manifest() -> dict[str, WeightFile]:
    """All weight files by name."""
    table = tomllib.loads((FOLDER / "manifest.toml").read_text(encoding="utf-8"))
    return {name: WeightFile(name=name, **row) for name, row in table.items()}


@functools.cache
def path(name: str) -> Path:
    """Path of a weight file whose sha256 was compared with the manifest, once per process."""
    known = manifest()
    if name not in known:
        raise InvalidParameter(f"no weights named {name!r}; there are {', '.join(sorted(known))}")
    entry = known[name]
    file = FOLDER / entry.file
    rebuild = f"make it again with: python -m vidprod.weights.tools.rebuild {name}"
    if not file.is_file():
        raise ModelError(f"the weights of {name} are not installed ({file}); {rebuild}")
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != entry.sha256:
        raise ModelError(
            f"the weights of {name} are damaged: {file} has sha256 {found[:16]}..., expected {entry.sha256[:16]}...; {rebuild}"
        )
    return file
