"""The client against a real server, and against servers that misbehave."""

from __future__ import annotations

import http.server
import inspect
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import vidprod
from tests.helpers import decode
from tests.serving import KEY, OTHER_KEY, OTHER_SECRET, SECRET, Server
from vidprod.client import flattened
from vidprod.connection import documented_error
from vidprod.errors import FileCategory, FileDownload, InternalError, InvalidParameter, MissingParameter, VidprodError
from vidprod.jobs.status import JobStatus
from vidprod.service.errors import SignatureMismatch, Throttled, Unavailable
from vidprod.settings import settings
from vidprod.storage.errors import AccessDenied

# --- against a real server --------------------------------------------------------------------------------------------


def test_a_local_file_goes_there_and_comes_back(server: Server, inputs: Path, tmp_path: Path) -> None:
    seen: list[vidprod.JobAnswer] = []
    with server.client() as client:
        result = client.super_resolve_video(
            video_url=str(inputs / "six.mp4"), bit_rate=8, output=tmp_path / "out.mp4", timeout=90, progress=seen.append
        )
    assert result.video == tmp_path / "out.mp4"
    assert [picture.shape for picture in decode(result.video)] == [(128, 192, 3)] * 6
    assert list(tmp_path.iterdir()) == [result.video]
    assert seen[-1].status is JobStatus.PROCESS_SUCCESS
    assert seen[-1].result == result.links


def test_a_url_is_for_the_server_to_fetch(server: Server, inputs_url: str) -> None:
    with server.client() as client:
        data = client.call("SuperResolveVideo", VideoUrl=f"{inputs_url}/six.mp4")
    assert list(data) == ["VideoUrl"]
    assert data["VideoUrl"].startswith(server.url)


def test_the_python_function_and_the_client_make_the_same_pictures(
    server: Server, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDPROD_PRESET", "ultrafast")  # as the server has it
    settings.cache_clear()
    here = vidprod.super_resolve_video(video_url=str(inputs / "six.mp4"), output=tmp_path / "here.mp4", device="cpu")
    with server.client() as client:
        there = client.super_resolve_video(video_url=str(inputs / "six.mp4"), output=tmp_path / "there.mp4", timeout=90)
    settings.cache_clear()
    for ours, theirs in zip(decode(here.video), decode(there.video), strict=True):
        assert abs(ours.astype(int) - theirs).max() <= 2


def test_several_local_files_go_there(server: Server, inputs: Path, inputs_url: str, tmp_path: Path) -> None:
    named = {"file_name": "曲", "file_url": inputs / "tune.wav", "type": "audio"}
    with server.client() as client:
        result = client.generate_video(
            file_list=[inputs / "three.mp4", f"{inputs_url}/photo.jpg", named],
            scene="general",
            duration=0.6,
            width=64,
            output=tmp_path / "out.mp4",
            timeout=90,
        )
    assert [picture.shape for picture in decode(result.video)] == [(64, 64, 3)] * 15
    assert result.cover == tmp_path / "out.jpg"
    assert set(tmp_path.iterdir()) == {result.video, result.cover}
    assert list(result.links) == ["VideoUrl", "VideoCoverUrl"]


def test_errors_about_one_of_several_files_say_which(server: Server, inputs: Path, inputs_url: str) -> None:
    good = inputs / "three.mp4"
    wrong = {"FileName": "x", "FileUrl": inputs / "tune.wav", "Type": "image"}
    with server.client() as client:
        with pytest.raises(FileDownload, match=r"^FileList\.2\.FileUrl: .*nothing-here\.jpg"):
            client.call("GenerateVideo", FileList=[good, f"{inputs_url}/nothing-here.jpg"])
        with pytest.raises(FileDownload, match=r"^FileList\.2\.FileUrl: nothing-here\.jpg: No such file"):
            client.submit("GenerateVideo", FileList=[good, "nothing-here.jpg"])
        with pytest.raises(FileCategory, match=r"^FileList\.2\.FileUrl holds sound"):
            client.call("GenerateVideo", FileList=[good, wrong])


def test_errors_are_those_of_the_python_api(server: Server, inputs_url: str) -> None:
    with server.client() as client:
        with pytest.raises(FileDownload, match=r"nothing-here\.mp4"):
            client.super_resolve_video(video_url=f"{inputs_url}/nothing-here.mp4", timeout=60)
        with pytest.raises(FileDownload, match="No such file"):
            client.super_resolve_video(video_url="nothing-here.mp4")
        with pytest.raises(InvalidParameter, match="is 101"):
            client.submit("SuperResolveVideo", VideoUrl=f"{inputs_url}/six.mp4", BitRate=101)
        with pytest.raises(InvalidParameter):
            client.poll("4C8D0B2E-0000-4000-8000-0123456789AB")
        with pytest.raises(VidprodError) as caught:
            client.submit("AdjustVideoColour", VideoUrl=f"{inputs_url}/six.mp4")
        assert caught.value.code == "InvalidAction.NotFound"
        with pytest.raises(AccessDenied):
            client.download(f"{server.url}/vidprod/super-resolve-video/2020-03-20-12/a.mp4", "never.mp4")
    with pytest.raises(SignatureMismatch), vidprod.Client(server.url, KEY, "wrong") as client:
        client.poll("4C8D0B2E-0000-4000-8000-0123456789AB")


def test_a_job_is_its_account_s(server: Server, inputs_url: str) -> None:
    with server.client() as client, vidprod.Client(server.url, OTHER_KEY, OTHER_SECRET) as other:
        job = client.submit("SuperResolveVideo", VideoUrl=f"{inputs_url}/six.mp4")
        with pytest.raises(InvalidParameter):
            other.poll(job)
        client.wait(job, timeout=90)
        with pytest.raises(InvalidParameter):
            other.poll(job)


def test_an_upload_is_its_account_s(server: Server, inputs: Path) -> None:
    with server.client() as client, vidprod.Client(server.url, OTHER_KEY, OTHER_SECRET) as other:
        url = client.upload(inputs / "six.mp4")
        with pytest.raises(FileDownload):
            other.call("SuperResolveVideo", VideoUrl=url)


def test_wait_says_so_when_the_time_is_over(server: Server, inputs_url: str) -> None:
    with server.client() as client:
        job = client.submit("SuperResolveVideo", VideoUrl=f"{inputs_url}/six.mp4")
        with pytest.raises(TimeoutError, match=job):
            client.wait(job, timeout=0)
        client.wait(job, timeout=90)


# --- against servers that misbehave -----------------------------------------------------------------------------------

Handler = Callable[[http.server.BaseHTTPRequestHandler, int], None]


@contextmanager
def scripted(handler: Handler) -> Iterator[str]:
    """A server whose every request, counted from 0, goes to `handler`; its URL."""
    count = iter(range(10_000))

    class Request(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if self.raw_requestline and self.parse_request():
                length = int(self.headers.get("content-length", 0))
                self.rfile.read(length)
                handler(self, next(count))
            self.close_connection = True

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Request) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def answer(request: http.server.BaseHTTPRequestHandler, status: int, body: Any, **headers: str) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request.send_response(status)
    for name, value in {"content-length": str(len(data)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(data)


QUEUING = {"RequestId": "R", "Data": {"JobId": "J", "Status": "QUEUING"}}
DONE = {"RequestId": "R", "Data": {"JobId": "J", "Status": "PROCESS_SUCCESS", "Result": '{"VideoUrl":"http://x/y"}'}}
AWAY = {"RequestId": "R", "HostId": "h", "Code": "ServiceUnavailable", "Message": "m"}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pauses, and giving up soon."""
    monkeypatch.setattr("vidprod.connection.pause", lambda failures: 0.001)
    monkeypatch.setattr("vidprod.download.pause", lambda failures: 0.001)


@pytest.mark.usefixtures("impatient")
def test_a_question_is_asked_again_when_the_connection_breaks() -> None:
    def handler(request: http.server.BaseHTTPRequestHandler, number: int) -> None:
        if number == 1:
            answer(request, 503, AWAY)
        elif number == 2:
            answer(request, 200, QUEUING, x_vidprod_progress="0.42")

    with scripted(handler) as url, vidprod.Client(url, KEY, SECRET) as client:
        found = client.poll("J")
    assert (found.status, found.progress) == (JobStatus.QUEUING, 0.42)


@pytest.mark.usefixtures("impatient")
def test_a_submit_whose_answer_was_lost_is_not_sent_again() -> None:
    requests: list[int] = []
    with (
        scripted(lambda request, number: requests.append(number)) as url,
        vidprod.Client(url, KEY, SECRET) as client,
        pytest.raises(Unavailable, match="did not answer"),
    ):
        client.submit("SuperResolveVideo", VideoUrl="http://x/y.mp4")
    assert requests == [0]


@pytest.mark.usefixtures("impatient")
def test_a_submit_that_was_refused_is_sent_again() -> None:
    def handler(request: http.server.BaseHTTPRequestHandler, number: int) -> None:
        if number == 0:
            answer(request, 400, AWAY | {"Code": "Throttling.User"}, x_acs_retry_after="5")
        elif number == 1:
            answer(request, 503, AWAY)
        else:
            answer(request, 200, {"RequestId": "JOB"})

    with scripted(handler) as url, vidprod.Client(url, KEY, SECRET) as client:
        assert client.submit("SuperResolveVideo", VideoUrl="http://x/y.mp4") == "JOB"


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_not_there_is_named() -> None:
    with scripted(lambda request, number: None) as url:
        pass
    with vidprod.Client(url, KEY, SECRET) as client, pytest.raises(Unavailable, match=r"127\.0\.0\.1.*reached"):
        client.submit("SuperResolveVideo", VideoUrl="http://x/y.mp4")


def test_wait_outlasts_a_restart() -> None:
    def handler(request: http.server.BaseHTTPRequestHandler, number: int) -> None:
        if number == 0:
            answer(request, 200, QUEUING)
        elif number == 1:
            answer(request, 503, AWAY)
        elif number == 3:
            answer(request, 200, DONE)

    with scripted(handler) as url, vidprod.Client(url, KEY, SECRET) as client:
        assert client.wait("J", timeout=30).result == {"VideoUrl": "http://x/y"}


def test_wait_gives_up_on_a_server_that_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidprod.client.PATIENCE", 0.3)
    started = time.monotonic()
    with (
        scripted(lambda request, number: answer(request, 503, AWAY)) as url,
        vidprod.Client(url, KEY, SECRET) as client,
        pytest.raises(Unavailable),
    ):
        client.wait("J")
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("body", [b"<html>nginx</html>", b"", b"[]"])
def test_an_answer_of_something_else_is_said_to_be_that(body: bytes) -> None:
    with (
        scripted(lambda request, number: answer(request, 200, body)) as url,
        vidprod.Client(url, KEY, SECRET) as client,
        pytest.raises(InternalError, match="is it a vidprod server"),
    ):
        client.poll("J")


CONTENT = bytes(range(256)) * 4096


@pytest.mark.usefixtures("impatient")
def test_a_download_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    ranges: list[str | None] = []

    def handler(request: http.server.BaseHTTPRequestHandler, number: int) -> None:
        ranges.append(request.headers.get("range"))
        if number > 0:
            assert request.headers["if-range"] == '"e"'
        start = int(ranges[-1][6:-1]) if ranges[-1] else 0
        rest = CONTENT[start:]
        request.send_response(206 if start else 200)
        request.send_header("etag", '"e"')
        request.send_header("content-length", str(len(rest)))
        if start:
            request.send_header("content-range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        request.end_headers()
        request.wfile.write(rest if number == 6 else rest[:100_000])

    with scripted(handler) as url, vidprod.Client(url, KEY, SECRET) as client:
        path = client.download(f"{url}/a.mp4", tmp_path / "a.mp4")
    assert path.read_bytes() == CONTENT
    assert ranges == [None, *(f"bytes={100_000 * n}-" for n in range(1, 7))]


@pytest.mark.usefixtures("impatient")
def test_a_file_that_changed_is_fetched_from_its_beginning(tmp_path: Path) -> None:
    def handler(request: http.server.BaseHTTPRequestHandler, number: int) -> None:
        body = b"old" * 1000 if number == 0 else b"new" * 900
        request.send_response(200)
        request.send_header("etag", f'"{number}"')
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[:1500] if number == 0 else body)

    with scripted(handler) as url, vidprod.Client(url, KEY, SECRET) as client:
        assert client.download(f"{url}/a.mp4", tmp_path / "a.mp4").read_bytes() == b"new" * 900


@pytest.mark.usefixtures("impatient")
def test_a_download_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"before")
    xml = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Request has expired.</Message></Error>"
    with (
        scripted(lambda request, number: answer(request, 403, xml)) as url,
        vidprod.Client(url, KEY, SECRET) as client,
        pytest.raises(AccessDenied, match="expired"),
    ):
        client.download(f"{url}/a.mp4", tmp_path / "a.mp4")
    with vidprod.Client(url, KEY, SECRET) as client, pytest.raises(Unavailable):
        client.download(f"{url}/a.mp4", tmp_path / "a.mp4")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.mp4", b"before")]


# --- without any server -----------------------------------------------------------------------------------------------


def test_parameters_are_flattened_as_every_client_does_it() -> None:
    values = {"Boxes": [{"X": 0.5, "H": 1e-05}, {"X": 1}], "Mute": True, "Width": 5, "Height": None, "Style": "slow"}
    assert dict(flattened(values)) == {
        "Boxes.1.X": "0.5",
        "Boxes.1.H": "1e-05",
        "Boxes.2.X": "1",
        "Mute": "true",
        "Width": "5",
        "Style": "slow",
    }


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InvalidFile.Download", FileDownload),
        ("InternalServerError", InternalError),
        ("Throttling.User", Throttled),
        ("AccessDenied", AccessDenied),
        ("MissingParameter", MissingParameter),
    ],
)
def test_codes_become_the_classes_of_the_python_api(code: str, kind: type[VidprodError]) -> None:
    error = documented_error(code, "text")
    assert type(error) is kind
    assert (error.code, error.message) == (code, "text")


def test_an_unknown_code_is_kept() -> None:
    assert documented_error("SomethingNew", "text").code == "SomethingNew"


@pytest.mark.parametrize(
    "endpoint", ["ftp://h", "http://", "http://h/path", "http://h:99999", "http://u@h", "http://h?x"]
)
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(InvalidParameter, match="endpoint"):
        vidprod.Client(endpoint, KEY, SECRET)


def test_a_method_has_the_action_s_parameters() -> None:
    names = list(inspect.signature(vidprod.Client.super_resolve_video).parameters)
    assert names == ["self", "video_url", "bit_rate", "output", "timeout", "progress"]


def test_a_wrong_parameter_is_told_before_anything_is_sent() -> None:
    with vidprod.Client("http://127.0.0.1:1", KEY, SECRET) as client, pytest.raises(InvalidParameter):
        client.submit("SuperResolveVideo", VideoUrl="http://x/y.mp4", BitRate=0)
