"""Turns the published TransNetV2, a PyTorch checkpoint, into a state dict of `models.transnet.TransNet`.

Batch normalisation goes into the convolutions in time that stand before it; the four convolutions in space of a block become
one. Weights are rounded to float16, which halves the file; what that costs is in `docs/models.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from vidprod.models.transnet import DILATIONS, TransNet

_EPSILON = 1e-3  # of the published batch normalisation; not in the checkpoint
LAYERS = {
    "project": "frame_sim_layer.projection",
    "features.fc": "frame_sim_layer.fc",
    "colours.fc": "color_hist_layer.fc",
    "fc": "fc1",
}
"""Our names of the layers that are taken as they are, and the published ones."""


def state_of(published: Mapping[str, Tensor], *, half: bool = True) -> dict[str, Tensor]:
    """State dict of TransNet; weights as float16 if `half`. Raises ValueError for another network."""
    given = {name: value.double() for name, value in published.items() if value.is_floating_point()}
    state: dict[str, Tensor] = {}
    try:
        for stack in range(3):
            for number, name in enumerate(("first", "second")):
                state |= _block(given, f"SDDCNN.{stack}.DDCNN.{number}.", f"stacks.{stack}.{name}.")
        for ours, theirs in LAYERS.items():
            state[f"{ours}.weight"], state[f"{ours}.bias"] = given[f"{theirs}.weight"], given[f"{theirs}.bias"]
        for kind in ("weight", "bias"):
            state[f"heads.{kind}"] = torch.cat([given[f"cls_layer{i}.{kind}"] for i in (1, 2)])
    except KeyError as error:
        raise ValueError(f"not TransNetV2: it has no {error}") from None
    for name, value in TransNet().state_dict().items():
        if state[name].shape != value.shape:
            raise ValueError(f"not TransNetV2: {name} is {tuple(state[name].shape)}, expected {tuple(value.shape)}")
    return {
        name: value.to(torch.float16 if half and name.endswith("weight") else torch.float32).contiguous()
        for name, value in state.items()
    }


def _block(given: Mapping[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    """One dilated block. A kernel in space is (out, in, 1, 3, 3), one in time (out, in, 3, 1, 1)."""
    scale = given[f"{theirs}bn.weight"] / torch.sqrt(given[f"{theirs}bn.running_var"] + _EPSILON)
    shift = given[f"{theirs}bn.bias"] - given[f"{theirs}bn.running_mean"] * scale
    space = [given[f"{theirs}Conv3D_{d}.layers.0.weight"].squeeze(2) for d in DILATIONS]
    state = {f"{ours}space.weight": torch.cat(space)}
    parts = zip(DILATIONS, scale.chunk(len(DILATIONS)), shift.chunk(len(DILATIONS)), strict=True)
    for i, (dilation, factor, offset) in enumerate(parts):
        weight = given[f"{theirs}Conv3D_{dilation}.layers.1.weight"].squeeze(4)
        state[f"{ours}time.{i}.weight"] = weight * factor.view(-1, 1, 1, 1)
        state[f"{ours}time.{i}.bias"] = offset
    return state


def convert(checkpoint: Path) -> bytes:
    """The safetensors file for the published network; the same bytes every time."""
    state = state_of(torch.load(checkpoint, map_location="cpu", weights_only=True))
    return save({name: state[name] for name in sorted(state)}, {"arch": "transnet"})
