"""A client of a vidprod server: the methods are those of the Python API, and the work is done over there.

    client = vidprod.Client("http://127.0.0.1:8080", "<access key id>", "<secret>")
    client.super_resolve_video(video_url="in.mp4", output="out.mp4")

The methods are made from the registry, as the functions of `vidprod` are; `vidprod/__init__.pyi` spells them out. Any client of the
cloud works with a server as well (see `docs/clients.md`); this one uploads local files, waits, and downloads by itself.
"""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from vidprod.actions import ACTIONS
from vidprod.actions.files import with_files
from vidprod.actions.naming import default_output, find
from vidprod.actions.spec import ActionSpec
from vidprod.connection import Connection, documented_error
from vidprod.download import download
from vidprod.errors import BusyError, VidprodError
from vidprod.jobs.status import JobStatus
from vidprod.service.errors import Throttled, Unavailable
from vidprod.storage.fetch import is_url

PathLike = str | Path

PATIENCE = 60.0
"""Seconds without an answer after which `wait` gives up: long enough for a server to be started anew."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


@dataclass(frozen=True)
class JobAnswer:
    """What the server says about a job.

    Attributes:
        job_id: the job.
        status: its state.
        result: links by the cloud's names (`VideoUrl`, `VideoCoverUrl`), once it has succeeded.
        error_code: of a job that failed.
        error_message: of a job that failed.
        progress: 0 to 1 while it runs, None where that is not known.
    """

    job_id: str
    status: JobStatus
    result: Mapping[str, Any] | None = None
    error_code: str | None = None
    error_message: str | None = None
    progress: float | None = None

    def check(self) -> None:
        """Raises the documented error of a job that failed."""
        if self.status.failed:
            raise documented_error(
                self.error_code or "InternalServerError", self.error_message or f"the job ended as {self.status}"
            )


@dataclass(frozen=True)
class RemoteResult:
    """What an action gives back.

    Attributes:
        job_id: the job that did it.
        links: by the cloud's names (`VideoUrl`, `VideoCoverUrl`); they work for as long as the server's `result_ttl` says.
        video: the downloaded file.
        cover: the downloaded cover picture of actions that have one.
    """

    job_id: str
    links: Mapping[str, Any]
    video: Path
    cover: Path | None = None


class Client:
    """Talks to a vidprod server. Any number of threads may use one.

    Calls are repeated by themselves when the server cannot be reached, is starting, or asks for patience; only a `submit` whose
    answer was lost is not, because it might start the job twice.

    Args:
        endpoint: scheme, host and port, `http://127.0.0.1:8080`; without a scheme `http://` is meant.
        access_key_id: of the key pair that the server's `vidprod keys create` gave.
        access_key_secret: of the same pair.
        timeout: seconds to wait for one answer; jobs may take as long as they like.
        ca: PEM file of the authority that signed the server's certificate, where that is not a public one.
    """

    def __init__(
        self,
        endpoint: str,
        access_key_id: str,
        access_key_secret: str,
        *,
        timeout: float = 10.0,
        ca: PathLike | None = None,
    ) -> None:
        self._connection = Connection(endpoint, access_key_id, access_key_secret, timeout=timeout, ca=ca)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections."""
        self._connection.close()

    def run(
        self,
        action: str,
        params: Mapping[str, Any],
        *,
        output: PathLike | None = None,
        timeout: float | None = None,
        progress: Callable[[JobAnswer], None] | None = None,
    ) -> RemoteResult:
        """Runs one action: uploads, submits, waits, downloads.

        Args:
            action: the cloud's name, such as "SuperResolveVideo".
            params: its parameters, under the cloud's names or in snake_case. Files are paths, which are uploaded, or URLs, which
                the server fetches.
            output: the file to make, complete or not at all; by default one in the current folder, named after the input and the
                action. A cover goes beside it, as `.jpg`.
            timeout: seconds to wait for the job, by default without end.
            progress: called after each look at the job.

        Raises:
            VidprodError: with the documented code. No file is left behind.
            TimeoutError: the job goes on; `wait` for it again.
        """
        job_id = self.submit(action, **params)
        links = self.wait(job_id, timeout=timeout, progress=progress).result or {}
        if output is None:
            spec = find(action)
            output = default_output(spec, spec.params.parse(dict(params)))
        video = self.download(links["VideoUrl"], output)
        cover = None
        if "VideoCoverUrl" in links:
            cover = self.download(links["VideoCoverUrl"], video.with_suffix(".jpg"))
        return RemoteResult(job_id, links, video, cover)

    def call(self, action: str, /, **params: Any) -> dict[str, Any]:
        """Runs one action and returns the cloud's `Data`: links to the results.

        >>> client.call("SuperResolveVideo", VideoUrl="in.mp4", BitRate=8)  # doctest: +SKIP
        {'VideoUrl': 'http://127.0.0.1:8080/...'}
        """
        return dict(self.wait(self.submit(action, **params)).result or {})

    def submit(self, action: str, /, **params: Any) -> str:
        """Starts a job and returns its id. Local files are uploaded first.

        Raises:
            Unavailable: the server cannot be reached; or the connection broke before it answered, and the job may exist or not.
            VidprodError: a parameter is wrong, or what else the server answered.
        """
        spec = ACTIONS.get(action)
        if spec is not None:  # an action that only the server knows is sent as it is
            there = with_files(spec.params.parse(params), self._uploaded)
            params = there.model_dump(mode="json", by_alias=True, exclude_unset=True)  # the server has its own defaults
        answer, _ = self._connection.call(action, dict(flattened(params)))
        return str(answer["RequestId"])

    def poll(self, job_id: str) -> JobAnswer:
        """What the server says about a job now."""
        return self._poll(job_id)

    def wait(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        progress: Callable[[JobAnswer], None] | None = None,
    ) -> JobAnswer:
        """Waits for a job to succeed, through restarts of the server.

        Args:
            job_id: what `submit` returned.
            timeout: seconds, by default without end.
            progress: called after each look at the job.

        Raises:
            VidprodError: the job failed, with its code; or the server was away for longer than `PATIENCE`.
            TimeoutError: the job goes on.
        """
        started = answered = time.monotonic()
        while True:
            try:
                answer = self._poll(job_id, tries=1)
            except (Unavailable, BusyError, Throttled):
                if time.monotonic() - answered > PATIENCE:
                    raise
            else:
                answered = time.monotonic()
                if progress is not None:
                    progress(answer)
                if answer.status.final:
                    answer.check()
                    return answer
            left = None if timeout is None else started + timeout - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError(f"job {job_id} has not ended after {timeout:g} s; it goes on")
            # A tenth of the time it took so far: few questions, and the end is not noticed late.
            pause = min(_LONGEST_PAUSE, max(_FIRST_PAUSE, (time.monotonic() - started) / 10))
            time.sleep(pause if left is None else min(pause, left))

    def upload(self, path: PathLike) -> str:
        """Sends a file to the server; the URL that names it in parameters, for this account and as long as `file_ttl` says."""
        return self._connection.upload(Path(path))

    def download(self, url: str, path: PathLike, *, progress: Callable[[int, int | None], None] | None = None) -> Path:
        """Fetches a link of a result into a file, which appears complete or not at all; goes on where a connection broke.

        Args:
            url: the link.
            path: the file; an existing one is replaced at the end.
            progress: called with the bytes so far and their total, None where the server does not tell.
        """
        return download(self._connection.http, url, Path(path), progress)

    def _poll(self, job_id: str, **options: Any) -> JobAnswer:
        answer, headers = self._connection.call("GetAsyncJobResult", {"JobId": job_id}, repeatable=True, **options)
        data = answer["Data"]
        progress = headers.get("x-vidprod-progress")
        return JobAnswer(
            job_id,
            JobStatus(data["Status"]),
            MappingProxyType(json.loads(data["Result"])) if data.get("Result") else None,
            data.get("ErrorCode"),
            data.get("ErrorMessage"),
            float(progress) if progress else None,
        )

    def _uploaded(self, _: str, location: str) -> str:
        """The URL of a file for the server, which a local one is sent to first."""
        return location if is_url(location) else self.upload(location)


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Parameters as they go over the wire: `Boxes.1.X` for what is in lists and objects; None is left out."""
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from flattened(value, f"{path}.")
        elif isinstance(value, list | tuple):
            yield from flattened({str(number): item for number, item in enumerate(value, 1)}, f"{path}.")
        elif isinstance(value, bool):
            yield path, "true" if value else "false"
        elif value is not None:
            yield path, str(value.value if isinstance(value, Enum) else value)


def _method(spec: ActionSpec[Any]) -> Callable[..., RemoteResult]:
    options = {
        name: parameter
        for name, parameter in inspect.signature(Client.run).parameters.items()
        if name not in ("self", "action", "params")
    }

    def method(self: Client, **arguments: Any) -> RemoteResult:
        chosen = {name: arguments.pop(name) for name in options if name in arguments}
        return self.run(spec.name, arguments, **chosen)

    method.__name__ = spec.snake_name
    method.__qualname__ = f"Client.{spec.snake_name}"
    method.__doc__ = "\n".join(
        [
            spec.summary,
            "",
            "Args:",
            *(f"    {name}: {info.description}." for name, info in spec.params.model_fields.items()),
            "",
            "The other arguments are those of `Client.run`.",
        ]
    )
    subject = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [subject, *spec.parameters(), *options.values()], return_annotation="RemoteResult"
    )
    return method


for _spec in ACTIONS.values():
    setattr(Client, _spec.snake_name, _method(_spec))

__all__ = ["Client", "JobAnswer", "RemoteResult", "VidprodError", "flattened"]
