"""Starting and stopping the server, and what it does while its files are in a bad way. Real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.service.forms import fields_of, form, headers
from tests.service.front import CLIP, Front, read_all, replies, signed, wire
from tests.service.signing import KEY, SECRET

POLL = "GetAsyncJobResult"


def test_start_and_stop(tmp_path: Path) -> None:
    with Front(tmp_path / "data") as front:
        assert front.line == f"vidprod serving on http://127.0.0.1:{front.port}\n"
        job = front.submit()
        idle = front.connect()  # does not keep the server from stopping
        assert front.stop() == 0
        assert idle.recv(1) == b""
        idle.close()
        assert "Traceback" not in front.log
        front.start()
        assert front.call(POLL, {"JobId": job}).json["Data"]["Status"] == "QUEUING"
        assert front.stop(signal.SIGINT) == 0


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = f"from vidprod.settings import Settings; from vidprod.service.server import serve; serve(Settings(port={port}))"
        found = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "VIDPROD_DATA": str(tmp_path / "data"), "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert found.returncode == 1
    assert f"InvalidParameter: cannot listen on 127.0.0.1 port {port}: Address already in use" in found.stderr
    assert not (tmp_path / "data").exists()  # nothing was touched


@pytest.mark.slow
def test_the_first_start_makes_a_key_and_shows_it_once(tmp_path: Path) -> None:
    with Front(tmp_path / "data", VIDPROD_ACCESS_KEYS="") as front:
        (entry,) = json.loads((front.data / "access-keys.json").read_text())["keys"]
        assert f"AccessKeyId      {entry['id']}\n" in front.log
        assert f"AccessKeySecret  {entry['secret']}\n" in front.log
        assert front.submit(key=entry["id"], secret=entry["secret"])
        front.stop()
        front.errors.write_text("")
        front.start()
        assert entry["secret"] not in front.log


def test_requests_that_have_come_are_answered_before_it_stops(tmp_path: Path) -> None:
    with Front(tmp_path / "data") as front:
        request = wire(signed("SuperResolveVideo", CLIP, host=front.host))
        with front.connect() as connection:
            connection.sendall(request[:-5])
            time.sleep(0.3)
            assert front.process
            front.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            connection.sendall(request[-5:])
            (answer,) = replies(read_all(connection))
        assert answer.status == 200
        front.process.communicate(timeout=30)
        assert front.process.returncode == 0
        with front.database() as database:
            assert database.execute("SELECT count(*) FROM vidprod_jobs").fetchone() == (1,)


def test_a_request_is_good_once_even_across_kill_and_restart(tmp_path: Path) -> None:
    with Front(tmp_path / "data") as front:
        request = wire(signed("SuperResolveVideo", CLIP)).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        assert replies(front.raw(request))[0].status == 200
        front.kill()
        front.start()
        assert replies(front.raw(request))[0].code() == "SignatureNonceUsed"


@pytest.mark.slow
def test_a_damaged_file_of_nonces_is_begun_anew(tmp_path: Path) -> None:
    with Front(tmp_path / "data") as front:
        front.submit()
        front.stop()
        file = front.data / "nonces.sqlite"
        file.write_bytes(b"nothing of the kind" * 1000)
        front.start()
        assert front.submit()
        assert (front.data / "nonces.sqlite.damaged").read_bytes() == b"nothing of the kind" * 1000
        front.stop()
        front.start()
        assert front.submit()


@pytest.mark.parametrize(
    "how", ["overwritten", "locked", *(pytest.param(how, marks=pytest.mark.slow) for how in ("cut", "gone"))]
)
def test_a_database_in_a_bad_way(tmp_path: Path, how: str) -> None:
    """Documented errors in time; all that needs no database goes on, and all else again when it is back."""
    with Front(tmp_path / "data") as front:
        job = front.submit()
        file = front.data / "jobs.sqlite"
        with sqlite3.connect(file) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        whole = file.read_bytes()
        lock = sqlite3.connect(file, isolation_level=None)
        if how == "overwritten":
            file.write_bytes(os.urandom(len(whole)))
        elif how == "cut":
            os.truncate(file, 5000)
        elif how == "gone":
            for name in ("jobs.sqlite", "jobs.sqlite-wal", "jobs.sqlite-shm"):
                (front.data / name).unlink(missing_ok=True)
        else:
            lock.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        answer = front.call("SuperResolveVideo", CLIP)
        assert time.monotonic() - began < 8
        assert (answer.status, answer.code()) in ((503, "ServiceUnavailable"), (500, "InternalServerError.Busy"))
        assert str(tmp_path) not in answer.json["Message"]
        assert "sqlite" not in answer.json["Message"].lower()
        assert front.call("Nonsense").code() == "InvalidAction.NotFound"
        assert front.upload_ticket()["ObjectKey"]
        if how == "locked":
            lock.execute("ROLLBACK")
        lock.close()
        if how != "locked":
            file.write_bytes(whole)
            for name in ("jobs.sqlite-wal", "jobs.sqlite-shm"):
                (front.data / name).unlink(missing_ok=True)
            front.kill()
            front.start()
        assert front.call(POLL, {"JobId": job}).json["Data"]["Status"] == "QUEUING"
        assert front.submit()


def test_a_slow_database_does_not_stop_what_needs_none(tmp_path: Path) -> None:
    """And what waited for it too long is not done afterwards: its client has given up, and tries again."""
    with Front(tmp_path / "data", "app.STALE = 1.0") as front:
        with closing(sqlite3.connect(front.data / "jobs.sqlite", isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            with ThreadPoolExecutor(40) as pool:
                began = time.monotonic()
                calls = [pool.submit(front.call, "SuperResolveVideo", CLIP) for _ in range(40)]
                time.sleep(0.5)
                assert front.send("GET", "/vidprod/a").code() == "AccessDenied"
                assert front.send("GET", "/", {"Accept": "text/html"}).status == 200
                assert time.monotonic() - began < 3
                codes = [call.result().code() for call in calls]
                assert time.monotonic() - began < 9
            lock.execute("ROLLBACK")
        assert set(codes) <= {"ServiceUnavailable", "InternalServerError.Busy"}
        job = front.submit()
        with front.database() as database:
            assert database.execute("SELECT id FROM vidprod_jobs").fetchall() == [(job,)]


def test_a_full_disk(tmp_path: Path) -> None:
    """A limit to the size of files stands for it. Uploads and jobs are refused, what was accepted can still be asked for."""
    limit = 4_000_000
    patch = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
    with Front(tmp_path / "data", patch) as front:
        job = front.submit()
        body = form(fields_of(front.upload_ticket()), bytes(limit + 1))
        answer = front.send("POST", "/", headers(), body)
        assert (answer.status, answer.code()) == (503, "ServiceUnavailable")
        assert answer.headers["content-type"] == "application/xml"
        assert not [path for path in (front.data / "objects").rglob("*") if path.is_file() and path.stat().st_size]
        with filled(front.data / "nonces.sqlite", limit), filled(front.data / "jobs.sqlite", limit):
            answer = front.call("SuperResolveVideo", CLIP)
            assert (answer.status, answer.code()) in ((503, "ServiceUnavailable"), (500, "InternalServerError.Busy"))
            for _ in range(3):
                assert front.call(POLL, {"JobId": job}).json["Data"] == {"JobId": job, "Status": "QUEUING"}
            request = wire(signed(POLL, {"JobId": job})).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
            first, second = (replies(front.raw(request))[0] for _ in range(2))
            assert (first.status, second.code()) == (200, "SignatureNonceUsed")  # remembered all the same
            assert front.send("GET", "/healthz").status == 200
        assert front.submit()  # there is room again
        assert replies(front.raw(request))[0].code() == "SignatureNonceUsed"


@contextmanager
def filled(path: Path, limit: int) -> Iterator[None]:
    """The database's journal has grown to the limit, so that no more fits, until it is emptied at the end."""
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as database:
        database.execute("CREATE TABLE filling (a BLOB)")
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:  # keeps it from being emptied
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM filling").fetchall()
            database.execute("INSERT INTO filling VALUES (zeroblob(?))", [limit])
            yield
        database.execute("DROP TABLE filling")
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_secrets_are_not_in_the_log(front: Front) -> None:
    request = signed("SuperResolveVideo", {"VideoUrl": "http://u:pass1word@h/a.mp4?Signature=linksecret1"}, old=True)
    signature = dict(request.query)["Signature"]
    (answer,) = replies(front.raw(wire(request).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)))
    assert answer.json["RequestId"] in front.log
    for secret in (SECRET, signature, "pass1word", "linksecret1"):
        assert secret not in front.log
    assert KEY in front.log


def test_memory_of_an_idle_server(front: Front) -> None:
    assert front.process
    with open(f"/proc/{front.process.pid}/status", encoding="ascii") as file:
        (line,) = (line for line in file if line.startswith("VmRSS"))
    assert int(line.split()[1]) < 300_000
    modules = subprocess.run(
        [sys.executable, "-c", "import sys, vidprod.service.server; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"torch", "cv2", "av", "numpy"} & set(modules.stdout.split())
