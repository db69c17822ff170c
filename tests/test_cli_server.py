"""The commands around the server: options, keys, jobs, doctor."""

from __future__ import annotations

import json
import os
import sys
import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.helpers import vidprod
from vidprod import cli
from vidprod.cli import options, server, tables
from vidprod.doctor import Finding, State
from vidprod.errors import InvalidParameter
from vidprod.jobs.queue import JobQueue, JobRequest
from vidprod.service.keys import AccessKeys
from vidprod.settings import Settings, settings


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Options become environment variables: what a test sets is taken away again."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(options.PREFIX) or name == server._SHARED:
            monkeypatch.delenv(name)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    settings.cache_clear()


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(a) for a in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


# --- settings as options ----------------------------------------------------------------------------------------------


def test_options_go_before_the_environment_and_children_see_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDPROD_PORT", "1234")
    monkeypatch.setenv("VIDPROD_HOST", "::1")
    found = options.apply({"port": "0", "result_ttl": "2h", "fetch_allow": "10.0.0.0/8, 127.0.0.1"})
    assert (found.port, found.host, found.result_ttl) == (0, "::1", timedelta(hours=2))
    assert [str(network) for network in found.fetch_allow] == ["10.0.0.0/8", "127.0.0.1/32"]
    assert os.environ["VIDPROD_RESULT_TTL"] == "2h"
    assert settings() is found


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("port", "99999", "--port is '99999': "),
        ("max_input_bytes", "much", "--max-input-bytes is 'much': "),
        ("result_ttl", "-1h", "--result-ttl is '-1h': "),
        ("fetch_allow", "10.0.0.0/99", "--fetch-allow is "),
    ],
)
def test_an_option_that_cannot_be_understood_is_named_as_it_was_written(name: str, value: str, words: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        options.apply({name: value})
    assert caught.value.message.startswith(words)


def test_a_variable_that_cannot_be_understood_is_named_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDPROD_PORT", "many")
    with pytest.raises(InvalidParameter, match=r"^VIDPROD_PORT is 'many'"):
        options.apply({"host": "::1"})


def test_the_help_lists_every_setting_but_the_secret_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("serve", "--help") == 0
    text = capsys.readouterr().out
    assert all(f"--{name.replace('_', '-')} " in text for name in Settings.model_fields if name != "access_keys")
    assert "--access-keys" not in text
    assert "10GiB" in text
    assert "--no-worker" in text


def test_the_table_of_settings_in_the_documents_is_current() -> None:
    document = (Path(__file__).parents[1] / "docs" / "server.md").read_text(encoding="utf-8")
    table = document.partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]
    assert table == options.reference(), "paste what python -m vidprod.cli.options prints"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(hours=6), "6h"),
        (timedelta(seconds=90), "90s"),
        (timedelta(days=7), "7d"),
        (10 * 2**30, "10GiB"),
        (8080, "8080"),
        (("auto",), "auto"),
        (None, ""),
        (0.0, "0.0"),
    ],
)
def test_defaults_are_shown_as_one_writes_them(value: object, text: str) -> None:
    assert options.shown_default(value) == text


# --- serve and worker -------------------------------------------------------------------------------------------------


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, bool | None, str]]:
    """Calls of the server and of the worker, neither of which runs."""
    calls: list[tuple[Settings, bool | None, str]] = []

    def serve(found: Settings, *, worker: bool = True) -> int:
        calls.append((found, worker, os.environ["PROMETHEUS_MULTIPROC_DIR"]))
        return 3

    def run_worker(found: Settings) -> int:
        calls.append((found, None, os.environ["PROMETHEUS_MULTIPROC_DIR"]))
        return 0

    for name, function in (("vidprod.service.server", serve), ("vidprod.jobs.worker", run_worker)):
        module = types.ModuleType(name)
        setattr(module, function.__name__, function)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("vidprod.logs.configure", lambda *_, **__: None)
    return calls


def test_serve_gets_its_options_and_its_exit_code_is_passed_on(
    called: list[tuple[Settings, bool | None, str]], tmp_path: Path
) -> None:
    assert run("serve", "--data", tmp_path, "--port", "0", "--no-worker", "--job-timeout", "90") == 3
    ((found, worker, folder),) = called
    assert (found.data, found.port, found.job_timeout, worker) == (tmp_path, 0, timedelta(seconds=90), False)
    assert not Path(folder).exists()  # taken away at the end


def test_server_and_worker_of_one_installation_share_their_metrics(
    called: list[tuple[Settings, bool | None, str]], tmp_path: Path
) -> None:
    assert run("serve", "--data", tmp_path / "a") == 3
    for name in ("a", "b"):
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
        assert run("worker", "--data", tmp_path / name) == 0
    first, second, third = (folder for _, _, folder in called)
    assert first == second != third


def test_metrics_of_processes_that_are_gone_are_taken_away(tmp_path: Path) -> None:
    gone = 2**22 + 1  # above the largest process id
    files = [tmp_path / f"counter_{number}.db" for number in (gone, os.getppid(), os.getpid())]
    for file in (*files, tmp_path / "other.txt"):
        file.touch()
    server._tidy(tmp_path)
    assert [file.exists() for file in files] == [False, True, True]
    server._tidy(tmp_path, own=True)
    assert [file.exists() for file in files] == [False, True, False]
    assert (tmp_path / "other.txt").exists()


def test_a_folder_that_somebody_else_made_is_not_used(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert not server._own(link)
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    assert not server._own(tmp_path / "open")
    assert server._own(tmp_path / "mine")
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o700


# --- keys -------------------------------------------------------------------------------------------------------------


def test_keys_are_made_listed_and_disabled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("keys", "create", "--account", "team-a", "--data", tmp_path) == 0
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    found = AccessKeys(Settings(data=tmp_path))
    assert found.secret_of(printed["AccessKeyId"]) == printed["AccessKeySecret"]
    assert printed["Account"] == "team-a"
    assert run("keys", "disable", printed["AccessKeyId"], "--data", tmp_path) == 0
    assert run("keys", "list", "--data", tmp_path) == 0
    listed = capsys.readouterr().out
    assert "team-a" in listed
    assert "disabled" in listed.splitlines()[-1]
    assert printed["AccessKeySecret"] not in listed
    assert run("keys", "enable", printed["AccessKeyId"], "--data", tmp_path) == 0
    assert found.secret_of(printed["AccessKeyId"]) == printed["AccessKeySecret"]


def test_a_key_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("keys", "disable", "nobody", "--data", tmp_path) == 2
    assert capsys.readouterr().err.startswith("InvalidParameter: there is no access key 'nobody'")
    assert list(tmp_path.iterdir()) == [tmp_path / "access-keys.lock"]


# --- jobs -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a queue in which three jobs wait."""
    folder = tmp_path_factory.mktemp("installation")
    queue = JobQueue(Settings(data=folder).database_url)
    queue.prepare()
    for number, account in enumerate(("a", "a", "b"), 1):
        request = JobRequest(
            id=f"J{number}",
            account=account,
            action="SuperResolveVideo",
            parameters={"VideoUrl": f"http://h/{number}.mp4"},
            base_url="http://h",
            submitted=datetime(2026, 1, 1, 12, number, tzinfo=UTC),
        )
        queue.submit(request)
    queue.close()
    return folder


def test_jobs_are_listed(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("jobs", "--data", installation) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["id", "J3", "J2", "J1"]
    assert run("jobs", "list", "--account", "a", "--limit", "1", "--json", "--data", installation) == 0
    (job,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (job["id"], job["status"], job["submitted"]) == ("J2", "QUEUING", "2026-01-01T12:02:00+00:00")


def test_a_job_is_shown_and_cancelled(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("jobs", "cancel", "J1", "--data", installation) == 0
    assert run("jobs", "show", "J1", "--data", installation) == 0
    shown = json.loads(capsys.readouterr().out.removeprefix("J1 is cancelled\n"))
    assert (shown["status"], shown["cancelled"]) == ("PROCESS_FAILED", True)
    assert run("jobs", "cancel", "J1", "--data", installation) == 2
    assert "has ended already: PROCESS_FAILED" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "J9"], "there is no job 'J9'"),
        (["cancel", "J9"], "there is no job 'J9'"),
        (["list", "--status", "DONE"], "--status is 'DONE': must be one of QUEUING"),
        (["list", "--limit", "0"], "--limit is 0"),
    ],
)
def test_jobs_that_are_not_there(
    arguments: list[str], words: str, installation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("jobs", *arguments, "--data", installation) == 2
    assert words in capsys.readouterr().err


def test_asking_for_jobs_makes_no_queue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("jobs", "--data", tmp_path) == 2
    assert "there is no queue in" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_clients_wrote_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show(("head",), [("[bold]x[/bold] [link=http://h]",)], empty="")
    assert "[bold]x[/bold] [link=http://h]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.4, "59s"), (185, "3m 05s"), (7620, "2h 07m"), (273600, "3d 04h")]
)
def test_spans(seconds: float, text: str) -> None:
    assert tables.span(timedelta(seconds=seconds)) == text


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_the_doctor_tells_what_is_broken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = [Finding("disk", State.OK, "[red]much[/red]"), Finding("port", State.BROKEN, "taken", "take another")]
    monkeypatch.setattr("vidprod.doctor.examine", lambda _: iter(found))
    assert run("doctor") == 1
    text = capsys.readouterr().out
    assert "ok      disk      [red]much[/red]" in text
    assert "-> take another" in text
    found.pop()
    assert run("doctor") == 0


def test_help_does_not_import_what_it_does_not_need() -> None:
    done = vidprod("--help")
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("serve", "worker", "jobs", "keys", "doctor", "super-resolve-video"))
    import subprocess

    code = (
        "import sys, vidprod.cli; print([m for m in ('torch', 'av', 'numpy', 'dbos', 'uvicorn') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
