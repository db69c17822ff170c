from __future__ import annotations

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.helpers import assert_same_picture, noise, stream
from tests.ops.test_render import Collect
from vidprod.media.frames import Frames
from vidprod.models.registry import ModelSpec
from vidprod.ops.render import render
from vidprod.ops.upscale_recurrent import RecurrentUpscale

SPEC = ModelSpec(
    name="test",
    arch="test",
    scale=4,
    radius=1,
    licence="none",
    source="test",
    weights="",
    summary="",
    frames=8,
    size_multiple=4,
)


class Net(nn.Module):
    """Four times the size of the mean of each picture and its two neighbours."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 1, 3, 1, 1) / 3)
        self.sizes: list[tuple[int, int]] = []

    def forward(self, x: Tensor) -> Tensor:  # (N, T, 3, H, W)
        assert x.shape[3] % 4 == x.shape[4] % 4 == 0
        around = F.pad(x.transpose(1, 2), (0, 0, 0, 0, 1, 1), mode="replicate")
        mean = F.conv3d(around, self.weight, groups=3).transpose(1, 2)
        return mean.repeat_interleave(4, 3).repeat_interleave(4, 4)


def smooth(count: int, height: int, width: int) -> Tensor:
    return F.avg_pool2d(noise(count, height + 8, width + 8).float(), 9, 1).round().to(torch.uint8)


def upscaled(data: Tensor, batch: int, op: RecurrentUpscale) -> Tensor:
    sink = Collect()
    assert render(stream(data, [batch]), [op], sink) == len(data)
    return sink.data


@pytest.mark.parametrize("batch", [1, 3, 11])
def test_every_picture_is_made_from_both_sides_whatever_the_batches(batch: int) -> None:
    data = smooth(11, 20, 22)
    op = RecurrentUpscale(Net(), SPEC)
    out = upscaled(data, batch, op)
    assert out.shape == (11, 3, 40, 44)
    assert_same_picture(out, upscaled(data, 11, op), levels=0)


def test_on_fake_cuda(fake_cuda: torch.device) -> None:
    net = Net()
    net.weight = nn.Parameter(torch.empty(3, 1, 3, 1, 1, device=fake_cuda, dtype=torch.float16))
    x = torch.empty(5, 3, 18, 30, dtype=torch.uint8, device=fake_cuda)
    out = RecurrentUpscale(net, SPEC)(Frames(x, tuple(range(5)), Fraction(1, 25)), slice(1, 4))
    assert (out.shape, out.dtype, out.device.type) == ((3, 3, 36, 60), torch.uint8, "cuda")
