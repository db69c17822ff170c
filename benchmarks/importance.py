"""Scores of importance against people's, on TVSum: python -m benchmarks.importance ANNOTATIONS.tsv [SCORES.json]

TVSum's videos cannot be had any more, only what 20 people said of each two seconds of them, so no figure of vidprod's own scorer is
given and none was learned from it: `vidprod.ops.summary.WEIGHTS` are set by hand. Whoever has the videos can put scores in here.
A video may look well predicted by nothing but the time at which things happen: those baselines are printed beside any result.

Correlations are with the mean of the people; papers often give the mean of the correlations with each of them, which is lower.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import table

Floats = NDArray[np.float64]

BASELINES: Mapping[str, Callable[[int, np.random.Generator], Floats]] = {
    "the middle is better (no video)": lambda count, _: -np.abs(np.arange(count) - (count - 1) / 2),
    "earlier is better (no video)": lambda count, _: -np.arange(count, dtype=np.float64),
    "random": lambda count, rng: rng.random(count),
}


def kendall(a: Floats, b: Floats) -> float:
    """Tau-b of two series of equal length: 1 for the same order, -1 for the opposite one, 0 where one of them is all the same."""
    one, two = (np.sign(x[:, None] - x[None]) for x in (a, b))
    norm = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum()) / norm if norm else 0.0


def spearman(a: Floats, b: Floats) -> float:
    """Rho, equal values having their mean rank."""
    one, two = (_ranks(x) - (len(x) - 1) / 2 for x in (a, b))
    norm = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum()) / norm if norm else 0.0


def _ranks(values: Floats) -> Floats:
    below = (values[None] < values[:, None]).sum(1)
    equal = (values[None] == values[:, None]).sum(1)
    found: Floats = below + (equal - 1) / 2
    return found


def people(path: Path) -> dict[str, Floats]:
    """By video: the mean importance of each two seconds, 1..5."""
    with path.open(encoding="utf-8") as file:
        rows = csv.reader(file, delimiter="\t")
        next(rows)
        return {row[0]: np.array([float(x) for x in row[-1].strip(",").split(",")]) for row in rows}


def evaluate(scores: Mapping[str, Floats], truth: Mapping[str, Floats]) -> tuple[float, float]:
    """Mean tau and rho over the videos that have scores, which are stretched to the length of the annotations."""
    found = []
    for video, own in scores.items():
        said = truth[video]
        at = (np.arange(len(said)) + 0.5) / len(said) * len(own) - 0.5
        fitted = np.interp(at, np.arange(len(own)), own)
        found.append((kendall(fitted, said), spearman(fitted, said)))
    tau, rho = np.mean(found, axis=0)
    return float(tau), float(rho)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.importance", description=__doc__)
    parser.add_argument("annotations", type=Path, help="tsv: video, ..., importance per 2 s with commas between")
    parser.add_argument("scores", type=Path, nargs="?", help="JSON: video -> list of scores, evenly over the video")
    arguments = parser.parse_args()
    truth = people(arguments.annotations)
    rng = np.random.default_rng(0)
    rows: list[tuple[str, float, float]] = []
    if arguments.scores is not None:
        given = {name: np.array(own, float) for name, own in json.loads(arguments.scores.read_text()).items()}
        rows.append((f"{arguments.scores.name} ({len(given)} videos)", *evaluate(given, truth)))
    for name, baseline in BASELINES.items():
        several = [evaluate({v: baseline(len(own), rng) for v, own in truth.items()}, truth) for _ in range(5)]
        rows.append((name, *np.mean(several, axis=0).tolist()))
    print(table(["scores", "tau", "rho"], rows))
    print("\nvidprod ships no learned scorer, and its own was not measured on TVSum: the videos are not available.")


if __name__ == "__main__":
    main()
