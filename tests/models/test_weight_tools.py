from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vidprod.models.span import SPAN
from vidprod.weights.tools import train_span_video, video_pairs
from vidprod.weights.tools.ncnn import TAG_FLOAT16, TAG_INT8, NcnnFormatError, read
from vidprod.weights.tools.scaled_adam import ScaledAdam

PARAM = """7767517
5 5
Input        in    0 1 a
MemoryData   mean  0 1 b 0=1 1=1 2=3
Convolution  conv  1 1 a c 0=1 1=1 6=3 5=1 -23310=1,2.0e-01
PReLU        relu  1 1 c d 0=2
BinaryOp     times 1 1 d e 0=2 1=1 2=2.550000e+02
"""
MEAN, WEIGHT, BIAS, SLOPE = (np.array(v, np.float32) for v in ([0.5, 0.25, 1], [1, -2, 0.5], [3], [0.1, 0.2]))


def write(folder: Path, *, tag: int = TAG_FLOAT16, more: bytes = b"", param: str = PARAM) -> Path:
    """A tiny network as ncnn writes it; the float16 payload of three weights is padded to four bytes."""
    weight = WEIGHT.astype("<f2" if tag == TAG_FLOAT16 else "<f4").tobytes()
    weight += b"\0" * (-len(weight) % 4)
    binary = MEAN.tobytes() + struct.pack("<I", tag) + weight + BIAS.tobytes() + SLOPE.tobytes() + more
    (folder / "net.param").write_text(param)
    (folder / "net.bin").write_bytes(binary)
    return folder / "net.param"


@pytest.mark.parametrize("tag", [TAG_FLOAT16, 0, 0x0002C056])
def test_ncnn_weights_are_read(tag: int, tmp_path: Path) -> None:
    layers = {layer.name: layer for layer in read(write(tmp_path, tag=tag))}
    assert np.array_equal(layers["mean"].blobs["data"], MEAN)
    assert np.array_equal(layers["conv"].blobs["weight"], WEIGHT.reshape(1, 3, 1, 1))
    assert np.array_equal(layers["conv"].blobs["bias"], BIAS)
    assert np.array_equal(layers["relu"].blobs["slope"], SLOPE)
    assert layers["times"].params[2] == 255.0


def test_ncnn_weights_of_another_network(tmp_path: Path) -> None:
    with pytest.raises(NcnnFormatError, match="4 bytes left over"):
        read(write(tmp_path, more=b"1234"))


def test_ncnn_weights_that_end_early(tmp_path: Path) -> None:
    param = write(tmp_path)
    weights = param.with_suffix(".bin")
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(NcnnFormatError, match="are needed"):
        read(param)


@pytest.mark.parametrize(
    ("change", "message"),
    [(("7767517", "7767518"), "not an ncnn text network"), (("5 5", "6 5"), "5 layers, its header says 6")],
)
def test_ncnn_networks_that_are_none(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(NcnnFormatError, match=message):
        read(write(tmp_path, param=PARAM.replace(*change, 1)))


def test_ncnn_weights_in_int8(tmp_path: Path) -> None:
    with pytest.raises(NcnnFormatError, match="stored as int8"):
        read(write(tmp_path, tag=TAG_INT8))


class Uneven(nn.Module):
    """A product in which one factor matters a thousand times more than the other."""

    def __init__(self) -> None:
        super().__init__()
        self.steep = nn.Parameter(torch.tensor([1.0]))
        self.flat = nn.Parameter(torch.tensor([1.0]))

    def loss(self) -> Tensor:
        return ((1000 * (self.steep - 1.001)).square() + (self.flat - 2).square()).sum()


def test_scaled_adam_moves_what_matters_more_by_less() -> None:
    net = Uneven()
    optimizer = ScaledAdam(net, lambda: net.loss().backward(), batches=2)
    steep, flat = optimizer.scales
    assert steep < 0.01 * flat
    start = float(net.loss().detach())
    for _ in range(200):
        optimizer.zero()
        net.loss().backward()
        optimizer.step(0.01)
    assert net.loss() < 0.1 * start


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of tiny random training pairs."""
    monkeypatch.setattr(train_span_video, "BATCH", 1)
    monkeypatch.setattr(train_span_video, "CROP", 12)
    monkeypatch.setattr(train_span_video, "SPAN", lambda: SPAN(48))
    rng = np.random.default_rng(0)
    for stem, count, side in (("train", 6, 16), ("held", 4, 16)):
        high = np.repeat(np.repeat(rng.integers(60, 200, (count, 8, 8, 3), np.uint8), side // 4, 1), side // 4, 2)
        np.save(tmp_path / f"{stem}_hr.npy", high)
        np.save(tmp_path / f"{stem}_lr.npy", high[:, ::2, ::2])
    return tmp_path


def test_training_carries_on_exactly_where_it_stopped(pairs: Path) -> None:
    def train(run: str, iterations: list[int]) -> dict[str, Tensor]:
        for stop in iterations:
            # The rate depends on the number of iterations planned: stop by time is what `minutes` is for, so plan the same.
            monkey.setattr(train_span_video, "learning_rate", lambda i, total, peak: peak)
            train_span_video.train(pairs, pairs / run, iterations=stop, minutes=9, peak=1e-4, seed=1, every=2)
        state: dict[str, Tensor] = torch.load(pairs / run / "checkpoint.pt", weights_only=True)["average"]
        return state

    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(ScaledAdam, "_measure", lambda self, backward, batches: None)
        straight, resumed = train("a", [6]), train("b", [2, 6])
    for key, value in straight.items():
        assert torch.equal(value, resumed[key])
    assert len((pairs / "b" / "curve.csv").read_text().splitlines()) == 5


def test_learning_rate_warms_up_and_fades() -> None:
    rates = [train_span_video.learning_rate(i, 1000, 1e-4) for i in (0, 199, 200, 600, 1000, 2000)]
    assert rates[0] < rates[1] <= 1e-4
    assert rates[2] == pytest.approx(1e-4)
    assert rates[2] > rates[3] > rates[4] == pytest.approx(1e-6) == rates[5]


@pytest.mark.parametrize(
    "how",
    [
        video_pairs.Encoding("none"),
        video_pairs.Encoding("libx264", 28, "veryfast"),
        video_pairs.Encoding("libx264", 20, "medium", "film"),
        video_pairs.Encoding("mpeg4", 5),
        video_pairs.Encoding("libvpx-vp9", 30),
        video_pairs.Encoding("libx265", 25, "veryfast"),
    ],
)
def test_pairs_show_the_same_thing_and_the_low_one_is_compressed(how: video_pairs.Encoding) -> None:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:260, 0:300]
    photo = np.stack([128 + 90 * np.sin(x / 9) * np.cos(y / 7), 0.4 * (x + y) % 255, 90 + 60 * np.sin(y / 5)], -1)
    clip = video_pairs.pan_clip(np.asarray(photo, np.uint8), 1, rng, 12, 192)
    pairs = video_pairs.Pairs(64)
    pairs.add(clip, how, 4, 2, rng)
    low, high = np.stack(pairs.lr).astype(float), np.stack(pairs.hr).astype(float)
    assert low.shape == (8, 64, 64, 3)
    assert high.shape == (8, 128, 128, 3)
    mean = high.reshape(8, 64, 2, 64, 2, 3).mean((2, 4))
    error = np.sqrt(np.mean((mean - low)[:, 4:-4, 4:-4] ** 2))
    assert 0 < error < 14
