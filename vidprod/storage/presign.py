"""Result links: URLs that anybody may read until they expire, signed the way object storages do (query signature, version 1).

    http://<host>/<key>?Expires=<Unix seconds>&OSSAccessKeyId=<id>&Signature=<base64>
    Signature = base64(HMAC-SHA1(secret, "GET\\n\\n\\n<Expires>\\n/<bucket>/<key>"))

The two empty lines are Content-MD5 and Content-Type. The key pair is the server's own; an account's secret never signs a link.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

from vidprod.storage.errors import AccessDenied, InvalidObjectName, LinkMismatch

MAX_KEY = 1023
"""Bytes of UTF-8."""

_CONTROL = re.compile("[\x00-\x1f\x7f\\\\\ud800-\udfff]")
_EXPIRES = re.compile("[0-9]{1,12}")


@dataclass(frozen=True)
class KeyPair:
    """The server's own pair for links and uploads; the secret is not shown."""

    id: str
    secret: str = field(repr=False)

    def secret_of(self, key_id: str) -> str | None:
        """The secret, for the right id."""
        return self.secret if hmac.compare_digest(key_id.encode("utf-8", "replace"), self.id.encode()) else None


def sign_link(
    base: str, bucket: str, key: str, expires: datetime, pair: KeyPair, *, bucket_in_path: bool = False
) -> str:
    """A link to an object.

    Args:
        base: scheme and host, `http://127.0.0.1:8080`.
        bucket: the object's.
        key: decoded, `super-resolve/2020-03-20-12/a.mp4`.
        expires: aware; the last second at which the link works.
        pair: the server's own.
        bucket_in_path: `http://host/bucket/key` instead of leaving the bucket to the host name.
    """
    check_key(key)
    seconds = str(int(expires.timestamp()))
    resource = f"/{bucket}/{key}"
    path = resource if bucket_in_path else f"/{key}"
    signature = quote(link_signature(resource, seconds, pair.secret), safe="")
    return f"{base}{quote(path)}?Expires={seconds}&OSSAccessKeyId={quote(pair.id, safe='')}&Signature={signature}"


def link_signature(resource: str, expires: str, secret: str) -> str:
    """The signature for `/<bucket>/<key>`, decoded, and the expiry in Unix seconds."""
    text = f"GET\n\n\n{expires}\n{resource}"
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()


def verify_link(
    path: str,
    query: Iterable[tuple[str, str]],
    secret_of: Callable[[str], str | None],
    now: datetime,
    *,
    bucket: str | None = None,
) -> str:
    """The key of the object that a link opens. A link is good for GET and for HEAD, which media players send first.

    Args:
        path: of the request, percent-encoded as sent; slashes may be `%2F`.
        query: decoded names and values, in any order; those that are none of the three are ignored.
        secret_of: the secret of one of the server's own pairs, None for an unknown id.
        now: aware.
        bucket: the bucket when it is told by the host name; None when the path begins with it.

    Raises:
        AccessDenied: no signature, or an expired link.
        LinkMismatch: a wrong signature.
        InvalidObjectName: a key that `check_key` refuses.
    """
    resource = decode_path(path) if bucket is None else f"/{bucket}{decode_path(path)}"
    own, _, key = resource[1:].partition("/")
    check_key(key)
    check_key(own)
    given: dict[str, str] = {}
    for name, value in query:
        if name in ("Expires", "OSSAccessKeyId", "Signature"):
            if name in given:
                raise AccessDenied(f"{name} is given twice.")
            given[name] = value
    for name in ("OSSAccessKeyId", "Expires", "Signature"):
        if not given.get(name):
            raise AccessDenied(f"The link has no {name}.")
    secret = secret_of(given["OSSAccessKeyId"])
    if secret is None:
        raise AccessDenied("The OSSAccessKeyId of the link is not known.")
    if not _EXPIRES.fullmatch(given["Expires"]):
        raise AccessDenied("Expires is not a number of seconds.")
    # Checked before the signature as the cloud does; it tells nothing that is not in the link.
    if now.timestamp() > int(given["Expires"]):
        raise AccessDenied("Request has expired.")
    expected = link_signature(resource, given["Expires"], secret)
    if not hmac.compare_digest(given["Signature"].encode("utf-8", "replace"), expected.encode()):
        raise LinkMismatch("The request signature we calculated does not match the signature you provided.")
    return key


def decode_path(path: str) -> str:
    """The path, decoded once: what is still encoded then is part of a name.

    Raises:
        InvalidObjectName: not UTF-8, or not beginning with a slash.
    """
    try:
        decoded = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise InvalidObjectName("The path is not percent-encoded UTF-8.") from None
    if not decoded.startswith("/"):
        raise InvalidObjectName("The path must begin with a slash.")
    return decoded


def check_key(key: str) -> None:
    """Refuses keys that a file system could take for somewhere else.

    Raises:
        InvalidObjectName: empty, too long, with an empty, `.` or `..` segment, a backslash, or a control character.
    """
    if not key or _CONTROL.search(key) or len(key.encode()) > MAX_KEY:
        raise InvalidObjectName("The key must have 1 to 1023 bytes, without control characters and backslashes.")
    if not {"", ".", ".."}.isdisjoint(key.split("/")):
        raise InvalidObjectName("The key must not have empty, . or .. segments.")


def object_key(feature: str, moment: datetime, name: str) -> str:
    """A key of the cloud's shape, `super-resolve/2020-07-24-20/ZTZsIWcU.mp4`: feature, hour (UTC), file name."""
    key = f"{feature}/{moment.astimezone(UTC):%Y-%m-%d-%H}/{name}"
    check_key(key)
    return key
