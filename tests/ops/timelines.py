"""Timelines for tests: some made by hand, and all that hypothesis can think of."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from vidprod.ops.layouts import LAYOUTS
from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.timeline import (
    ClipSound,
    MusicPiece,
    Shot,
    Soundtrack,
    Source,
    Timeline,
    TransitionSpan,
)
from vidprod.ops.transitions import STYLES


def short(**changes: Any) -> Timeline:
    """Nine seconds: a clip, two photographs as a puzzle after a transition, the clip again at half speed after a cut."""
    path = (PathPoint(2.0, 0.1, 0.0, 0.4, 1.0), PathPoint(5.0, 0.3, 0.0, 0.4, 1.0))
    made = {
        "width": 720,
        "height": 1280,
        "rate": "30",
        "sources": (
            Source("walk.mp4", "video"),
            Source("hat.jpg", "image"),
            Source("bag.png", "image", (220, 220, 224)),
            Source("song.mp3", "audio"),
        ),
        "shots": (
            Shot(0, 2.0, 5.4, 0.0, 3.4, path=path, score=0.8, reason="good sharpness"),
            Shot(1, 0.0, 3.4, 2.6, 6.0, "puzzle", layout="2-up", cell=0, score=0.5),
            Shot(2, 0.0, 3.4, 2.6, 6.0, "puzzle", layout="2-up", cell=1, gamma=(1.1, 1.0, 0.9)),
            Shot(0, 8.0, 9.5, 6.0, 9.0, reason="a face"),
        ),
        "transitions": (TransitionSpan("ink", 2.6, 3.4, seed=7),),
        "beats": tuple(0.5 * at for at in range(18)),
        "downbeats": (1.0, 3.0, 5.0, 7.0),
        "pulses": (1.0,),
        "sound": Soundtrack(3, (MusicPiece(4.0, 10.5, 0.0), MusicPiece(2.0, 5.0, 6.0)), (ClipSound(0, 2.5, 0.5, 2.5),)),
        "cover": 1.5,
    }
    return Timeline(**{**made, **changes})


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Valid ones of any kind, with times on the pictures of the result or not."""
    rate = draw(st.sampled_from(["24000/1001", "24", "25", "30000/1001", "30", "59.94"]))
    kinds = draw(st.lists(st.sampled_from(["video", "image", "audio"]), min_size=1, max_size=5))
    kinds.append(draw(st.sampled_from(["video", "image"])))
    seen = [at for at, kind in enumerate(kinds) if kind != "audio"]
    heard = [at for at, kind in enumerate(kinds) if kind != "image"]
    sources = tuple(Source(f"文件 {at}", kind) for at, kind in enumerate(kinds))  # type: ignore[arg-type]

    def second(picture: int) -> float:
        return float(picture / Fraction(rate))

    shots: list[Shot] = []
    transitions: list[TransitionSpan] = []
    start, room = 0, 0  # of a group, and how many of its pictures are of the transition into it
    count = draw(st.integers(1, 6))
    for number in range(count):
        alone = draw(st.integers(1, 90))
        after = draw(st.integers(0, 30)) if number + 1 < count else 0
        end = start + room + alone + after
        times = second(start), second(end)
        layout = draw(st.sampled_from(["", *LAYOUTS]))
        for cell in draw(st.permutations(range(LAYOUTS.get(layout, 1)))):
            begin = draw(st.floats(0, 100, allow_subnormal=False))
            shots.append(
                Shot(
                    draw(st.sampled_from(seen)),
                    begin,
                    begin + draw(st.floats(0.1, 20)),
                    *times,
                    effect="puzzle" if layout else draw(st.sampled_from(["none", "motion"])),
                    path=tuple(
                        PathPoint(begin + at, draw(st.floats(0, 0.5)), 0.0, draw(st.floats(0.01, 0.5)), 1.0)
                        for at in range(draw(st.integers(0, 3)))
                    ),
                    layout=layout,
                    cell=cell,
                    gamma=tuple(draw(st.lists(st.floats(0.2, 5), min_size=3, max_size=3))),  # type: ignore[arg-type]
                    score=draw(st.floats(0, 1)),
                    reason=draw(st.text(max_size=8)),
                )
            )
        if after:
            span = second(end - after), second(end)
            transitions.append(TransitionSpan(draw(st.sampled_from(list(STYLES))), *span, draw(st.integers(0, 2**31))))
        start, room = end - after, after
    length = shots[-1].out_end
    times_of = st.lists(st.floats(0, 100), unique=True, max_size=5).map(lambda times: tuple(sorted(times)))
    sound = None
    if draw(st.booleans()) and heard:
        loops = draw(st.integers(0, 3))
        part = length / max(loops, 1)
        pieces = tuple(MusicPiece(1.0, 1.0 + part * 1.2, at * part) for at in range(loops))
        clips = (ClipSound(draw(st.sampled_from(heard)), 0.5, 0.0, length),) if draw(st.booleans()) else ()
        loudness = draw(st.one_of(st.none(), st.floats(-40, -5)))
        music = draw(st.sampled_from(heard)) if loops else None
        sound = Soundtrack(music, pieces, clips, draw(st.floats(-60, 0)), loudness, 0.2, draw(st.floats(0, 3)))
    return Timeline(
        draw(st.integers(32, 2160)),
        draw(st.integers(32, 2160)),
        rate,
        sources,
        tuple(shots),
        tuple(transitions),
        draw(times_of),
        draw(times_of),
        draw(times_of),
        sound,
        draw(st.floats(0, 1)) * length,
    )
