"""Names of objects, and which URLs are objects of this very server.

super-resolve-video/2026-03-20-12/<job id>.mp4                        results: feature, hour (UTC), name
upload/<the first 16 digits of sha256(account)>/2026-03-20-12/<...>   uploads
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from vidprod.errors import FileDownload
from vidprod.storage.errors import StorageError
from vidprod.storage.objects import BUCKET
from vidprod.storage.policy import own_key
from vidprod.storage.presign import KeyPair, object_key, verify_link
from vidprod.storage.urls import told


def result_key(feature: str, submitted: datetime, name: str) -> str:
    """The key of a result. Made of what does not change when a job is tried again, so a second try replaces the first one's file.

    Args:
        feature: the action's name in kebab-case.
        submitted: when the job came in, aware.
        name: the job's id and what the file is, `<job id>.mp4`.
    """
    return object_key(feature, submitted, name)


def upload_key(account: str, now: datetime) -> str:
    """A fresh key for an upload of an account; nobody can guess it."""
    return object_key(f"upload/{_owner(account)}", now, secrets.token_hex(16))


def own_object(url: str, hosts: Collection[str], account: str, pair: KeyPair, now: datetime) -> str | None:
    """The key of the object that a job's input names, if it is one of this server's; None for a URL of somewhere else.

    Two kinds of URL are taken: an upload's, unsigned and good for the account that uploaded it only; and a result link, as long as
    it is valid. What a stranger's upload is called must not be told from what never existed.

    Args:
        url: as `check_url` returns it.
        hosts: this server's, `127.0.0.1:8080`.
        account: whose job it is.
        pair: the server's own.
        now: aware.

    Raises:
        FileDownload: a URL of this server that is not good for this account.
    """
    try:
        key = own_key(url, hosts)
        if key is None:
            return None
        if key.startswith(f"upload/{_owner(account)}/"):
            return key
        if key.startswith(f"{BUCKET}/"):
            parts = urlsplit(url)
            return verify_link(parts.path, parse_qsl(parts.query, keep_blank_values=True), pair.secret_of, now)
    except StorageError as error:
        raise FileDownload(f"{told(url)}: {error.message}") from None
    raise FileDownload(f"{told(url)}: there is no such upload")


def _owner(account: str) -> str:
    return hashlib.sha256(account.encode()).hexdigest()[:16]
