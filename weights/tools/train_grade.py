"""Trains the grading network: the recipe of `grade-net.safetensors`.

    python -m vidprod.weights.tools.grade_pairs MEDIA CACHE
    python -m vidprod.weights.tools.train_grade CACHE RUN

The loss is how the graded colours differ from those before the fault (CIE 1994), not how the parameters do: different
parameters can mean the same grade. Errors on untouched footage count four times. RUN receives `checkpoint.pt` (the same
command carries on from it) and at the end `grade-net.safetensors` (float16). A minute of one CPU core.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from ...models.grade_net import MEMBERS, GradeNet
from ...ops.grade_plan import apply
from ...ops.lab import difference, lab

BATCH, COLORS = 64, 24
RATE, DECAY = 6e-3, 1e-3
NOISE = 0.15
"""Added to the statistics that the perceptrons see, in standard deviations: there are few sources."""

UNTOUCHED = 4.0
"""Weight of footage without a fault."""

DIM, DIM_WEIGHT = 0.7, 0.2
"""Pictures that are dark before any fault, and how much they count: else the network learns that dark footage is as it should
be. Dark is where 97 % of the colours have no component above that code value."""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--seconds", type=float, default=math.inf, help="CPU time after which to stop and be resumed")
    parser.add_argument("--without", type=int, nargs="*", default=[], help="numbers of sources to leave out")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = np.load(arguments.cache / "grade.npz")
    kept = ~np.isin(data["source"], arguments.without)
    statistics = torch.from_numpy(data["statistics"][kept]).float()
    seen, truth = (torch.from_numpy(data[name][kept]).float() / 255 for name in ("seen", "truth"))
    weight = torch.where(torch.from_numpy(data["kind"][kept]) == 0, UNTOUCHED, 1.0)
    dim = truth.amax(2).quantile(0.97, dim=1) < DIM
    weight = torch.where(dim, weight * DIM_WEIGHT, weight)
    target = lab(truth)
    net = GradeNet()
    net.mean.copy_(statistics.mean(0))
    net.deviation.copy_(statistics.std(0) + 1e-3)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    arguments.run.mkdir(parents=True, exist_ok=True)
    checkpoint, first = arguments.run / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["iteration"]
        torch.set_rng_state(state["random"])
    began, mean, iteration = time.process_time(), 0.0, first
    while iteration < arguments.iterations and time.process_time() - began < arguments.seconds:
        for group in optimiser.param_groups:
            group["lr"] = RATE * (0.5 + 0.5 * math.cos(math.pi * iteration / arguments.iterations))
        # Every member has pairs of its own, so that their errors differ.
        chosen = torch.randint(0, len(statistics), (MEMBERS, BATCH))
        colors = torch.randint(0, seen.shape[1], (COLORS,))
        inputs = statistics[chosen]
        noisy = inputs + torch.randn_like(inputs) * net.deviation * NOISE
        parameters = net.members(inputs, noisy).flatten(0, 1)
        rows = chosen.flatten()
        graded = apply(seen[rows][:, colors], parameters)
        errors = difference(lab(graded), target[rows][:, colors]).mean(1)
        loss = (errors * weight[rows]).sum() / weight[rows].sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        mean += (float(loss.detach()) - mean) * 0.02 if iteration > first else float(loss.detach())
        iteration += 1
    print(f"{iteration} iterations, loss {mean:.3f}", flush=True)
    torch.save(
        {
            "net": net.state_dict(),
            "optimiser": optimiser.state_dict(),
            "iteration": iteration,
            "random": torch.get_rng_state(),
        },
        checkpoint,
    )
    if iteration == arguments.iterations:
        save_file(
            {k: v.half().contiguous() for k, v in net.state_dict().items()}, arguments.run / "grade-net.safetensors"
        )


if __name__ == "__main__":
    main()
