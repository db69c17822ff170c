"""A short as OpenTimelineIO, for editing programs.

The visible windows, the matching of colours and the styles of transitions have no words there; they are told as metadata under
"vidprod", and editors show whole pictures and dissolves. Semantics: https://opentimelineio.readthedocs.io (timeline structure,
transitions, time warps).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from vidprod.errors import FileDecode, InvalidParameter
from vidprod.ops.layouts import LAYOUTS, cells
from vidprod.ops.timeline import MusicPiece, Shot, Timeline, TransitionSpan
from vidprod.ops.timeline_reading import timeline_of

_OLD = "0.14.0"
"""Release of OpenTimelineIO whose files every editor reads; newer libraries read them too."""


def otio_json(
    plan: Timeline | Mapping[str, Any], paths: Sequence[str | Path], name: str = "short", *, probe: bool = True
) -> str:
    """The text of an .otio file.

    One video track of all shots, in pictures of the result's rate; where two shots overlap they abut in the middle, and a dissolve
    reaches into both. Of a puzzle the first cell is on that track, the others on tracks above it. Beats are markers. Music and the
    clips' own sound are audio tracks.

    Args:
        plan: as in `Result.plan`, edited or not.
        paths: path or URL of the file of every source, in the same order.
        name: of the timeline.
        probe: whether to open sound and video files to tell how long they are, so that editors know how far shots can be extended.
            Otherwise, and of URLs, it is told what is used of them.

    Raises:
        InvalidParameter: the plan is none, or paths are not as many as its sources.
        FileDecode: a file cannot be opened.
    """
    timeline = plan if isinstance(plan, Timeline) else timeline_of(plan)
    if len(paths) != len(timeline.sources):
        raise InvalidParameter(
            f"paths are {len(paths)}, must be {len(timeline.sources)}, one for each source of the plan"
        )
    return _Writer(timeline, paths, probe).text(name)


@dataclass(frozen=True)
class _Span:
    """Pictures first .. stop - 1 of the result, and how far the transitions at its ends reach into it and beyond it."""

    first: int
    stop: int
    before: tuple[int, int] = (0, 0)


class _Writer:
    def __init__(self, timeline: Timeline, paths: Sequence[str | Path], probe: bool) -> None:
        import opentimelineio  # here, as few need it, and it takes a tenth of a second

        self._otio = opentimelineio
        self._schema = opentimelineio.schema
        self._timeline = timeline
        self._rate = Fraction(timeline.rate)
        self._urls = [_url(path) for path in paths]
        used = _used(timeline)
        self._lengths = [
            (_length(path) if probe and source.type != "image" else None) or used.get(at, Fraction(1))
            for at, (source, path) in enumerate(zip(timeline.sources, paths, strict=True))
        ]

    def text(self, name: str) -> str:
        """The whole."""
        told = self._timeline
        made = self._schema.Timeline(name=name)
        sound = None if told.sound is None else asdict(told.sound)
        made.metadata["vidprod"] = _plain(
            {key: getattr(told, key) for key in ("width", "height", "rate", "cover", "pulses")} | {"sound": sound}
        )
        made.tracks.extend([*self._video(), *self._music(), *self._clip_sounds()])
        made.tracks.markers.extend(self._markers())
        versions = self._otio.versioning.fetch_map("OTIO_CORE", _OLD)
        text = self._otio.core.serialize_json_to_string(made, schema_version_targets=versions, indent=1)
        return f"{text}\n"

    def _video(self) -> list[Any]:
        """The track of all shots, and those above it for the other cells of puzzles."""
        groups = self._timeline.groups()
        point = self._timeline.point
        spans = _abutting([(point(group[0].out_start), point(group[0].out_end)) for group in groups])
        styles = {(point(one.out_start), point(one.out_end)): one for one in self._timeline.transitions}
        tracks = [self._schema.Track(name="shots", kind=self._schema.TrackKind.Video)]
        for span, group in zip(spans, groups, strict=True):
            if any(span.before):  # of the first track, which has no gaps
                into = styles.get((span.first - span.before[0], span.first + span.before[1]))
                tracks[0].append(self._transition(span, into.style if into else "normal", into))
            for number, shot in enumerate(group):
                if number == len(tracks):
                    tracks.append(self._schema.Track(name=f"cells {number}", kind=self._schema.TrackKind.Video))
                self._fill(tracks[number], span.first)
                tracks[number].append(self._shot(shot, span))
        return tracks

    def _shot(self, shot: Shot, span: _Span) -> Any:
        speed = (shot.end - shot.start) / (shot.out_end - shot.out_start)
        start = shot.start + (float(span.first / self._rate) - shot.out_start) * speed
        still = self._timeline.sources[shot.source].type == "image"
        begin = span.before[0] if still else round(max(start, 0.0) * self._rate)
        told = asdict(shot)
        if shot.layout in LAYOUTS:
            told["box"] = asdict(cells(shot.layout, self._timeline.height, self._timeline.width)[shot.cell])
        clip = self._clip(shot.source, begin, span, told)
        if not still and abs(speed - 1) > 1e-3:
            clip.effects.append(self._schema.LinearTimeWarp(name="speed", time_scalar=speed))
        return clip

    def _music(self) -> Iterator[Any]:
        """One track; where two pieces overlap they abut in the middle, and a transition reaches into both."""
        sound = self._timeline.sound
        if sound is None or sound.music is None or not sound.pieces:
            return
        track = self._schema.Track(name="music", kind=self._schema.TrackKind.Audio)
        point, last = self._timeline.point, self._timeline.pictures
        ends = [(point(one.out_start), min(point(_end(one)), last)) for one in sound.pieces]
        shown = [one for one, (first, stop) in zip(sound.pieces, ends, strict=True) if first < stop]
        for piece, span in zip(shown, _abutting([one for one in ends if one[0] < one[1]]), strict=True):
            self._fill(track, span.first)
            if any(span.before):
                track.append(self._transition(span, "crossfade", None))
            # Music is placed between pictures: a loop that is off by half of one would be heard.
            start = (piece.start + float(span.first / self._rate) - piece.out_start) * float(self._rate)
            track.append(self._clip(sound.music, round(max(start, 0.0), 3), span, asdict(piece)))
        yield track

    def _clip_sounds(self) -> list[Any]:
        """As many tracks as sounds are heard at a time."""
        tracks: list[Any] = []
        ends: list[int] = []
        clips = self._timeline.sound.clips if self._timeline.sound else ()
        for one in sorted(clips, key=lambda clip: clip.out_start):
            first, stop = (min(self._timeline.point(t), self._timeline.pictures) for t in (one.out_start, one.out_end))
            if stop <= first:
                continue
            free = next((at for at, end in enumerate(ends) if end <= first), len(tracks))
            if free == len(tracks):
                tracks.append(self._schema.Track(name=f"clips {free + 1}", kind=self._schema.TrackKind.Audio))
                ends.append(0)
            self._fill(tracks[free], first)
            tracks[free].append(self._clip(one.source, round(one.start * self._rate), _Span(first, stop), asdict(one)))
            ends[free] = stop
        return tracks

    def _clip(self, source: int, start: float, span: _Span, told: Mapping[str, Any]) -> Any:
        name = self._timeline.sources[source].name.encode("utf-8", "replace").decode()  # it may have bytes of no text
        reference = self._schema.ExternalReference(
            target_url=self._urls[source], available_range=self._range(0, round(self._lengths[source] * self._rate))
        )
        reference.name = name
        return self._schema.Clip(
            name=name,
            media_reference=reference,
            source_range=self._range(start, span.stop - span.first),
            metadata={"vidprod": _plain(told)},
        )

    def _transition(self, span: _Span, name: str, told: TransitionSpan | None) -> Any:
        """Of the one type that all editors know; what it is to look like is its name."""
        return self._schema.Transition(
            name=name,
            transition_type=self._schema.TransitionTypes.SMPTE_Dissolve,
            in_offset=self._time(span.before[0]),
            out_offset=self._time(span.before[1]),
            metadata={"vidprod": _plain(asdict(told))} if told else {},
        )

    def _fill(self, track: Any, until: int) -> None:
        """Nothing, up to a picture."""
        items = (one for one in track if not isinstance(one, self._schema.Transition))
        gap = until - round(sum(one.source_range.duration.value for one in items))
        if gap:
            track.append(self._schema.Gap(source_range=self._range(0, gap)))

    def _markers(self) -> Iterator[Any]:
        told = self._timeline
        bars = {told.point(second) for second in told.downbeats}
        colours = self._schema.MarkerColor
        for picture in sorted(bars | {told.point(second) for second in told.beats}):
            if picture < told.pictures:
                yield self._schema.Marker(
                    name="bar" if picture in bars else "beat",
                    color=colours.RED if picture in bars else colours.CYAN,
                    marked_range=self._range(picture, 1),
                )

    def _time(self, pictures: float) -> Any:
        return self._otio.opentime.RationalTime(pictures, float(self._rate))

    def _range(self, start: float, duration: int) -> Any:
        return self._otio.opentime.TimeRange(self._time(start), self._time(duration))


def _abutting(spans: Sequence[tuple[int, int]]) -> Iterator[_Span]:
    """Half open spans of pictures that may overlap the next: cut in the middle of each overlap."""
    ends = [min(a[1], b[1]) for a, b in itertools.pairwise(spans)]  # of overlaps
    cuts = [((after[0] + end) // 2 if after[0] < end else None) for end, after in zip(ends, spans[1:], strict=True)]
    for at, (first, stop) in enumerate(spans):
        before, after = (cuts[at - 1] if at else None), (cuts[at] if at < len(cuts) else None)
        reach = (0, 0) if before is None else (before - first, ends[at - 1] - before)
        yield _Span(first if before is None else before, stop if after is None else after, reach)


def _used(timeline: Timeline) -> dict[int, Fraction]:
    """How many seconds of a source are needed at least; of a photograph as long as it is seen."""
    used: dict[int, float] = {}
    for shot in timeline.shots:
        still = timeline.sources[shot.source].type == "image"
        used[shot.source] = max(used.get(shot.source, 0), shot.out_end - shot.out_start if still else shot.end)
    if (sound := timeline.sound) is not None:
        for clip in sound.clips:
            used[clip.source] = max(used.get(clip.source, 0), clip.start + clip.out_end - clip.out_start)
        if sound.music is not None:
            used[sound.music] = max([used.get(sound.music, 0), *(piece.end for piece in sound.pieces)])
    return {source: Fraction(seconds) for source, seconds in used.items()}


def _end(piece: MusicPiece) -> float:
    return piece.out_start + piece.end - piece.start


def _url(path: str | Path) -> str:
    return str(path) if "://" in str(path) else Path(path).absolute().as_uri()


def _length(path: str | Path) -> Fraction | None:
    """Seconds, where the file is here and tells."""
    if "://" in str(path):
        return None
    try:
        with av.open(f"file:{path}") as container:
            return None if container.duration is None else Fraction(container.duration, av.time_base)
    except (av.FFmpegError, OSError) as error:
        raise FileDecode(f"{Path(path).name} cannot be opened: {error.strerror or error}") from error


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))
