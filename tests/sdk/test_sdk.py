"""The cloud's own clients, unmodified, against a real server: jobs from the submit to the downloaded result, uploads, errors."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from tests.helpers import decode
from tests.sdk.process import CallError, Sdk
from tests.serving import OTHER_KEY, OTHER_SECRET, Server

V1 = {"signature_algorithm": "v2"}  # the clients count differently from the signature itself


def client_id(value: Any) -> str | None:
    return f"{value[0]}{'-V1' if value[1] == V1 else ''}" if isinstance(value, tuple) else None


def slow(*values: Any) -> list[Any]:
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


FAST: list[Any] = [("tea-3.0.22", {}), ("core", {}), ("pop", {})]
"""One of each family; all of them sign and ask differently."""

MORE = [("tea-3.0.22", V1), ("tea-4.0.0", {}), ("openapi", {})]
OLD = slow(("tea-4.0.0", V1), ("tea-3.0.21", {}), ("tea-2.0.1", {}), ("tea-1.0.0", {}))


def finish(sdk: Sdk, job: str, timeout: float = 90, **options: Any) -> dict[str, Any]:
    """Polls with the client itself until the job has ended; its `Data`."""
    end = time.monotonic() + timeout
    while True:
        answer = sdk.call("GetAsyncJobResult", {"JobId": job}, **options)
        data: dict[str, Any] = answer["Data"]
        assert data["JobId"] == job
        assert answer["RequestId"] != job
        if data["Status"] not in ("QUEUING", "PROCESSING"):
            return data
        assert time.monotonic() < end, data
        time.sleep(0.1)


def check_result(data: dict[str, Any], folder: Path, size: tuple[int, int] = (128, 192), count: int = 6) -> None:
    assert data["Status"] == "PROCESS_SUCCESS", data
    assert not data.get("ErrorCode")
    target = folder / "result.mp4"
    with urllib.request.urlopen(json.loads(data["Result"])["VideoUrl"]) as response:
        assert response.headers["content-type"] == "video/mp4"
        target.write_bytes(response.read())
    assert [picture.shape for picture in decode(target)] == [(*size, 3)] * count


@pytest.mark.parametrize("client", [*FAST, *MORE, *OLD], ids=client_id)
def test_a_job_from_submit_to_download(
    client: tuple[str, dict[str, Any]], server: Server, inputs_url: str, tmp_path: Path
) -> None:
    name, options = client
    with Sdk(name, server.host, **options) as sdk:
        submitted = sdk.call("SuperResolveVideo", {"VideoUrl": f"{inputs_url}/six.mp4", "BitRate": 2})
        assert submitted["RequestId"].count("-") == 4
        check_result(finish(sdk, submitted["RequestId"]), tmp_path)


BOX = {"X": 0.6, "Y": 0.1, "W": 0.3, "H": 0.2}
SMALL = (64, 96)
OTHERS: list[tuple[str, dict[str, Any], tuple[int, int], int]] = [
    ("EraseVideoSubtitles", {"BX": 0.1, "BY": 0.5, "BW": 0.8, "BH": 0.5}, SMALL, 6),
    ("EraseVideoLogo", {"Boxes": [BOX, {**BOX, "Y": 0.6}]}, SMALL, 6),
    ("ChangeVideoSize", {"Width": 64, "Height": 128, "CropType": "smart", "Tightness": 0.5}, (128, 64), 6),
    ("AdjustVideoColor", {"Mode": "Rec709", "VideoBitrate": "800k", "VideoFormat": "mp4"}, SMALL, 6),
    ("AbstractEcommerceVideo", {"Duration": 0.2, "Width": 48}, (32, 48), 5),
    ("AbstractFilmVideo", {"Length": 2}, SMALL, 50),
]
"""Parameters of the other actions, the size of the result and how many pictures it has."""


@pytest.mark.parametrize("action", OTHERS, ids=lambda action: action[0])
@pytest.mark.parametrize("name", ["tea-3.0.22", *slow("tea-4.0.0", "core", "pop", "openapi")])
def test_other_actions(
    name: str,
    action: tuple[str, dict[str, Any], tuple[int, int], int],
    server: Server,
    inputs_url: str,
    tmp_path: Path,
) -> None:
    called, parameters, size, count = action
    if name == "tea-4.0.0" and called.startswith("Abstract"):
        pytest.skip("withdrawn from this release")
    if called == "AdjustVideoColor" and name.startswith("tea"):
        parameters = {**parameters, "VideoBitrate": 2}  # a whole number there
    with Sdk(name, server.host) as sdk:
        file = "three.mp4" if called == "AbstractFilmVideo" else "six.mp4"
        submitted = sdk.call(called, {"VideoUrl": f"{inputs_url}/{file}", **parameters})
        data = finish(sdk, submitted["RequestId"])
        check_result(data, tmp_path, size, count)
        if called in ("ChangeVideoSize", "AbstractEcommerceVideo"):
            with urllib.request.urlopen(json.loads(data["Result"])["VideoCoverUrl"]) as response:
                assert response.read(3) == b"\xff\xd8\xff"


SHORT: dict[str, Any] = {
    "Scene": "general",
    "Style": "fast",
    "Duration": 0.6,
    "Width": 64,
    "Height": 96,
    "SmartEffect": False,
}
MATERIAL = {"three.mp4": "video", "photo.jpg": "image", "tune.wav": "audio"}


def material(place: str) -> list[dict[str, str]]:
    """A list of files that are in a folder, or at a URL. Their names are theirs who sent them."""
    return [{"FileName": f"素材 {name}", "FileUrl": f"{place}/{name}", "Type": kind} for name, kind in MATERIAL.items()]


def check_short(data: dict[str, Any], folder: Path) -> None:
    """Of `SHORT`: its length, its sound and its cover."""
    check_result(data, folder, (96, 64), 15)
    with av.open(str(folder / "result.mp4")) as container:
        assert len(container.streams.audio) == 1
    with urllib.request.urlopen(json.loads(data["Result"])["VideoCoverUrl"]) as response:
        assert response.read(3) == b"\xff\xd8\xff"


@pytest.mark.parametrize(
    "name", ["tea-3.0.22", "core", *slow("tea-4.0.0", "tea-3.0.21", "tea-2.0.1", "tea-1.0.0", "pop", "openapi")]
)
def test_a_list_of_files(name: str, server: Server, inputs_url: str, tmp_path: Path) -> None:
    with Sdk(name, server.host) as sdk:
        submitted = sdk.call("GenerateVideo", {"FileList": material(inputs_url), **SHORT})
        check_short(finish(sdk, submitted["RequestId"]), tmp_path)
        wrong = [{**file, "Type": "text"} for file in material(inputs_url)]
        with pytest.raises(CallError) as caught:
            sdk.call("GenerateVideo", {"FileList": wrong})
        assert caught.value.code == "InvalidParameter"
        assert "FileList.1.Type" in str(caught.value)


@pytest.mark.parametrize("client", [*FAST, *slow(*MORE), *OLD], ids=client_id)
def test_errors_come_with_their_codes(client: tuple[str, dict[str, Any]], server: Server, inputs_url: str) -> None:
    name, options = client
    url = f"{inputs_url}/six.mp4"
    cases: list[tuple[str, dict[str, Any], str, int]] = [
        ("SuperResolveVideo", {"VideoUrl": url, "BitRate": 101}, "InvalidParameter", 400),
        ("SuperResolveVideo", {"BitRate": 8}, "MissingParameter", 400),
        ("SuperResolveVideo", {"VideoUrl": "no-url"}, "InvalidFile.URL", 400),
        ("GetAsyncJobResult", {"JobId": "4C8D0B2E-0000-4000-8000-0123456789AB"}, "InvalidParameter", 400),
    ]
    if name == "tea-1.0.0":  # it looks for what is missing itself
        cases = [case for case in cases if case[2] != "MissingParameter"]
    with Sdk(name, server.host, **options) as sdk:
        for action, parameters, code, status in cases:
            with pytest.raises(CallError) as caught:
                sdk.call(action, parameters)
            assert (caught.value.code, caught.value.status) == (code, status), caught.value


@pytest.mark.parametrize("client", [*FAST, *slow(*MORE), *OLD], ids=client_id)
def test_a_wrong_secret_and_an_unknown_key(client: tuple[str, dict[str, Any]], server: Server) -> None:
    name, options = client
    # core sees by the message that its own string to sign was right, and tells its user the better code
    wrong = "InvalidAccessKeySecret" if name == "core" else "SignatureDoesNotMatch"
    for key, code in (("testid", wrong), ("nobody", "InvalidAccessKeyId.NotFound")):
        with Sdk(name, server.host, **{**options, "key": key, "secret": "wrong"}) as sdk:
            with pytest.raises(CallError) as caught:
                sdk.call("GetAsyncJobResult", {"JobId": "x"})
            assert caught.value.code == code


@pytest.mark.parametrize("name", ["core", *slow("tea-3.0.22", "pop")])
def test_a_job_that_fails_says_why(name: str, server: Server, inputs_url: str) -> None:
    with Sdk(name, server.host) as sdk:
        job = sdk.call("SuperResolveVideo", {"VideoUrl": f"{inputs_url}/nothing-here.mp4"})["RequestId"]
        data = finish(sdk, job)
    assert (data["Status"], data["ErrorCode"]) == ("PROCESS_FAILED", "InvalidFile.Download")
    assert "nothing-here.mp4" in data["ErrorMessage"]
    assert not data.get("Result")


@pytest.mark.parametrize("name", ["pop", *slow("tea-4.0.0", "core")])
def test_a_job_of_another_account_is_not_there(name: str, server: Server, inputs_url: str) -> None:
    with Sdk(name, server.host) as sdk, Sdk(name, server.host, key=OTHER_KEY, secret=OTHER_SECRET) as other:
        job = sdk.call("SuperResolveVideo", {"VideoUrl": f"{inputs_url}/six.mp4"})["RequestId"]
        with pytest.raises(CallError) as caught:
            other.call("GetAsyncJobResult", {"JobId": job})
        finish(sdk, job)
    assert caught.value.code == "InvalidParameter"


def test_core_without_the_product_s_package(server: Server, inputs_url: str, tmp_path: Path) -> None:
    with Sdk("core", server.host) as sdk:
        parameters = {"VideoUrl": f"{inputs_url}/six.mp4", "BitRate": "2"}
        job = sdk.call("SuperResolveVideo", parameters, common_method="GET")["RequestId"]
        check_result(finish(sdk, job, common_method="GET"), tmp_path)
        xml = sdk.call("GetAsyncJobResult", {"JobId": job}, form="XML")
    assert "<GetAsyncJobResultResponse><RequestId>" in xml
    assert "<Status>PROCESS_SUCCESS</Status>" in xml


def test_pop_core_by_get(server: Server, inputs_url: str) -> None:
    with Sdk("pop", server.host) as sdk:
        job = sdk.call("SuperResolveVideo", {"VideoUrl": f"{inputs_url}/six.mp4"}, method="GET")["RequestId"]
        assert finish(sdk, job, method="GET")["Status"] == "PROCESS_SUCCESS"


# --- local files: the *_advance calls ---------------------------------------------------------------------------------


def advance(sdk: Sdk, inputs: Path, folder: Path) -> None:
    submitted = sdk.call("SuperResolveVideo", {"BitRate": 2}, file=str(inputs / "six.mp4"))
    check_result(finish(sdk, submitted["RequestId"]), folder)


@pytest.mark.parametrize(
    "client",
    [("tea-3.0.22", {}), ("tea-4.0.0", {}), *slow(("tea-3.0.22", V1), ("tea-3.0.21", {}))],
    ids=client_id,
)
def test_a_file_is_uploaded_by_the_attribute(
    client: tuple[str, dict[str, Any]], server: Server, inputs: Path, tmp_path: Path
) -> None:
    name, options = client
    with Sdk(name, server.host, upload_endpoint=server.host, **options) as sdk:
        advance(sdk, inputs, tmp_path)


@pytest.mark.parametrize(
    "name",
    ["tea-3.0.22", *slow("tea-4.0.0", "tea-3.0.21", "tea-2.0.1", "tea-1.0.0")],
)
def test_a_file_is_uploaded_with_the_server_as_http_proxy(
    name: str, server: Server, inputs: Path, tmp_path: Path
) -> None:
    with Sdk(name, server.host, environment={"HTTP_PROXY": server.url}) as sdk:
        advance(sdk, inputs, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tea-4.0.0", "tea-3.0.22", "tea-3.0.21", "tea-2.0.1", "tea-1.0.0"])
def test_a_file_is_uploaded_with_the_proxy_as_a_runtime_option(
    name: str, server: Server, inputs: Path, tmp_path: Path
) -> None:
    with Sdk(name, server.host, http_proxy=server.url) as sdk:
        advance(sdk, inputs, tmp_path)


@pytest.mark.parametrize("name", ["tea-3.0.22", *slow("tea-4.0.0", "tea-3.0.21")])
def test_several_files_are_uploaded(name: str, server: Server, inputs: Path, tmp_path: Path) -> None:
    with Sdk(name, server.host, upload_endpoint=server.host) as sdk:
        submitted = sdk.call("GenerateVideo", {"FileList": material(str(inputs)), **SHORT}, files=True)
        check_short(finish(sdk, submitted["RequestId"]), tmp_path)


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that is its own authority; its key is beside it, as `.key`."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run([*command.split(), *more], check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[Server]:
    """A server whose port takes both TLS and plain HTTP."""
    key = certificate.with_suffix(".key")
    data = tmp_path_factory.mktemp("tls-server") / "data"
    with Server(data, VIDPROD_TLS_CERT=str(certificate), VIDPROD_TLS_KEY=str(key)) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tea-4.0.0", "tea-3.0.22", "tea-3.0.21", "core"])
def test_calls_over_tls(name: str, tls_server: Server, certificate: Path, inputs_url: str) -> None:
    with Sdk(name, tls_server.host, protocol="https", ca=str(certificate)) as sdk:
        job = sdk.call("SuperResolveVideo", {"VideoUrl": f"{inputs_url}/six.mp4"})["RequestId"]
        data = finish(sdk, job)
    assert json.loads(data["Result"])["VideoUrl"].startswith(f"https://{tls_server.host}/")


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["http", "https"])
@pytest.mark.parametrize("name", ["tea-4.0.0", "tea-3.0.22", "tea-3.0.21"])
def test_a_file_is_uploaded_to_a_server_with_tls(
    name: str, protocol: str, tls_server: Server, certificate: Path, inputs: Path
) -> None:
    """3.0.22 and later post the file to https whatever the protocol of the calls is; earlier ones to the same."""
    options: dict[str, Any] = {"upload_endpoint": tls_server.host, "protocol": protocol}
    if protocol == "https":
        options["ca"] = str(certificate)
    with Sdk(name, tls_server.host, environment={"SSL_CERT_FILE": str(certificate)}, **options) as sdk:
        submitted = sdk.call("SuperResolveVideo", {"BitRate": 2}, file=str(inputs / "six.mp4"))
        assert finish(sdk, submitted["RequestId"])["Status"] == "PROCESS_SUCCESS"
