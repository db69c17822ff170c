"""The corpus notices what it is meant to notice."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np

from .pictures import picture, psnr, read_number
from .planes import from_frame, to_frame
from .sound import BEEPS, beeps, onsets, pitch
from .spec import Expect
from .table import CASES, Corpus
from .watch import watch


def test_colours_and_places() -> None:
    """Another matrix, another range, the picture next to it, a shift by one pixel."""
    image = picture(37, 160, 120)
    assert read_number(image) == 37
    for right, wrong in ((6, 1), (1, 6), (9, 1), (1, 9), (6, 9)):
        frame = to_frame(image, "yuv420p", right)
        assert psnr(image, from_frame(frame, right, False)) > 50
        assert psnr(image, from_frame(frame, wrong, False)) < Expect().copied - 1
        assert psnr(image, from_frame(frame, right, True)) < 33
    assert psnr(image, picture(38, 160, 120)) < 20
    assert psnr(image, np.roll(image, 1, axis=1)) < 30


def test_beeps() -> None:
    """Onsets to within a few milliseconds, pitch to within a few hertz."""
    samples = beeps(48000, 0.8, (440.0, 1000.0))
    assert np.allclose(onsets(samples.mean(axis=0), 48000), BEEPS, atol=0.005)
    assert [abs(pitch(s, 48000) - f) < 5 for s, f in zip(samples, (440.0, 1000.0), strict=True)] == [True, True]


def test_the_watch_sees(tmp_path: Path) -> None:
    """FFmpeg left alone does follow the reference, and the watch notices: the tests of refusal mean something."""
    case = next(c for c in CASES if c.name == "concat.mp4")
    path = Corpus(tmp_path).path(case)
    with watch(tmp_path / case.guards[0]) as opened, av.open(str(path), options={"safe": "0"}) as container:
        assert len(list(container.decode(video=0))) == 20
    if sys.platform.startswith("linux"):
        assert opened


def test_names_are_unique() -> None:
    """Each case has a file of its own."""
    assert len({c.name for c in CASES}) == len(CASES)
