from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers import decode, noise, stream
from vidprod.media.frames import Frames
from vidprod.models import transnet
from vidprod.ops.shot_analysis import ShotAnalysis
from vidprod.ops.shot_signatures import Signatures, Signing, tiny
from vidprod.ops.shots import ShotPlan, Transition

Joins = list[tuple[int, int, str]]


@pytest.fixture(scope="session")
def shots(bikes: Path) -> list[Tensor]:
    """Four real takes, (N, 3, 27, 48), as long as they are."""
    with_area = tiny(torch.from_numpy(np.stack(decode(bikes))).permute(0, 3, 1, 2))
    return [with_area[a:b] for a, b in ((77, 137), (137, 187), (187, 242), (31, 76))]


def analyse(data: Tensor, batches: Sequence[int] = (32,), *, everywhere: bool | None = None) -> ShotPlan:
    analysis = ShotAnalysis("cpu", everywhere=everywhere)
    for frames in stream(data, batches):
        analysis.update(frames)
    return analysis.finish()


def joins(plan: ShotPlan) -> Joins:
    return [(t.first, t.stop, t.kind) for t in plan.transitions]


def mixed(a: Tensor, b: Tensor, length: int) -> Tensor:
    """`a`, then `length` pictures in which it dissolves into `b`, then `b`."""
    share = (torch.arange(length) + 1.0).div(length + 1).view(-1, 1, 1, 1)
    both = a[-length:] * (1 - share) + b[:length] * share
    return torch.cat([a[:-length], both.round().to(torch.uint8), b[length:]])


def faded(a: Tensor, length: int, *, to: int = 0) -> Tensor:
    """`a`, whose last pictures fade to black or white."""
    share = (torch.arange(length) + 1.0).div(length).view(-1, 1, 1, 1)
    end = a[-length:] * (1 - share) + to * share
    return torch.cat([a[:-length], end.round().to(torch.uint8)])


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A network that sees nothing; holds the number of windows it was shown each time."""
    shown: list[int] = []

    class Nothing(torch.nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            assert x.shape[1:] == (100, 3, 27, 48)
            assert x.dtype == torch.uint8
            shown.append(len(x))
            return torch.zeros(x.shape[:2], device=x.device), torch.zeros(x.shape[:2], device=x.device)

    monkeypatch.setattr(transnet, "load", lambda **_: Nothing())
    return shown


def test_plain_cuts_are_found_exactly_and_need_no_network(shots: list[Tensor], blind: list[int]) -> None:
    data = torch.cat([shots[0], shots[1], shots[3]])
    assert joins(analyse(data)) == [(60, 60, "cut"), (110, 110, "cut")]
    assert blind == []


class Uneasy(torch.nn.Module):
    """A network that takes every larger change for part of a transition."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        change = (x[:, 1:].float() - x[:, :-1].float()).abs().mean((2, 3, 4))
        within = torch.nn.functional.pad(change, (1, 0)) / 10
        return torch.zeros_like(within), within


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("batches", [(1,), (7, 64), (500,)])
def test_batches_do_not_matter(
    shots: list[Tensor], batches: Sequence[int], everywhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transnet, "load", lambda **_: Uneasy())
    data = mixed(torch.cat([shots[0], shots[1]]), shots[2], 14)
    data = torch.cat([data, faded(shots[3], 12), faded(shots[1].flip(0), 9).flip(0)])
    plan = analyse(data, batches, everywhere=everywhere)
    assert len(plan.transitions) >= 4
    assert plan == analyse(data, everywhere=everywhere)


@pytest.mark.parametrize(("length", "everywhere"), [(8, False), (16, False), (24, False), (12, True)])
def test_dissolves_are_found_as_intervals(shots: list[Tensor], length: int, everywhere: bool) -> None:
    ((first, stop, kind),) = joins(analyse(mixed(shots[0], shots[1], length), everywhere=everywhere))
    middle = 60 - length / 2
    assert kind == "dissolve"
    assert first < middle < stop
    assert abs((first + stop) / 2 - middle) <= 2
    assert stop - first == pytest.approx(length, abs=6)


@pytest.mark.parametrize("to", [0, 255])
def test_fades_are_found_without_the_network(shots: list[Tensor], to: int, blind: list[int]) -> None:
    plain = torch.full((5, 3, 27, 48), to, dtype=torch.uint8)
    data = torch.cat([faded(shots[0], 15, to=to), plain, faded(shots[1].flip(0), 20, to=to).flip(0)])
    ((first, stop, kind),) = joins(analyse(data))
    assert kind == "fade"
    assert first == pytest.approx(45, abs=3)
    assert stop == pytest.approx(85, abs=3)
    assert blind == []


def test_a_long_black_stretch_is_a_shot_of_its_own(shots: list[Tensor], blind: list[int]) -> None:
    black = torch.zeros(60, 3, 27, 48, dtype=torch.uint8)
    plan = analyse(torch.cat([shots[0], black, shots[1]]))
    assert joins(plan) == [(60, 60, "cut"), (120, 120, "cut")]
    assert plan.cuts == (60, 120)


def test_black_at_the_ends_is_no_shot(shots: list[Tensor], blind: list[int]) -> None:
    black = torch.zeros(30, 3, 27, 48, dtype=torch.uint8)
    plan = analyse(torch.cat([black, shots[0], black]))
    assert joins(plan) == [(0, 30, "fade"), (90, 120, "fade")]
    assert len(plan.shots) == 1
    assert analyse(black).transitions == ()


@pytest.mark.parametrize(("level", "everywhere"), [(0, False), (255, False), (None, False), (None, True)])
def test_flashes_do_not_cut(shots: list[Tensor], level: int | None, everywhere: bool) -> None:
    data = shots[0].clone()
    part = data[30:32]
    data[30:32] = (part.float() * 0.3 + 178).to(torch.uint8) if level is None else level
    assert joins(analyse(data, everywhere=everywhere)) == []


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_fast_pan_does_not_cut(bikes: Path, everywhere: bool) -> None:
    wide = torch.from_numpy(decode(bikes, 1)[0]).permute(2, 0, 1)
    data = torch.stack([tiny(wide[None, :, :, x : x + 240])[0] for x in range(0, 400, 5)])
    assert joins(analyse(data, everywhere=everywhere)) == []


def test_the_last_pictures_count(shots: list[Tensor]) -> None:
    assert joins(analyse(torch.cat([shots[0], shots[1][:6]]))) == [(60, 60, "cut")]
    assert analyse(shots[0][:1]).count == 1
    assert ShotAnalysis().finish() == ShotPlan((), ())


def test_memory_does_not_grow(blind: list[int]) -> None:
    analysis = ShotAnalysis("cpu", everywhere=True)
    for frames in stream(noise(1).expand(1000, -1, -1, -1), (25,)):
        analysis.update(frames)
        assert sum(map(len, analysis._recent)) <= 325
        assert len(analysis._waiting) == 0
    assert len(analysis.finish().shots) == 1
    assert sum(blind) == 20


def test_times_are_those_of_the_pictures(shots: list[Tensor], blind: list[int]) -> None:
    data = torch.cat(shots[:2])
    pts = [*range(0, 120, 2), *range(120, 120 + 3 * 50, 3)]  # slower in the second shot
    analysis = ShotAnalysis()
    analysis.update(Frames(data, tuple(pts), Fraction(1, 50)))
    first, second = analysis.finish().shots
    assert first.end == 2.4
    assert second.end == pytest.approx(2.4 + 3.0)


def test_pictures_of_any_size_and_depth_say_the_same(bikes: Path, blind: list[int]) -> None:
    large = torch.from_numpy(np.stack(decode(bikes, 40))).permute(0, 3, 1, 2)
    expected = joins(analyse(large))
    assert expected == [(30, 30, "cut")]
    assert joins(analyse(tiny(large))) == expected
    assert joins(analyse((large.to(torch.int32) * 257).to(torch.uint16))) == expected


def test_tiny_pictures_are_means(device: torch.device) -> None:
    data = noise(2, 54, 96).to(device)
    out = tiny(data)
    expected = data.float().unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5))
    assert out.shape == (2, 3, 27, 48)
    assert (out.float() - expected).abs().max() <= 0.5
    assert tiny(out) is out


def test_signatures_do_not_depend_on_batches(device: torch.device) -> None:
    data = noise(60, 27, 48).to(device)
    whole = Signing()(data)
    signing = Signing()
    parts = Signatures.cat([signing(part) for part in data.split([1, 4, 30, 25])])
    assert np.array_equal(whole.grid, parts.grid)
    assert np.array_equal(whole.levels, parts.levels)
    assert np.allclose(whole.lagged, parts.lagged, atol=1e-3)
    assert np.allclose(whole.change, parts.change, atol=1e-3)


def test_signatures_are_what_they_say() -> None:
    red = torch.tensor([200, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 27, 48)
    grey = torch.full((1, 3, 27, 48), 60, dtype=torch.uint8)
    signs = Signing()(torch.cat([red, grey]))
    assert signs.level == pytest.approx([59.8, 60.0], abs=0.1)
    # Y' 59.8 -> 60, twice U -67.6 -> 0, twice V 200 -> 0
    assert signs.change == pytest.approx([0, (0.2 + 67.6 + 200) / 3], abs=0.2)
    assert signs.lagged[1] == pytest.approx(signs.change[1])  # before the first picture all is like it
    assert signs.grid[1].reshape(3, 24).tolist() == [[60] * 24, [128] * 24, [128] * 24]
    assert signs.levels[0].sum() == signs.levels[1].sum() == 3 * 255


def test_on_fake_cuda_the_network_looks_everywhere(fake_cuda: torch.device) -> None:
    pictures = tiny(torch.zeros(150, 3, 54, 96, dtype=torch.uint8, device=fake_cuda))
    assert pictures.device.type == "cuda"
    net = transnet.load(device=fake_cuda)
    middle, _ = net(pictures[None, :100])
    assert middle.device.type == "cuda"
    assert ShotAnalysis(fake_cuda)._everywhere


@pytest.mark.needs_cuda
def test_the_gpu_finds_the_same(shots: list[Tensor]) -> None:
    data = torch.cat([mixed(shots[0], shots[1], 12), shots[2]])
    on_gpu = ShotAnalysis("cuda")
    for frames in stream(data, (40,)):
        on_gpu.update(replace(frames, data=frames.data.cuda()))
    assert joins(on_gpu.finish()) == joins(analyse(data, everywhere=True))


def test_all_joins_are_apart(shots: list[Tensor]) -> None:
    plan = analyse(torch.cat([mixed(shots[0], shots[1], 12), shots[2], shots[3]]))
    assert [t.kind for t in plan.transitions] == ["dissolve", "cut", "cut"]
    assert all(isinstance(t, Transition) for t in plan.transitions)
    assert plan.cuts == (plan.transitions[0].boundary, 98, 153)
