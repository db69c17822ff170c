from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod import weights
from vidprod.errors import InvalidParameter, ModelError
from vidprod.models import efficientdet
from vidprod.models.efficientdet import CLASSES
from vidprod.weights.tools.tflite_graph import TfliteFormatError, read

from .subjects import golden

SIDE = 320


def square() -> Tensor:
    """A real picture of a woman and a dog in the upper left of 320x320, levels of 255."""
    x = golden("things").float()
    return F.pad(x, (0, SIDE - x.shape[3], 0, SIDE - x.shape[2]), value=efficientdet.MEAN)


@pytest.mark.parametrize(("kind", "probability", "pixels"), [("float", 1e-3, 0.1), ("int8", 0.1, 8.0)])
@torch.inference_mode()
def test_finds_are_those_of_the_published_network(
    kind: str, probability: float, pixels: float, device: torch.device
) -> None:
    """ "float": the published graph with nothing rounded; "int8": as LiteRT runs it."""
    found = efficientdet.load(device=device, dtype=torch.float32)(square().to(device))
    anchors, known = golden("things_anchors").long(), list(CLASSES.values())
    expected = golden(f"things_{kind}")[:, known]
    mine = found.logits[0, anchors].sigmoid().cpu()
    assert len(anchors) > 20
    assert (mine - expected).abs().max() < probability
    assert (found.boxes[0, anchors].cpu() - golden(f"things_{kind}_boxes")).abs().max() * SIDE < pixels
    others = torch.ones(found.logits.shape[1], dtype=torch.bool)
    others[anchors] = False
    assert float(found.logits[0, others].sigmoid().max()) < 0.4


@torch.inference_mode()
def test_chosen_classes_are_the_same_numbers() -> None:
    x = square()
    every, some = efficientdet.load()(x), efficientdet.load(("dog", "person"))(x)
    names = list(CLASSES)
    assert torch.allclose(some.logits, every.logits[..., [names.index("dog"), names.index("person")]], atol=1e-3)
    assert torch.allclose(some.boxes, every.boxes, atol=1e-4)
    best = some.logits[0].amax(0).sigmoid()
    assert float(best.min()) > 0.5  # both are there


@torch.inference_mode()
def test_a_smaller_rectangle_finds_the_same() -> None:
    net, x = efficientdet.load(("dog", "person")), square()
    whole, part = net(x), net(x[:, :, :192])
    for kind in (0, 1):
        expected = whole.boxes[0, whole.logits[0, :, kind].argmax()]
        mine = part.boxes[0, part.logits[0, :, kind].argmax()] * torch.tensor([1, 192 / SIDE, 1, 192 / SIDE])
        assert (mine - expected).abs().max() * SIDE < 10


def test_anchors_are_those_of_the_published_file() -> None:
    found = efficientdet.anchors([(40, 40), (20, 20), (10, 10), (5, 5), (3, 3)], torch.device("cpu"))
    # The metadata of the published file lists all 19206: middle x and y, width and height.
    expected = {
        0: (0.0125, 0.0125, 0.075, 0.075),
        1: (0.0125, 0.0125, 0.106066, 0.053033),
        5: (0.0125, 0.0125, 0.0668174, 0.1336348),
        8: (0.0125, 0.0125, 0.0841847, 0.1683693),
        9: (0.0375, 0.0125, 0.075, 0.075),
        19196: (0.5, 0.8333333, 1.122462, 2.244924),
        19204: (0.8333333, 0.8333333, 2.244924, 1.122462),
    }
    assert found.shape == (19206, 4)
    for number, row in expected.items():
        assert torch.allclose(found[number], torch.tensor(row), atol=1e-5)


@pytest.mark.parametrize("size", [(192, 320), (100, 170)])
def test_shapes_and_half_precision_on_fake_cuda(size: tuple[int, int], fake_cuda: torch.device) -> None:
    found = efficientdet.load(("person", "cat"), device=fake_cuda)(
        torch.rand(2, 3, *size, device=fake_cuda, dtype=torch.float16)
    )
    places, (height, width) = 0, size
    for level in range(7):
        height, width = -(-height // 2), -(-width // 2)
        places += height * width if level >= 2 else 0
    assert found.logits.shape == (2, 9 * places, 2)
    assert found.boxes.shape == (2, 9 * places, 4)
    assert (found.logits.dtype, found.boxes.dtype, found.boxes.device.type) == (torch.float16, torch.float32, "cuda")


@pytest.mark.needs_cuda
@torch.inference_mode()
def test_half_precision_on_the_gpu_is_close() -> None:
    found = efficientdet.load(device="cuda")(square().cuda().half())
    anchors = golden("things_anchors").long().cuda()
    mine = found.logits[0, anchors].float().sigmoid().cpu()
    assert (mine - golden("things_float")[:, list(CLASSES.values())]).abs().max() < 0.05


def test_a_class_that_is_none() -> None:
    with pytest.raises(InvalidParameter, match=r"'unicorn'; there are person, .*toothbrush"):
        efficientdet.load(("person", "unicorn"))


def test_weights_of_another_network_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientdet, "WEIGHTS", "span-x2")
    with pytest.raises(ModelError, match="span-x2"):
        efficientdet.load()


def test_the_weights_are_shipped_under_a_free_licence() -> None:
    entry = weights.manifest()[efficientdet.WEIGHTS]
    assert (entry.shipped, entry.licence) == (True, "Apache-2.0")
    assert entry.file in (weights.FOLDER / "NOTICE").read_text()


class Buffer:
    """Writes a FlatBuffer, as little of one as the reader needs: everything is four bytes wide, and what points at a part
    is made after it but lies before it."""

    def __init__(self) -> None:
        self.words: list[tuple[str, int]] = []  # ("word", value) or ("to", number of the part pointed at)
        self.parts: list[list[tuple[str, int]]] = []

    def part(self, *words: tuple[str, int]) -> int:
        self.parts.append(list(words))
        return len(self.parts) - 1

    def numbers(self, *values: int) -> int:
        return self.part(("word", len(values)), *(("word", value) for value in values))

    def blob(self, data: bytes) -> int:
        padded = data + b"\0" * (-len(data) % 4)
        return self.part(("word", len(data)), *(("word", value) for (value,) in struct.iter_unpack("<i", padded)))

    def list(self, *parts: int) -> int:
        return self.part(("word", len(parts)), *(("to", part) for part in parts))

    def table(self, fields: dict[int, tuple[str, int]]) -> int:
        """A table whose list of offsets lies right before it."""
        count = max(fields, default=-1) + 1
        count += count % 2  # whole words
        offsets = [0] * count
        for place, number in enumerate(fields):
            offsets[number] = 4 + 4 * place
        head = struct.pack(f"<HH{count}H", 4 + 2 * count, 4 + 4 * len(fields), *offsets)
        words = [("word", value) for (value,) in struct.iter_unpack("<i", head)]
        return self.part(*words, ("table", len(head)), *fields.values())

    def bytes(self, root: int) -> bytes:
        starts, at = {}, 8
        for number in reversed(range(len(self.parts))):
            part = self.parts[number]
            # A table starts behind its list of offsets.
            starts[number] = at + 4 * next((i for i, (kind, _) in enumerate(part) if kind == "table"), 0)
            at += 4 * len(part)
        data = struct.pack("<I", starts[root]) + b"TFL3"
        for part in reversed(self.parts):
            for kind, value in part:
                data += struct.pack("<i", starts[value] - len(data) if kind == "to" else value)
        return data


def tiny_tflite(*, code: int = 3, numbers: int = 4, dtype: int = 9) -> bytes:
    """One convolution of a constant of four numbers, in int8."""
    b = Buffer()
    steps = b.table(
        {2: ("to", b.numbers(*struct.unpack("<2i", struct.pack("<2f", 0.5, 0.25)))), 3: ("to", b.numbers(0, 0, 0, 0))}
    )
    # Two zero points are 64 bits wide each: say two, not four.
    b.parts[-2][0] = ("word", 2)
    shape = b.numbers(2, 1, 1, 2)
    weight = b.table({0: ("to", shape), 1: ("word", dtype), 2: ("word", 1), 3: ("to", b.blob(b"w")), 4: ("to", steps)})
    given = b.table({0: ("to", shape), 1: ("word", 0), 2: ("word", 0), 3: ("to", b.blob(b"x"))})
    options = b.table({0: ("word", 1), 1: ("word", 2), 3: ("word", 3)})
    node = b.table({0: ("word", 0), 1: ("to", b.numbers(1, 0)), 2: ("to", b.numbers(1)), 4: ("to", options)})
    graph = b.table(
        {
            0: ("to", b.list(weight, given)),
            1: ("to", b.numbers(1)),
            2: ("to", b.numbers(1)),
            3: ("to", b.list(node)),
        }
    )
    data = b.table({0: ("to", b.blob(bytes([2, 254, 4, 8][:numbers])))})
    kind = b.table({3: ("word", code)})
    root = b.table({1: ("to", b.list(kind)), 2: ("to", b.list(graph)), 4: ("to", b.list(b.table({}), data))})
    return b.bytes(root)


def test_tflite_is_read(tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(tiny_tflite())
    graph = read(file)
    (node,) = graph.operators
    assert (node.kind, node.inputs, node.outputs) == ("CONV_2D", (1, 0), (1,))
    assert dict(node.options) == {"padding": 1, "stride": 2, "activation": 3}
    assert (graph.inputs, graph.outputs) == ((1,), (1,))
    weight, given = graph.tensors
    assert (weight.name, weight.shape, given.name) == ("w", (2, 1, 1, 2), "x")
    assert np.array_equal(
        weight.value.reshape(2, 2), [[1, -1], [1, 2]]
    )  # 0.5 a step for the first two, 0.25 for the others
    with pytest.raises(TfliteFormatError, match="x is computed"):
        _ = given.value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a TensorFlow Lite"),
        (b"\0\0\0\0TFL3", "is damaged"),
        (tiny_tflite()[:200], "is damaged"),
        (tiny_tflite(code=1), "operator 1 is not read"),
        (tiny_tflite(numbers=3), r"w has 3 numbers, its shape is \[2, 1, 1, 2\]"),
        (tiny_tflite(dtype=7), "w is of type 7"),
    ],
)
def test_tflite_that_is_none(data: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(data)
    with pytest.raises(TfliteFormatError, match=message):
        read(file)
