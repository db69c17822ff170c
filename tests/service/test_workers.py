"""The worker beside the server; stand-ins for the real one, which other tests run."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from vidprod.service import workers
from vidprod.service.workers import WorkerProcess, environment
from vidprod.settings import Settings

SLEEPER = (sys.executable, "-c", "import time; time.sleep(100)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1); time.sleep(100)",
)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(workers, "STOP_MARGIN", 0.2)


def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, drain_timeout="0.2")


async def changed(process: WorkerProcess, pid: int | None) -> int:
    end = time.monotonic() + 20
    while process.pid in (None, pid):
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    assert process.pid
    return process.pid


def test_one_that_dies_is_followed_by_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        process = WorkerProcess(settings(tmp_path), SLEEPER)
        await process.start()
        first = process.pid
        assert first is not None
        assert process.state == "running"
        os.kill(first, signal.SIGKILL)
        second = await changed(process, first)
        os.kill(second, signal.SIGKILL)
        third = await changed(process, second)
        await process.stop()
        assert process.state == "stopping"
        assert process.pid is None
        for pid in (first, second, third):
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    asyncio.run(scenario())


def test_the_pause_grows_while_it_does_not_work(tmp_path: Path) -> None:
    async def scenario() -> None:
        process = WorkerProcess(
            settings(tmp_path), (sys.executable, "-c", f"open({str(tmp_path / 'n')!r}, 'a').write('x')")
        )
        await process.start()
        await asyncio.sleep(2)
        assert process.state in ("restarting", "running")
        await process.stop()

    asyncio.run(scenario())
    assert 2 <= len((tmp_path / "n").read_text()) <= 6  # at 0, 0.1, 0.3, 0.7, 1.5 s and what a start takes


def test_one_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    async def scenario() -> None:
        process = WorkerProcess(settings(tmp_path), STUBBORN)
        await process.start()
        await asyncio.sleep(0.5)
        pid = process.pid
        assert pid is not None
        await process.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    asyncio.run(scenario())


def test_a_worker_without_its_server_ends_at_once() -> None:
    assert workers.main(parent=1) == 1


def test_settings_pass_through_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Settings(
        data=tmp_path,
        access_keys="a:b",
        fetch_allow="10.0.0.0/8,::1/128",
        devices="cuda:0,cuda:1",
        job_timeout="90m",
        max_input_bytes="3GiB",
        tls_cert=Path("c.pem"),
        public_url="https://h",
        rate_limit=2.5,
    )
    variables = environment(given)
    assert "VIDPROD_ACCESS_KEYS" not in variables
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    read = Settings()
    different = {name for name in Settings.model_fields if getattr(read, name) != getattr(given, name)}
    assert different == {"access_keys", "tls_cert"}
    assert read.tls_cert == Path("c.pem").absolute()
    assert not read.access_keys
