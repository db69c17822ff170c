"""Turns the published PP-OCRv6-det-small, an ONNX file, into a state dict of `models.dbnet.DBNet`.

The exporter lists the convolutions in the order in which they run, which is the order of our modules. Their biases stand in
additions that follow. Convolution weights are rounded to float16, which halves the file; what that costs is in
`docs/models.md`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from vidprod.models.dbnet import DBNet, SqueezeExcite

from .onnx_graph import Array, Graph, OnnxFormatError, read


def _layers(graph: Graph) -> list[tuple[Array, Array | None]]:
    """Weight and bias of every convolution in order."""
    same: dict[str, str] = {}  # Identity and Cast only rename

    def known(name: str) -> str:
        return same.get(name, name)

    found: list[tuple[Array, Array | None]] = []
    made: dict[str, int] = {}
    for node in graph.nodes:
        if node.kind in ("Identity", "Cast"):
            same[node.output] = known(node.inputs[0])
        elif node.kind in ("Conv", "ConvTranspose"):
            bias = graph.constants[known(node.inputs[2])] if len(node.inputs) > 2 else None
            made[node.output] = len(found)
            found.append((graph.constants[known(node.inputs[1])], bias))
        elif node.kind == "Add":
            left, right = map(known, node.inputs)
            if left in made and right in graph.constants:
                weight, bias = found[made[left]]
                if bias is None:
                    found[made[left]] = (weight, graph.constants[right].reshape(-1))
    return found


def state_of(graph: Graph, *, half: bool = True) -> dict[str, Tensor]:
    """State dict of DBNet; weights as float16 if `half`. Raises OnnxFormatError for another network."""
    net = DBNet()
    slopes = [round(node.floats.get("alpha", 0.2), 4) for node in graph.nodes if node.kind == "HardSigmoid"]
    expected = [round(module.slope, 4) for module in net.modules() if isinstance(module, SqueezeExcite)]
    if slopes != expected:
        raise OnnxFormatError(f"not PP-OCRv6-det-small: its hard sigmoids have slopes {slopes}")
    ours = [(name, m) for name, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    published = _layers(graph)
    if len(ours) != len(published):
        raise OnnxFormatError(f"not PP-OCRv6-det-small: {len(published)} convolutions, {len(ours)} expected")
    state = {"mean": net.mean, "std": net.std}
    for (name, module), (weight, bias) in zip(ours, published, strict=True):
        if tuple(module.weight.shape) != weight.shape or (module.bias is None) != (bias is None):
            raise OnnxFormatError(f"not PP-OCRv6-det-small: {name} is {weight.shape}, bias {bias is not None}")
        if name == "stem.enter":
            weight = np.ascontiguousarray(weight[:, ::-1])  # published for B, G, R
        state[f"{name}.weight"] = torch.from_numpy(weight.astype(np.float16) if half else weight)
        if bias is not None:
            state[f"{name}.bias"] = torch.from_numpy(bias)
    return state


def convert(onnx: Path) -> bytes:
    """The safetensors file for the published network; the same bytes every time."""
    state = state_of(read(onnx))
    return save({name: state[name].contiguous() for name in sorted(state)}, {"arch": "dbnet"})
