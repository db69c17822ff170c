from __future__ import annotations

import pytest
import torch

from vidprod.ops.guard import MOST_DETAIL, bicubic, guard


def test_sane_output_passes_untouched(device: torch.device) -> None:
    x = torch.rand(1, 3, 20, 30, device=device)
    y = bicubic(x, 2) + (torch.rand(1, 3, 40, 60, device=device) - 0.5) * MOST_DETAIL
    assert torch.equal(guard(y.clone(), x, 2), y)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 3000.0])
def test_blown_output_becomes_bicubic_around_the_blow_up_and_nowhere_else(bad: float, device: torch.device) -> None:
    x = torch.rand(1, 3, 64, 64, device=device)
    plain = bicubic(x, 2)
    y = plain + 0.01
    y[:, :, 10, 10] = bad
    out = guard(y, x, 2)
    assert torch.equal(out[:, :, :16, :16], plain[:, :, :16, :16])
    torch.testing.assert_close(out[:, :, 64:, 64:], plain[:, :, 64:, 64:] + 0.01, rtol=0, atol=1e-6)


def test_never_further_than_the_most_detail_from_bicubic() -> None:
    x = torch.rand(2, 3, 9, 11)
    y = torch.rand(2, 3, 18, 22) * 2 - 0.5
    assert (guard(y, x, 2) - bicubic(x, 2)).abs().max() <= MOST_DETAIL + 1e-6


def test_on_fake_cuda_in_half_precision(fake_cuda: torch.device) -> None:
    x = torch.empty(2, 3, 32, 48, dtype=torch.float16, device=fake_cuda)
    y = torch.empty(2, 3, 64, 96, dtype=torch.float16, device=fake_cuda)
    out = guard(y, x, 2)
    assert (out.shape, out.dtype, out.device.type) == (y.shape, torch.float16, "cuda")
