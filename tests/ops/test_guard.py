from __future__ import annotations

import pytest
import torch

from tests.helpers import noise
from vidprod.ops.guard import MOST_DETAIL, bicubic, guard


def unit(x: torch.Tensor) -> torch.Tensor:
    return x.float() / 255


def test_sane_output_passes_untouched(device: torch.device) -> None:
    x = noise(1, 20, 30).to(device)
    wanted = (bicubic(x, 2).int() + torch.randint(-MOST_DETAIL, MOST_DETAIL + 1, (1, 3, 40, 60), device=device)).clamp(
        0, 255
    )
    assert torch.equal(guard(unit(wanted), x, 2), wanted.to(torch.uint8))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 3000.0])
def test_blown_output_becomes_bicubic_around_the_blow_up_and_nowhere_else(bad: float, device: torch.device) -> None:
    x = noise(1, 64, 64).clamp(0, 200).to(device)
    plain = bicubic(x, 2).clamp(0, 240)
    y = unit(plain) + 3 / 255
    y[:, :, 10, 10] = bad
    out = guard(y, x, 2)
    assert torch.equal(out[:, :, :16, :16], bicubic(x, 2)[:, :, :16, :16])
    assert torch.equal(out[:, :, 64:, 64:], plain[:, :, 64:, 64:] + 3)


def test_never_further_than_the_most_detail_from_bicubic() -> None:
    x = noise(2, 9, 11)
    out = guard(torch.rand(2, 3, 18, 22) * 1.9 - 0.45, x, 2)
    assert (out.int() - bicubic(x, 2).int()).abs().max() == MOST_DETAIL


def test_bicubic_is_keys_kernel_whatever_the_dtype() -> None:
    """The weights for enlarging twice are -3/128, 29/128, 111/128, -9/128 (Keys 1981, a = -1/2)."""
    x = torch.zeros(1, 3, 1, 9, dtype=torch.uint8)
    x[..., 4] = 128
    x += 20
    row = (bicubic(x, 2)[0, 0, 0].int() - 20).tolist()
    assert row[5:13] == [-3, -9, 29, 111, 111, 29, -9, -3]
    assert not any(row[:5] + row[13:])
    deep = bicubic((x.int() * 257).to(torch.uint16), 2)
    assert (deep.int() / 257 - bicubic(x, 2).int()).abs().max() <= 1


def test_on_fake_cuda_in_half_precision(fake_cuda: torch.device) -> None:
    x = torch.empty(2, 3, 32, 48, dtype=torch.uint8, device=fake_cuda)
    y = torch.empty(2, 3, 64, 96, dtype=torch.float16, device=fake_cuda)
    out = guard(y, x, 2)
    assert (out.shape, out.dtype, out.device.type) == (y.shape, torch.uint8, "cuda")
