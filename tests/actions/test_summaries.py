"""Both summaries through the Python API: exact lengths, sound in step, what must not be shown."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import vidprod
from tests.helpers import decode, write_clip
from vidprod.actions.run import Context
from vidprod.actions.steps.abstract_ecommerce_video import size
from vidprod.actions.steps.summary import rate_of
from vidprod.errors import InvalidParameter, InvalidParameterFormat, MissingParameter
from vidprod.media.probe import probe
from vidprod.ops.summary_plan import Stretch, SummaryPlan

RATE = 25


@pytest.fixture(scope="module")
def film(bikes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real shots and a second of black between them, with sound: 9 seconds."""
    pictures = [picture[::2, ::2] for picture in decode(bikes)]
    pictures = pictures[:100] + [np.zeros_like(pictures[0])] * 25 + pictures[140:240]
    folder = tmp_path_factory.mktemp("film")
    silent = write_clip(folder / "silent.mp4", pictures, rate=RATE)
    path = folder / "film.mp4"
    with av.open(str(silent)) as source, av.open(str(path), "w") as target:
        video = target.add_stream_from_template(source.streams.video[0])
        audio = target.add_stream("aac", rate=48000)
        audio.codec_context.layout = "mono"
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                target.mux(packet)
        tone = (0.3 * np.sin(np.arange(48000 * 9) / 20)).astype(np.float32)[None]
        for first in range(0, tone.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone[:, first : first + 1024]), "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, first, Fraction(1, 48000)
            target.mux(audio.encode(frame))
        target.mux(audio.encode(None))
    return path


def lengths(path: Path) -> tuple[float, float | None]:
    """Seconds of pictures and of sound."""
    with av.open(str(path)) as container:
        found = []
        for stream in (container.streams.video[0], *container.streams.audio[:1]):
            assert stream.duration is not None
            assert stream.time_base is not None
            found.append(float(stream.duration * stream.time_base))
    return found[0], found[1] if len(found) > 1 else None


def test_a_film_in_three_seconds(film: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    result = vidprod.abstract_film_video(video_url=str(film), length=3, output=output, device="cpu")
    pictures = decode(output)
    assert len(pictures) == 3 * RATE == result.timing.frames
    video, audio = lengths(output)
    assert video == pytest.approx(3, abs=0.001)
    assert audio == pytest.approx(3, abs=0.02)
    assert min(float(picture.mean()) for picture in pictures) > 12  # nothing of the black
    shots = result.plan["shots"]
    assert any(shot["reason"].startswith("black") for shot in shots) or len(shots) >= 3
    segments = result.plan["segments"]
    assert sum(one["end"] - one["start"] for one in segments) == pytest.approx(3)
    assert result.cover is None

    edited = json.loads(json.dumps(result.plan))
    edited["segments"] = [{"start": 1.0, "end": 1.4}]
    again = vidprod.abstract_film_video(video_url=str(film), length=3, output=tmp_path / "b.mp4", plan=edited)
    assert again.timing.frames == 10
    source = decode(film)
    np.testing.assert_allclose(decode(tmp_path / "b.mp4")[0], source[25], atol=40)
    assert abs(decode(tmp_path / "b.mp4")[0].astype(int) - source[25]).mean() < 3


def test_a_product_video_with_size_and_cover(film: Path, tmp_path: Path) -> None:
    output, cover = tmp_path / "out.mp4", tmp_path / "c.jpg"
    result = vidprod.abstract_ecommerce_video(
        video_url=str(film), duration=1.7, width=200, height=200, output=output, cover=cover, device="cpu"
    )
    assert len(decode(output)) == round(1.7 * RATE)
    made = probe(output)
    assert (made.width, made.height) == (200, 200)
    assert result.cover == cover
    assert set(tmp_path.iterdir()) == {output, cover}
    import cv2

    picture = cv2.imread(str(cover))
    assert picture is not None
    assert picture.shape == (200, 200, 3)
    assert picture.mean() > 12


def test_longer_than_the_input_is_the_whole_input(clip: Path, tmp_path: Path) -> None:
    short = write_clip(tmp_path / "in.mp4", decode(clip, 12))
    result = vidprod.abstract_ecommerce_video(video_url=str(short), duration=100, output=tmp_path / "out.mp4")
    assert result.timing.frames == 12
    assert result.data()["VideoCoverUrl"] == str(tmp_path / "out.jpg")


@pytest.mark.parametrize("duration", [100, 1e308])
def test_any_length_beyond_the_input_is_the_whole_input(clip: Path, tmp_path: Path, duration: float) -> None:
    short = write_clip(tmp_path / "in.mp4", decode(clip, 12))
    plan = {"rate": "25", "segments": [{"start": 0, "end": 0.2}]}
    result = vidprod.abstract_ecommerce_video(
        video_url=str(short), duration=duration, output=tmp_path / "out.mp4", plan=plan if duration == 100 else None
    )
    assert result.timing.frames == (5 if duration == 100 else 12)


def test_a_plan_is_shown_in_its_own_order(film: Path, tmp_path: Path) -> None:
    segments = [{"start": 6.0, "end": 6.4}, {"start": 1.0, "end": 1.4}, {"start": 1.2, "end": 1.6}]
    plan = {"rate": "25", "segments": segments, "cover": 1.3}
    output, board = tmp_path / "out.mp4", tmp_path / "out.png"
    vidprod.abstract_ecommerce_video(video_url=str(film), duration=1, output=output, plan=plan, storyboard=board)
    made, source = decode(output), decode(film)
    for at, number in ((0, 150), (9, 159), (10, 25), (19, 34), (20, 30), (29, 39)):
        assert abs(made[at].astype(int) - source[number]).mean() < 4, at
    assert lengths(output)[1] == pytest.approx(1.2, abs=0.02)
    assert {one.name for one in tmp_path.iterdir()} == {"out.mp4", "out.jpg", "out.png"}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"segments": [{"start": 1, "end": 1e8}]}, r"segments\[0\] ends at 1e\+08, the video at 9"),
        ({"cover": 5.0}, r"cover is 5.0, must lie in one of the segments"),
    ],
)
def test_a_plan_that_does_not_fit_leaves_nothing(
    film: Path, tmp_path: Path, change: dict[str, object], text: str
) -> None:
    plan = {"rate": "25", "segments": [{"start": 1.0, "end": 1.4}], "cover": 1.2, **change}
    with pytest.raises(InvalidParameter, match=text):
        vidprod.abstract_ecommerce_video(video_url=str(film), duration=1, output=tmp_path / "out.mp4", plan=plan)
    assert not list(tmp_path.iterdir())


def test_storyboards_are_refused_at_once(film: Path, tmp_path: Path) -> None:
    for name in ("board.jpg", "nowhere/board.png"):
        with pytest.raises(InvalidParameter, match="storyboard"):
            vidprod.abstract_film_video(
                video_url=str(film), length=3, output=tmp_path / "out.mp4", storyboard=tmp_path / name
            )
    with pytest.raises(InvalidParameter, match="picks nothing"):
        vidprod.run("EraseVideoSubtitles", {"video_url": str(film)}, storyboard=tmp_path / "b.png")


@pytest.mark.parametrize("shift", [0.0, 0.7])
@pytest.mark.parametrize("rate", [Fraction(60000, 1001), Fraction(24000, 1001)])
def test_pictures_that_start_late_stay_with_their_sound(tmp_path: Path, shift: float, rate: Fraction) -> None:
    """Every second a flash and a beep; they are together in the summary wherever the streams begin."""
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        video.codec_context.time_base = 1 / rate
        track = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        first = round(shift * rate)
        for number in range(first, round(4 * rate)):
            light = 235 if number / rate % 1 < 0.1 else 60
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), light, np.uint8), "rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        loud = (np.arange(48000 * 4) % 48000 < 4800) * (np.arange(48000 * 4) % 60 < 30) * 16000
        for at in range(0, len(loud), 1000):
            sound = av.AudioFrame.from_ndarray(loud[None, at : at + 1000].astype(np.int16), "s16", "mono")
            sound.sample_rate, sound.pts, sound.time_base = 48000, at, Fraction(1, 48000)
            container.mux(track.encode(sound))
        container.mux(track.encode(None))
    plan = {"rate": str(rate), "segments": [{"start": 1.75, "end": 2.5}, {"start": 2.75, "end": 3.5}]}
    result = vidprod.abstract_film_video(video_url=str(path), length=2, output=tmp_path / "out.mp4", plan=plan)
    assert result.timing.frames == pytest.approx(1.5 * rate, abs=1)
    bright = np.array([picture.mean() > 150 for picture in decode(tmp_path / "out.mp4")])
    with av.open(str(tmp_path / "out.mp4")) as container:
        heard = np.abs(np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], 1)[0]) > 0.1
    flashes = np.flatnonzero(np.diff(bright.astype(int)) == 1)[:2] + 1
    for flash, second in zip(flashes / float(rate), (0.25, 1.0), strict=True):
        assert flash == pytest.approx(second, abs=0.03)
        assert np.flatnonzero(heard[round((second - 0.1) * 48000) :])[0] / 48000 + second - 0.1 == pytest.approx(
            flash, abs=0.03
        )


@pytest.mark.parametrize(("rotation", "mirrored"), [(90, False), (180, False), (0, True), (270, True)])
def test_turned_and_mirrored_sources(clip: Path, tmp_path: Path, rotation: int, mirrored: bool) -> None:
    """The result, its cover and the storyboard's pictures are seen as the source is."""
    import cv2

    from vidprod.actions.steps import summary
    from vidprod.media.previews import pictures_at
    from vidprod.media.reader import VideoReader

    path = write_clip(tmp_path / "in.mp4", decode(clip, 20))
    info = replace(probe(path), rotation=rotation, mirrored=mirrored)
    plan = SummaryPlan("25", (), (Stretch(0.2, 0.6),), cover=0.2)
    with VideoReader(path, info=info, bits=8) as reader:
        source = next(iter(reader)).data[0].permute(1, 2, 0).numpy()
        (small,) = pictures_at(reader, [0.0], side=max(source.shape))
    assert small.shape == source.shape
    context = Context.make("cpu", cover=tmp_path / "c.jpg")
    summary.render_summary(info, plan, tmp_path / "out.mp4", context, cover=True)
    with VideoReader(tmp_path / "out.mp4", bits=8) as reader:
        made = next(iter(reader)).data[0].permute(1, 2, 0).numpy()
    with VideoReader(path, info=info, bits=8) as reader:
        wanted = np.concatenate([frames.data.permute(0, 2, 3, 1).numpy() for frames in reader])[5]
    cover = cv2.imread(str(tmp_path / "c.jpg"))
    assert cover is not None
    assert made.shape == wanted.shape == cover.shape
    assert abs(made.astype(int) - wanted).mean() < 5
    assert abs(cover[..., ::-1].astype(int) - wanted).mean() < 5


@pytest.mark.parametrize(
    ("rate", "made"), [(Fraction(1, 3), 1), (Fraction(90000), 1000), (None, 25), (Fraction(25), 25)]
)
def test_rates_that_a_plan_can_hold(clip: Path, rate: Fraction | None, made: int) -> None:
    assert rate_of(replace(probe(clip), frame_rate=rate)) == made


@pytest.mark.parametrize("kind", ["black", "one", "still"])
def test_videos_that_show_nothing_work(kind: str, clip: Path, tmp_path: Path) -> None:
    picture = decode(clip, 1)[0]
    pictures = {"black": [np.zeros_like(picture)] * 20, "one": [picture], "still": [picture] * 30}[kind]
    path = write_clip(tmp_path / "in.mp4", pictures)
    result = vidprod.abstract_ecommerce_video(video_url=str(path), duration=0.4, output=tmp_path / "out.mp4")
    assert result.timing.frames == min(10, len(pictures))


def test_as_long_as_the_film_is_too_long(film: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match=r"Length is 9, must be less than the video's 9\.\d+ seconds"):
        vidprod.abstract_film_video(video_url=str(film), length=9, output=tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("action", "given", "error"),
    [
        ("AbstractFilmVideo", {"Length": 1}, InvalidParameter),
        ("AbstractFilmVideo", {"Length": 2.5}, InvalidParameterFormat),
        ("AbstractFilmVideo", {}, MissingParameter),
        ("AbstractEcommerceVideo", {"Duration": 0}, InvalidParameter),
        ("AbstractEcommerceVideo", {"Duration": float("inf")}, InvalidParameter),
        ("AbstractEcommerceVideo", {"Duration": 5, "Width": 31}, InvalidParameter),
        ("AbstractEcommerceVideo", {"Duration": 5, "Height": 2161}, InvalidParameter),
    ],
)
def test_what_is_refused_at_once(action: str, given: dict[str, float], error: type[Exception]) -> None:
    from vidprod.actions import ACTIONS

    with pytest.raises(error):
        ACTIONS[action].params.parse({"VideoUrl": "in.mp4", **given})


def test_sizes(bikes: Path) -> None:
    info = probe(bikes)  # 640x272
    assert size(info, None, None) == (640, 272)
    assert size(info, 320, None) == (320, 136)
    assert size(info, None, 136) == (320, 136)
    assert size(info, 100, 300) == (100, 300)
    assert size(info, 2160, None) == (1300, 552)
    assert size(info, 2160, 2160) == (1300, 1300)
