from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from vidprod import logs
from vidprod.errors import InvalidParameter
from vidprod.settings import Settings


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Loggers belong to the whole process: each test begins with untouched ones, and leaves them as they were."""
    names = ("", "dbos", "uvicorn", "uvicorn.error", "uvicorn.access", "httpx2", "httpcore2")
    loggers = [logging.getLogger(name) for name in names]
    before = [(one, one.handlers[:], one.filters[:], one.propagate, one.level) for one in loggers]
    for one in loggers:
        one.filters[:] = []
        one.setLevel(logging.NOTSET)
    yield
    logging.captureWarnings(False)
    for one, handlers, filters, propagate, level in before:
        one.handlers[:], one.filters[:], one.propagate = handlers, filters, propagate
        one.setLevel(level)


def configured(**settings: Any) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(Settings(log_format="json", **settings), process="server", stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_what_it_belongs_to() -> None:
    log = logs.get("vidprod.x")  # made before the log was set up, as modules do
    stream = configured()
    with logs.bound(request_id="R1", account="team-a"):
        log.info("submitted", job_id="J1")
        logging.getLogger("uvicorn.error").warning("seen by %s", "uvicorn")
    log.info("later")
    first, second, third = lines(stream)
    assert first.items() >= {"event": "submitted", "job_id": "J1", "request_id": "R1", "process": "server"}.items()
    assert first.items() >= {"level": "info", "logger": "vidprod.x", "account": "team-a"}.items()
    assert second.items() >= {"event": "seen by uvicorn", "level": "warning", "request_id": "R1"}.items()
    assert "request_id" not in third


def test_the_level_is_kept() -> None:
    stream = configured(log_level="warning")
    logs.get("vidprod.x").info("not this")
    logging.getLogger("uvicorn").info("nor this")
    logs.get("vidprod.x").error("this")
    assert [line["event"] for line in lines(stream)] == ["this"]


def test_dbos_and_uvicorn_write_each_line_once() -> None:
    stream = configured()
    for name in ("dbos", "uvicorn", "uvicorn.error"):
        logging.getLogger(name).info("from %s", name)
    assert [line["event"] for line in lines(stream)] == ["from dbos", "from uvicorn", "from uvicorn.error"]


SECRET = "hunter2hunter2"


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize(
    "text",
    [
        f"http://127.0.0.1:8080/vidprod/a.mp4?Expires=1&OSSAccessKeyId=i&Signature={SECRET}",
        f"GET /vidprod/a.mp4?Expires=1&Signature={SECRET}&OSSAccessKeyId=i",
        f"https://bucket.s3.example.com/k?X-Amz-Credential={SECRET}&x={SECRET}",
        f"postgresql://vidprod:{SECRET}@db/jobs",
        f"Authorization: ACS3-HMAC-SHA256 Credential=id,SignedHeaders=host,Signature={SECRET}",
        f"VideoUrl=http%3A%2F%2Fh%2Fa.mp4%3FSignature%3D{SECRET}",
        f'{{"AccessKeySecret": "{SECRET}"}}',
        f"SecurityToken={SECRET}",
    ],
)
def test_secrets_do_not_get_through(form: str, text: str) -> None:
    stream = io.StringIO()
    logs.configure(Settings(log_format=form), stream=stream)
    log = logs.get("vidprod.x")
    log.warning(text)
    log.warning("as a value", url=text, inner={"list": [text]})
    logging.getLogger("uvicorn.error").warning("%s", text)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("in a traceback")
        logging.getLogger("dbos").exception("in one of the standard library")
    assert SECRET not in stream.getvalue()
    assert stream.getvalue().count("Traceback") == 2


def test_values_are_hidden_by_their_names() -> None:
    stream = configured()
    logs.get("vidprod.x").info("x", access_key_secret=SECRET, headers={"Authorization": SECRET}, key="kept")
    assert SECRET not in stream.getvalue()
    assert lines(stream)[0]["key"] == "kept"


def test_what_a_client_sends_makes_no_line_of_its_own() -> None:
    stream = io.StringIO()
    logs.configure(Settings(log_format="text"), stream=stream)
    logs.get("vidprod.x").info("x", action="A\n2026-11-22 [info] forged\x1b[2J\r\u2028")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_a_log_that_cannot_be_written_stops_nothing_and_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    stream = configured()
    stream.close()
    logs.get("vidprod.x").info("x", secret=SECRET)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("name", "value"), [("log_level", "loud"), ("log_format", "xml")])
def test_settings_that_do_not_exist(name: str, value: str) -> None:
    values: dict[str, Any] = {name: value}
    with pytest.raises(InvalidParameter, match=value):
        logs.configure(Settings(**values))
