"""Trains the network that fills holes: the recipe of `inpaint-net.safetensors`.

    python -m vidprod.weights.tools.inpaint_pairs MEDIA CACHE
    python -m vidprod.weights.tools.train_inpaint CACHE RUN --stop RUN/stop

One thread on a CPU is enough (about 0.1 s an iteration with bfloat16 instructions). The rate stays constant for as long as the
training is let run; once the file given as --stop appears, or --iterations are reached, it falls to nothing over --decay iterations
and the training ends. RUN receives `checkpoint.pt` (network, average, optimiser, random state: the same command carries on
from it, also after the process was killed), `curve.csv` (score of the average on material not trained on; iteration 0 is the
harmonic fill alone) and at the end `inpaint-net.safetensors` (the average, float16).
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from ...models.inpaint_net import InpaintNet
from ...ops.harmonic import harmonic
from .drawings import drawing

BATCH, CROP = 12, 96
WARM_UP = 200
EMA = 0.999
CHARBONNIER = 0.004  # errors below one grey level count squared, larger ones linearly
MOST_GRADIENT = 5.0
GRADIENT = 0.5
"""Weight of errors in the difference of neighbours beside errors of the pixels themselves."""

FLOOR = 0.02
"""Added to a patch's error before its logarithm is taken: what counts as perfect."""

DILATIONS = range(6)
"""Pixels by which a mask is grown at random, as the masks of an eraser are."""

DRAWN = 0.3
"""Share of the samples that are drawn edges instead of footage."""

NEGATIVE = 0.4
"""Share of the samples of which some colours are made negative, lest only edges of brightness be learnt."""

HELD_DILATION = 2  # in the score

Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Material:
    """Patches: the truth, the same with an overlay and compressed (P, S, S, 3), and the overlay's mask (P, S, S)."""

    clean: Bytes
    seen: Bytes
    mask: Bools

    @staticmethod
    def load(stem: Path) -> Material:
        """From the files that `inpaint_pairs` writes; read from disk as needed."""
        clean, seen, mask = (np.load(f"{stem}_{kind}.npy", mmap_mode="r") for kind in ("clean", "seen", "mask"))
        return Material(clean, seen, mask)


@dataclass(frozen=True)
class Batch:
    """Tensors of a step: `clean`, `seen`, `smooth` (N, 3, H, W) in 0..1 and `hole` (N, 1, H, W) bool."""

    clean: Tensor
    seen: Tensor
    hole: Tensor
    smooth: Tensor

    @staticmethod
    def of(clean: Bytes, seen: Bytes, hole: Bools) -> Batch:
        """From (N, H, W, 3) and (N, H, W)."""
        x, y = (torch.tensor(a).permute(0, 3, 1, 2).float().contiguous() / 255 for a in (seen, clean))
        mask = torch.tensor(hole)[:, None]
        return Batch(y, x, mask, harmonic(x, mask))


def grow(mask: Bools, radius: int) -> Bools:
    """(H, W), dilated by a disc."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(np.asarray(mask, np.uint8), disc), np.bool_)


def sample(material: Material, rng: np.random.Generator) -> Batch:
    """A random batch: crops, mirrored, transposed, with colours exchanged and masks grown at random."""
    cleans: list[Bytes] = []
    seens: list[Bytes] = []
    masks: list[Bools] = []
    while len(cleans) < BATCH:
        i = int(rng.integers(len(material.clean)))
        y, x = rng.integers(material.mask.shape[1] - CROP + 1, size=2)
        area = (i, slice(y, y + CROP), slice(x, x + CROP))
        mask = grow(material.mask[area], rng.choice(DILATIONS))
        if not 0.02 < mask.mean() < 0.75:
            continue
        clean, seen = material.clean[area], material.seen[area]
        if rng.random() < DRAWN:
            clean = seen = drawing(rng, CROP)
        colours = rng.permutation(3)
        negative = np.where(rng.integers(2, size=3) & (rng.random() < NEGATIVE), 255, 0).astype(np.uint8)
        turn = partial(turned, turns=rng.integers(2, size=3))
        cleans.append(turn(clean[..., colours] ^ negative))
        seens.append(turn(seen[..., colours] ^ negative))
        masks.append(turn(mask))
    return Batch.of(np.stack(cleans), np.stack(seens), np.stack(masks))


def turned(picture: NDArray[Any], turns: NDArray[np.integer[Any]]) -> NDArray[Any]:
    """(H, W, ...), upside down, mirrored and transposed where the three numbers are not zero."""
    picture = picture[::-1] if turns[0] else picture
    picture = picture[:, ::-1] if turns[1] else picture
    return picture.swapaxes(0, 1) if turns[2] else picture


def loss_of(out: Tensor, batch: Batch) -> Tensor:
    """Mean logarithm of each patch's error: Charbonnier in the holes, and on differences of neighbours across and in them.

    The logarithm, because half an error of one level on a plain wall shows more, and can be had more easily, than half an
    error of twenty in foliage; without it the wall is not worth a single weight. A scalar.
    """
    error = out - batch.clean
    hole = batch.hole.float()
    pixels = ((error.square() + CHARBONNIER**2).sqrt() * hole).sum((1, 2, 3))
    near = F.max_pool2d(hole, 3, 1, 1)
    across = ((error[..., 1:] - error[..., :-1]).abs() * near[..., 1:]).sum((1, 2, 3))
    down = ((error[..., 1:, :] - error[..., :-1, :]).abs() * near[..., 1:, :]).sum((1, 2, 3))
    each = (pixels + GRADIENT * (across + down)) / (3 * hole.sum((1, 2, 3))).clamp(min=1)
    return (each + FLOOR).log().mean()


def psnr(out: Tensor, batch: Batch) -> list[float]:
    """dB in the holes of each patch, over R, G and B."""
    error = ((out.clamp(0, 1) - batch.clean).square() * batch.hole).sum((1, 2, 3))
    return (-10 * torch.log10(error / (3 * batch.hole.sum((1, 2, 3))) + 1e-10)).tolist()


class Run:
    """State of the training that survives a restart."""

    def __init__(self, folder: Path, seed: int, rate: float) -> None:
        self.folder = folder
        torch.manual_seed(seed)
        self.net = InpaintNet().train().to(memory_format=torch.channels_last)
        self.average = {key: value.clone() for key, value in self.net.state_dict().items()}
        self.optimizer = torch.optim.AdamW(self.net.parameters(), rate, betas=(0.9, 0.99), weight_decay=1e-4)
        self.rng = np.random.default_rng(seed)
        self.rate = rate
        self.iteration = 0
        self.seconds = 0.0
        self.decay_from: int | None = None
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "checkpoint.pt").exists():
            self._restore(torch.load(folder / "checkpoint.pt", weights_only=True))

    def _restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.bit_generator.state = state["rng"]
        self.iteration, self.seconds, self.decay_from = state["iteration"], state["seconds"], state["decay_from"]

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.bit_generator.state,
            "iteration": self.iteration,
            "seconds": self.seconds,
            "decay_from": self.decay_from,
        }
        torch.save(state, self.folder / "checkpoint.tmp")
        (self.folder / "checkpoint.tmp").replace(self.folder / "checkpoint.pt")

    def learning_rate(self, decay: int) -> float:
        """Linear warm-up, constant, and from `decay_from` on a line down to nothing."""
        rate = self.rate * min(1.0, (self.iteration + 1) / WARM_UP)
        if self.decay_from is not None:
            rate *= max(0.0, 1 - (self.iteration - self.decay_from) / decay)
        return rate

    def step(self, batch: Batch, rate: float) -> float:
        """One update; returns the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            change = self.net.correction(batch.smooth, batch.hole)
        loss = loss_of(batch.smooth + change, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), MOST_GRADIENT)
        self.optimizer.step()
        self.iteration += 1
        fade = min(EMA, self.iteration / (self.iteration + 10))
        with torch.no_grad():
            for key, value in self.net.state_dict().items():
                self.average[key].lerp_(value, 1 - fade)
        return float(loss.detach())

    def evaluate(self, held: Material, loss: float, rate: float) -> tuple[float, float]:
        """Appends to the curve: mean PSNR in the holes of patches from videos, and of those from photographs."""
        net = InpaintNet().eval().to(memory_format=torch.channels_last)
        net.load_state_dict(self.average)
        scores: list[float] = []
        with torch.inference_mode():
            for start in range(0, len(held.clean), 16):
                rows = slice(start, start + 16)
                masks = np.stack([grow(mask, HELD_DILATION) for mask in held.mask[rows]])
                batch = Batch.of(held.clean[rows], held.seen[rows], masks)
                scores += psnr(net(batch.seen, batch.hole, batch.smooth), batch)
        video, photo = (float(np.mean(part)) for part in np.split(np.array(scores), 2))
        new = not (self.folder / "curve.csv").exists()
        with (self.folder / "curve.csv").open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["iteration", "cpu_seconds", "rate", "loss", "psnr_video", "psnr_photo"])
            row = [self.iteration, round(self.seconds), f"{rate:.2e}", f"{loss:.5f}", f"{video:.3f}", f"{photo:.3f}"]
            writer.writerow(row)
        return video, photo

    def export(self) -> Path:
        """Writes the average in float16; returns where to."""
        path = self.folder / "inpaint-net.safetensors"
        save_file({key: value.half().contiguous() for key, value in self.average.items()}, path)
        return path


def train(
    cache: Path, run: Run, *, iterations: int, decay: int, every: int, stopped: Callable[[], bool] = lambda: False
) -> None:
    """Runs until `iterations` or until `stopped()`, and on for `decay` iterations with a falling rate."""
    material, held = Material.load(cache / "train"), Material.load(cache / "held")
    recent: list[float] = []
    if run.iteration == 0:
        print("before training:", run.evaluate(held, math.nan, 0), flush=True)
    while run.decay_from is None or run.iteration < run.decay_from + decay:
        if run.decay_from is None and (run.iteration >= iterations or stopped()):
            run.decay_from = run.iteration
        start = time.process_time()
        rate = run.learning_rate(decay)
        recent.append(run.step(sample(material, run.rng), rate))
        run.seconds += time.process_time() - start
        done = run.decay_from is not None and run.iteration >= run.decay_from + decay
        if run.iteration % every == 0 or done:
            loss = float(np.mean(recent))
            video, photo = run.evaluate(held, loss, rate)
            run.save()
            recent.clear()
            print(
                f"{run.iteration} loss {loss:.5f} video {video:.3f} photo {photo:.3f} dB {run.seconds:.0f} s",
                flush=True,
            )
    print("written:", run.export(), flush=True)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="train the network that fills holes")
    parser.add_argument("cache", type=Path, help="folder made by inpaint_pairs")
    parser.add_argument("run", type=Path, help="folder of the checkpoint; an existing one is carried on")
    parser.add_argument("--iterations", type=int, default=100_000, help="with the full rate")
    parser.add_argument("--decay", type=int, default=1500, help="iterations with a falling rate, at the end")
    parser.add_argument("--stop", type=Path, help="begin to end when this file appears")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--every", type=int, default=500, help="iterations between checkpoints")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=20261122)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    train(
        args.cache,
        Run(args.run, args.seed, args.rate),
        iterations=args.iterations,
        decay=args.decay,
        every=args.every,
        stopped=lambda: args.stop is not None and args.stop.exists(),
    )


if __name__ == "__main__":
    main()
