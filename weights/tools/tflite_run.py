"""Runs a TensorFlow Lite network operator by operator in float32, to compare our modules with. Slow, and only what they need."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod.models.efficientdet import same

from .tflite_graph import RELU6, SAME, Graph, Operator, TfliteFormatError


def run(graph: Graph, pictures: Tensor) -> list[Tensor]:
    """The outputs for the stored numbers of the input, (N, H, W, C); nothing is rounded on the way."""
    (given,) = graph.inputs
    start = graph.tensors[given]
    values = {given: (pictures.float() - int(start.zero[0])) * float(start.scale[0])}
    values[given] = values[given].permute(0, 3, 1, 2)
    for node in graph.operators:
        out = _result(graph, node, values)
        values[node.outputs[0]] = F.relu6(out) if node.options.get("activation") == RELU6 else out
    return [values[number] for number in graph.outputs]


def _result(graph: Graph, node: Operator, values: dict[int, Tensor]) -> Tensor:
    """What one operator makes; maps are (N, C, H, W) here."""
    x, options, shape = values[node.inputs[0]], node.options, graph.tensors[node.outputs[0]].shape
    match node.kind:
        case "CONV_2D" | "DEPTHWISE_CONV_2D":
            weight, bias = (torch.tensor(graph.tensors[number].value) for number in node.inputs[1:3])
            alone = node.kind == "DEPTHWISE_CONV_2D"
            weight = weight.permute(3, 0, 1, 2) if alone else weight.permute(0, 3, 1, 2)
            if options["padding"] == SAME:
                x = same(x, weight.shape[3], options["stride"])
            return F.conv2d(x, weight, bias, options["stride"], groups=len(weight) if alone else 1)
        case "MAX_POOL_2D":
            return F.max_pool2d(
                same(x, options["size"], options["stride"], -math.inf), options["size"], options["stride"]
            )
        case "ADD":
            return x + values[node.inputs[1]]
        case "CONCATENATION":
            return torch.cat([values[number] for number in node.inputs], options["axis"])
        case "RESIZE_NEAREST_NEIGHBOR":
            return F.interpolate(x, (shape[1], shape[2]))
        case "RESHAPE":
            return x.permute(0, 2, 3, 1).reshape(len(x), *shape[1:])
        case "LOGISTIC":
            return torch.sigmoid(x)
        case "QUANTIZE" | "DEQUANTIZE":
            return x
    raise TfliteFormatError(f"operator {node.kind} is not run")
