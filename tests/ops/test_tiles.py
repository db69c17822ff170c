from __future__ import annotations

import pytest
import torch
from torch import nn

from vidprod.ops.tiles import tiled


@pytest.mark.parametrize("size", [(40, 56), (17, 90), (33, 33), (5, 5)])
@pytest.mark.parametrize("tile", [16, 23, 64])
def test_tiles_equal_the_whole_when_the_surroundings_cover_the_receptive_field(
    size: tuple[int, int], tile: int, device: torch.device
) -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2)
    ).to(device)
    x = torch.rand(2, 3, *size, device=device)
    with torch.inference_mode():
        torch.testing.assert_close(tiled(net, x, tile=tile, radius=2, scale=2), net(x), rtol=0, atol=1e-5)


def test_too_small_surroundings_show() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1))
    x = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert (tiled(net, x, tile=16, radius=0, scale=1) - net(x)).abs().max() > 1e-3
