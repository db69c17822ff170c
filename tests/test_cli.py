from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import decode, png, vidprod, write_clip
from vidprod import cli, weights
from vidprod.media.probe import probe


@pytest.fixture(scope="module")
def tiny(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.mp4"
    return write_clip(path, decode(clip, 4))


def run(*arguments: str | Path) -> int:
    """The command line within this process (a new one would spend seconds on imports)."""
    with pytest.raises(SystemExit) as caught:
        cli.main([str(a) for a in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_the_documented_command(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, plan = tmp_path / "out.mp4", tmp_path / "plan.json"
    assert run("super-resolve-video", tiny, "-o", out, "--bit-rate", "8", "--plan", plan, "--device", "cpu") == 0
    assert probe(out).width == 2 * probe(tiny).width
    assert json.loads(plan.read_text())["scale"] == 2
    assert "frames in" in capsys.readouterr().err
    again = tmp_path / "again.mp4"
    assert run("super-resolve-video", tiny, "-o", again, "--from-plan", plan, "--quiet", "--device", "cpu") == 0
    assert capsys.readouterr().err == ""
    assert probe(again).frame_count == probe(out).frame_count


def test_the_clouds_own_spelling(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    assert run("SuperResolveVideo", "--VideoUrl", tiny, "--BitRate", "8", "-o", out, "--quiet", "--device", "cpu") == 0
    assert out.exists()


def test_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models") == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("span-x2", "span-x2-adaptive", "Apache-2.0"))


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("super-resolve-video", "--help") == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("--bit-rate", "1 to 100", "--from-plan", "--device", "--model", "--quiet"))


@pytest.fixture
def bad(tmp_path: Path, tiny: Path) -> dict[str, Path]:
    """Files that are no good, by what is wrong with them."""
    files = {
        name: tmp_path / f"{name}.mp4" for name in ("empty", "text", "headless", "picture", "sound", "small", "large")
    }
    files["absent"] = tmp_path / "absent.mp4"
    files["folder"] = tmp_path
    files["empty"].touch()
    files["text"].write_text("this is not a video\n" * 50)
    write_clip(files["headless"], [np.full((64, 64, 3), i, np.uint8) for i in range(30)])
    whole = files["headless"].read_bytes()
    files["headless"].write_bytes(whole[: len(whole) // 2])
    files["picture"].write_bytes(png(np.zeros((64, 64, 3), np.uint8)))
    write_clip(files["small"], [np.zeros((32, 32, 3), np.uint8)] * 3)
    write_clip(files["large"], [np.zeros((1088, 1920, 3), np.uint8)] * 2)
    import av

    with av.open(str(files["sound"]), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return files


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("absent", "InvalidFile.Download"),
        ("folder", "InvalidFile.Download"),
        ("empty", "InvalidFile.Decode"),
        ("text", "InvalidFile.Decode"),
        ("headless", "InvalidFile.Decode"),
        ("picture", "InvalidFile.Category"),
        ("sound", "InvalidFile.Category"),
        ("small", "InvalidFile.Resolution"),
        ("large", "InvalidFile.Resolution"),
    ],
)
def test_bad_files_end_with_one_line_and_no_output(
    name: str, code: str, bad: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(tmp_path.iterdir())
    assert run("super-resolve-video", bad[name], "-o", tmp_path / "out.mp4", "--device", "cpu") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{code}: ")
    assert error.count("\n") == 1
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--bit-rate", "0"], "InvalidParameter", "greater than or equal to 1"),
        (["--bit-rate", "101"], "InvalidParameter", "less than or equal to 100"),
        (["--bit-rate", "fast"], "InvalidParameter", "fast"),
        (["--modle", "x"], "InvalidParameter", "modle"),
        (["--model", "no-such-net"], "InvalidParameter", "span-x2"),
        (["--device", "cuda:99"], "InvalidParameter", "cuda:99"),
        (["--device", "gpu"], "InvalidParameter", "auto"),
        (["--from-plan", "/no/such/plan.json"], "InvalidParameter", "plan.json"),
    ],
)
def test_bad_options_end_with_one_line_and_no_output(
    options: list[str], code: str, words: str, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = [] if "--device" in options else ["--device", "cpu"]
    assert run("super-resolve-video", tiny, "-o", tmp_path / "out.mp4", *device, *options) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{code}: ")
    assert words in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_named(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, name in (([], "IN"), ([tiny], "output")):
        assert run("super-resolve-video", *arguments) == 2
        assert capsys.readouterr().err.startswith(f"MissingParameter: {name} is required")


def test_an_output_folder_that_is_not_there(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("super-resolve-video", tiny, "-o", tmp_path / "no" / "out.mp4", "--device", "cpu") == 2
    assert capsys.readouterr().err.startswith("InternalServerError: ")


def test_damaged_weights(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in weights.FOLDER.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    damaged = bytearray((tmp_path / "span-x2.safetensors").read_bytes())
    damaged[5000] ^= 1
    (tmp_path / "span-x2.safetensors").write_bytes(damaged)
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    weights.path.cache_clear()
    try:
        assert run("super-resolve-video", tiny, "-o", tmp_path / "out.mp4", "--device", "cpu") == 2
    finally:
        weights.path.cache_clear()
    assert capsys.readouterr().err.startswith("InternalServerError.Model: ")
    assert not list(tmp_path.glob("*out*"))


def test_a_failed_run_leaves_an_earlier_result_alone(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    assert run("super-resolve-video", tiny, "-o", out, "--model", "no-such-net", "--device", "cpu") == 2
    assert out.read_bytes() == b"precious"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_nothing_behind(number: signal.Signals, bikes: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "vidprod", "super-resolve-video", str(bikes), "-o", str(tmp_path / "out.mp4")],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "VIDPROD_DEVICE": "cpu"},
    )
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)  # until rendering has begun
        assert list(tmp_path.iterdir()), "rendering did not begin"
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert error.splitlines()[-1] == "Cancelled: nothing was written"
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_as_a_program(tmp_path: Path) -> None:
    done = vidprod("super-resolve-video", tmp_path / "absent.mp4", "-o", tmp_path / "out.mp4")
    assert done.returncode == 2
    assert done.stderr.startswith("InvalidFile.Download: ")
    assert done.stdout == ""
