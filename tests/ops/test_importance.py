"""The evaluator of importance scores: its correlations are the textbook's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.importance import evaluate, kendall, people, spearman


def test_correlations_of_known_orders() -> None:
    up = np.arange(5.0)
    assert kendall(up, up) == spearman(up, up) == 1
    assert kendall(up, -up) == spearman(up, -up) == -1
    assert kendall(up, np.ones(5)) == spearman(up, np.ones(5)) == 0
    a, b = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])
    assert kendall(a, b) == pytest.approx(4 / 6)
    assert spearman(a, b) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert kendall(np.array([1.0, 1, 2]), np.array([1.0, 2, 3])) == pytest.approx(2 / np.sqrt(6))


def test_scores_of_another_length_are_stretched(tmp_path: Path) -> None:
    path = tmp_path / "truth.tsv"
    path.write_text("video\tcategory\tscores\na\tX\t1,2,3,4,5,6\n", encoding="utf-8")
    truth = people(path)
    assert truth["a"].tolist() == [1, 2, 3, 4, 5, 6]
    assert evaluate({"a": np.array([0.0, 1, 2])}, truth)[0] > 0.9
    assert evaluate({"a": np.arange(12.0)[::-1]}, truth) == pytest.approx((-1, -1))
