from __future__ import annotations

import functools
import http.server
import inspect
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import vidprod
from tests.actions.gather_steps import STANDIN
from tests.helpers import decode, write_clip
from tests.serving import site
from vidprod.control import Progress
from vidprod.errors import Cancelled, FileDownload, FileURL, InvalidParameter, MissingParameter
from vidprod.storage.fetch import fetched


@pytest.fixture(scope="module")
def tiny(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.mp4"
    return write_clip(path, decode(clip, 4))


def test_call_takes_the_clouds_names_and_returns_its_data(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for expected in ("tiny-super-resolve-video.mp4", "tiny-super-resolve-video-2.mp4"):
        data = vidprod.call("SuperResolveVideo", VideoUrl=str(tiny), BitRate=8, device="cpu")
        assert data == {"VideoUrl": expected}
        assert (tmp_path / expected).exists()


def test_signatures_are_those_of_the_registry() -> None:
    parameters = inspect.signature(vidprod.super_resolve_video).parameters
    assert list(parameters)[:2] == ["video_url", "bit_rate"]
    assert parameters["video_url"].default is inspect.Parameter.empty
    assert parameters["bit_rate"].default is None
    assert "Mbit/s" in (vidprod.super_resolve_video.__doc__ or "")


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="SuperResolveVideo"):
        vidprod.call("MakeCoffee")
    with pytest.raises(MissingParameter, match="VideoUrl"):
        vidprod.call("SuperResolveVideo")
    with pytest.raises(AttributeError):
        vidprod.make_coffee  # type: ignore[attr-defined]  # noqa: B018


def test_progress_covers_both_stages_and_cancelling_stops(tiny: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    vidprod.super_resolve_video(video_url=str(tiny), output=tmp_path / "a.mp4", device="cpu", progress=seen.append)
    assert {p.stage for p in seen} == {"analyse", "render"}
    with pytest.raises(Cancelled):
        vidprod.super_resolve_video(
            video_url=str(tiny), output=tmp_path / "b.mp4", device="cpu", cancelled=lambda: True
        )
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


@pytest.fixture
def website(tiny: Path) -> Iterator[str]:
    """A web server over the folder of the clip."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tiny.parent)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_url_is_fetched(website: str, tiny: Path) -> None:
    with fetched(f"{website}/tiny.mp4?token=1") as path:
        assert path.read_bytes() == tiny.read_bytes()
    assert not path.exists()


def test_a_url_that_does_not_answer(website: str) -> None:
    with pytest.raises(FileDownload, match="404"), fetched(f"{website}/absent.mp4"):
        pass
    with pytest.raises(FileDownload), fetched("http://127.0.0.1:9/absent.mp4"):
        pass


@pytest.mark.parametrize("url", ["ftp://host/a.mp4", "http://", "http://host/视频.mp4", "file:///etc/passwd"])
def test_what_is_not_a_valid_url(url: str) -> None:
    with pytest.raises(FileURL), fetched(url):
        pass


# --- lists of files ---------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `one.mp4`, `two.png` and `three.wav`, which hold their names, and stand-ins for the steps of GenerateVideo."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("one.mp4", "two.png", "three.wav"):
        (folder / name).write_text(name, encoding="utf-8")
    monkeypatch.setattr("vidprod.actions.naming.ACTIONS", {"GenerateVideo": STANDIN})
    return folder


def test_files_of_a_list_come_to_the_steps(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with site(files) as url:
        named = {"FileName": "music", "FileUrl": files / "three.wav", "Type": "audio"}
        result = vidprod.run("GenerateVideo", {"file_list": [f"{url}/one.mp4?key=1", files / "two.png", named]})
    assert result.plan["names"] == ["one.mp4", "two.png", "music"]
    assert result.plan["types"] == ["video", "image", "audio"]
    assert result.plan["contents"] == ["one.mp4", "two.png", "three.wav"]
    assert result.data() == {"VideoUrl": "one-generate-video.mp4", "VideoCoverUrl": "one-generate-video.jpg"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files", *sorted(result.data().values())]


def test_the_clouds_names_for_lists_of_files(files: Path, tmp_path: Path) -> None:
    member = {"FileName": "a", "FileUrl": str(files / "two.png"), "Type": "image"}
    data = vidprod.call("GenerateVideo", FileList=[member], Width=64, output=tmp_path / "out.mp4")
    assert json.loads(Path(data["VideoUrl"]).read_text())["size"] == [64, 64]


def test_a_picture_of_the_plan_gets_all_files_and_the_result(files: Path, tmp_path: Path) -> None:
    board = tmp_path / "board.png"
    material = [files / "two.png", files / "three.wav"]
    vidprod.run("GenerateVideo", {"file_list": material}, output=tmp_path / "out.mp4", storyboard=board)
    drawn = {"names": ["two.png", "three.wav"], "contents": ["two.png", "three.wav"], "video": "out.mp4"}
    assert json.loads(board.read_text()) == drawn


def test_raw_material_is_not_overwritten(files: Path, tmp_path: Path) -> None:
    """The cover goes beside the output: with `two.jpg` in the list, `two.mp4` would replace that photograph by it."""
    (files / "two.jpg").write_text("two.jpg", encoding="utf-8")
    material = {"file_list": [files / "one.mp4", files / "two.jpg"]}
    with pytest.raises(InvalidParameter, match=r"^cover '.*two\.jpg' would overwrite an input file"):
        vidprod.run("GenerateVideo", material, output=files / "two.mp4")
    with pytest.raises(InvalidParameter, match=r"^output '.*one\.mp4' would overwrite an input file"):
        vidprod.run("GenerateVideo", material, output=files / ".." / files.name / "one.mp4")
    with pytest.raises(InvalidParameter, match=r"^cover '.*\.mp4' is also output"):
        vidprod.run("GenerateVideo", material, output=tmp_path / "out.mp4", cover=tmp_path / "out.mp4")
    assert (files / "one.mp4").read_text() == "one.mp4"
    assert (files / "two.jpg").read_text() == "two.jpg"


def test_one_bad_file_among_good_ones(files: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    material = [files / "one.mp4", files / "none.png"]
    with pytest.raises(FileDownload, match=r"^FileList\.2\.FileUrl: .*none\.png: No such file"):
        vidprod.run("GenerateVideo", {"file_list": material}, output=output)
    with site(files) as url, pytest.raises(FileDownload, match=r"^FileList\.1\.FileUrl: .*404"):
        vidprod.run("GenerateVideo", {"file_list": [f"{url}/none.png", files / "one.mp4"]}, output=output)
    assert not output.exists()
