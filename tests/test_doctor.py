from __future__ import annotations

import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vidprod import doctor
from vidprod.doctor import machine, places, work
from vidprod.doctor.finding import Finding, State, guarded, size
from vidprod.service.keys import AccessKeys
from vidprod.settings import Settings


def settings(folder: Path, **values: Any) -> Settings:
    return Settings(data=folder, **values)


def states(found: Iterator[Finding]) -> dict[str, State]:
    """The worst state of each name."""
    worst: dict[str, State] = {}
    for finding in found:
        worst[finding.name] = max(worst.get(finding.name, State.OK), finding.state, key=list(State).index)
    return worst


def broken(found: Iterator[Finding]) -> Finding:
    """The one that is broken; it must come with advice."""
    (finding,) = (each for each in found if each.state is State.BROKEN)
    assert finding.advice
    return finding


# --- the whole --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_machine_that_works(tmp_path: Path) -> None:
    found = states(doctor.examine(settings(tmp_path / "not" / "yet", port=0, devices="cpu")))
    assert {name for name, state in found.items() if state is State.BROKEN} == set()
    assert {"python", "weights", "device", "encoder", "decoder", "network", "data", "disk"} <= set(found)
    assert {"store", "database", "keys", "port", "clock"} <= set(found)
    assert list(tmp_path.iterdir()) == []  # nothing stays


def test_a_check_that_crashes_has_not_passed() -> None:
    def check() -> Iterator[Finding]:
        yield Finding("x", State.OK, "so far")
        raise ZeroDivisionError("of no use")

    assert [finding.state for finding in guarded("x", check)] == [State.OK, State.BROKEN]


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (3 * 2**30, "3.0 GiB"), (2**41, "2.0 TiB")])
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


# --- device -----------------------------------------------------------------------------------------------------------


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    found = broken(work._devices(settings(tmp_path, devices="cuda:77"), []))
    assert "cuda:77" in found.text


def test_a_process_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "python").write_text(
        '#!/bin/sh\necho \'{"name": "device", "state": "ok", "text": "t", "advice": ""}\'\necho "CUDA error" >&2\nkill -SEGV $$\n'
    )
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    first, second = work.in_child(settings(tmp_path))
    assert first.state is State.OK
    assert second.state is State.BROKEN
    assert all(word in second.text for word in ("after device", "SIGSEGV", "CUDA error"))


def test_a_decoder_that_gives_other_pictures_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = tmp_path / "clip.mp4"
    assert [finding.state for finding in work._encoder(clip, [])] == [State.OK]
    assert [finding.state for finding in work._decoder(clip, [])] == [State.OK]
    other = 255 - work._pictures()
    monkeypatch.setattr(work, "_pictures", lambda: other)
    assert "dB from what was encoded" in broken(work._decoder(clip, [])).text


def test_a_network_that_makes_noise_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    clip = tmp_path / "clip.mp4"
    list(work._encoder(clip, []))
    other = 255 - work._pictures()
    monkeypatch.setattr(work, "_pictures", lambda: other)
    found = broken(work._network(clip, torch.device("cpu"), settings(tmp_path, sr_model="span-x2")))
    assert "do not look like the input" in found.text


# --- places -----------------------------------------------------------------------------------------------------------


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "file" in broken(places.data(settings(tmp_path / "file"))).text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "uid" in broken(places.data(settings(tmp_path))).advice


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    for free, state in ((2**40, State.OK), (15 * 2**30, State.WARNING), (2**20, State.BROKEN)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        assert states(places.data(settings(tmp_path)))["disk"] is state


def test_a_store_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").touch()
    assert "store" in broken(places.store(settings(tmp_path, storage=(tmp_path / "taken").as_uri()))).name
    assert "ftp" in broken(places.store(settings(tmp_path, storage="ftp://host/x"))).text


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_bytes(b"this is not a database" * 100)
    assert "jobs.sqlite" in broken(places.database(settings(tmp_path))).text
    elsewhere = f"sqlite:///{tmp_path}/absent/jobs.sqlite"
    assert "absent" in broken(places.database(settings(tmp_path, database=elsewhere))).text


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    found = broken(places.database(settings(tmp_path, database="postgresql://user:hunter2@127.0.0.1:1/jobs")))
    assert "hunter2" not in found.text + found.advice


def test_keys_that_others_can_read(tmp_path: Path) -> None:
    assert states(places.keys(settings(tmp_path)))["keys"] is State.NOTE
    keys = AccessKeys(settings(tmp_path))
    made = keys.create()
    assert states(places.keys(settings(tmp_path)))["keys"] is State.OK
    (tmp_path / "access-keys.json").chmod(0o644)
    found = list(places.keys(settings(tmp_path)))
    assert found[0].state is State.WARNING
    assert "chmod 600" in found[0].advice
    assert made.secret not in str(found)
    keys.disable(made.id)
    assert "all keys are disabled" in str(list(places.keys(settings(tmp_path))))


# --- machine ----------------------------------------------------------------------------------------------------------


def test_a_port_that_another_program_has(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.settimeout(0)  # answers nobody
        port = taken.getsockname()[1]
        monkey = pytest.MonkeyPatch()
        with monkey.context() as patch:
            patch.setattr(machine, "_asked", lambda _: None)
            assert str(port) in broken(machine.port(settings(tmp_path, port=port))).text
    assert states(machine.port(settings(tmp_path, port=port)))["port"] is State.OK


def test_a_port_where_a_server_answers(tmp_path: Path) -> None:
    class Healthy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 404)
            self.end_headers()
            self.wfile.write(b'{"status": "ok"}')

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Healthy) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            (found,) = machine.port(settings(tmp_path, port=server.server_port))
        finally:
            server.shutdown()
            thread.join()
    assert found.state is State.OK
    assert '"status": "ok"' in found.text


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    assert "0.0.0.0" in broken(machine.port(settings(tmp_path, host="192.0.2.1", port=0))).advice


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 30 days, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    return issue(folder, 30)


def issue(folder: Path, days: int) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"),
            *("-days", str(days), "-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def test_a_certificate_is_tried(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = certificate
    (found,) = machine.tls(settings(tmp_path, tls_cert=cert, tls_key=key))
    assert found.state is State.OK
    assert "good for 30 days" in found.text
    (found,) = machine.tls(settings(tmp_path, tls_cert=issue(tmp_path, 5)[0], tls_key=tmp_path / "key.pem"))
    assert found.state is State.WARNING


def test_a_certificate_that_does_not_fit(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = certificate
    _, other = issue(tmp_path, 5)
    broken(machine.tls(settings(tmp_path, tls_cert=cert, tls_key=other)))
    broken(machine.tls(settings(tmp_path, tls_cert=tmp_path / "absent.pem", tls_key=key)))
    broken(machine.tls(settings(tmp_path, tls_cert=cert)))
    broken(machine.tls(settings(tmp_path, tls_cert=key, tls_key=key)))


def test_without_a_certificate(tmp_path: Path) -> None:
    assert list(machine.tls(settings(tmp_path))) == []
    assert states(machine.tls(settings(tmp_path, host="0.0.0.0")))["tls"] is State.NOTE
