"""`kill -9` of everything that can be killed, while jobs come in and run: no job is lost, and each ends exactly once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.helpers import decode
from tests.serving import Server, until
from vidprod.client import Client, JobAnswer
from vidprod.errors import VidprodError
from vidprod.jobs.status import JobStatus
from vidprod.service.errors import Unavailable

EVERY_REAL = 10
"""Every so many jobs one is a real SuperResolveVideo."""


@dataclass
class Crowd:
    """Users: what they submitted, and what they were told about it.

    Attributes:
        accepted: job ids that came back, with what the job was to say; None for a real one.
        lost: submits whose answer was lost; each may have become a job or not.
        running: jobs that were last seen at work.
        ended: the last word about each job.
        outputs: what was downloaded as soon as a job had ended.
        faults: what must not happen.
    """

    server: Server
    url: str
    accepted: dict[str, str | None] = field(default_factory=dict)
    lost: int = 0
    running: set[str] = field(default_factory=set)
    ended: dict[str, JobAnswer] = field(default_factory=dict)
    outputs: dict[str, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def submit(self, count: int, spread: float) -> None:
        """Sends so many jobs, a little apart, trying each until it is accepted."""
        with self.server.client() as client:
            for number in range(count):
                tries = 0
                while not self._try(client, number, tries):
                    tries += 1
                    time.sleep(0.2)
                time.sleep(spread)

    def _try(self, client: Client, number: int, tries: int) -> bool:
        text = f"{number}.{tries}"  # a try after a lost answer is another job
        real = number % EVERY_REAL == EVERY_REAL - 1
        try:
            if real:
                job = client.submit("SuperResolveVideo", VideoUrl=self.url)
            else:
                job = client.submit("Stamp", VideoUrl=self.url, Text=text, Seconds=0.2 + number % 4 * 0.2)
        except Unavailable as error:
            self.lost += "did not answer" in error.message
            return False
        if job in self.accepted:
            self.faults.append(f"{job} was given to two jobs")
        self.accepted[job] = None if real else text
        return True

    def watch(self) -> None:
        """Polls every accepted job, the ended ones too, until it is over."""
        with self.server.client() as client:
            while not self.over.is_set():
                for job in list(self.accepted):
                    self._look(client, job)
                time.sleep(0.1)

    def _look(self, client: Client, job: str) -> None:
        try:
            answer = client.poll(job)
        except Unavailable:
            return
        except VidprodError as error:
            self.faults.append(f"{job}: {error.code}: {error.message}")
            return
        before = self.ended.get(job)
        if before is not None and answer != before:
            self.faults.append(f"{job} ended as {before}, and later as {answer}")
        (self.running.add if answer.status is JobStatus.PROCESSING else self.running.discard)(job)
        if answer.status.final:
            self.ended[job] = answer
            if answer.result is not None and job not in self.outputs:
                with contextlib.suppress(Unavailable):
                    path = self.server.data.parent / "output"
                    self.outputs[job] = client.download(answer.result["VideoUrl"], path).read_bytes()


@contextlib.contextmanager
def crowd(server: Server, url: str, *, jobs: int, spread: float) -> Iterator[Crowd]:
    people = Crowd(server, url)
    threads = [
        threading.Thread(target=people.submit, args=(jobs, spread), daemon=True),
        threading.Thread(target=people.watch, daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield people
        threads[0].join(120)
        assert not threads[0].is_alive(), f"accepted {len(people.accepted)} of {jobs} jobs: {server.tail()}"
        until(
            lambda: len(people.ended) == len(people.accepted) or bool(people.faults),
            240,
            lambda: f"{len(people.ended)} of {len(people.accepted)} jobs ended: {server.tail()}",
        )
    finally:
        people.over.set()
        threads[1].join(60)


KINDS = ("server", "worker", "nursery", "device")
"""Each the parent of the next; the nursery is the process that devices' processes are forked from."""


def victims(server: Server, kind: str) -> list[int]:
    """Process ids of a kind, as far as there are any now."""
    return [*server.family(), [], [], [], []][KINDS.index(kind)]


def kill(server: Server, kinds: list[str]) -> None:
    """Kills them all at once, and does what an operator does about a server that is gone."""
    for pid in [pid for kind in kinds for pid in victims(server, kind)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if "server" in kinds:
        assert server.process is not None
        server.process.wait(10)
        server.start()


def check(people: Crowd, inputs: Path, folder: Path, log: Path) -> None:
    """Every job succeeded, and its output is there, whole, and that of an attempt which came to its end."""
    assert people.faults == []
    attempts = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    digest = hashlib.sha256((inputs / "six.mp4").read_bytes()).hexdigest()
    with people.server.client() as client:
        for job, text in people.accepted.items():
            answer = people.ended[job]
            assert answer.error_code is None, f"{job}: {answer}"
            assert answer.result is not None
            output = client.download(answer.result["VideoUrl"], folder / f"{job}.mp4")
            assert people.outputs.get(job) in (None, output.read_bytes())
            if text is None:
                assert [picture.shape for picture in decode(output)] == [(128, 192, 3)] * 6
                continue
            said = json.loads(output.read_text(encoding="utf-8"))
            assert (said["text"], said["digest"]) == (text, digest)
            assert said in attempts
    assert len(people.outputs) > len(people.accepted) // 2
    objects = [path for path in (people.server.data / "objects").rglob("*.mp4") if "upload" not in str(path)]
    # One object a job; only a submit whose answer was lost may have left one more.
    assert len(people.accepted) <= len(objects) <= len(people.accepted) + people.lost
    work = people.server.data / "work"
    until(lambda: not (work.exists() and any(work.iterdir())), 20, lambda: f"left: {list(work.iterdir())}")


@pytest.fixture
def seed() -> int:
    """Shown when a test fails; VIDPROD_TEST_SEED repeats it."""
    seed = int(os.environ.get("VIDPROD_TEST_SEED") or random.randrange(10**6))
    print(f"VIDPROD_TEST_SEED={seed}")
    return seed


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Server]:
    server = Server(
        tmp_path / "data",
        VIDPROD_EXTRA_ACTIONS="tests.service.stamp",
        VIDPROD_MAX_RETRIES="20",  # each kill of a device's process costs its job one
        STAMP_LOG=str(tmp_path / "attempts.log"),
    )
    try:
        server.start()
        yield server
    finally:
        server.close()


def test_the_device_s_process_and_the_server_are_killed_at_work(
    victim: Server, inputs: Path, inputs_url: str, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    with crowd(victim, f"{inputs_url}/six.mp4", jobs=10, spread=0.1) as people:
        for kind in ("device", "server"):
            people.running.clear()
            until(lambda: people.running and victims(victim, "device"), 60, victim.tail)
            time.sleep(chance.uniform(0, 0.3))
            kill(victim, [kind])
    check(people, inputs, tmp_path, tmp_path / "attempts.log")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_everything_is_killed_at_random(
    victim: Server, inputs: Path, inputs_url: str, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    interrupted = 0
    with crowd(victim, f"{inputs_url}/six.mp4", jobs=36, spread=0.8) as people:
        for number in range(14):
            if number % 3 == 0:  # at any moment: while a process starts, or a job is submitted
                time.sleep(chance.uniform(0.1, 5))
            else:
                people.running.clear()
                with contextlib.suppress(AssertionError):
                    until(lambda: people.running, 30)
                time.sleep(chance.uniform(0, 0.5))
            interrupted += bool(people.running)
            kill(victim, chance.sample(KINDS, chance.choice((1, 1, 1, 2, 3, 4))))
    check(people, inputs, tmp_path, tmp_path / "attempts.log")
    assert interrupted >= 5
