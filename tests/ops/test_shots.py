from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from tests.helpers import stream
from vidprod.ops.shots import ShotDetection


def detect(data: Tensor, batches: Sequence[int] = (7,)) -> list[int]:
    detection = ShotDetection()
    for batch in stream(data, batches):
        detection.update(batch)
    shots = detection.finish()
    assert shots[0].first == 0
    assert shots[-1].stop == len(data)
    assert all(a.stop == b.first and a.end == b.start for a, b in itertools.pairwise(shots))
    return [shot.first for shot in shots[1:]]


def scene(seed: int, count: int, *, drift: int = 1) -> Tensor:
    """A smooth random landscape that moves by `drift` pixels a picture."""
    generator = torch.Generator().manual_seed(seed)
    wide = torch.nn.functional.interpolate(
        torch.rand(1, 3, 5, 12, generator=generator) * 255, (36, 64 + drift * count), mode="bilinear"
    )
    return torch.stack([wide[0, :, :, i * drift : i * drift + 64] for i in range(count)]).to(torch.uint8)


def test_hard_cuts_are_found_exactly() -> None:
    data = torch.cat([scene(1, 20), scene(2, 31), scene(3, 12)])
    assert detect(data) == [20, 51]


@pytest.mark.parametrize("batches", [(1,), (5, 3), (64,)])
def test_batches_do_not_matter(batches: Sequence[int]) -> None:
    assert detect(torch.cat([scene(1, 20), scene(2, 20)]), batches) == [20]


def test_fast_pans_do_not_cut() -> None:
    assert detect(scene(4, 40, drift=9)) == []


def test_a_flash_does_not_cut() -> None:
    data = scene(5, 30)
    data[14] = 255
    assert detect(data) == []


def test_one_picture_is_one_shot() -> None:
    assert detect(scene(6, 1)) == []


def test_no_picture_is_no_shot() -> None:
    assert ShotDetection().finish() == ()
