"""Turns the published EfficientDet-Lite0, a TensorFlow Lite file in int8, into a state dict of `models.efficientdet.EfficientDet`.

The exporter lists the convolutions in the order in which they run; `names` is that order in our modules. The int8 numbers stay
as they are, with the scale of each output channel beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from vidprod.models.efficientdet import CELLS, DEPTH, STAGES, EfficientDet

from .tflite_graph import Graph, TfliteFormatError, read


def names() -> Iterator[str]:
    """Our convolutions, in the order of the published graph."""
    yield "stem"
    for number, (expansion, *_, count) in enumerate(STAGES):
        for block in range(count):
            if expansion > 1:
                yield f"stages.{number}.{block}.widen"
            yield f"stages.{number}.{block}.depthwise"
            yield f"stages.{number}.{block}.narrow"
    yield from ("enter.2", "enter_again.1", "enter.1", "enter_again.0", "enter.0", "enter.3")
    for cell in range(CELLS):
        for node in range(8):
            yield f"cells.{cell}.nodes.{node}.depthwise"
            yield f"cells.{cell}.nodes.{node}.pointwise"
            if cell == CELLS - 1 and node >= 3:  # a level is ready, and goes through the heads
                for head in ("box_head", "class_head"):
                    for layer in range(DEPTH):
                        yield f"{head}.depthwise.{layer}"
                        yield f"{head}.pointwise.{(node - 3) * DEPTH + layer}"
                    yield f"{head}.predict.depthwise"
                    yield f"{head}.predict.pointwise"


def state_of(graph: Graph) -> dict[str, Tensor]:
    """What the weight file holds: int8 weights, their scales and biases. Raises TfliteFormatError for another network."""
    expected = {name: tuple(value.shape) for name, value in EfficientDet().state_dict().items()}
    published = [node for node in graph.operators if node.kind in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    ours = list(names())
    if len(ours) != len(published):
        raise TfliteFormatError(f"not EfficientDet-Lite0: {len(published)} convolutions, {len(ours)} expected")
    state: dict[str, Tensor] = {}
    for name, node in zip(ours, published, strict=True):
        weight, bias = (graph.tensors[i] for i in node.inputs[1:3])
        if weight.data is None or weight.dtype != np.int8 or weight.zero.any():
            raise TfliteFormatError(f"not EfficientDet-Lite0: {name} is not in symmetric int8")
        # (O, H, W, I), but (1, H, W, O) for a depthwise one -> (O, I, H, W)
        depthwise = node.kind == "DEPTHWISE_CONV_2D"
        numbers = np.ascontiguousarray(weight.data.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2)))
        found = {
            f"{name}.weight": torch.tensor(numbers),
            f"{name}.scale": torch.tensor(weight.scale),
            f"{name}.bias": torch.tensor(bias.value),
        }
        if found[f"{name}.weight"].shape != expected[f"{name}.weight"] or len(weight.scale) != len(numbers):
            raise TfliteFormatError(f"not EfficientDet-Lite0: {name} is {numbers.shape}")
        if f"{name}.bias" not in expected and found.pop(f"{name}.bias").any():
            raise TfliteFormatError(f"not EfficientDet-Lite0: {name} has a bias")
        for key, value in found.items():
            # All levels share some convolutions; their biases are rounded to the scale of each level's input.
            if key not in state:
                state[key] = value
            elif not torch.allclose(state[key].float(), value.float(), atol=1e-3):
                raise TfliteFormatError(f"not EfficientDet-Lite0: {key} differs from level to level")
    return state


def convert(tflite: Path) -> bytes:
    """The safetensors file for the published network; the same bytes every time."""
    state = state_of(read(tflite))
    return save({name: state[name].contiguous() for name in sorted(state)}, {"arch": "efficientdet"})
