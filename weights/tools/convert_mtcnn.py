"""Turns the three published networks of MTCNN, PyTorch checkpoints, into one state dict of `models.mtcnn.Mtcnn`.

The published dense layers read maps by column, row and channel; ours by channel, row and column. What finds the eyes, the nose
and the corners of the mouth is left out. Weights stay float32: rounded to float16, some faces move by more than a pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from vidprod.models.mtcnn import Mtcnn

LANDMARKS = "dense6_3"
FILES = {"proposer": "pnet.pt", "second": "rnet.pt", "third": "onet.pt"}
# Published name of each layer behind the body, by network.
_HEADS = {
    "proposer": {"conv4_1": "face", "conv4_2": "box"},
    "second": {"dense4": "dense", "prelu4": "act", "dense5_1": "face", "dense5_2": "box"},
    "third": {"dense5": "dense", "prelu5": "act", "dense6_1": "face", "dense6_2": "box"},
}
# Place in the body of each published layer: pooling has no weights.
_BODIES = {
    "proposer": {"1": (0, 1), "2": (3, 4), "3": (5, 6)},
    "second": {"1": (0, 1), "2": (3, 4), "3": (6, 7)},
    "third": {"1": (0, 1), "2": (3, 4), "3": (6, 7), "4": (9, 10)},
}


def _name(network: str, published: str) -> str:
    if published in _HEADS[network]:
        return f"{network}.{_HEADS[network][published]}"
    convolution, activation = _BODIES[network][published[-1]]
    return f"{network}.body.{convolution if published.startswith('conv') else activation}"


def state_of(checkpoints: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """State dict of Mtcnn; `checkpoints` by our name of the network. Raises KeyError for other networks."""
    state: dict[str, Tensor] = {}
    for network, checkpoint in checkpoints.items():
        for published, value in checkpoint.items():
            layer, _, part = published.rpartition(".")
            if layer == LANDMARKS:
                continue
            name = f"{_name(network, layer)}.{part}"
            if name.endswith("dense.weight"):
                value = value.view(len(value), 3, 3, -1).permute(0, 3, 2, 1).flatten(1)
            state[name] = value
    net = Mtcnn()
    if wrong := {k for k, v in net.state_dict().items() if k not in state or state[k].shape != v.shape}:
        raise KeyError(f"not MTCNN: {sorted(wrong)[0]} is missing or of another shape")
    return state


def convert(folder: Path) -> bytes:
    """The safetensors file for the published networks in a folder; the same bytes every time."""
    checkpoints = {
        name: torch.load(folder / file, map_location="cpu", weights_only=True) for name, file in FILES.items()
    }
    state = state_of(checkpoints)
    return save({name: state[name].contiguous() for name in sorted(state)}, {"arch": "mtcnn"})
