"""Who and what a video is about: faces, persons, animals, vehicles and things, followed from sample to sample.

A find counts if it is made again: in two of three samples that follow each other, by one that lies about there. That is what tells
a face from a pattern in the leaves. Weights are those of AutoFlip (MediaPipe).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidprod.ops.detection import Detections
from vidprod.ops.faces import FaceDetector
from vidprod.ops.things import GROUP_OF, ThingDetector

Boxes = NDArray[np.float32]  # (M, 4) left, top, right, bottom

WEIGHTS: Mapping[str, float] = {"face": 0.9, "person": 0.75, "animal": 0.7, "vehicle": 0.7, "object": 0.2}
"""How much it matters that a subject of a group is seen, 0..1."""

SAME = -0.15
"""Likeness of two boxes from which on they may be of one subject: equal squares side by side have -0.2."""

CERTAIN: Mapping[str, float] = {"face": 0.99}
CERTAIN_THING = 0.6
"""Score that makes up for a second find where a shot has only one sample."""

FORGET = 2
"""Samples without a find after which a subject is gone."""


@dataclass(frozen=True)
class Subject:
    """Someone or something on one sample.

    Attributes:
        left, top, right, bottom: fractions of the width and height, 0..1.
        score: of the detector, 0..1; the lower one of its neighbours where the subject was missed in between.
        kind: "face", or a name of `vidprod.ops.things.NAMES`.
        weight: how much it matters that it is seen, 0..1.
        track: the same number for the same subject, within a shot.
    """

    left: float
    top: float
    right: float
    bottom: float
    score: float
    kind: str
    weight: float
    track: int

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True)
class SubjectSample:
    """The subjects of one picture, by falling weight and size; `seconds` is its time."""

    seconds: float
    subjects: tuple[Subject, ...]


def group_of(kind: str) -> str:
    """The key of `WEIGHTS` for a kind."""
    return GROUP_OF.get(kind, kind)


def likeness(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """(A, B) intersection over union, less the distance of the middles relative to the diagonal around both, squared.

    1 for equal boxes, down to -1 for boxes far apart. (https://arxiv.org/abs/1911.08287)
    """
    left, right = a[:, None], b[None]
    low, high = np.maximum(left[..., :2], right[..., :2]), np.minimum(left[..., 2:], right[..., 2:])
    both = np.clip(high - low, 0, None).prod(-1)
    each = [np.clip(box[..., 2:] - box[..., :2], 0, None).prod(-1) for box in (left, right)]
    around = np.maximum(left[..., 2:], right[..., 2:]) - np.minimum(left[..., :2], right[..., :2])
    apart = (left[..., :2] + left[..., 2:] - right[..., :2] - right[..., 2:]) / 2
    union = np.maximum(each[0] + each[1] - both, 1e-12)
    found = both / union - (apart**2).sum(-1) / np.maximum((around**2).sum(-1), 1e-12)
    return np.asarray(found, np.float32)


class _Track:
    """One subject so far; `finds` by number of the sample."""

    def __init__(self, number: int, sample: int, subject: Subject) -> None:
        self.number = number
        self.finds = {sample: subject}
        self.last = sample
        self.confirmed = False

    def add(self, sample: int, subject: Subject) -> None:
        if sample - self.last <= 2:
            self.confirmed = True
        if sample - self.last == 2:
            self.finds[sample - 1] = between(self.finds[self.last], subject)
        self.finds[sample], self.last = subject, sample


def between(a: Subject, b: Subject) -> Subject:
    """A subject half-way between two finds."""
    middle = [(x + y) / 2 for x, y in zip(a.box, b.box, strict=True)]
    return replace(a, left=middle[0], top=middle[1], right=middle[2], bottom=middle[3], score=min(a.score, b.score))


class SubjectTracking:
    """Joins finds of successive samples; every sample comes out once no later one can change it."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._times: list[float] = []  # of the samples that did not come out yet
        self._first = 0  # number of the first of them
        self._start = 0  # number of the first sample of the shot
        self._numbers = 0

    def add(self, seconds: float, finds: Sequence[Subject]) -> list[SubjectSample]:
        """Takes the finds on the next sample; their `track` is ignored. Returns the samples that are settled."""
        sample = self._first + len(self._times)
        self._times.append(seconds)
        groups = {group_of(find.kind) for find in finds}
        for group in groups:
            self._match(sample, [find for find in finds if group_of(find.kind) == group], group)
        return self._settled(sample - FORGET)

    def cut(self) -> list[SubjectSample]:
        """The next sample starts a new shot. Returns all samples that were not settled yet."""
        count = self._first + len(self._times) - self._start
        if count == 1:
            for track in self._tracks:
                find = track.finds[self._start]
                track.confirmed = find.score >= CERTAIN.get(find.kind, CERTAIN_THING)
        settled = self._settled(self._first + len(self._times) - 1)
        self._tracks, self._start = [], self._first
        return settled

    def _match(self, sample: int, finds: Sequence[Subject], group: str) -> None:
        tracks = [track for track in self._tracks if group_of(track.finds[track.last].kind) == group]
        if tracks:
            alike = likeness(_boxes([t.finds[t.last] for t in tracks]), _boxes(finds))
        else:
            alike = np.empty((0, len(finds)), np.float32)
        free = set(range(len(finds)))
        used: set[int] = set()
        for flat in np.argsort(-alike, axis=None, kind="stable"):
            i, j = divmod(int(flat), len(finds))
            if alike[i, j] < SAME:
                break
            if i in used or j not in free:
                continue
            used.add(i)
            free.remove(j)
            tracks[i].add(sample, replace(finds[j], track=tracks[i].number))
        for j in sorted(free):
            self._tracks.append(_Track(self._numbers, sample, replace(finds[j], track=self._numbers)))
            self._numbers += 1

    def _settled(self, last: int) -> list[SubjectSample]:
        """Samples up to number `last`, which are forgotten."""
        done = []
        while self._first <= last:
            subjects = [t.finds.pop(self._first) for t in self._tracks if t.confirmed and self._first in t.finds]
            subjects.sort(key=lambda s: (-s.weight, -(s.right - s.left) * (s.bottom - s.top)))
            done.append(SubjectSample(self._times.pop(0), tuple(subjects)))
            self._first += 1
        self._tracks = [track for track in self._tracks if track.last >= self._first]
        return done


def _boxes(subjects: Sequence[Subject]) -> Boxes:
    return np.array([subject.box for subject in subjects], np.float32).reshape(-1, 4)


class SubjectDetection:
    """Finds subjects on samples of a video, about two a second, and follows them."""

    def __init__(
        self,
        device: torch.device | str = "cpu",
        *,
        faces: FaceDetector | None = None,
        things: ThingDetector | None = None,
    ) -> None:
        """`faces` and `things` are detectors that are at hand already."""
        self._faces = faces or FaceDetector(device)
        self._things = things or ThingDetector(device)
        self._tracking = SubjectTracking()

    def update(self, frames: Tensor, seconds: Sequence[float]) -> list[SubjectSample]:
        """Takes the next samples of the shot, (N, 3, H, W) uint8 with a longer side of 480 or more, and their times.

        Returns the samples that are settled, in order, this one's among them or not: a find is confirmed by later ones.
        """
        if len(frames) != len(seconds):
            raise ValueError(f"{len(frames)} pictures but {len(seconds)} times")
        if not len(frames):
            return []
        found = (self._faces(frames), self._things(frames))
        settled = []
        for number, time in enumerate(seconds):
            finds = [subject for one in found for subject in subjects(one.on(number))]
            settled += self._tracking.add(float(time), finds)
        return settled

    def cut(self) -> list[SubjectSample]:
        """The next sample starts a new shot. Returns all samples that were not settled yet."""
        return self._tracking.cut()

    def finish(self) -> list[SubjectSample]:
        """The samples that were not settled yet; called once, after the last one."""
        return self._tracking.cut()


def subjects(found: Detections) -> list[Subject]:
    """Finds as subjects that are not followed yet (`track` -1)."""
    made = []
    rows = zip(found.boxes.tolist(), found.scores.tolist(), found.kinds.tolist(), strict=True)
    for (left, top, right, bottom), score, kind in rows:
        name = found.names[kind]
        made.append(Subject(left, top, right, bottom, score, name, WEIGHTS[group_of(name)], -1))
    return made
