"""The steps of GenerateVideo."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidprod.actions.generate_video import GenerateVideoParams
from vidprod.actions.run import Context, Rendered
from vidprod.errors import FileCategory, FileContent, InvalidParameter
from vidprod.media.kinds import kind_of
from vidprod.media.picture import pending_jpeg
from vidprod.media.probe import VideoInfo, probe, seconds_of
from vidprod.media.writer import VideoWriter
from vidprod.ops.compose import Composition
from vidprod.ops.material import MaterialAnalysis, Member, Music, blamed, glances, hear
from vidprod.ops.render import analyse as run_analysis
from vidprod.ops.render import render as run_render
from vidprod.ops.soundtrack import soundtrack_of
from vidprod.ops.timeline import Kind, Source, Timeline
from vidprod.ops.timeline_plan import make_timeline
from vidprod.ops.timeline_reading import timeline_of

LONGEST = Fraction(180)
"""Seconds of video that are used, of all files together; the rest is left out."""

RATES = (Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30))
"""Pictures per second of results."""

_FASTEST, _SLOWEST = 33, 20  # pictures a second beyond which a source's rate is halved or doubled
_WORDS: dict[Kind, str] = {"video": "a video", "audio": "sound", "image": "a picture"}


def analyse(params: GenerateVideoParams, context: Context) -> Timeline:
    """Looks at all files, listens to the music, and makes the timeline.

    Raises:
        InvalidFile: of any file; the message begins with its place, `FileList.2`.
    """
    members = _members(params)
    analysis = MaterialAnalysis(members, context.device)
    found = run_analysis(glances(members, context.device), analysis, control=context.control, total=_total(members))
    if not found.takes:
        raise FileContent("FileList has nothing that can be shown")
    music = next((source for source, member in enumerate(members) if member.kind == "audio"), None)
    heard = Music() if music is None else hear(members[music].path)
    width, height = params.size
    return make_timeline(
        [Source(m.name, m.kind, found.backgrounds.get(source)) for source, m in enumerate(members)],
        found.takes,
        width=width,
        height=height,
        rate=_rate(members),
        seconds=params.seconds,
        scene=params.scene,
        style=params.style,
        transition_style=params.transition_style,
        smart_effect=params.smart_effect,
        puzzle_effect=params.puzzle_effect,
        mute=params.mute,
        beats=heard.beats,
        music=music if heard.seconds else None,
        music_seconds=heard.seconds,
        loudness=heard.loudness,
    )


def load_plan(data: dict[str, Any]) -> Timeline:
    """The plan that JSON holds."""
    return timeline_of(data)


def render(params: GenerateVideoParams, plan: Timeline, output: Path, context: Context) -> Rendered:
    """Composes the pictures, mixes the sound, and writes the cover.

    Raises:
        InvalidParameter: the plan is of other files.
    """
    members = _members(params)
    _check_sources(plan, members)
    paths = [member.path for member in members]
    infos = [member.info for member in members]
    like = VideoInfo.of_new(output, plan.width, plan.height, Fraction(plan.rate))
    cover = context.cover_beside(output)
    with ExitStack() as stack:
        starts = [Fraction(0) if info is None else info.start for info in infos]
        sound = soundtrack_of(plan, paths, starts, control=context.control)
        if sound is not None:
            stack.enter_context(sound)
        composition = stack.enter_context(
            Composition(plan, paths, device=context.device, batch=context.batch_of(like), infos=infos)
        )
        writer = VideoWriter(
            output,
            like=like,
            preset=context.settings.preset,
            sound=sound,
            device=context.device,
        )
        with writer:
            frames = run_render(iter(composition), [], writer, control=context.control, total=plan.pictures)
            if composition.cover is None:
                raise InvalidParameter(f"cover is {plan.cover}, must lie before the end")
            picture = stack.enter_context(pending_jpeg(cover, composition.cover))
        picture.commit()
        notes = (*_left_out(members), *writer.notes())
    return Rendered(frames, notes, cover)


def _members(params: GenerateVideoParams) -> list[Member]:
    """All files, each looked at: nothing is analysed before all of them are what they are said to be."""
    members, left = [], LONGEST
    for source, file in enumerate(params.file_list):
        path = Path(file.file_url)
        with blamed(source):
            kind = kind_of(path)
            if kind != file.type:
                raise FileCategory(f"{path.name} holds {_WORDS[kind]}, Type says {file.type}")
            info = probe(path) if kind == "video" else None
            member = Member(file.file_name, kind, path, info)
        if info is not None:
            length = seconds_of(info)
            if length > left:
                member = replace(member, until=left)
            left = max(left - Fraction(length).limit_denominator(1000), Fraction(0))
        members.append(member)
    return members


def _total(members: Sequence[Member]) -> int | None:
    """Pictures of all files, where all of them tell."""
    total = 0
    for member in members:
        if member.info is not None:
            if member.info.frame_count is None:
                return None
            rate = member.info.frame_rate or 0
            total += member.info.frame_count if member.until is None else round(member.until * rate)
        total += member.kind == "image"
    return total


def _rate(members: Sequence[Member]) -> Fraction:
    """The usual rate that is nearest to the longest video's, or to a half or a double of it; the highest without videos."""
    videos = [member.info for member in members if member.info is not None and member.info.frame_rate]
    if not videos:
        return RATES[-1]
    rate = Fraction(max(videos, key=seconds_of).frame_rate or RATES[-1])
    while rate > _FASTEST:
        rate /= 2
    while rate < _SLOWEST:
        rate *= 2
    return min(RATES, key=lambda usual: abs(usual - rate))


def _check_sources(plan: Timeline, members: Sequence[Member]) -> None:
    if [source.type for source in plan.sources] != [member.kind for member in members]:
        wanted = ", ".join(source.type for source in plan.sources)
        raise InvalidParameter(f"the plan is made of {wanted}; FileList holds {', '.join(m.kind for m in members)}")


def _left_out(members: Sequence[Member]) -> tuple[str, ...]:
    """What was not used, as there is more than three minutes of video."""
    return tuple(
        f"FileList.{source}: {f'only the first {float(member.until):.1f} seconds are' if member.until else 'is not'} used, "
        f"as there are more than {LONGEST} seconds of video"
        for source, member in enumerate(members, 1)
        if member.until is not None
    )
