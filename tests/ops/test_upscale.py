from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers import assert_same_picture, decode, noise, psnr, stream
from tests.ops.test_render import Collect
from vidprod.errors import InvalidParameter
from vidprod.media.frames import Frames
from vidprod.media.probe import probe
from vidprod.models.registry import MODELS, ModelSpec, fill
from vidprod.models.span import SPAN
from vidprod.ops import upscale
from vidprod.ops.op import Op
from vidprod.ops.render import render
from vidprod.ops.reuse import changed_tiles
from vidprod.ops.upscale import (
    ADAPTIVE,
    CLEAN,
    COMPRESSED,
    Upscale,
    UpscalePlan,
    UpscaleShot,
    bits_per_pixel,
    compression_blend,
)

CPU = torch.device("cpu")


def plan(*blends: float, model: str = ADAPTIVE, seconds: float = 0.16) -> UpscalePlan:
    """Shots of equal length (at 25 pictures a second, four each by default)."""
    shots = tuple(UpscaleShot(i * seconds, (i + 1) * seconds, b) for i, b in enumerate(blends))
    return UpscalePlan(2, model, shots)


def upscaled(data: Tensor, batches: list[int], op: Op) -> Tensor:
    sink = Collect()
    render(stream(data, batches), [op], sink)
    return sink.data


@pytest.fixture(scope="module")
def pictures(bikes: Path) -> Tensor:
    """Eight real pictures (8, 3, 72, 96), a cut after the fourth."""
    found = decode(bikes, 34)[26:34]
    return torch.from_numpy(np.stack([p[80:152, 200:296] for p in found])).permute(0, 3, 1, 2).contiguous()


@pytest.mark.parametrize("batches", [[1], [3], [8], [5, 1, 2]])
def test_the_picture_does_not_depend_on_the_batches(pictures: Tensor, batches: list[int]) -> None:
    whole = upscaled(pictures, [8], Upscale(plan(0.25, 1.0), device=CPU))
    assert whole.shape == (8, 3, 144, 192)
    assert_same_picture(upscaled(pictures, batches, Upscale(plan(0.25, 1.0), device=CPU)), whole)


def test_each_shot_has_its_own_blend(pictures: Tensor) -> None:
    out = upscaled(pictures, [8], Upscale(plan(0.0, 1.0), device=CPU))
    clean = upscaled(pictures[:4], [4], Upscale(plan(0.0, model=CLEAN), device=CPU))
    compressed = upscaled(pictures[4:], [4], Upscale(plan(0.0, model=COMPRESSED), device=CPU))
    assert_same_picture(out[:4], clean)
    assert_same_picture(out[4:], compressed)
    assert psnr(out[4:], upscaled(pictures[4:], [4], Upscale(plan(0.0, model=CLEAN), device=CPU))) < 50


def test_detail_is_kept_where_plain_enlarging_loses_it(pictures: Tensor) -> None:
    """Halve, double, compare: the network must beat bicubic clearly on a clean picture."""
    small = torch.nn.functional.interpolate(pictures[:1].float(), scale_factor=0.5, mode="bicubic", antialias=True)
    small = small.round().clamp(0, 255).to(torch.uint8)
    ours = upscaled(small, [1], Upscale(plan(0.0, model=CLEAN), device=CPU))
    plain = torch.nn.functional.interpolate(small.float(), scale_factor=2, mode="bicubic").round().clamp(0, 255)
    assert psnr(ours, pictures[:1]) > psnr(plain, pictures[:1]) + 1.0


class CountingNet(torch.nn.Module):
    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net, self.pixels = net, 0

    def forward(self, x: Tensor) -> Tensor:
        self.pixels += x.shape[0] * x.shape[2] * x.shape[3]
        y: Tensor = self.net(x)
        return y


def counting(op: Upscale) -> CountingNet:
    net = CountingNet(op._net)
    op._net = net
    return net


@pytest.mark.parametrize("batch", [1, 4])
def test_repetitions_cost_nothing(pictures: Tensor, batch: int) -> None:
    data = torch.cat([pictures[:1]] * 6 + [pictures[1:2]] * 3)
    op = Upscale(plan(0.5, seconds=10), device=CPU)
    net = counting(op)
    out = upscaled(data, [batch], op)
    assert net.pixels == 2 * 72 * 96
    assert_same_picture(out[5:7], upscaled(pictures[:2], [2], Upscale(plan(0.5, seconds=10), device=CPU)))


def test_a_small_change_is_computed_alone_and_looks_the_same() -> None:
    data = noise(1, 320, 320, seed=3)
    data = torch.nn.functional.avg_pool2d(data.float(), 5, 1, 2).to(torch.uint8).repeat(4, 1, 1, 1)
    for i in range(1, 4):
        data[i, :, 100 + i : 110 + i, 60:80] = 255
    careful, plain = (Upscale(plan(0.3, seconds=9), device=CPU, reuse=reuse) for reuse in (True, False))
    net = counting(careful)
    assert_same_picture(upscaled(data, [2], careful), upscaled(data, [4], plain))
    assert net.pixels < 2 * 320 * 320


def test_sixteen_bits_stay_sixteen(pictures: Tensor) -> None:
    deep = (pictures[:1].to(torch.int32) * 257).to(torch.uint16)
    out = upscaled(deep, [1], Upscale(plan(0.0), device=CPU))
    assert out.dtype == torch.uint16
    eight = upscaled(pictures[:1], [1], Upscale(plan(0.0), device=CPU))
    assert_same_picture((out.to(torch.float32) / 257).round().to(torch.uint8), eight)


def test_tiles_equal_the_whole(pictures: Tensor) -> None:
    op = Upscale(plan(0.5, seconds=9), device=CPU)
    while op._tile is None or op._tile > 64:
        assert op.shrink()
    assert_same_picture(
        upscaled(pictures[:1], [1], op), upscaled(pictures[:1], [1], Upscale(plan(0.5, seconds=9), device=CPU))
    )
    assert not op.shrink()


@pytest.mark.parametrize("kind", ["checkerboard", "salt and pepper", "noise"])
def test_strong_noise_never_leads_far_from_bicubic(kind: str, pictures: Tensor) -> None:
    clean = pictures[:1]
    generator = torch.Generator().manual_seed(1)
    if kind == "checkerboard":
        y, x = torch.meshgrid(torch.arange(72), torch.arange(96), indexing="ij")
        dirty = ((x + y) % 2 * 255).to(torch.uint8).expand(1, 3, -1, -1).contiguous()
    elif kind == "noise":
        dirty = (clean + 50 * torch.randn(clean.shape, generator=generator)).clamp(0, 255).to(torch.uint8)
    else:
        dirty = clean.clone()
        hit = torch.rand(1, 1, 72, 96, generator=generator)
        dirty[(hit < 0.025).expand_as(dirty)] = 0
        dirty[(hit > 0.975).expand_as(dirty)] = 255
    out = upscaled(dirty, [1], Upscale(plan(0.0), device=CPU)).float()
    plain = torch.nn.functional.interpolate(dirty.float(), scale_factor=2, mode="bicubic").clamp(0, 255)
    assert (out - plain).abs().max() <= 49


def test_odd_sizes_and_tiny_ones() -> None:
    for height, width in ((33, 47), (34, 33), (1, 1)):
        out = upscaled(noise(1, height, width), [1], Upscale(plan(0.0), device=CPU))
        assert out.shape == (1, 3, 2 * height, 2 * width)


def fake_load(
    name: str, *, device: torch.device, dtype: torch.dtype | None = None
) -> tuple[torch.nn.Module, ModelSpec]:
    """`load` without reading a file, which fake tensors cannot."""
    state = {key: torch.empty(value.shape) for key, value in SPAN().state_dict().items()}
    return fill(SPAN, state, device, dtype or torch.float16), MODELS[name]


def test_on_fake_cuda_in_half_precision(fake_cuda: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upscale, "load", fake_load)
    op = Upscale(plan(0.0, model=CLEAN), device=fake_cuda, reuse=False)
    for dtype in (torch.uint8, torch.uint16):
        x = torch.empty(2, 3, 48, 64, dtype=dtype, device=fake_cuda)
        out = op(Frames(x, (0, 1), Fraction(1, 25)), slice(0, 2))
        assert (out.shape, out.dtype, out.device.type) == ((2, 3, 96, 128), dtype, "cuda")


def test_tiles_on_fake_cuda(fake_cuda: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upscale, "load", fake_load)
    op = Upscale(plan(0.0, model=CLEAN), device=fake_cuda, reuse=False)
    assert op.shrink()
    x = torch.empty(1, 3, 600, 520, dtype=torch.uint8, device=fake_cuda)
    assert op(Frames(x, (0,), Fraction(1, 25)), slice(0, 1)).shape == (1, 3, 1200, 1040)


def test_the_map_of_changes_on_fake_cuda(fake_cuda: torch.device) -> None:
    x = torch.empty(4, 3, 70, 100, dtype=torch.uint16, device=fake_cuda)
    tiles = changed_tiles(x, x[0])
    assert (tiles.shape, tiles.dtype, tiles.device.type) == ((3, 4), torch.bool, "cuda")


@pytest.mark.needs_cuda
def test_cuda_looks_like_the_cpu(pictures: Tensor) -> None:
    cuda = torch.device("cuda")
    there = upscaled(pictures.to(cuda), [8], Upscale(plan(0.25, 1.0), device=cuda)).cpu()
    assert_same_picture(there, upscaled(pictures, [8], Upscale(plan(0.25, 1.0), device=CPU)), levels=2)


def test_the_blend_rises_with_the_quantiser_and_falls_with_the_bits() -> None:
    blends = [compression_blend(q) for q in range(52)]
    assert blends == sorted(blends)
    assert blends[0] == 0.0
    assert blends[-1] == 1.0
    by_bits = [compression_blend(None, b) for b in (0.01, 0.1, 0.5, 2.0, 12.0)]
    assert by_bits == sorted(by_bits, reverse=True)
    assert 0 <= compression_blend(None, None) <= 1


def test_a_bit_of_a_better_codec_counts_more(bikes: Path) -> None:
    info = probe(bikes)
    plain = bits_per_pixel(info)
    assert plain is not None
    assert plain == pytest.approx(404_874 / (25 * 640 * 272), rel=1e-3)
    better = bits_per_pixel(dataclasses.replace(info, codec="hevc"))
    assert better == pytest.approx(1.8 * plain)
    assert bits_per_pixel(dataclasses.replace(info, bit_rate=None)) is None


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({}, "scale|shots"),
        ({"scale": 3, "model": CLEAN, "shots": [{"start": 0, "end": 1, "compression_blend": 0}]}, "scale is 3"),
        ({"scale": 2, "model": CLEAN, "shots": []}, "shots is empty"),
        ({"scale": 2, "model": CLEAN, "shots": [{"start": 0, "end": 1, "compression_blend": 2}]}, "within 0..1"),
        ({"scale": 2, "model": CLEAN, "shots": [{"start": 1, "end": 1, "compression_blend": 0}]}, "end after"),
        ({"scale": 2, "model": CLEAN, "shots": [{"start": "x", "end": 1, "compression_blend": 0}]}, "not a super"),
    ],
)
def test_a_broken_plan_is_refused_with_the_reason(broken: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        UpscalePlan.from_dict(broken)
