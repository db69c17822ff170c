from __future__ import annotations

import threading

import pytest
import torch
from torch import Tensor

from vidprod.ops.cores import CorePool, Inline, Pool


@pytest.mark.parametrize("pool", [Inline(), CorePool(1), CorePool(3)], ids=["inline", "one", "three"])
def test_results_come_in_order(pool: Pool) -> None:
    inputs = [torch.tensor([i]) for i in range(20)]
    assert [int(x) for x in pool.map(lambda x: x + 1, inputs)] == list(range(1, 21))


def test_each_worker_has_its_share_and_nobody_else_loses_any() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        pool = CorePool(4)
        seen: set[tuple[str, int]] = set()
        barrier = threading.Barrier(4)

        def look(x: Tensor) -> Tensor:
            barrier.wait(10)
            seen.add((threading.current_thread().name, torch.get_num_threads()))
            return x

        list(pool.map(look, [torch.zeros(1)] * 4))
        assert [threads for _, threads in sorted(seen)] == [1] * 4
        assert torch.get_num_threads() == 4
        other: list[int] = []
        thread = threading.Thread(target=lambda: other.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert other == [4]
    finally:
        torch.set_num_threads(before)


def test_errors_come_through() -> None:
    def fail(x: Tensor) -> Tensor:
        raise MemoryError

    with pytest.raises(MemoryError):
        list(CorePool(2).map(fail, [torch.zeros(1)] * 3))
