from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from vidprod.models.interpolate import Interpolation
from vidprod.models.registry import load
from vidprod.models.span import SPAN

from .pictures import natural


@torch.inference_mode()
def test_both_ends_are_exact_and_the_way_back_too() -> None:
    net, other = load("span-x2")[0], load("span-x2-video")[0]
    x = natural(32, 32)
    first, second = net(x), other(x)
    dial = Interpolation(net, other)
    dial.set(1.0)
    assert torch.equal(net(x), second)
    dial.set(0.3)
    dial.set(0.0)
    assert torch.equal(net(x), first)
    assert not torch.equal(first, second)


@torch.inference_mode()
def test_between_the_ends_weights_are_on_the_line() -> None:
    net, other = load("span-x2")[0], load("span-x2-video")[0]
    before = {key: value.clone() for key, value in net.state_dict().items()}
    Interpolation(net, other).set(0.25)
    for key, value in net.state_dict().items():
        torch.testing.assert_close(value, 0.75 * before[key] + 0.25 * other.state_dict()[key])


@torch.inference_mode()
def test_parameters_stay_where_they_lie() -> None:
    net = load("span-x2")[0]
    addresses = [parameter.data_ptr() for parameter in net.parameters()]
    dial = Interpolation(net, load("span-x2-video")[0])
    dial.set(0.7)
    assert [parameter.data_ptr() for parameter in net.parameters()] == addresses
    assert all(p.ndim != 4 or p.is_contiguous(memory_format=torch.channels_last) for p in net.parameters())


@torch.inference_mode()
def test_the_output_changes_smoothly() -> None:
    net = load("span-x2")[0]
    dial = Interpolation(net, load("span-x2-video")[0])
    x = natural(48, 48)
    outputs = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        dial.set(share)
        outputs.append(net(x))
    whole = (outputs[-1] - outputs[0]).abs().max()
    for a, b in pairwise(outputs):
        assert 0 < (b - a).abs().max() < whole
    assert all(out.min() > -0.2 and out.max() < 1.2 for out in outputs)


def test_half_precision_blends_in_single() -> None:
    net, other = load("span-x2", dtype=torch.float16)[0], load("span-x2-video", dtype=torch.float16)[0]
    first = {key: value.float() for key, value in net.state_dict().items()}
    Interpolation(net, other).set(0.5)
    for key, value in net.state_dict().items():
        exact = torch.lerp(first[key], other.state_dict()[key].float(), 0.5)
        assert torch.equal(value, exact.half())


def test_on_fake_cuda(fake_cuda: torch.device) -> None:
    net, other = load("span-x2", device=fake_cuda)[0], load("span-x2-video", device="cpu")[0]
    Interpolation(net, other).set(0.5)
    out = net(torch.rand(1, 3, 32, 32, device=fake_cuda, dtype=torch.float16))
    assert out.device.type == "cuda"


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_a_share_out_of_range(share: float) -> None:
    dial = Interpolation(SPAN(4), SPAN(4))
    with pytest.raises(ValueError, match=r"must be within 0\.\.1"):
        dial.set(share)


def test_networks_that_do_not_match() -> None:
    with pytest.raises(
        ValueError, match=r"conv_1\.weight is \(4, 3, 3, 3\) in one network, \(8, 3, 3, 3\) in the other"
    ):
        Interpolation(SPAN(4), SPAN(8))
    with pytest.raises(ValueError, match="only one of them has"):
        Interpolation(SPAN(4), {"conv_1.weight": torch.zeros(4, 3, 3, 3)})
