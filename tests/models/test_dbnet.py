from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vidprod import weights
from vidprod.errors import ModelError
from vidprod.models import dbnet
from vidprod.weights.tools.onnx_graph import OnnxFormatError, read

from .pictures import natural

GOLDENS = Path(__file__).parent / "goldens_text.npz"
NAMES = ("caption", "fading")


def golden(name: str, kind: str) -> tuple[Tensor, Tensor]:
    """A real subtitled picture (1, 3, H, W) in 0..1 and what onnxruntime makes of it, (H, W).

    `kind`: "full" with the published weights, "rounded" with theirs rounded to float16.
    """
    with np.load(GOLDENS) as arrays:
        picture = torch.from_numpy(arrays[name]).permute(2, 0, 1)[None].float() / 255
        return picture, torch.from_numpy(arrays[f"{name}_{kind}"].astype(np.float32) / 65535)


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_probabilities_are_those_of_onnxruntime(name: str, device: torch.device) -> None:
    x, expected = golden(name, "rounded")
    out = dbnet.load(device=device, dtype=torch.float32)(x.to(device)).cpu()
    assert (expected > 0.3).sum() > 1000  # the picture does show text
    assert (out[0, 0] - expected).abs().max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_rounding_the_weights_moves_no_text(name: str) -> None:
    x, expected = golden(name, "full")
    out = dbnet.load()(x)[0, 0]
    assert (out - expected).abs().max() < 0.02
    assert ((out > 0.3) != (expected > 0.3)).float().mean() < 3e-4


@torch.inference_mode()
def test_a_picture_without_text_has_none() -> None:
    assert dbnet.load()(natural(96, 160)).max() < 0.3


@torch.inference_mode()
def test_output_does_not_depend_on_the_batch(device: torch.device) -> None:
    x = torch.cat([golden(name, "full")[0] for name in NAMES]).to(device)
    net = dbnet.load(device=device, dtype=torch.float32)
    together = net(x)
    for i in range(len(x)):
        assert (net(x[i : i + 1]) - together[i : i + 1]).abs().max() < 1e-4


def test_shapes_and_half_precision_on_fake_cuda(fake_cuda: torch.device) -> None:
    net = dbnet.load(device=fake_cuda)
    for height, width in ((32, 64), (96, 416)):
        out = net(torch.rand(2, 3, height, width, device=fake_cuda, dtype=torch.float16))
        assert out.shape == (2, 1, height, width)
        assert (out.device.type, out.dtype) == ("cuda", torch.float16)


@pytest.mark.needs_cuda
@torch.inference_mode()
def test_half_precision_on_the_gpu_is_close() -> None:
    x, expected = golden("caption", "rounded")
    out = dbnet.load(device="cuda")(x.cuda().half())[0, 0].float().cpu()
    assert (out - expected).abs().max() < 0.1
    assert ((out > 0.3) != (expected > 0.3)).float().mean() < 3e-3


def test_weights_of_another_network_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbnet, "WEIGHTS", "span-x2")
    with pytest.raises(ModelError, match="span-x2"):
        dbnet.load()


def test_the_weights_are_shipped_under_a_free_licence() -> None:
    entry = weights.manifest()[dbnet.WEIGHTS]
    assert entry.shipped
    assert entry.licence == "Apache-2.0"
    assert entry.file in (weights.FOLDER / "NOTICE").read_text()


def field(number: int, value: bytes | int) -> bytes:
    """One field of a protocol buffer; lengths and numbers below 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def tiny_onnx(*, numbers: int = 2, elsewhere: bool = False) -> bytes:
    """A network of one HardSigmoid with a constant of two numbers."""
    slope = field(1, b"alpha") + bytes([2 << 3 | 5]) + np.float32(0.25).tobytes()
    node = field(1, b"x") + field(1, b"w") + field(2, b"y") + field(4, b"HardSigmoid") + field(5, slope)
    data = np.arange(numbers, dtype="<f4").tobytes()
    constant = field(1, 1) + field(1, 2) + field(2, 1) + field(8, b"w") + field(9, data)
    shape = field(1, 2) + field(2, 7) + field(8, b"whole numbers") + field(9, b"")
    if elsewhere:
        constant += field(13, b"x")
    return field(7, field(1, node) + field(5, constant) + field(5, shape))


def test_onnx_is_read(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(tiny_onnx())
    graph = read(file)
    (node,) = graph.nodes
    assert (node.kind, node.inputs, node.output, dict(node.floats)) == (
        "HardSigmoid",
        ("x", "w"),
        "y",
        {"alpha": 0.25},
    )
    assert list(graph.constants) == ["w"]
    assert np.array_equal(graph.constants["w"], [[0, 1]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an ONNX network"),
        (b"\x3a\x7f", "cut off"),
        (b"\x3b", "wire type 3"),
        (b"\xff\xff", "middle of a number"),
        (tiny_onnx(numbers=3), r"3 numbers, its shape is \[1, 2\]"),
        (tiny_onnx(elsewhere=True), "another file"),
    ],
)
def test_onnx_that_is_none(data: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(data)
    with pytest.raises(OnnxFormatError, match=message):
        read(file)
