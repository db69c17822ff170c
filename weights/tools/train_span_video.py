"""Fine-tunes the published SPAN x2 on compressed video: the recipe of `span-x2-video.safetensors`.

    python -m vidprod.weights.tools.video_pairs MEDIA CACHE
    python -m vidprod.weights.tools.train_span_video CACHE RUN --iterations 4000

One thread on a CPU is enough (about 0.4 s an iteration). RUN receives `checkpoint.pt` (network, average, optimiser, random
state: the same command carries on from it), `best.safetensors` (the average that did best on the held-back clips, float32)
and `curve.csv`.

The published weights are trained on clean pictures and amplify what a codec leaves behind.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...models.span import SPAN
from .. import path
from .scaled_adam import ScaledAdam
from .video_pairs import HELD_ENCODINGS

BATCH, CROP = 8, 48
WARM_UP = 200
EMA = 0.999
CHARBONNIER = 0.01  # errors below about three grey levels count squared, larger ones linearly
NOISY = 0.04  # share of samples with noise added to the input
LUMA = (0.299, 0.587, 0.114)

Pictures = NDArray[np.uint8]


def to_tensor(pictures: Pictures) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float in 0..1 with channels_last strides."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255


def sample(low: Pictures, high: Pictures, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A random batch: crops, mirrored and transposed at random, a few with noise on the input."""
    xs, ys = [], []
    for i in rng.integers(len(low), size=BATCH):
        y, x = rng.integers(low.shape[1] - CROP + 1, size=2)
        a = low[i, y : y + CROP, x : x + CROP]
        b = high[i, 2 * y : 2 * (y + CROP), 2 * x : 2 * (x + CROP)]
        flip_y, flip_x, transpose = rng.integers(2, size=3)
        if flip_y:
            a, b = a[::-1], b[::-1]
        if flip_x:
            a, b = a[:, ::-1], b[:, ::-1]
        if transpose:
            a, b = a.transpose(1, 0, 2), b.transpose(1, 0, 2)
        if rng.random() < NOISY:
            noise = rng.normal(0, rng.uniform(2, 8), a.shape)
            a = np.clip(np.rint(a + noise), 0, 255).astype(np.uint8)
        xs.append(a)
        ys.append(b)
    return to_tensor(np.stack(xs)), to_tensor(np.stack(ys))


def loss_of(out: Tensor, target: Tensor) -> Tensor:
    """Charbonnier on R, G, B and luma; a scalar."""
    error = out - target
    luma = (error * error.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1)
    rgb = (error.square() + CHARBONNIER**2).sqrt().mean()
    return rgb + (luma.square() + CHARBONNIER**2).sqrt().mean()


@torch.no_grad()
def held_psnr(net: SPAN, low: Pictures, high: Pictures) -> list[float]:
    """Mean luma PSNR in dB for each of the held-back encodings; their pictures come in blocks of equal size."""
    edge = 8
    values = []
    for a, b in zip(low, high, strict=True):
        error = (net(to_tensor(a[None])).clamp(0, 1) * 255).round() / 255 - to_tensor(b[None])
        luma = (error * error.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1)[..., edge:-edge, edge:-edge]
        values.append(-10 * math.log10(float(luma.square().mean()) + 1e-10))
    return [float(np.mean(part)) for part in np.split(np.array(values), len(HELD_ENCODINGS))]


class Run:
    """State of the training that survives a restart."""

    def __init__(self, folder: Path, seed: int, low: Pictures, high: Pictures) -> None:
        self.folder = folder
        self.net = SPAN()
        self.net.load_state_dict(load_file(path("span-x2")))
        self.net.float().train().to(memory_format=torch.channels_last)
        self.average = {k: v.clone() for k, v in self.net.state_dict().items()}
        self.rng = np.random.default_rng(seed)
        resume = (folder / "checkpoint.pt").exists()
        self.optimizer = ScaledAdam(self.net, lambda: self._backward(low, high), 0 if resume else 40)
        self.iteration = 0
        self.best = -math.inf
        folder.mkdir(parents=True, exist_ok=True)
        if resume:
            self._restore(torch.load(folder / "checkpoint.pt", weights_only=True))

    def _backward(self, low: Pictures, high: Pictures) -> None:
        x, y = sample(low, high, self.rng)
        loss_of(self.net(x), y).backward()

    def _restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.bit_generator.state = state["rng"]
        self.iteration, self.best = state["iteration"], state["best"]

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.bit_generator.state,
            "iteration": self.iteration,
            "best": self.best,
        }
        torch.save(state, self.folder / "checkpoint.tmp")
        (self.folder / "checkpoint.tmp").replace(self.folder / "checkpoint.pt")

    def step(self, x: Tensor, y: Tensor, rate: float) -> float:
        """One update; returns the loss."""
        self.optimizer.zero()
        loss = loss_of(self.net(x), y)
        loss.backward()
        self.optimizer.step(rate)
        self.iteration += 1
        decay = min(EMA, self.iteration / (self.iteration + 10))
        with torch.no_grad():
            for key, value in self.net.state_dict().items():
                self.average[key].lerp_(value, 1 - decay)
        return float(loss.detach())

    def evaluate(self, low: Pictures, high: Pictures, loss: float, seconds: float) -> list[float]:
        """Appends to the curve; keeps the average if its mean over the compressed encodings is the best so far."""
        net = SPAN().eval()
        net.load_state_dict(self.average)
        scores = held_psnr(net, low, high)
        if (mean := float(np.mean(scores[1:]))) > self.best:
            self.best = mean
            save_file({k: v.contiguous() for k, v in self.average.items()}, self.folder / "best.safetensors")
        new = not (self.folder / "curve.csv").exists()
        with (self.folder / "curve.csv").open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                names = [f"psnr_{e.codec}{e.quality or ''}" for e in HELD_ENCODINGS]
                writer.writerow(["iteration", "seconds", "loss", *names])
            writer.writerow([self.iteration, round(seconds), f"{loss:.5f}", *(f"{s:.3f}" for s in scores)])
        return scores


def learning_rate(iteration: int, total: int, peak: float) -> float:
    """Linear warm-up, then half a cosine down to 1 % of the peak."""
    if iteration < WARM_UP:
        return peak * (iteration + 1) / WARM_UP
    done = (iteration - WARM_UP) / max(1, total - WARM_UP)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def train(cache: Path, folder: Path, *, iterations: int, minutes: float, peak: float, seed: int, every: int) -> None:
    """Runs until `iterations`, or for `minutes`, whichever comes first."""
    low, high = (np.load(cache / f"train_{kind}.npy", mmap_mode="r") for kind in ("lr", "hr"))
    held_low, held_high = (np.load(cache / f"held_{kind}.npy") for kind in ("lr", "hr"))
    torch.manual_seed(seed)
    run = Run(folder, seed, low, high)
    start, recent = time.monotonic(), []
    if run.iteration == 0:
        print("before training:", run.evaluate(held_low, held_high, math.nan, 0), flush=True)
    while run.iteration < iterations and time.monotonic() - start < 60 * minutes:
        x, y = sample(low, high, run.rng)
        recent.append(run.step(x, y, learning_rate(run.iteration, iterations, peak)))
        if run.iteration % every == 0 or run.iteration == iterations:
            seconds, loss = time.monotonic() - start, float(np.mean(recent))
            scores = run.evaluate(held_low, held_high, loss, seconds)
            run.save()
            recent.clear()
            print(f"{run.iteration} loss {loss:.5f} held {[round(s, 3) for s in scores]} {seconds:.0f} s", flush=True)
    run.save()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="fine-tune SPAN x2 on compressed video")
    parser.add_argument("cache", type=Path, help="folder made by video_pairs")
    parser.add_argument("run", type=Path, help="folder of the checkpoint; an existing one is carried on")
    parser.add_argument("--iterations", type=int, default=4000)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop this run after so long")
    parser.add_argument("--rate", type=float, default=2e-4, help="peak learning rate")
    parser.add_argument("--every", type=int, default=300, help="iterations between evaluations")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=20261122)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    limits = {"iterations": args.iterations, "minutes": args.minutes, "every": args.every}
    train(args.cache, args.run, peak=args.rate, seed=args.seed, **limits)


if __name__ == "__main__":
    main()
