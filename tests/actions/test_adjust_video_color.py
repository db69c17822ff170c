from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

import vidprod
from tests.helpers import decode, psnr, write_clip
from tests.helpers import vidprod as command
from vidprod.actions.adjust_video_color import SPEC, AdjustVideoColorParams
from vidprod.actions.run import Context, run
from vidprod.actions.steps import adjust_video_color as steps
from vidprod.errors import InvalidParameter, MissingParameter, VidprodError
from vidprod.media.color import ColorTags
from vidprod.media.frames import Frames
from vidprod.media.probe import probe
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter
from vidprod.ops.cube import write_cube
from vidprod.ops.log_curves import LOG_CURVES
from vidprod.ops.log_look import rec709_to_log
from vidprod.ops.lut import Lut3D
from vidprod.ops.lut_apply import LutFilter
from vidprod.settings import Settings

REC709 = ColorTags(1, 1, 1, 1)


@pytest.fixture(scope="module")
def short(bunny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures of a real film, made small; with a tone."""
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    with (
        VideoReader(bunny, stop=8) as reader,
        VideoWriter(
            path, like=reader.info, width=320, height=180, audio_from=bunny, preset="ultrafast", crf=12
        ) as writer,
    ):
        for frames in reader:
            small = torch.nn.functional.interpolate(frames.data.float(), (180, 320), mode="area")
            writer.write(frames.with_data(small.round().to(torch.uint8)))
    return path


@pytest.fixture(scope="module")
def log(short: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, as a camera would have recorded it: LogC3 in ten-bit ProRes."""
    return as_log(short, tmp_path_factory.mktemp("log") / "log.mov", "logc3")


def as_log(source: Path, target: Path, curve: str, *, metadata: dict[str, str] | None = None, **options: Any) -> Path:
    table = LutFilter(Lut3D.of(lambda c: rec709_to_log(c, LOG_CURVES[curve]), 65))
    options = {"codec": "prores", "color": REC709, "audio_from": source, **options}
    with (
        VideoReader(source, bits=16) as reader,
        VideoWriter(target, like=reader.info, metadata=metadata, **options) as to,
    ):
        for frames in reader:
            to.write(frames.with_data(table(frames.data)))
    return target


def adjust(
    video: Path, output: Path, *, settings: dict[str, Any] | None = None, plan: Any = None, **params: Any
) -> Any:
    checked = AdjustVideoColorParams.parse({"video_url": str(video), "mode": "LogC", **params})
    context = Context.make("cpu", settings=Settings(preset="ultrafast", **(settings or {})))
    return run(SPEC, checked, output, context, plan=plan)


def test_log_footage_comes_back_as_it_was_shot(short: Path, log: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mov"
    result = adjust(log, output, video_bitrate="8M")
    assert result.plan["lut"] == "logc3"
    (shot,) = result.plan["shots"]
    assert (shot["start"], shot["exposure"]) == (0, 0)
    assert any("does not tell its log curve" in note for note in result.notes)
    assert not any("8 bits" in note for note in result.notes)
    after = probe(output)
    assert (after.codec, after.bits, after.color, len(after.audio)) == ("h264", 10, REC709, 1)
    for want, flat, got in zip(decode(short), decode(log), decode(output), strict=True):
        assert psnr(want, got) > 30
        assert psnr(want, flat) < 22
    assert list(tmp_path.iterdir()) == [output]


def test_times_are_kept(log: Path, tmp_path: Path) -> None:
    adjust(log, tmp_path / "out.mov")
    found = []
    for path in (log, tmp_path / "out.mov"):
        with av.open(str(path)) as container:
            found.append([f.pts * f.time_base for f in container.decode(video=0) if f.pts is not None and f.time_base])
    assert len(found[0]) == len(found[1]) == 8
    assert max(abs(a - b) for a, b in zip(*found, strict=True)) <= Fraction(1, 1000)


@pytest.mark.parametrize(("tag", "curve"), [("com.arri.camera.ColorGammaSxS=LOG-C", "logc3"), ("x.gamma=LogC4", "logc4"),
                                            ("com.apple.proapps.customgamma=com.panasonic.vlog", "vlog"),
                                            ("com.apple.proapps.customgamma=com.sony.s-log3", "slog3")])  # fmt: skip
def test_the_file_s_own_word_counts(tag: str, curve: str) -> None:
    from vidprod.media.camera import recorded_curve

    name, value = tag.split("=")
    assert recorded_curve({name.lower(): value, "title": "My vlog"}) == curve
    assert recorded_curve({"title": "My vlog", "comment": "LOG-C", "gamma": "2.4"}) is None


def test_tags_of_real_files_and_the_setting(short: Path, log: Path, tmp_path: Path) -> None:
    tagged = tmp_path / "tagged.mov"
    with av.open(str(log)) as source, av.open(str(tagged), "w", options={"movflags": "use_metadata_tags"}) as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        target.metadata.update({"com.arri.camera.ColorGammaSxS": "LOG-C4", "title": "Scene 7"})
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    result = adjust(tagged, tmp_path / "a.mov")
    assert result.plan["lut"] == "logc4"
    assert not any("does not tell" in note for note in result.notes)
    with av.open(str(tmp_path / "a.mov")) as container:
        assert container.metadata["title"] == "Scene 7"
        assert not any("gamma" in name.lower() for name in container.metadata)
    assert adjust(tagged, tmp_path / "b.mov", settings={"log_curve": "vlog"}).plan["lut"] == "vlog"
    ordinary = adjust(tagged, tmp_path / "c.mov", mode="Rec709")
    assert any("the mode LogC is made for that" in note for note in ordinary.notes)


def test_eight_bits_of_log_are_warned_of(short: Path, tmp_path: Path) -> None:
    flat = as_log(short, tmp_path / "flat.mp4", "logc3", codec="h264", pix_fmt="yuv420p", crf=8)
    result = adjust(flat, tmp_path / "out.mp4")
    assert any("only 8 bits" in note for note in result.plan["notes"])
    assert any("only 8 bits" in note for note in result.notes)
    assert probe(tmp_path / "out.mp4").bits == 8
    for want, got in zip(decode(short), decode(tmp_path / "out.mp4"), strict=True):
        assert psnr(want, got) > 28


@pytest.mark.parametrize(
    ("params", "suffix", "codec", "pix_fmt"),
    [
        ({}, ".mov", "h264", "yuv420p"),
        ({"video_format": "mp4"}, ".mp4", "h264", "yuv420p"),
        ({"video_codec": "hevc", "video_format": "mp4"}, ".mp4", "hevc", "yuv420p"),
        ({"video_codec": "prores"}, ".mov", "prores", "yuv422p10le"),
    ],
)
def test_codecs_and_formats(
    short: Path, tmp_path: Path, params: dict[str, Any], suffix: str, codec: str, pix_fmt: str
) -> None:
    checked = AdjustVideoColorParams.parse({"VideoUrl": str(short), "Mode": "Rec709", **params})
    assert SPEC.suffix_of(checked) == suffix
    result = adjust(short, tmp_path / f"out{suffix}", mode="Rec709", **params)
    after = probe(result.video)
    assert (after.codec, after.pix_fmt) == (codec, pix_fmt)
    assert after.color.resolved(180) == probe(short).color.resolved(180)
    assert len(after.audio) == 1


def test_the_name_decides_where_no_format_was_asked_for(short: Path, tmp_path: Path) -> None:
    adjust(short, tmp_path / "out.mp4", mode="Rec709")
    assert "mp4" in probe(tmp_path / "out.mp4").container
    with pytest.raises(InvalidParameter, match=r"must end in \.mov$"):
        adjust(short, tmp_path / "other.mp4", mode="Rec709", video_format="mov")
    with pytest.raises(InvalidParameter, match=r"must end in \.mov or \.mp4"):
        adjust(short, tmp_path / "other.mkv", mode="Rec709")


@pytest.mark.parametrize(
    ("value", "rate"),
    [("15000k", 15_000_000), ("15M", 15_000_000), ("8m", 8_000_000), ("20", 20_000_000), (20, 20_000_000),
     (200, 200_000_000), ("800000", 800_000), (5_000_000, 5_000_000)],
)  # fmt: skip
def test_bit_rates(value: str | int, rate: int) -> None:
    params = AdjustVideoColorParams.parse({"VideoUrl": "a.mp4", "Mode": "LogC", "VideoBitrate": value})
    assert params.bit_rate == rate
    assert params.video_bitrate == value


@pytest.mark.parametrize(
    "value", ["0", "05M", "-5", "15 M", "15MB", "fast", "1e6", 0, -3, "2k", "201", 9999, "9999M", "5" * 40, True]
)
def test_bit_rates_that_are_none(value: Any) -> None:
    with pytest.raises(InvalidParameter, match="VideoBitrate is"):
        AdjustVideoColorParams.parse({"VideoUrl": "a.mp4", "Mode": "LogC", "VideoBitrate": value})


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({}, MissingParameter, "Mode is required"),
        ({"Mode": "logc"}, InvalidParameter, "Mode is 'logc': input should be 'LogC' or 'Rec709'"),
        ({"Mode": "LogC", "VideoCodec": "vp9"}, InvalidParameter, "VideoCodec is 'vp9'"),
        ({"Mode": "LogC", "VideoFormat": "avi"}, InvalidParameter, "VideoFormat is 'avi'"),
        ({"Mode": "LogC", "VideoCodec": "prores", "VideoFormat": "mp4"}, InvalidParameter, "MP4 cannot hold"),
        ({"Mode": "LogC", "VideoBitrate": [5]}, VidprodError, "VideoBitrate"),
        ({"Mode": "LogC", "Strength": 1}, InvalidParameter, "not a parameter"),
    ],
)
def test_wrong_parameters(values: dict[str, Any], error: type[VidprodError], message: str) -> None:
    with pytest.raises(error, match=message):
        AdjustVideoColorParams.parse({"VideoUrl": "a.mp4", **values})


def test_the_bit_rate_is_the_inputs_unless_given(bikes: Path, tmp_path: Path) -> None:
    source = probe(bikes)
    assert source.bit_rate is not None
    plain = adjust(bikes, tmp_path / "a.mp4", plan={})
    small = adjust(bikes, tmp_path / "b.mp4", plan={}, video_bitrate="200000")
    assert probe(plain.video).bit_rate == pytest.approx(source.bit_rate, rel=0.25)
    assert probe(small.video).bit_rate == pytest.approx(200_000, rel=0.25)
    assert plain.plan == {"lut": "", "shots": [], "notes": []}


def test_each_shot_has_a_grade_and_the_plan_can_be_edited(bikes: Path, tmp_path: Path) -> None:
    context = Context.make("cpu", settings=Settings(preset="ultrafast"))
    params = AdjustVideoColorParams.parse({"video_url": str(bikes), "mode": "Rec709"})
    plan = steps.analyse(params, context)
    assert len(plan.shots) == 6
    data = json.loads(json.dumps(plan.to_dict()))
    assert {"start", "end", "exposure", "temperature", "contrast", "saturation"} <= data["shots"][0].keys()
    for shot in data["shots"]:
        shot["saturation"] = 0.0
    result = adjust(bikes, tmp_path / "out.mov", plan=data)
    assert result.plan == data
    for picture in decode(result.video)[::50]:
        assert int(np.ptp(picture.astype(int), axis=-1).max()) <= 4


def test_larger_pictures_are_scaled_down(tmp_path: Path) -> None:
    wide = tmp_path / "wide.mp4"
    row = np.linspace(0, 255, 4096).astype(np.uint8)
    write_clip(wide, [np.repeat(np.repeat(row[None, :, None], 130, 0), 3, 2)] * 2)
    adjust(wide, tmp_path / "out.mov", plan={})
    after = probe(tmp_path / "out.mov")
    assert (after.width, after.height) == (3840, 122)
    (first, _) = decode(tmp_path / "out.mov")
    assert abs(int(first[60, 1920, 0]) - 128) <= 4


def test_hdr_becomes_rec709(short: Path, tmp_path: Path) -> None:
    """A grey card is at 0.38 in HLG."""
    hlg = tmp_path / "hlg.mp4"
    info = probe(short)
    tags = ColorTags(1, 9, 9, 18)
    with VideoWriter(hlg, like=info, width=64, height=64, codec="hevc", pix_fmt="yuv420p10le", color=tags) as writer:
        writer.write(Frames(torch.full((6, 3, 64, 64), 24773).to(torch.uint16), tuple(range(6)), Fraction(1, 25)))
    assert probe(hlg).color.is_hdr
    result = adjust(hlg, tmp_path / "out.mov", mode="Rec709")
    assert result.plan["lut"] == "hlg"
    assert any("HDR video" in note for note in result.notes)
    assert probe(result.video).color == REC709
    assert probe(result.video).bits == 10
    neutral = adjust(hlg, tmp_path / "plain.mov", plan={"lut": "hlg"})
    assert abs(int(decode(neutral.video)[0][32, 32, 0]) - 102) <= 2


def test_a_graded_ramp_has_no_bands_that_the_source_had_not(tmp_path: Path) -> None:
    """A slow ten-bit ramp, twice as steep afterwards: every part of it stays where it should be, also in eight bits."""
    from vidprod.ops.grade_plan import GradedShot, grade

    source = tmp_path / "ramp.mov"
    ramp = torch.linspace(0.35, 0.42, 512, dtype=torch.float64)
    data = (ramp * 65535).round().to(torch.int32)[None, None, None, :].expand(3, 3, 128, -1).to(torch.uint16)
    write_clip(tmp_path / "like.mp4", [np.zeros((128, 512, 3), np.uint8)] * 2)
    like = probe(tmp_path / "like.mp4")
    with VideoWriter(source, like=like, codec="prores", color=REC709) as writer:
        writer.write(Frames(data, (0, 1, 2), Fraction(1, 25)))
    shot = GradedShot(0.0, 0.12, 0, 3, white=0.6)
    plan = {"shots": [{"start": 0.0, "end": 0.12, "first": 0, "stop": 3, "white": 0.6}]}
    want = grade(ramp[:, None].repeat(1, 3), shot)[:, 0].numpy()
    for codec in ("prores", "h264"):
        result = adjust(source, tmp_path / f"{codec}.mov", plan=plan, video_codec=codec, video_bitrate=100)
        with VideoReader(result.video, bits=16) as reader:
            got = next(iter(reader)).data[0, 1].double().numpy() / 65535
        means = got.mean(0).reshape(-1, 8).mean(1)
        assert abs(means - want.reshape(-1, 8).mean(1)).max() < 1.2 / 1023, codec


def test_a_table_of_one_s_own(short: Path, tmp_path: Path) -> None:
    write_cube(tmp_path / "swap.cube", Lut3D.of(lambda c: c.flip(-1), 2))
    result = vidprod.run(
        "AdjustVideoColor",
        {"video_url": str(short)},
        lut=tmp_path / "swap.cube",
        output=tmp_path / "a.mp4",
        device="cpu",
    )
    assert result.plan["lut"] == str(tmp_path / "swap.cube")
    for before, after in zip(decode(short), decode(result.video), strict=True):
        assert psnr(before[..., ::-1], after) > 30
    other = vidprod.apply_lut(short, tmp_path / "swap.cube", tmp_path / "b.mov", video_codec="prores", device="cpu")
    assert probe(other.video).codec == "prores"
    (tmp_path / "bad.cube").write_text("LUT_3D_SIZE 2\n0 0 zero\n")
    with pytest.raises(InvalidParameter, match=r"LUT bad\.cube, line 2: "):
        vidprod.apply_lut(short, tmp_path / "bad.cube", tmp_path / "c.mov", device="cpu")
    with pytest.raises(InvalidParameter, match="exclude each other"):
        vidprod.apply_lut(short, tmp_path / "swap.cube", tmp_path / "c.mov", plan={})
    with pytest.raises(InvalidParameter, match="applies no look-up tables"):
        vidprod.run("SuperResolveVideo", {"video_url": str(short)}, lut="a.cube", output=tmp_path / "c.mp4")
    assert not (tmp_path / "c.mov").exists()


def test_on_the_command_line(short: Path, tmp_path: Path) -> None:
    write_cube(tmp_path / "swap.cube", Lut3D.of(lambda c: c.flip(-1), 2))
    common = ("adjust-video-color", short, "--device", "cpu", "-o")
    done = command(*common, tmp_path / "a.mp4", "--lut", tmp_path / "swap.cube", "--video-bitrate", "4000k")
    assert done.returncode == 0, done.stderr
    assert psnr(decode(short)[3][..., ::-1], decode(tmp_path / "a.mp4")[3]) > 28
    failed = command(*common, tmp_path / "b.mp4")
    assert (failed.returncode, failed.stderr) == (2, "MissingParameter: Mode is required\n")
    assert not (tmp_path / "b.mp4").exists()


def test_the_default_name_has_the_format(short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = vidprod.run(
        "AdjustVideoColor", {"VideoUrl": str(short), "Mode": "LogC", "VideoFormat": "mp4"}, device="cpu", plan={}
    )
    assert result.video == Path("short-adjust-video-color.mp4")


# --- groups, and what the analysis saw ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(bikes: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same shot twice, once as it is and once dark and blue."""
    folder = tmp_path_factory.mktemp("pair")
    pictures = [picture[::2, ::2] for picture in decode(bikes, 20)]
    dark = [(picture * np.array([0.55, 0.6, 0.85])).astype(np.uint8) for picture in pictures]
    return [write_clip(folder / "plain.mp4", pictures), write_clip(folder / "dark.mp4", dark)]


def test_a_group_is_graded_together(pair: list[Path], tmp_path: Path) -> None:
    outputs = [tmp_path / path.name for path in pair]
    results = vidprod.adjust_video_color_group(pair, outputs, device="cpu")
    assert [result.video for result in results] == outputs
    before, after = ([np.mean(decode(path), (0, 1, 2)) for path in paths] for paths in (pair, outputs))
    assert np.abs(after[0] - after[1]).max() < 0.6 * np.abs(before[0] - before[1]).max()


def test_a_group_on_the_command_line(pair: list[Path], tmp_path: Path) -> None:
    done = command("adjust-video-color-group", *pair, "-o", tmp_path, "--video-format", "mp4", "--quiet")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dark.mp4", "plain.mp4"]
    done = command("adjust-video-color-group", pair[0], pair[0], "-o", tmp_path)
    assert done.returncode == 2
    assert "two inputs have the same name" in done.stderr


def test_a_group_needs_an_output_for_each(pair: list[Path]) -> None:
    with pytest.raises(InvalidParameter, match="a group needs videos and as many outputs, got 2 and 1"):
        vidprod.adjust_video_color_group(pair, ["a.mov"])


def test_debug_shows_before_and_after(pair: list[Path], tmp_path: Path) -> None:
    seen = tmp_path / "seen.png"
    vidprod.adjust_video_color(
        video_url=str(pair[1]), mode="Rec709", output=tmp_path / "out.mov", debug=seen, device="cpu"
    )
    import cv2

    picture = cv2.imread(str(seen))
    assert picture is not None
    assert picture.shape[0] > 180
    assert picture.std() > 20
    with pytest.raises(InvalidParameter, match=r"debug 'seen.mp4' must end in \.png"):
        vidprod.adjust_video_color(
            video_url=str(pair[1]), mode="Rec709", output=tmp_path / "b.mov", debug=tmp_path / "seen.mp4", device="cpu"
        )
