"""The files of a job: inputs come in as URLs and become local paths, results go out as links."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vidprod.actions.files import with_files
from vidprod.actions.spec import ActionSpec, Params
from vidprod.errors import FileDownload, InternalError
from vidprod.jobs.ledger import Work
from vidprod.settings import Settings
from vidprod.storage.errors import NoSuchKey
from vidprod.storage.fetch import FetchPolicy, fetch
from vidprod.storage.keys import own_object, result_key
from vidprod.storage.objects import Store
from vidprod.storage.urls import check_url

_PATH = re.compile(r"(?<![\w:/.\-])/(?:[^\s/:'\"]+/)+([^\s/:'\"]*)")


@dataclass(frozen=True)
class Inputs:
    """Parameters as JSON with local paths, and which parameter each path belongs to (`FileList.2.FileUrl`)."""

    parameters: Mapping[str, Any]
    names: Mapping[str, str]

    def public(self, message: str) -> str:
        """A message without local paths: files are called as their parameters are."""
        for path, name in self.names.items():
            folder, _, file = path.rpartition("/")
            message = re.sub(rf"(?<![\w.-])({re.escape(folder)}/)?{re.escape(file)}(?![\w-])", name, message)
            member, dot, _ = name.rpartition(".")
            if dot:  # "FileList.2: FileList.2.FileUrl is empty"
                message = message.replace(f"{member}: {name}", name)
        return without_paths(message)


def without_paths(message: str) -> str:
    """A message in which absolute paths have become bare names.

    >>> without_paths("cannot read '/srv/data/jobs/1/input.mp4'; see http://host/a/b")
    "cannot read 'input.mp4'; see http://host/a/b"
    """
    return _PATH.sub(r"\1", message)


def fetch_inputs(
    work: Work,
    params: Params,
    folder: Path,
    *,
    store: Store,
    settings: Settings,
    cancelled: Callable[[], bool],
) -> Inputs:
    """Brings the input files of a job into a folder: own uploads and results from the store, others from the network.

    Raises:
        VidprodError: InvalidFile.URL, .Unsafe, .Download, .Type or .Content; InternalServerError when there is no room.
        Cancelled: `cancelled` told so.
    """
    hosts = {urlsplit(work.base_url).netloc.lower()}
    if settings.public_url:
        hosts.add(urlsplit(settings.public_url).netloc.lower())
    policy = FetchPolicy.of(settings)
    names: dict[str, str] = {}

    def bring(name: str, url: str) -> str:
        url = check_url(url)
        stem = f"input-{len(names) + 1}"
        key = own_object(url, hosts, work.account, store.pair, datetime.now(UTC))
        if key is None:
            path = fetch(url, folder, policy=policy, name=stem, cancelled=cancelled)
        else:
            try:
                path = store.copy_to(key, folder / (stem + Path(key).suffix))
            except NoSuchKey:
                raise FileDownload(f"{url.partition('?')[0]}: there is no such upload, or no longer") from None
        names[str(path)] = name
        return str(path)

    local = with_files(params, bring)
    return Inputs(local.model_dump(mode="json", by_alias=True, exclude_none=True), names)


def output_path(spec: ActionSpec[Any], params: Params, folder: Path) -> Path:
    """Where an action is to put its result."""
    return folder / f"output{spec.suffix_of(params)}"


def publish(work: Work, spec: ActionSpec[Any], data: Mapping[str, Any], folder: Path, store: Store) -> dict[str, str]:
    """Stores the result's files, under keys that depend on the job only: doing it twice leaves one set of objects.

    Args:
        work: the job.
        spec: its action.
        data: the result with local paths: `{"VideoUrl": ..., "VideoCoverUrl": ...}`.
        folder: the job's; all files must be in it.
        store: where results are kept.

    Returns:
        The keys, under the names in `data`.

    Raises:
        StoreFailed: trying again may help.
    """
    keys: dict[str, str] = {}
    for number, (name, path) in enumerate(data.items()):
        file = Path(path)
        if file.parent != folder:
            raise InternalError(f"{spec.name} left {name} outside of its folder")
        stem = work.id if number == 0 else f"{work.id}-{number}"
        key = result_key(spec.kebab_name, work.submitted, stem + file.suffix)
        store.put(file, key)
        keys[name] = key
    return keys


def links(work: Work, keys: Mapping[str, str], store: Store, settings: Settings) -> dict[str, str]:
    """The result as clients get it."""
    expires = datetime.now(UTC) + settings.result_ttl
    return {name: store.link(key, base_url=work.base_url, expires=expires) for name, key in keys.items()}
