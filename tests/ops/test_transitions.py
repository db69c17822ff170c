"""Transitions: exact at both ends, the same in any batch, without jumps, for pictures of any size."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tests.helpers import noise
from vidprod.ops.transition_canvas import Canvas, at_columns, at_rows, even, mirror, scaled_about_centre
from vidprod.ops.transitions import POOLS, STYLES, Transition, choose, transition

SIZES = [(1, 1), (1, 9), (7, 1), (2, 3), (33, 47), (64, 36)]


def smooth(height: int, width: int, seed: int) -> Tensor:
    """(1, 3, H, W) uint8 without detail, so that small movements change it little."""
    rows = torch.linspace(0, 1, height)[:, None]
    columns = torch.linspace(0, 1, width)[None]
    planes = [rows + 0 * columns, columns + 0 * rows, (rows + columns) / 2]
    if seed:
        planes = [1 - planes[1], planes[2], planes[0]]
    return (torch.stack(planes)[None] * 255).round().to(torch.uint8)


def test_there_are_fourteen() -> None:
    assert len(STYLES) == 14
    assert set().union(*POOLS.values()) <= set(STYLES)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", SIZES)
def test_ends_are_exact(style: str, size: tuple[int, int], device: torch.device) -> None:
    a, b = noise(3, *size).to(device), noise(3, *size, seed=1).to(device)
    out = transition(style, a, b, [0.0, 0.5, 1.0], seed=5)
    assert out.dtype == torch.uint8
    assert out.shape == a.shape
    assert out.device.type == device.type
    assert torch.equal(out[0], a[0])
    assert torch.equal(out[2], b[2])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_nearly_the_ends_look_like_them(style: str, seed: int) -> None:
    """Setting the ends right must not hide a jump."""
    a, b = smooth(96, 128, 0), smooth(96, 128, 1)
    out = transition(style, a, b, [0.002, 0.998], seed=seed).float()
    for got, true in ((out[:1], a), (out[1:], b)):
        wrong = (got - true.float()).abs()
        assert float(wrong.mean()) < 1.0
        assert float((wrong > 12).float().mean()) < 0.01


@pytest.mark.parametrize("style", STYLES)
def test_one_picture_stays_as_bright_as_it_is(style: str) -> None:
    """From a grey picture to the same one: no flash, and nothing but fog, rims and shadows changes it."""
    grey = torch.full((1, 3, 60, 80), 128, dtype=torch.uint8)
    means = transition(style, grey, grey, torch.linspace(0, 1, 21)).double().mean((1, 2, 3))
    assert float((means - 128).abs().max()) < 45
    assert float((means[1:] - means[:-1]).abs().max()) < 15
    if style in {"basic", "normal", "slow", "fast", "shift", "zoom", "mosaic", "glitch", "brush", "wind"}:
        assert float((means - 128).abs().max()) < 0.01


@pytest.mark.parametrize("style", [style for style in STYLES if style != "basic"])
@pytest.mark.parametrize("seed", [0, 3])
def test_the_new_picture_comes_steadily(style: str, seed: int) -> None:
    """From black to white: ever brighter, but for what fog, blocks and a moving shutter do, and half of it in the middle, about."""
    a = torch.zeros(1, 3, 72, 96, dtype=torch.uint8)
    share = transition(style, a, 255 - a, torch.linspace(0, 1, 41), seed=seed).double().mean((1, 2, 3)) / 255
    assert float(share[10]) < 0.45
    assert float(share[30]) > 0.55
    assert 0.25 < float(share[20]) < 0.75
    assert float((share[1:] - share[:-1]).min()) > (-0.12 if style == "glitch" else -0.02)
    assert float((share[1:] - share[:-1]).max()) < (0.25 if style in {"glitch", "fast"} else 0.12)


@pytest.mark.parametrize("style", STYLES)
def test_the_batch_does_not_matter(style: str, device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidprod.ops.transitions._CHUNK", 2 * 45 * 61)  # several chunks on a GPU
    a, b = noise(5, 45, 61).to(device), noise(5, 45, 61, seed=1).to(device)
    at = torch.tensor([0.1, 0.3, 0.5, 0.62, 0.9])
    once = transition(style, a, b, at, seed=7)
    again = torch.cat([transition(style, a[i : i + 1], b[i : i + 1], at[i : i + 1], seed=7) for i in range(5)])
    assert torch.equal(once, again)


@pytest.mark.parametrize("style", STYLES)
def test_drawing_many_at_once_is_drawing_each(style: str) -> None:
    """What a GPU does: the chunk that a CPU takes is one picture."""
    a, b = noise(4, 31, 40).float(), noise(4, 31, 40, seed=1).float()
    at = torch.tensor([0.2, 0.45, 0.5, 0.8])
    draw = STYLES[style](Canvas(31, 40, 3, torch.device("cpu")))
    many = draw(a.clone(), b.clone(), at)
    for i in range(4):
        one = draw(a[i : i + 1].clone(), b[i : i + 1].clone(), at[i : i + 1])
        torch.testing.assert_close(many[i : i + 1], one, atol=1e-3, rtol=0)


@pytest.mark.parametrize("style", STYLES)
def test_stills_are_expanded_and_inputs_left_alone(style: str) -> None:
    a, b = noise(1, 20, 30), noise(4, 20, 30, seed=1)
    kept = a.clone(), b.clone()
    at = [0.2, 0.4, 0.6, 0.8]
    assert torch.equal(transition(style, a, b, at), transition(style, a.expand(4, -1, -1, -1), b, at))
    assert torch.equal(a, kept[0])
    assert torch.equal(b, kept[1])


@pytest.mark.parametrize("style", ["ink", "glitch", "shift", "mosaic", "brush", "wind", "smog", "shutter", "fast"])
def test_seeds_differ_and_repeat(style: str) -> None:
    a, b = noise(1, 48, 64), noise(1, 48, 64, seed=1)
    state = torch.random.get_rng_state()
    first, same, other = (transition(style, a, b, [0.4], seed=seed) for seed in (4, 4, 5))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("style", STYLES)
def test_on_a_gpu_without_one(style: str, fake_cuda: torch.device) -> None:
    a = torch.empty(3, 3, 40, 50, dtype=torch.uint8, device=fake_cuda)
    out = transition(style, a, a[:1], [0.0, 0.5, 1.0], seed=1)
    assert out.shape == a.shape
    assert out.device.type == "cuda"
    assert out.dtype == torch.uint8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"style": "dissolve"}, "style must be one of basic, slow, .* got 'dissolve'"),
        ({"progress": [0.5, 1.5]}, "progress must be in 0..1"),
        ({"progress": [0.5, float("nan")]}, "progress must be in 0..1"),
        ({"progress": torch.zeros(2, 1)}, r"progress must be \(N,\)"),
        ({"a": torch.zeros(2, 3, 8, 8)}, "a must be uint8, got torch.float32"),
        ({"b": noise(3, 8, 8)}, r"b must be \(2 or 1, 3, 8, 8\), got \(3, 3, 8, 8\)"),
        ({"b": noise(2, 8, 9)}, r"b must be \(2 or 1, 3, 8, 8\)"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    given: dict[str, object] = {
        "style": "normal",
        "a": noise(2, 8, 8),
        "b": noise(2, 8, 8),
        "progress": [0.1, 0.2],
        "seed": 0,
    }
    with pytest.raises(ValueError, match=message):
        transition(**(given | change))  # type: ignore[arg-type]


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="height and width must be at least 1, got 0 and 5"):
        Transition("normal", 0, 5)


def test_nothing_gives_nothing() -> None:
    empty = torch.empty(0, 3, 8, 8, dtype=torch.uint8)
    assert transition("ink", empty, empty, []).shape == (0, 3, 8, 8)


def test_styles_are_chosen_by_pace() -> None:
    for pace, pool in POOLS.items():
        styles = choose(pace, 40, seed=2)
        assert set(styles) == set(pool)
        assert all(one != other for one, other in pairwise(styles))
        assert styles == choose(pace, 40, seed=2)
    with pytest.raises(ValueError, match="pace must be one of slow, normal, fast, got 'quick'"):
        choose("quick", 1)


def test_sampling_is_linear_and_mirrored() -> None:
    x = torch.tensor([[0.0, 10.0, 20.0]]).view(1, 1, 1, 3)
    assert at_columns(x, torch.tensor([[-1.0, 0.5, 1.25, 3.0, 4.0]])).flatten().tolist() == [0.0, 5.0, 12.5, 20.0, 10.0]
    assert torch.equal(at_rows(x.transpose(2, 3), torch.tensor([[0.25]])), torch.tensor(2.5).view(1, 1, 1, 1))
    assert mirror(torch.tensor([-4, -1, 0, 2, 3, 6]), 3).tolist() == [2, 0, 0, 2, 2, 0]


def test_scaling_by_one_changes_nothing() -> None:
    x = noise(2, 9, 14).float()
    torch.testing.assert_close(scaled_about_centre(x, torch.ones(2)), x, atol=1e-3, rtol=0)


def test_even_fields_reveal_evenly() -> None:
    field = even(Canvas(80, 120, 1, torch.device("cpu")).noise(3, 2) ** 3)
    for share in (0.1, 0.5, 0.9):
        assert float((field < share).float().mean()) == pytest.approx(share, abs=0.01)
