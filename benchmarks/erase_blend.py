"""Fits the weights of `vidprod.ops.temporal_blend`: python -m benchmarks.erase_blend MEDIA FOLDER [--rounds N] [--check].

Subtitles of known alpha are burned into the tuning clips of `erase_truth` and encoded; some cuts are kept from the fill, and some
clips pass over into others, so that it learns not to copy from another scene. The fill runs over them with the network as the
spatial fill, and its candidates are recorded together with the truth. The weights are then fitted: to the logarithm of each
case's squared error and, with less weight, to that of each pixel, to the change of the error from picture to picture, and to
not being worse than the spatial fill alone. As the picture filled last is one of the candidates, all is done again with the
weights found. The same machine gives the same numbers, which are to be copied into `temporal_blend.py`.

--check fits without each clip in turn and says how much is gained over the network on that one.
"""

from __future__ import annotations

import argparse
import math
import pprint
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.erase_truth import STYLES, TUNING, Clip, Pictures, burn, encode, read_clip
from benchmarks.inpaint_network import grown
from vidprod.media.reader import VideoReader
from vidprod.media.thumbnails import thumbnails
from vidprod.ops import temporal_blend
from vidprod.ops.inpaint import NetworkFill
from vidprod.ops.shots import ShotDetection
from vidprod.ops.temporal_blend import TRAITS, Candidates, Hole, Kind
from vidprod.ops.temporal_fill import TemporalFill

COUNT = 130
"""Pictures of each case."""

MIXED = 14
"""Pictures that a clip takes to pass over into the next one."""

EVERY, PIXELS = 3, 1500
"""Of every third picture so many pixels are recorded."""

AROUND = 64
"""Pixels around the text that the fill is given."""

STEPS, BATCH, RATE, DECAY = 350, 1500, 3e-2, 1e-3
LIKELY, STEADY, PROTECT = 0.5, 0.15, 0.5
"""Weights in the loss, beside the error of a case: typical pixels, change from picture to picture, worse than the network."""

SLOTS = (Kind.FRESH,) * 3 + (Kind.STILL,) * 2 + (Kind.BEFORE,)
"""The candidates of one picture that are recorded."""

Tables = dict[Kind, tuple[float, ...]]
Weights = tuple[Tables, tuple[float, ...]]  # for pictures, and for the spatial fill


@dataclass(frozen=True)
class Case:
    """Tuning clips, by number; the second one follows the first, by way of a dissolve."""

    clip: int
    style: str
    then: int | None = None
    cuts_known: bool = True

    @property
    def name(self) -> str:
        """For files and tables."""
        return "-".join([TUNING[self.clip].name, *([] if self.then is None else [TUNING[self.then].name]), self.style])


CASES = (
    Case(0, "shadow"), Case(0, "bilingual", cuts_known=False), Case(1, "plain"), Case(1, "box"), Case(2, "cyan"),
    Case(2, "fade"), Case(3, "two-lines"), Case(3, "karaoke"), Case(4, "label"), Case(4, "shadow"),
    Case(1, "outline", then=4), Case(3, "thin", then=2),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Material:
    """Part of the pictures of a case: (N, H, W, 3) as decoded and as they were, (N, H, W) where there is text."""

    seen: Pictures
    clean: Pictures
    mask: NDArray[np.bool_]
    cuts: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Record:
    """Pixels (P) of a case: what was on offer for each of `SLOTS`, and what would have been right."""

    values: Tensor  # (K, 3, P)
    seen: Tensor  # (K, P) bool
    traits: Tensor  # (K, len(TRAITS), P)
    guess: Tensor  # (3, P), of the spatial fill
    busy: Tensor  # (P,)
    deep: Tensor  # (P,)
    truth: Tensor  # (3, P)
    erred: Tensor  # (3, P), error of the result at the same place one picture earlier; NaN if there was none

    @staticmethod
    def joined(records: Sequence[Record]) -> Record:
        """All pixels."""
        fields = Record.__dataclass_fields__
        return Record(*(torch.cat([getattr(record, name) for record in records], -1) for name in fields))

    def some(self, at: Tensor) -> Record:
        """These pixels."""
        return Record(*(getattr(self, name)[..., at] for name in Record.__dataclass_fields__))


def material(case: Case, media: Path, folder: Path) -> Material:
    """Burns, encodes (unless that was done) and decodes a case."""
    clean, rate = _start(TUNING[case.clip], media)
    if case.then is not None:
        following = _start(TUNING[case.then], media)[0][: COUNT // 2 + MIXED]
        clean = _dissolved(clean[: COUNT // 2], following)
    burned, events = burn(clean, float(rate), STYLES[case.style], zlib.crc32(case.name.encode()))
    path = folder / f"{case.name}.mp4"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.mp4")
        encode(part, burned, rate)
        part.rename(path)
    mask = np.zeros(clean.shape[:3], np.bool_)
    for event in events:
        mask[event.first : event.stop] |= grown(event.alpha > 0.02)
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in ((0, 2), (0, 1)))
    part_of = (
        slice(max(int(rows[0]) - AROUND, 0), int(rows[-1]) + AROUND + 1),
        slice(max(int(columns[0]) - AROUND, 0), int(columns[-1]) + AROUND + 1),
    )
    shots = ShotDetection()
    for thumbs in thumbnails(VideoReader(path, bits=8)):
        shots.update(thumbs)
    seen = [frames.data.permute(0, 2, 3, 1).numpy()[:, part_of[0], part_of[1]] for frames in VideoReader(path, bits=8)]
    inner = (slice(None), *part_of)
    cuts = tuple(shots.cuts()) if case.cuts_known and case.then is None else ()
    return Material(np.concatenate(seen), clean[inner], mask[inner], cuts)


def _start(clip: Clip, media: Path) -> tuple[Pictures, Fraction]:
    return read_clip(Clip(clip.file, clip.start, min(clip.count, COUNT)), media)


def _dissolved(first: Pictures, then: Pictures) -> Pictures:
    """The first pictures, passing over into the others, which are brought to the same size."""
    height, width = first.shape[1:3]
    then = np.stack([cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in then])
    share = (np.arange(MIXED, dtype=np.float32) + 1)[:, None, None, None] / (MIXED + 1)
    mixed = first[-MIXED:] * (1 - share) + then[:MIXED] * share
    return np.concatenate([first[:-MIXED], (mixed + 0.5).astype(np.uint8), then[MIXED:]])


class Recorder(TemporalFill):
    """Keeps what the fill has to choose from."""

    def __init__(self, spatial: NetworkFill, given: Material, seed: int) -> None:
        super().__init__(spatial, cuts=given.cuts)
        self.records: list[Record] = []
        self._given = given
        self._random = torch.Generator().manual_seed(seed)

    def _mix(self, index: int, hole: Hole, candidates: Candidates) -> tuple[Tensor, Tensor]:
        if index % EVERY == 0:
            self.records.append(self._record(index, hole, candidates))
        return super()._mix(index, hole, candidates)

    def _record(self, index: int, hole: Hole, candidates: Candidates) -> Record:
        rows, columns = np.nonzero(self._given.mask[index])
        some = torch.randperm(len(rows), generator=self._random)[:PIXELS]
        at = (torch.from_numpy(rows)[some], torch.from_numpy(columns)[some])
        count = len(some)
        values = torch.zeros(len(SLOTS), 3, count)
        seen = torch.zeros(len(SLOTS), count, dtype=torch.bool)
        traits = torch.zeros(len(SLOTS), len(TRAITS), count)
        used: dict[Kind, int] = {}
        for number, kind in enumerate(candidates.kinds):
            slot = SLOTS.index(kind) + used.get(kind, 0)
            used[kind] = used.get(kind, 0) + 1
            values[slot], seen[slot] = candidates.values[number][:, some], candidates.seen[number][some]
            traits[slot] = candidates.traits[number][:, some]

        def right(picture: int) -> Tensor:
            return torch.from_numpy(self._given.clean[picture])[at].to(torch.float32).T

        erred = torch.full((3, count), math.nan)
        if self._before is not None:
            shown = torch.from_numpy(self._given.mask[index - 1])[at]
            erred[:, shown] = (self._before[:, at[0], at[1]].to(torch.float32) - right(index - 1))[:, shown]
        guess = hole.at(hole.guess)[0][:, some]
        return Record(values, seen, traits, guess, hole.busy[some], hole.deep[some], right(index), erred)


def record(given: Material, seed: int) -> tuple[Record, float]:
    """What was on offer, and by how many dB the result is better than the network alone."""
    fill = Recorder(NetworkFill(), given, seed)
    pictures = torch.from_numpy(given.seen).permute(0, 3, 1, 2).contiguous()
    masks = torch.from_numpy(given.mask)
    done = [one for at in range(0, len(masks), 8) for one in fill.push(pictures[at : at + 8], masks[at : at + 8])]
    done += fill.finish()
    result = torch.stack([one.picture for one in done])
    alone = NetworkFill()(pictures, masks[:, None])
    clean = torch.from_numpy(given.clean).permute(0, 3, 1, 2).to(torch.float32)
    errors = [float((x - clean).pow(2).mean(1)[masks].mean()) for x in (result.float(), alone.float())]
    return Record.joined(fill.records), 10 * math.log10(errors[1] / errors[0])


class Model(torch.nn.Module):
    """The same mixture as in `temporal_blend`, of traits brought to one scale, to be fitted."""

    def __init__(self, records: Sequence[Record]) -> None:
        super().__init__()
        self.kinds = torch.nn.ParameterDict({kind.name: torch.zeros(len(TRAITS) + 1) for kind in Kind})
        self.spatial = torch.nn.Parameter(torch.zeros(3))
        self.mean, self.scale = {}, {}
        for kind in Kind:
            slots = [slot for slot, of in enumerate(SLOTS) if of == kind]
            found = torch.cat([r.traits[slot][:, r.seen[slot]] for r in records for slot in slots], 1)
            self.mean[kind], self.scale[kind] = found.mean(1), found.std(1) + 1e-3

    def forward(self, record: Record) -> Tensor:
        """(3, P): the mixture."""
        scores = []
        for slot, kind in enumerate(SLOTS):
            table = self.kinds[kind.name]
            traits = (record.traits[slot] - self.mean[kind][:, None]) / self.scale[kind][:, None]
            scores.append((table[:-1] @ traits + table[-1]).masked_fill(~record.seen[slot], -math.inf))
        scores.append(self.spatial[0] * (record.busy - 3) + self.spatial[1] * (record.deep - 1) + self.spatial[2])
        weights = torch.stack(scores).softmax(0)
        offered = torch.cat([record.values.clamp(0, 255), record.guess[None]])
        return (offered * weights[:, None]).sum(0)

    def weights(self) -> Weights:
        """For traits as they are."""
        tables = {}
        for kind in Kind:
            table = self.kinds[kind.name].detach()
            plain = table[:-1] / self.scale[kind]
            constant = table[-1:] - (plain * self.mean[kind]).sum()
            tables[kind] = tuple(round(float(x), 3) for x in torch.cat([plain, constant]))
        busy, deep, constant = self.spatial.tolist()
        return tables, tuple(round(x, 3) for x in (busy, deep, constant - 3 * busy - deep))


def fit(records: Sequence[Record], steps: int = STEPS) -> Model:
    """Adam from nothing."""
    torch.manual_seed(0)
    model = Model(records)
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        losses = []
        for whole in records:
            part = whole.some(torch.randint(0, whole.truth.shape[-1], (BATCH,)))
            error = model(part) - part.truth
            squared, alone = error.pow(2).mean(0), (part.guess - part.truth).pow(2).mean(0)
            known = torch.isfinite(part.erred)
            change = torch.where(known, error - part.erred.nan_to_num(0), torch.zeros_like(error)).pow(2).sum()
            overall = (squared.mean() + 1).log()
            losses.append(
                overall
                + LIKELY * (squared + 8).log().mean()
                + STEADY * (change / known.sum().clamp_min(1) + 1).log()
                + PROTECT * (overall - (alone.mean() + 1).log()).clamp_min(0)
            )
        size = sum(parameter.pow(2).sum() for parameter in model.parameters())
        loss = torch.stack(losses).mean() + DECAY * size
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model


def gain(model: Model, on: Record) -> float:
    """PSNR over that of the network, dB."""
    with torch.inference_mode():
        error = (model(on) - on.truth).pow(2).mean()
    return 10 * math.log10(float((on.guess - on.truth).pow(2).mean() / error))


def check(records: dict[str, Record]) -> None:
    """Fits without each clip in turn."""
    clips = sorted({name.split("-")[0] for name in records})
    for clip in clips:
        model = fit([record for name, record in records.items() if clip not in name.split("-")])
        gains = {name: gain(model, record) for name, record in records.items() if clip in name.split("-")}
        print(f"without {clip}:", *(f"{name} {value:+.2f}" for name, value in gains.items()), flush=True)


def use(weights: Weights) -> None:
    """For what this process fills from now on."""
    temporal_blend.WEIGHTS.update(weights[0])
    temporal_blend.SPATIAL_WEIGHTS = weights[1]  # type: ignore[assignment]


def main(show: Callable[[str], None] = print) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="fit the weights of the temporal blend")
    parser.add_argument("media", type=Path)
    parser.add_argument("folder", type=Path, help="for the encoded clips")
    parser.add_argument("--rounds", type=int, default=2, help="how often all is recorded and fitted (default 2)")
    parser.add_argument("--check", action="store_true", help="leave each clip out in turn")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    found: dict[str, list[Record]] = {}
    for turn in range(args.rounds):
        for number, case in enumerate(CASES):
            some, better = record(material(case, args.media, args.folder), seed=100 * turn + number)
            found.setdefault(case.name, []).append(some)
            show(f"round {turn + 1}: {case.name} {better:+.2f} dB over the network")
        records = {name: Record.joined(rounds) for name, rounds in found.items()}
        model = fit(list(records.values()))
        use(model.weights())
        gains = [gain(model, some) for some in records.values()]
        show(f"fitted: {np.mean(gains):+.2f} dB over the network; {' '.join(f'{x:+.2f}' for x in gains)}")
        show(pprint.pformat(model.weights(), width=120, compact=True, sort_dicts=False))
        torch.save(found, args.folder / "records.pt")
    if args.check:
        check(records)


if __name__ == "__main__":
    main()
