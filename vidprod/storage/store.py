"""Where results and uploads are kept: opening the store that the settings name."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vidprod.errors import InvalidParameter, shown
from vidprod.settings import Settings
from vidprod.storage.local import LocalStore
from vidprod.storage.objects import BUCKET, Receiver, Store, StoredObject
from vidprod.storage.pair import load_pair

__all__ = ["BUCKET", "Receiver", "Store", "StoredObject", "open_store"]

_S3_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")


def open_store(settings: Settings) -> Store:
    """The store of `settings.storage_url`: `file:///folder`, or `s3://bucket/prefix` with the usual AWS_ variables.

    Raises:
        InvalidParameter: the URL is of another kind.
        StoreFailed: the folder cannot be made or written.
    """
    url = settings.storage_url
    parts = urlsplit(url)
    odd = parts.query or parts.fragment
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and len(parts.path) > 1 and not odd:
        return LocalStore(Path(unquote(parts.path)), load_pair(settings.data))
    if parts.scheme == "s3" and _S3_BUCKET.fullmatch(parts.netloc) and not odd:
        from vidprod.storage.s3 import S3Store  # brings obstore, which only this store needs

        return S3Store(parts.netloc, unquote(parts.path).strip("/"), settings.data, load_pair(settings.data))
    raise InvalidParameter(f"VIDPROD_STORAGE is {shown(url)}: must be file:///folder or s3://bucket/prefix")
